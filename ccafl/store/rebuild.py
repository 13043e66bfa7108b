"""The database made again from the folders of the runs, when the file was damaged or deleted."""

import secrets
import shutil
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from ccafl.config import from_json
from ccafl.errors import ConfigError
from ccafl.events import read_events
from ccafl.locks import hold_lock
from ccafl.paths import Home, RunFolder
from ccafl.store import database
from ccafl.store.ingest import ingest
from ccafl.store.queries import ATTEMPT, LEASE, RUN, TAG
from ccafl.store.records import read_record
from ccafl.store.store import Store, open_store

_CPU = "cpu"


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
            count = sum(_restore(store, run_id) for run_id in _numbers(home))
            _restore_labels(store, home)
        database.checkpoint(beside.database)
        _move_aside(home.database)
        beside.database.replace(home.database)
        shutil.rmtree(beside.root)
    return count


def _numbers(home: Home) -> list[int]:
    if not home.runs.exists():
        return []
    return sorted(int(path.name) for path in home.runs.iterdir() if path.name.isdigit())


def _restore(store: Store, run_id: int) -> bool:
    """Bring back one run; False if its folder holds no config that can be read."""
    folder = store.home.run(run_id)
    try:
        config = folder.config.read_text(encoding="utf-8")
        record = read_record(folder) or _guess(folder, config)
    except (OSError, ValueError, ConfigError):
        return False
    row = {name: value for name, value in record["run"].items() if name in RUN.c}
    row |= {"id": run_id, "config": config}
    attempts: list[dict[str, Any]] = record["attempts"]
    known = {attempt["n"] for attempt in attempts}
    newer = [n for n in _attempts(folder) if n not in known]
    with store.writing() as connection:
        if row.get("source") is not None and not _exists(connection, row["source"]):
            row["source"] = None
        connection.execute(insert(RUN).values(row))
        tags = [{"run_id": run_id, "tag": tag} for tag in record["tags"]]
        if tags:
            connection.execute(insert(TAG), tags)
        for attempt in [*attempts, *(_new_attempt(folder, run_id, n) for n in newer)]:
            connection.execute(insert(ATTEMPT).values(attempt | {"offset": 0, "bad_lines": 0}))
    for n in sorted(known | set(newer)):
        _take_in(store, run_id, n)
    with store.writing() as connection:
        last = row if not newer else _active(connection, folder, row, max(newer))
        connection.execute(update(RUN).where(RUN.c.id == run_id).values(last))
    return True


def _guess(folder: RunFolder, config: str) -> dict[str, Any]:
    """A record for a folder without one: an old or a torn one."""
    name = from_json(config).run.name or f"run {folder.root.name}"
    row = {
        **{"name": name, "note": "", "dataset": "", "preset": "", "gpu": "auto"},
        **{"state": "cancelled", "place": 0, "hold": 0, "start_over": 0, "lost_in_row": 0},
        **{"token": secrets.token_hex(16), "created": folder.config.stat().st_mtime},
        **{"attempt": 0, "launcher": "process", "cancel_requested": 0, "versions": "{}", "step": 0},
        **{"ended": time.time(), "exit_kind": "cancelled"},
    }
    return {"run": row, "attempts": [], "tags": []}


def _attempts(folder: RunFolder) -> list[int]:
    names = (path.stem.removeprefix("events-") for path in folder.root.glob("events-*.jsonl"))
    return sorted(int(name) for name in names if name.isdigit())


def _exists(connection: Connection, run_id: int) -> bool:
    return connection.execute(select(RUN.c.id).where(RUN.c.id == run_id)).first() is not None


def _new_attempt(folder: RunFolder, run_id: int, n: int) -> dict[str, Any]:
    lines = read_events(folder.events(n), 0).lines
    started = lines[0].time if lines else folder.events(n).stat().st_mtime
    return {"run_id": run_id, "n": n, "gpu_uuid": "unknown", "started": started, "damaged": 0}


def _take_in(store: Store, run_id: int, n: int) -> None:
    offset = 0
    while (reached := ingest(store, run_id, n, offset)) != offset:
        offset = reached


def _active(
    connection: Connection, folder: RunFolder, row: Mapping[str, Any], attempt: int
) -> dict[str, object]:
    """An attempt of which no end was recorded: as if its supervisor had died at the claim."""
    if row["gpu"] == _CPU:
        lease = {"gpu_uuid": _CPU, "run_id": row["id"], "stuck": 0}
        connection.execute(insert(LEASE).prefix_with("OR IGNORE"), lease)
    started = _new_attempt(folder, row["id"], attempt)["started"]
    return {
        "state": "starting",
        "attempt": attempt,
        "started": started,
        "ended": None,
    } | dict.fromkeys(("reason", "exit_kind", "exit_code", "pid", "pid_start", "boot_id"))


def _restore_labels(store: Store, home: Home) -> None:
    """Take notes, tags and places from the newest backup where it is newer than the record."""
    backups = sorted(home.backups.glob("*.db"), key=lambda path: path.stat().st_mtime)
    if not backups:
        return
    newest = backups[-1]
    with closing(database.connect(newest, "ro")) as old:
        try:
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
