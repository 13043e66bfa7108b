"""The database made again from the folders of the runs, when the file was damaged or deleted."""

import secrets
import shutil
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import Connection, Table, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from ccafl.config import RunConfig, for_looking
from ccafl.errors import ConfigError
from ccafl.events import read_events
from ccafl.locks import hold_lock
from ccafl.paths import Home, RunFolder
from ccafl.store import database
from ccafl.store.ingest import ingest
from ccafl.store.queries import ATTEMPT, LEASE, RUN, TAG
from ccafl.store.records import Record, Row, read_record
from ccafl.store.store import Store, open_store

_CPU = "cpu"
_GUESSED = "run.json was damaged when the database was made again; what it held is guessed"


def rebuild(home: Home) -> int:
    """Make `runs.db` again from the run folders; gives the number of runs.

    The old file is moved aside. Rows of losses, epochs and evaluations come from the event files,
    the rest from the records in the folders, labels and places changed since from the newest
    backup. A run that was active is left to the next supervisor, which finds its process or its
    result.

    Raises:
        BusyError: a supervisor serves the queue; end it first.
    """
    database.secure_folder(home.root)
    with hold_lock(home.lock):
        beside = Home(home.root / ".rebuild")
        shutil.rmtree(beside.root, ignore_errors=True)
        beside.root.mkdir(mode=0o700)
        beside.runs.symlink_to(home.runs, target_is_directory=True)
        with open_store(beside, create=True) as store:
            rows = [row for run_id in home.all_runs() if (row := _restore(store, run_id))]
            _restore_sources(store, rows)
            _restore_labels(store, home)
        database.checkpoint(beside.database)
        _move_aside(home.database)
        beside.database.replace(home.database)
        shutil.rmtree(beside.root)
    return len(rows)


def _restore(store: Store, run_id: int) -> Row | None:
    """Bring back one run, by guess where its record is of no use; None without its config."""
    folder = store.home.run(run_id)
    try:
        config = folder.config.read_text(encoding="utf-8")
        guess = _guess(folder, for_looking(config))
    except (OSError, ValueError, ConfigError):
        return None
    try:
        row = _insert(store, run_id, config, read_record(folder))
    except (OSError, ValueError, SQLAlchemyError):  # what it may hold is checked by the tables
        row = _insert(store, run_id, config, guess)
    with store.writing() as connection:
        query = select(ATTEMPT.c.n).where(ATTEMPT.c.run_id == run_id)
        known = list(connection.execute(query).scalars())
        newer = [_attempt(folder, run_id, n) for n in folder.attempts() if n not in known]
        for attempt in newer:
            connection.execute(insert(ATTEMPT).values(attempt))
    for n in sorted({*known, *folder.attempts()}):
        _take_in(store, run_id, n)
    with store.writing() as connection:
        last = _active(connection, row, newer[-1]) if newer else row | {"source": None}
        connection.execute(update(RUN).where(RUN.c.id == run_id).values(last))
    return row


def _insert(store: Store, run_id: int, config: str, record: Record) -> Row:
    """Insert what a record holds but for its source, which may come later; gives the run's row."""
    row = _columns(RUN, record.run) | {"id": run_id, "config": config}
    own: Row = {"run_id": run_id, "offset": 0, "bad_lines": 0}
    with store.writing() as connection:
        connection.execute(insert(RUN).values(row | {"source": None}))
        for tag in record.tags:
            connection.execute(insert(TAG).values(run_id=run_id, tag=tag))
        for attempt in record.attempts:
            connection.execute(insert(ATTEMPT).values(_columns(ATTEMPT, attempt) | own))
    return row


def _columns(table: Table, row: Row) -> Row:
    return {name: value for name, value in row.items() if name in table.c}


