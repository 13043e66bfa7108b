"""The file `runs.db`: opening it, creating and migrating it, and what its errors mean.

Writers begin with BEGIN IMMEDIATE, because a transaction that reads first and then wants to write
fails at once, without waiting, when somebody else wrote in between. Readers open the file
read-only and fetch everything before they let go, because a held snapshot lets the WAL grow.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from sqlalchemy import Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError

from ccafl.errors import BusyError, StoreError
from ccafl.paths import replacing

APPLICATION_ID = 0x43434146  # "CCAF"
BUSY_S = 5.0
WAL_LIMIT = 64 << 20  # bytes kept on disk after a checkpoint

Mode = Literal["ro", "rw"]


def connect(path: Path, mode: Mode, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """A bare connection to an existing file, without transactions that Python begins by itself."""
    # A reader needs the file of shared memory beside the database and cannot make it in a folder
    # that is read-only. Without a journal the database does not change and needs none.
    alone = mode == "ro" and not os.access(path.parent, os.W_OK) and not _has_log(path)
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}{'&immutable=1' if alone else ''}",
        uri=True,
        timeout=busy_s,
        isolation_level=None,
        check_same_thread=False,
    )


def migrations() -> list[str]:
    """The SQL of each schema version, first to last."""
    folder = files("ccafl") / "migrations"
    scripts = sorted(folder.iterdir(), key=lambda file: int(file.name.removesuffix(".sql")))
    return [script.read_text(encoding="utf-8") for script in scripts]


def open_engine(path: Path, mode: Mode, busy_s: float = BUSY_S) -> Engine:
    """An engine on an existing database; it never creates the file."""

    def connect_here() -> sqlite3.Connection:
        connection = connect(path, mode, busy_s)
        if mode == "rw":
            connection.executescript(
                "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
                f"PRAGMA journal_size_limit = {WAL_LIMIT};"
            )
        return connection

    engine = create_engine("sqlite://", creator=connect_here, poolclass=QueuePool)
    begin = "BEGIN IMMEDIATE" if mode == "rw" else "BEGIN"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def empty_engine() -> Engine:
    """An engine on a new, empty database in memory: what a missing file reads as."""

    def connect_empty() -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        migrate(connection, migrations())
        return connection

    return create_engine("sqlite://", creator=connect_empty, poolclass=QueuePool)


def check(path: Path) -> int:
    """The schema version of the database at `path`, which is one that this program can use.

    Raises:
        StoreError: the file is damaged, not ours, or written by a newer version.
    """
    # A file of no bytes opens as a healthy empty database. Only its size may be asked: opening
    # the file outside SQLite would drop the locks this process holds on it.
    if path.stat().st_size == 0:
        raise _damaged(path, "it has no content")
    with translated(path), closing(connect(path, "ro")) as connection:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    known = len(migrations())
    if application != APPLICATION_ID:
        raise StoreError(
            f"{str(path)!r} is a database of another program (application id {application}). "
            "Choose another state folder with --home."
        )
    if version > known:
        raise StoreError(
            f"{str(path)!r} has schema version {version}, this ccafl knows versions up to {known}. "
            "Upgrade with `pip install -U ccafl`; nothing was changed."
        )
    return version


def check_pages(path: Path) -> None:
    """Look for damage in the whole file; 0.06 s for 12 MB.

    Raises:
        StoreError: the database is damaged.
    """
    with translated(path), closing(connect(path, "ro")) as connection:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _damaged(path, found.splitlines()[-1])


def create(path: Path) -> None:
    """Create the database beside its place and move it there whole, readable by the user only."""
    for leftover in (f"{path.name}-wal", f"{path.name}-shm"):
        # the journal of a deleted database would be replayed into the new one
        path.with_name(leftover).unlink(missing_ok=True)
    with replacing(path) as aside:
        aside.touch(mode=0o600)
        with translated(path), closing(connect(aside, "rw")) as connection:
            migrate(connection, migrations())
            connection.execute("PRAGMA journal_mode = WAL")


def backup(path: Path, target: Path) -> None:
    """Write a compact copy of a database that others may use meanwhile."""
    target.parent.mkdir(mode=0o700, exist_ok=True)
    with replacing(target) as aside, translated(path), closing(connect(path, "ro")) as connection:
        connection.execute("VACUUM INTO ?", (str(aside),))


def checkpoint(path: Path) -> int:
    """Move the write-ahead log into the database and empty it; gives the bytes it still has.

    A reader that holds an old snapshot keeps it from being emptied.
    """
    with translated(path), closing(connect(path, "rw", busy_s=0.5)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    log = path.with_name(f"{path.name}-wal")
    return log.stat().st_size if log.exists() else 0


def update(path: Path, backups: Path) -> None:
    """Bring an existing database to the newest schema version; a copy of the old one is kept."""
    version = check(path)
    if 0 < version < len(migrations()):
        backup(path, backups / f"runs-v{version}.db")
    with translated(path), closing(connect(path, "rw")) as connection:
        migrate(connection, migrations())


def migrate(connection: sqlite3.Connection, scripts: Sequence[str]) -> None:
    """Run the scripts a database has not seen, each in one transaction with its version number."""
    done: int = connection.execute("PRAGMA user_version").fetchone()[0]
    for version, script in enumerate(scripts[done:], start=done + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\nPRAGMA application_id = {APPLICATION_ID};"
                f"PRAGMA user_version = {version};\nCOMMIT;"
            )
        finally:
            connection.rollback()  # does nothing after the commit


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite reports about the file into a sentence; other errors stay as they are."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            _raise_sentence(path, error.orig, error)
        raise
    except sqlite3.Error as error:
        _raise_sentence(path, error, error)
        raise


def secure_folder(folder: Path) -> None:
    """Create the state folder for the user alone, or check that nobody else can write to it.

    Raises:
        StoreError: the folder cannot be created, or belongs to others.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise StoreError(
            f"The state folder {str(folder)!r} cannot be used: {error.strerror}. "
            "Choose another one with --home."
        ) from error
    if status.st_uid != os.geteuid():
        raise StoreError(
            f"The state folder {str(folder)!r} belongs to another user. "
            "Choose another one with --home."
        )
    if status.st_mode & 0o022:
        raise StoreError(
            f"Other users can write to the state folder {str(folder)!r}. "
            f"Run: chmod go-w {str(folder)!r}"
        )


def _has_log(path: Path) -> bool:
    return path.with_name(f"{path.name}-wal").exists()


def _raise_sentence(path: Path, found: sqlite3.Error, cause: Exception) -> None:
    name = getattr(found, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        raise BusyError(
            f"Another program holds the database {str(path)!r} locked. Try again in a moment; "
            "if it stays, close the program that has the file open."
        ) from cause
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        raise _damaged(path, str(found)) from cause
    if name.startswith("SQLITE_FULL"):
        raise StoreError(f"The disk of {str(path)!r} is full. Free space there.") from cause
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PERM")):
        raise StoreError(
            f"The database {str(path)!r} cannot be used: {found}. "
            "Check the permissions and the disk of the folder."
        ) from cause


def _damaged(path: Path, detail: str) -> StoreError:
    return StoreError(
        f"The database {str(path)!r} is damaged: {detail}. Nothing was changed. The runs are still "
        f"in the folder {str(path.parent / 'runs')!r}; `ccafl doctor` makes it again from them."
    )
