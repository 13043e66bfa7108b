"""The database file: its schema, its migrations, and files that cannot be used."""

import hashlib
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from ccafl.errors import StoreError
from ccafl.paths import Home
from ccafl.presets import resolve
from ccafl.store import is_current, open_store
from ccafl.store.__main__ import schema
from ccafl.store.database import APPLICATION_ID, connect, migrate, migrations
from ccafl.store.tables import Run

SMOKE = resolve("smoke")
READABLE = Path(__file__).parent.parent / "runs.db.sql"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A state folder whose database holds three runs."""
    home = Home(tmp_path / "h")
    with open_store(home, create=True) as store:
        for _ in range(3):
            store.add_run(SMOKE)
    return home


def statements(connection: sqlite3.Connection) -> dict[str, str]:
    """Each table and index with its SQL, without comments and free of layout."""
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {
        name: re.sub(r"\s*([(),])\s*", r"\1", " ".join(re.sub("--.*", "", sql).split()))
        for name, sql in rows
        if not name.startswith("sqlite_")
    }


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def set_pragma(path: Path, name: str, value: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA {name} = {value}")
    connection.close()


def test_the_migrations_lead_to_the_schema_of_the_tables(tmp_path: Path) -> None:
    migrated = sqlite3.connect(":memory:", isolation_level=None)
    migrate(migrated, migrations())
    declared = tmp_path / "declared.db"
    engine = create_engine(f"sqlite:///{declared}")
    Run.metadata.create_all(engine)
    engine.dispose()
    direct = sqlite3.connect(declared)
    assert statements(migrated) == statements(direct)
    migrated.close()
    direct.close()


def test_the_readable_schema_is_that_of_a_new_database() -> None:
    assert READABLE.read_text() == schema(), "run: python -m ccafl.store > runs.db.sql"


def test_a_new_database_is_strict_and_in_wal_mode(home: Home) -> None:
    connection = connect(home.database, "ro")
    tables = connection.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")
    assert {strict for name, strict in tables if not name.startswith("sqlite_")} == {1}
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
    connection.close()


def test_creating_a_store_again_changes_nothing(home: Home) -> None:
    with open_store(home, create=True) as store:
        assert len(store.runs()) == 3
        assert len(store.references()) == 73


def test_no_published_result_is_listed_twice(home: Home) -> None:
    with open_store(home) as store:
        rows = store.references()
    keys = {(row.dataset, row.method, row.backbone, row.image_size, row.note) for row in rows}
    assert len(keys) == len(rows)


def test_the_published_results_are_there_as_fractions(home: Home) -> None:
    with open_store(home) as store:
        references = store.references("MSMT17")
    assert all(0 < row.mean_ap < 1 and row.source and row.setting for row in references)
    (ours,) = [row for row in references if row.method == "CCAFL"]
    assert (ours.setting, ours.backbone, ours.image_size) == ("ICS", "RN50, CLIP", "256x128")
    assert (ours.mean_ap, ours.rank1, ours.rank5, ours.rank10) == (0.589, 0.829, 0.907, 0.928)


def test_the_journal_of_a_deleted_database_is_not_replayed(home: Home) -> None:
    home.database.unlink()
    home.database.with_name("runs.db-wal").write_bytes(b"of another life")
    with open_store(home, create=True) as store:
        assert store.runs() == []


def zero_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(bytes(4096))


def cut_half(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def zero_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(100))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [zero_page, cut_half, zero_header, empty])
def test_fault_25_a_damaged_database_is_refused_and_left_alone(
    home: Home, damage: Callable[[Path], None]
) -> None:
    damage(home.database)
    before = digest(home.database)
    with pytest.raises(StoreError, match=r"runs\.db' is damaged.*`ccafl doctor`"):
        open_store(home, create=True)
    assert digest(home.database) == before


@pytest.mark.parametrize("damage", [cut_half, zero_header, empty])
def test_fault_25_a_client_is_told_of_the_damage(
    home: Home, damage: Callable[[Path], None]
) -> None:
    damage(home.database)
    with pytest.raises(StoreError, match="is damaged"), open_store(home) as store:
        store.runs()


@pytest.mark.parametrize("create", [True, False])
def test_fault_26_a_newer_database_is_refused_and_left_alone(home: Home, create: bool) -> None:
    set_pragma(home.database, "user_version", 99)
    before = digest(home.database)
    with pytest.raises(StoreError, match="schema version 99, this ccafl knows versions up to"):
        open_store(home, create=create)
    assert digest(home.database) == before


def test_an_older_database_is_named_to_clients_and_not_current(home: Home) -> None:
    assert is_current(home)
    set_pragma(home.database, "user_version", 0)
    assert not is_current(home)
    with pytest.raises(StoreError, match="schema version 0"):
        open_store(home)


def test_a_database_of_another_program_is_refused(home: Home) -> None:
    set_pragma(home.database, "application_id", 7)
    with pytest.raises(StoreError, match="another program"):
        open_store(home, create=True)


DIE = """
import os, signal, sys
from pathlib import Path
from ccafl.store import database, open_store
from ccafl.paths import Home

real = database.connect
def connect(*arguments):
    connection = real(*arguments)
    connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
    return connection
database.connect = connect
scripts = database.migrations()
new = ["ALTER TABLE run ADD COLUMN extra TEXT; SELECT die(); ALTER TABLE run DROP COLUMN note"]
scripts = scripts + new if sys.argv[2] == "update" else [scripts[0] + "SELECT die();"]
database.migrations = lambda: scripts
open_store(Home(Path(sys.argv[1])), create=True)
"""


def die(home: Home, moment: str) -> int:
    done = subprocess.run([sys.executable, "-c", DIE, str(home.root), moment], check=False)
    return done.returncode


def test_fault_27_a_kill_during_a_migration_leaves_the_old_schema_and_all_rows(home: Home) -> None:
    with open_store(home) as store:
        before = store.runs()
    assert die(home, "update") == -9
    with open_store(home, create=True) as store:
        assert store.runs() == before
        assert store.add_run(SMOKE) == 4


def test_fault_27_a_kill_while_the_database_is_created_leaves_none(tmp_path: Path) -> None:
    home = Home(tmp_path / "new")
    assert die(home, "create") == -9
    assert not home.database.exists()
    with open_store(home, create=True) as store:
        assert store.add_run(SMOKE) == 1


def test_a_migration_that_fails_changes_nothing(home: Home) -> None:
    connection = connect(home.database, "rw")
    before = statements(connection)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, [*migrations(), "ALTER TABLE run ADD COLUMN extra TEXT; nonsense"])
    assert statements(connection) == before
    assert connection.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
    connection.close()
