-- The schema of runs.db, printed by `python -m ccafl.store`.

CREATE TABLE run (  -- One queued job with one config. Times here and everywhere: unix seconds.
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    note TEXT NOT NULL,
    dataset TEXT NOT NULL,
    preset TEXT NOT NULL,
    gpu TEXT NOT NULL,  -- as asked for: auto, cpu, an index or a UUID
    source INTEGER,  -- the run whose stages it begins with
    state TEXT NOT NULL,
    place INTEGER NOT NULL,  -- order of the queue
    hold INTEGER NOT NULL,
    start_over INTEGER NOT NULL,  -- the next attempt drops what earlier ones saved
    lost_in_row INTEGER NOT NULL,  -- lost attempts since the last checkpoint
    token TEXT NOT NULL,  -- marks every process of the run
    created REAL NOT NULL,
    started REAL,  -- of the newest attempt
    ended REAL,
    attempt INTEGER NOT NULL,
    host TEXT,
    boot_id TEXT,
    pid INTEGER,
    pid_start INTEGER,  -- clock ticks after boot
    launcher TEXT NOT NULL,
    slurm_job TEXT,
    cancel_requested INTEGER NOT NULL,  -- requests; 2 and more kill at once
    reason TEXT,  -- why it waits, or how it ended
    exit_kind TEXT,
    exit_code INTEGER,
    device TEXT,
    threads INTEGER,
    versions TEXT NOT NULL,
    last_event REAL,
    stage TEXT,
    epoch INTEGER,  -- from 1 inside the stage
    step INTEGER NOT NULL,  -- optimiser steps of the whole run
    steps INTEGER,
    checkpoint INTEGER,  -- step of the newest complete one
    checkpoint_bytes INTEGER,
    activity TEXT,
    activity_done INTEGER,
    activity_total INTEGER,
    warning TEXT,  -- the newest one
    config TEXT NOT NULL,  -- last, so that a scan need not read it
    CHECK (state IN (
        'queued', 'starting', 'running', 'cancelling', 'finished', 'failed', 'cancelled',
        'lost')),
    CHECK (exit_kind IN (
        'ok', 'error', 'gpu_memory', 'host_memory', 'signal', 'cancelled', 'node',
        'timeout', 'lost')),
    CHECK (hold IN (0, 1)),
    CHECK (start_over IN (0, 1)),
    CHECK (json_valid(versions)),
    CHECK (json_valid(config)),
    FOREIGN KEY(source) REFERENCES run (id) ON DELETE RESTRICT,
    UNIQUE (token)
) STRICT;

CREATE INDEX run_state ON run (state, place);

CREATE TABLE attempt (  -- One start of a run, and how far its event file has been read.
    run_id INTEGER NOT NULL,
    n INTEGER NOT NULL,
    gpu_uuid TEXT NOT NULL,  -- the leases it held, with commas between
    started REAL NOT NULL,
    ended REAL,
    exit_kind TEXT,
    exit_code INTEGER,
    checkpoint INTEGER,  -- newest one this attempt saved
    "offset" INTEGER NOT NULL,  -- bytes of the event file taken in
    bad_lines INTEGER NOT NULL,
    damaged INTEGER NOT NULL,  -- the event file is shorter than offset
    PRIMARY KEY (run_id, n),
    CHECK (exit_kind IN (
        'ok', 'error', 'gpu_memory', 'host_memory', 'signal', 'cancelled', 'node',
        'timeout', 'lost')),
    CHECK (damaged IN (0, 1)),
    FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
) WITHOUT ROWID, STRICT;

CREATE TABLE lease (  -- A device in use by a run; the CPU is the one named 'cpu'.
    gpu_uuid TEXT NOT NULL,
    run_id INTEGER NOT NULL,
    ended REAL,  -- when its run ended; the lease goes when the memory is back
    stuck INTEGER NOT NULL,  -- not given back for long
    PRIMARY KEY (gpu_uuid),
    CHECK (stuck IN (0, 1)),
    FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE RESTRICT
) WITHOUT ROWID, STRICT;

CREATE TABLE tag (  -- A word the user put on a run.
    run_id INTEGER NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (run_id, tag),
    FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
) WITHOUT ROWID, STRICT;

CREATE TABLE supervisor (  -- The one process that serves the queue.
    id INTEGER NOT NULL,
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_start INTEGER NOT NULL,
    version TEXT NOT NULL,
    started REAL NOT NULL,
    beat REAL NOT NULL,
    PRIMARY KEY (id),
    CHECK (id = 1)
) STRICT;

CREATE TABLE setting (  -- What the user set for the whole queue.
    id INTEGER NOT NULL,
    paused INTEGER NOT NULL,
    PRIMARY KEY (id),
    CHECK (id = 1),
    CHECK (paused IN (0, 1))
) STRICT;

CREATE TABLE loss (  -- The losses of one optimiser step, a column per term.
    run_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    stage TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    time REAL NOT NULL,
    total REAL,
    i2t REAL,
    t2i REAL,
    gid REAL,
    intra REAL,
    memory_triplet REAL,
    triplet REAL,
    text REAL,
    inter REAL,
    ical REAL,
    PRIMARY KEY (run_id, step),
    FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
) WITHOUT ROWID, STRICT;

CREATE TABLE epoch (  -- The end of a stage epoch; the last five columns belong to the inter stage.
    run_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    stage TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seconds REAL NOT NULL,
    images_per_s REAL NOT NULL,
    lr REAL NOT NULL,
    peak_memory INTEGER NOT NULL,  -- bytes
    linked INTEGER,
    groups INTEGER,
    conflicts INTEGER,
    precision REAL,
    recall REAL,
    PRIMARY KEY (run_id, step),
    FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
) WITHOUT ROWID, STRICT;

CREATE TABLE evaluation (  -- Retrieval metrics in [0, 1] after a step.
    run_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    stage TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seconds REAL NOT NULL,
    mean_ap REAL NOT NULL,
    rank1 REAL NOT NULL,
    rank5 REAL NOT NULL,
    rank10 REAL NOT NULL,
    mean_inp REAL NOT NULL,
    queries INTEGER NOT NULL,
    left_out INTEGER NOT NULL,  -- queries without a match
    last INTEGER NOT NULL,  -- highest step
    best INTEGER NOT NULL,  -- highest mAP that counts
    PRIMARY KEY (run_id, step),
    CHECK (last IN (0, 1)),
    CHECK (best IN (0, 1)),
    FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
) WITHOUT ROWID, STRICT;

CREATE TABLE camera_pair (  -- Metrics of one evaluation from one query camera in one gallery camera.
    run_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    query_camid INTEGER NOT NULL,
    gallery_camid INTEGER NOT NULL,
    queries INTEGER NOT NULL,
    mean_ap REAL NOT NULL,
    rank1 REAL NOT NULL,
    PRIMARY KEY (run_id, step, query_camid, gallery_camid),
    FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
) WITHOUT ROWID, STRICT;

CREATE TABLE reference (  -- Published results, metrics in [0, 1]; never mixed with measured rows.
    id INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    setting TEXT NOT NULL,  -- supervision
    method TEXT NOT NULL,
    venue TEXT NOT NULL,
    backbone TEXT NOT NULL,
    image_size TEXT NOT NULL,  -- height x width, '' if unknown
    mean_ap REAL NOT NULL,
    rank1 REAL,
    rank5 REAL,
    rank10 REAL,
    note TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (id)
) STRICT;
