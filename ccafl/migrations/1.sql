-- The first schema of runs.db, and the published results.

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

INSERT INTO setting (id, paused) VALUES (1, 0);

INSERT INTO reference (
    dataset, setting, method, venue, backbone, image_size, mean_ap, rank1, rank5, rank10, note, source
) VALUES
    ('Market-1501', 'supervised', 'CLIP-ReID', 'AAAI 2023', 'RN50, CLIP', '256x128', 0.898, 0.957, NULL, NULL, '', 'results table in the README of CCAFL''s authors'),
    ('DukeMTMC-reID', 'supervised', 'CLIP-ReID', 'AAAI 2023', 'RN50, CLIP', '256x128', 0.807, 0.9, NULL, NULL, '', 'results table in the README of CCAFL''s authors'),
    ('MSMT17', 'supervised', 'CLIP-ReID', 'AAAI 2023', 'RN50, CLIP', '256x128', 0.63, 0.844, NULL, NULL, '', 'results table in the README of CCAFL''s authors'),
    ('Market-1501', 'ICS', 'UGA', 'ICCV 2019', '', '', 0.703, 0.872, NULL, NULL, '', 'results table in the README of CCAFL''s authors'),
    ('DukeMTMC-reID', 'ICS', 'UGA', 'ICCV 2019', '', '', 0.703, 0.75, NULL, NULL, 'prints the same mAP as for Market-1501, likely a slip in the source', 'results table in the README of CCAFL''s authors'),
    ('MSMT17', 'ICS', 'UGA', 'ICCV 2019', '', '', 0.217, 0.502, NULL, NULL, '', 'results table in the README of CCAFL''s authors'),
    ('Market-1501', 'ICS', 'PCSL', 'TCSVT 2020', '', '', 0.694, 0.87, 0.948, 0.966, '', 'results table in the README of CCAFL''s authors'),
    ('DukeMTMC-reID', 'ICS', 'PCSL', 'TCSVT 2020', '', '', 0.535, 0.717, 0.847, 0.882, '', 'results table in the README of CCAFL''s authors'),
    ('MSMT17', 'ICS', 'PCSL', 'TCSVT 2020', '', '', 0.207, 0.483, 0.628, 0.686, '', 'results table in the README of CCAFL''s authors'),
    ('Market-1501', 'ICS', 'ACAN', 'TCSVT 2021', '', '', 0.506, 0.733, 0.876, 0.918, '', 'results table in the README of CCAFL''s authors'),
    ('DukeMTMC-reID', 'ICS', 'ACAN', 'TCSVT 2021', '', '', 0.451, 0.676, 0.812, 0.852, '', 'results table in the README of CCAFL''s authors'),
    ('MSMT17', 'ICS', 'ACAN', 'TCSVT 2021', '', '', 0.126, 0.33, 0.48, 0.547, '', 'results table in the README of CCAFL''s authors'),
    ('Market-1501', 'ICS', 'MATE', 'IJCV 2021', '', '', 0.711, 0.887, NULL, 0.971, '', 'results table in the README of CCAFL''s authors'),
    ('DukeMTMC-reID', 'ICS', 'MATE', 'IJCV 2021', '', '', 0.566, 0.769, NULL, 0.896, '', 'results table in the README of CCAFL''s authors'),
    ('MSMT17', 'ICS', 'MATE', 'IJCV 2021', '', '', 0.191, 0.46, NULL, 0.653, '', 'results table in the README of CCAFL''s authors'),
    ('Market-1501', 'ICS', 'Precise-ICS', 'WACV 2021', '', '', 0.836, 0.931, 0.978, 0.986, '', 'results table in the README of CCAFL''s authors'),
    ('DukeMTMC-reID', 'ICS', 'Precise-ICS', 'WACV 2021', '', '', 0.72, 0.836, 0.926, 0.947, '', 'results table in the README of CCAFL''s authors'),
    ('MSMT17', 'ICS', 'Precise-ICS', 'WACV 2021', '', '', 0.313, 0.577, 0.711, 0.763, '', 'results table in the README of CCAFL''s authors'),
    ('Market-1501', 'ICS', 'PIRID', 'ICASSP 2022', '', '', 0.796, 0.91, 0.967, 0.979, '', 'results table in the README of CCAFL''s authors'),
    ('DukeMTMC-reID', 'ICS', 'PIRID', 'ICASSP 2022', '', '', 0.654, 0.796, 0.886, 0.914, '', 'results table in the README of CCAFL''s authors'),
    ('MSMT17', 'ICS', 'PIRID', 'ICASSP 2022', '', '', 0.349, 0.606, 0.738, 0.793, '', 'results table in the README of CCAFL''s authors'),
    ('Market-1501', 'ICS', 'CDL', 'TMM 2022', '', '', 0.846, 0.94, 0.978, 0.986, '', 'results table in the README of CCAFL''s authors'),
    ('MSMT17', 'ICS', 'CDL', 'TMM 2022', '', '', 0.48, 0.763, 0.862, 0.89, '', 'results table in the README of CCAFL''s authors'),
    ('Market-1501', 'ICS', 'DCL', 'ICPR 2022', '', '', 0.862, 0.951, 0.98, 0.988, '', 'results table in the README of CCAFL''s authors'),
    ('MSMT17', 'ICS', 'DCL', 'ICPR 2022', '', '', 0.451, 0.745, 0.845, 0.876, '', 'results table in the README of CCAFL''s authors'),
    ('Market-1501', 'ICS', 'CMT', 'TCSVT 2024', 'RN50, ImageNet', '384x128', 0.889, 0.958, 0.984, 0.99, '', 'results table in the README of CCAFL''s authors'),
    ('DukeMTMC-reID', 'ICS', 'CMT', 'TCSVT 2024', 'RN50, ImageNet', '384x128', 0.786, 0.895, 0.951, 0.966, '', 'results table in the README of CCAFL''s authors'),
    ('MSMT17', 'ICS', 'CMT', 'TCSVT 2024', 'RN50, ImageNet', '384x128', 0.513, 0.785, 0.873, 0.902, 'its own README prints 51.4 / 78.3', 'results table in the README of CCAFL''s authors'),
    ('Market-1501', 'ICS', 'CCAFL', 'TCSVT 2025', 'RN50, CLIP', '256x128', 0.901, 0.961, 0.986, 0.991, 'best epoch on the test set, one seed; the released model: 90.1 / 96.0', 'results table in the README of CCAFL''s authors'),
    ('DukeMTMC-reID', 'ICS', 'CCAFL', 'TCSVT 2025', 'RN50, CLIP', '256x128', 0.815, 0.908, 0.955, 0.973, 'best epoch on the test set, one seed', 'results table in the README of CCAFL''s authors'),
    ('MSMT17', 'ICS', 'CCAFL', 'TCSVT 2025', 'RN50, CLIP', '256x128', 0.589, 0.829, 0.907, 0.928, 'best epoch on the test set, one seed', 'results table in the README of CCAFL''s authors'),
    ('Market-1501', 'unsupervised, cameras', 'Cluster Contrast + CA-Jaccard', 'CVPR 2024', 'RN50', '256x128', 0.848, NULL, NULL, NULL, 'without CA-Jaccard: 81.0', 'the authors'' repository'),
    ('MSMT17', 'unsupervised, cameras', 'Cluster Contrast + CA-Jaccard', 'CVPR 2024', 'RN50', '256x128', 0.428, NULL, NULL, NULL, 'without CA-Jaccard: 31.1', 'the authors'' repository'),
    ('Market-1501', 'unsupervised, cameras', 'Cluster Contrast + debiased labels, biased clusters dropped', 'ICLR 2025', 'RN50', '256x128', 0.852, NULL, NULL, NULL, 'without both: 82.6', 'quoted in later papers'),
    ('MSMT17', 'unsupervised, cameras', 'Cluster Contrast + debiased labels, biased clusters dropped', 'ICLR 2025', 'RN50', '256x128', 0.491, NULL, NULL, NULL, 'without both: 29.8', 'quoted in later papers'),
    ('Market-1501', 'unsupervised', 'TransReID-SSL', '', 'ViT-S, LUPerson', '256x128', 0.896, 0.953, NULL, NULL, '', 'the authors'' repository'),
    ('MSMT17', 'unsupervised', 'TransReID-SSL', '', 'ViT-S, LUPerson', '256x128', 0.506, 0.75, NULL, NULL, '', 'the authors'' repository'),
    ('Market-1501', 'unsupervised', 'FuseDSI', '', 'ViT-S, LUPerson', '256x128', 0.885, 0.946, NULL, NULL, '', 'the authors'' repository'),
    ('MSMT17', 'unsupervised', 'FuseDSI', '', 'ViT-S, LUPerson', '256x128', 0.522, 0.769, NULL, NULL, '', 'the authors'' repository'),
    ('Market-1501', 'unsupervised', 'Cluster Contrast + PCL-CLIP', '', 'ViT-B/16, CLIP', '256x128', 0.869, 0.942, NULL, NULL, '', 'quoted in later papers'),
    ('MSMT17', 'unsupervised', 'Cluster Contrast + PCL-CLIP', '', 'ViT-B/16, CLIP', '256x128', 0.564, 0.779, NULL, NULL, '', 'quoted in later papers'),
    ('Market-1501', 'unsupervised', 'PCL-CLIP-USL (Cluster Contrast + PCL-CLIP, done again)', '', 'ViT-B/16, CLIP', '256x128', 0.902, 0.955, NULL, NULL, 'published log, other options: 88.5 / 94.7', 'the authors'' repository'),
    ('MSMT17', 'unsupervised', 'PCL-CLIP-USL (Cluster Contrast + PCL-CLIP, done again)', '', 'ViT-B/16, CLIP', '256x128', 0.675, 0.851, NULL, NULL, 'the published log agrees', 'the authors'' repository'),
    ('Market-1501', 'supervised', 'fast-reid SBS', '', 'RN50, ImageNet', '384x128', 0.882, 0.954, NULL, NULL, '', 'the authors'' repository'),
    ('DukeMTMC-reID', 'supervised', 'fast-reid SBS', '', 'RN50, ImageNet', '384x128', 0.798, 0.896, NULL, NULL, '', 'the authors'' repository'),
    ('MSMT17', 'supervised', 'fast-reid SBS', '', 'RN50, ImageNet', '384x128', 0.599, 0.833, NULL, NULL, '', 'the authors'' repository'),
    ('Market-1501', 'supervised', 'CLIP-ReID', 'AAAI 2023', 'ViT-B/16, CLIP', '256x128', 0.896, 0.955, NULL, NULL, '', 'quoted in later papers'),
    ('DukeMTMC-reID', 'supervised', 'CLIP-ReID', 'AAAI 2023', 'ViT-B/16, CLIP', '256x128', 0.825, 0.9, NULL, NULL, 'another table prints 83.1 / 90.8', 'quoted in later papers'),
    ('MSMT17', 'supervised', 'CLIP-ReID', 'AAAI 2023', 'ViT-B/16, CLIP', '256x128', 0.734, 0.887, NULL, NULL, '', 'quoted in later papers'),
    ('Market-1501', 'supervised', 'CLIP-ReID + SIE + OLP', 'AAAI 2023', 'ViT-B/16, CLIP', '256x128', 0.905, 0.954, NULL, NULL, '', 'quoted in later papers'),
    ('DukeMTMC-reID', 'supervised', 'CLIP-ReID + SIE + OLP', 'AAAI 2023', 'ViT-B/16, CLIP', '256x128', 0.831, 0.908, NULL, NULL, '', 'quoted in later papers'),
    ('MSMT17', 'supervised', 'CLIP-ReID + SIE + OLP', 'AAAI 2023', 'ViT-B/16, CLIP', '256x128', 0.758, 0.897, NULL, NULL, '', 'quoted in later papers'),
    ('Market-1501', 'supervised', 'PCL-CLIP', '', 'ViT-B/16, CLIP', '256x128', 0.914, 0.959, NULL, NULL, '', 'quoted in later papers'),
    ('MSMT17', 'supervised', 'PCL-CLIP', '', 'ViT-B/16, CLIP', '256x128', 0.761, 0.898, NULL, NULL, '', 'quoted in later papers'),
    ('Market-1501', 'supervised', 'PASS', '', 'ViT-B/16, LUPerson', '256x128', 0.93, 0.968, NULL, NULL, '', 'the authors'' repository'),
    ('DukeMTMC-reID', 'supervised', 'PASS', '', 'ViT-B/16, LUPerson', '256x128', 0.847, 0.925, NULL, NULL, '', 'the authors'' repository'),
    ('MSMT17', 'supervised', 'PASS', '', 'ViT-B/16, LUPerson', '256x128', 0.718, 0.882, NULL, NULL, '', 'the authors'' repository'),
    ('Market-1501', 'supervised', 'SOLIDER', '', 'Swin-B, LUPerson', '256x128', 0.939, 0.969, NULL, NULL, '', 'the authors'' repository'),
    ('MSMT17', 'supervised', 'SOLIDER', '', 'Swin-B, LUPerson', '256x128', 0.771, 0.907, NULL, NULL, '', 'the authors'' repository'),
    ('Market-1501', 'supervised', 'CLIMB-ReID', 'AAAI 2025', 'ViT-B/16 + Mamba, CLIP', '256x128', 0.926, 0.968, NULL, NULL, '', 'quoted in later papers'),
    ('MSMT17', 'supervised', 'CLIMB-ReID', 'AAAI 2025', 'ViT-B/16 + Mamba, CLIP', '256x128', 0.778, 0.905, NULL, NULL, '', 'quoted in later papers'),
    ('Market-1501', 'supervised', 'DiffReID', '2026', 'ViT-B/16, CLIP', '256x128', 0.915, 0.961, NULL, NULL, '', 'the authors'' repository'),
    ('DukeMTMC-reID', 'supervised', 'DiffReID', '2026', 'ViT-B/16, CLIP', '256x128', 0.856, 0.924, NULL, NULL, '', 'the authors'' repository'),
    ('MSMT17', 'supervised', 'DiffReID', '2026', 'ViT-B/16, CLIP', '256x128', 0.79, 0.912, NULL, NULL, '', 'the authors'' repository'),
    ('Market-1501', 'supervised', 'FM-ReID', '2026', 'DINOv3-B/16', '256x128', 0.923, 0.961, NULL, NULL, '', 'the authors'' repository'),
    ('DukeMTMC-reID', 'supervised', 'FM-ReID', '2026', 'DINOv3-B/16', '256x128', 0.85, 0.922, NULL, NULL, '', 'the authors'' repository'),
    ('MSMT17', 'supervised', 'FM-ReID', '2026', 'DINOv3-B/16', '256x128', 0.798, 0.913, NULL, NULL, '', 'the authors'' repository'),
    ('Market-1501', 'supervised', 'PersonViT', '', 'ViT-B/16, LUPerson', '256x128', 0.95, 0.976, NULL, NULL, '', 'the authors'' repository'),
    ('DukeMTMC-reID', 'supervised', 'PersonViT', '', 'ViT-B/16, LUPerson', '256x128', 0.881, 0.938, NULL, NULL, '', 'the authors'' repository'),
    ('MSMT17', 'supervised', 'PersonViT', '', 'ViT-B/16, LUPerson', '256x128', 0.808, 0.92, NULL, NULL, '', 'the authors'' repository'),
    ('MSMT17', 'supervised', 'CLIP-ReID + SIE + OLP', 'AAAI 2023', 'ViT-B/16, CLIP', '256x128', 0.867, 0.911, NULL, NULL, 're-ranked', 'the authors'' repository'),
    ('MSMT17', 'supervised', 'SOLIDER', '', 'Swin-B, LUPerson', '256x128', 0.865, 0.917, NULL, NULL, 're-ranked', 'the authors'' repository'),
    ('MSMT17', 'supervised', 'PASS', '', 'ViT-B/16, LUPerson', '384x128', 0.743, NULL, NULL, NULL, '', 'the authors'' repository');