def _guess(folder: RunFolder, config: RunConfig) -> Record:
    """A record for a folder without a good one."""
    row: Row = {
        **{"name": config.run.name or f"run {folder.root.name}", "note": ""},
        **{"dataset": "", "preset": "", "gpu": "auto"},
        **{"state": "cancelled", "place": 0, "hold": 0, "start_over": 0, "lost_in_row": 0},
        **{"token": secrets.token_hex(16), "created": folder.config.stat().st_mtime},
        **{"attempt": 0, "launcher": "process", "cancel_requested": 0, "versions": "{}", "step": 0},
        **{"ended": time.time(), "exit_kind": "cancelled", "warning": _GUESSED},
    }
    return Record(run=row, attempts=[], tags=[])


def _exists(connection: Connection, run_id: object) -> bool:
    return connection.execute(select(RUN.c.id).where(RUN.c.id == run_id)).first() is not None


def _restore_sources(store: Store, rows: Sequence[Row]) -> None:
    """Name the runs that others start from, now that all are there."""
    with store.writing() as connection:
        for row in rows:
            source = row.get("source")
            if source is not None and _exists(connection, source):
                here = update(RUN).where(RUN.c.id == row["id"])
                connection.execute(here.values(source=source))


def _attempt(folder: RunFolder, run_id: int, n: int) -> Row:
    started = folder.events(n).stat().st_mtime
    with suppress(OSError):  # a file that cannot be read takes no run along
        lines = read_events(folder.events(n), 0).lines
        started = lines[0].time if lines else started
    return {"run_id": run_id, "n": n, "gpu_uuid": "unknown", "started": started, "damaged": 0}


def _take_in(store: Store, run_id: int, n: int) -> None:
    offset = 0
    with suppress(OSError):
        while (reached := ingest(store, run_id, n, offset)) != offset:
            offset = reached


def _active(connection: Connection, row: Row, attempt: Row) -> Row:
    """An attempt of which no end was recorded: as if its supervisor had died at the claim."""
    if row["gpu"] == _CPU:
        lease = {"gpu_uuid": _CPU, "run_id": row["id"], "stuck": 0}
        connection.execute(insert(LEASE).prefix_with("OR IGNORE"), lease)
    unknown = ("ended", "reason", "exit_kind", "exit_code", "pid", "pid_start", "boot_id")
    now: Row = {"state": "starting", "attempt": attempt["n"], "started": attempt["started"]}
    return now | dict.fromkeys(unknown)


def _restore_labels(store: Store, home: Home) -> None:
    """Take notes, tags and places from the newest backup where it is newer than the record."""
    backups = [path for path in home.backups.glob("*.db") if path.is_file()]
    if not backups:
        return
    newest = max(backups, key=lambda path: path.stat().st_mtime)
    try:
        with closing(database.connect(newest, "ro")) as old:
            rows = old.execute("SELECT id, note, place, hold FROM run").fetchall()
            tags = old.execute("SELECT run_id, tag FROM tag").fetchall()
    except sqlite3.Error:
        return  # a backup of another schema, or a damaged one
    with store.writing() as connection:
        for run_id, note, place, hold in rows:
            if not _is_newer(newest, home.run(run_id)) or not _exists(connection, run_id):
                continue
            here = update(RUN).where(RUN.c.id == run_id)
            connection.execute(here.values(note=note, place=place, hold=hold))
            connection.execute(delete(TAG).where(TAG.c.run_id == run_id))
            kept = [{"run_id": run_id, "tag": tag} for found, tag in tags if found == run_id]
            if kept:
                connection.execute(insert(TAG), kept)


def _is_newer(backup: Path, folder: RunFolder) -> bool:
    return (
        not folder.record.exists() or backup.stat().st_mtime_ns >= folder.record.stat().st_mtime_ns
    )


def _move_aside(path: Path) -> None:
    """Keep a damaged database and its journals under other names."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for suffix in ("", "-wal", "-shm"):
        found = path.with_name(path.name + suffix)
        if found.exists():
            found.replace(path.with_name(f"{path.name}.damaged-{stamp}{suffix}"))
