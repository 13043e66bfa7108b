"""The state folder, the database in it, who serves the queue, and the disk."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing

from sqlalchemy import select

from ccafl.disk import FREE
from ccafl.doctor.findings import Finding, ok, problem, remark
from ccafl.errors import CcaflError, ConfigError, StoreError
from ccafl.paths import Home
from ccafl.store import ACTIVE, Store, database, open_store, removal
from ccafl.store.queries import LEASE
from ccafl.supervisor.process import Identity, lives
from ccafl.supervisor.settings import read_settings
from ccafl.tables import byte_count

REBUILD = "`ccafl doctor --yes` makes it again from the folders of the runs."


def examine(home: Home) -> Iterator[Finding]:
    """Look at the folder and the database; stops where nothing more can be read."""
    if not home.root.exists():
        yield remark("folder", f"{home.root} does not exist yet; the first run creates it.")
        return
    folder = _folder(home)
    yield folder
    yield _disk(home)
    if folder.level == "problem":
        return
    yield from _settings(home)
    if not home.database.exists():
        yield _no_database(home)
        return
    found = _database(home)
    yield found
    if found.level == "ok":
        try:
            with open_store(home) as store:
                yield from _service(store)
        except CcaflError as error:
            yield problem("database", str(error), "")


def disk_use(home: Home) -> list[tuple[str, int]]:
    """Bytes of each run, each cache and the database, largest first."""
    sizes = {f"run {run_id}": removal.size(home.run(run_id).root) for run_id in home.all_runs()}
    for folder in (home.cache, home.backups):
        for path in folder.iterdir() if folder.is_dir() else ():
            sizes[f"{folder.name} {path.name}"] = removal.size(path)
    if home.database.exists():
        sizes["database"] = home.database.stat().st_size
    return sorted(sizes.items(), key=lambda item: -item[1])


def _folder(home: Home) -> Finding:
    root, status = str(home.root), home.root.stat()
    if not home.root.is_dir():
        return problem("folder", f"{root} is a file.", "Choose another folder with --home.")
    if status.st_uid != os.geteuid():
        return problem(
            "folder", f"{root} belongs to another user.", "Choose another folder with --home."
        )
    if status.st_mode & 0o077:
        return problem(
            "folder", f"Other users can look into or write to {root}.", f"Run: chmod go= {root!r}"
        )
    if not os.access(home.root, os.W_OK | os.X_OK):
        return problem(
            "folder",
            f"{root} cannot be written to; runs can be looked at, and none can be added.",
            f"Run: chmod u+rwx {root!r}, or mount its disk for writing.",
        )
    return ok("folder", root)


def _disk(home: Home) -> Finding:
    free = shutil.disk_usage(home.root).free
    if free < FREE:
        return problem(
            "disk",
            f"Only {byte_count(free)} are free on the disk of the state folder.",
            "Free room there; `ccafl delete ID` removes a run with everything it wrote.",
        )
    return ok("disk", f"{byte_count(free)} are free")


def _settings(home: Home) -> Iterator[Finding]:
    try:
        read_settings(home)
    except ConfigError as error:
        yield problem("settings", str(error), "Correct the file, or remove it.")
    else:
        if home.settings.exists():
            yield ok("settings", f"{home.settings.name} is good")


def _no_database(home: Home) -> Finding:
    found = home.all_runs()
    if not found:
        return remark("database", "There is none yet; the first run creates it.")
    return problem(
        "database", f"It is missing, and {len(found):,} runs have a folder.", REBUILD, rebuild=True
    )


def _database(home: Home) -> Finding:
    path = home.database
    if path.stat().st_size == 0:
        return problem("database", "It has no content.", REBUILD, rebuild=True)
    try:
        with closing(database.connect(path, "ro")) as connection:
            damage = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        version, newest = database.check(path), len(database.migrations())
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return problem("database", f"It is damaged: {error}.", REBUILD, rebuild=True)
        return problem("database", f"It cannot be read: {error}.", "Close what holds it open.")
    except StoreError as error:
        return problem("database", str(error), "")
    if damage != ["ok"]:
        return problem("database", f"It is damaged: {'; '.join(damage)}.", REBUILD, rebuild=True)
    if orphans:
        return problem(
            "database", f"{len(orphans):,} rows belong to no run.", REBUILD, rebuild=True
        )
    size = byte_count(path.stat().st_size)
    if version < newest:
        return remark(
            "database",
            f"It has schema version {version} of {newest}; it is brought up to date when the "
            "queue is served.",
        )
    return ok("database", f"whole; {size}, schema version {version}")


def _service(store: Store) -> Iterator[Finding]:
    """Whether somebody serves the queue where there is work, and GPUs that are not given back."""
    runs, row = store.runs((*ACTIVE, "queued")), store.supervisor()
    if row is not None and lives(Identity(row.pid, row.pid_start, row.boot_id)):
        yield ok("queue", f"served by process {row.pid}, ccafl {row.version}")
    elif any(run.state in ACTIVE or not run.hold for run in runs):
        yield problem(
            "queue",
            f"{len(runs):,} runs wait or work, and nobody serves the queue.",
            "Run: ccafl queue",
        )
    else:
        yield ok("queue", "nothing to do, so nobody serves it")
    if store.paused():
        yield remark("queue", "It is paused; `ccafl queue unpause` lets it go on.")
    with store.reading() as connection:
        stuck = connection.execute(
            select(LEASE.c.gpu_uuid, LEASE.c.run_id).where(LEASE.c.stuck == 1)
        )
        for uuid, run_id in stuck.all():
            yield problem(
                f"GPU {uuid}",
                f"Run {run_id} has ended, and its GPU memory is not given back.",
                "`nvidia-smi` shows which process holds it; end it, or restart the machine.",
            )
