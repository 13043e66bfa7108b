"""Deleting a run, and a kill or an error in the middle of it."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from ccafl.paths import Home
from ccafl.presets import resolve
from ccafl.store import Store, open_store
from ccafl.store.rebuild import rebuild

SMOKE = resolve("smoke")
DELETE = """
import os, sys
from pathlib import Path
from ccafl.paths import Home
from ccafl.store import open_store, removal
setattr(removal, sys.argv[2], lambda path: os._exit(9))
open_store(Home(Path(sys.argv[1]))).delete(1)
"""
BEFORE_ROWS, BEFORE_FOLDER = "flush", "remove"  # what the kill comes before


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database with run 1, which has ended."""
    with open_store(Home(tmp_path / "h"), create=True) as opened:
        opened.add_run(SMOKE)
        with opened.writing() as connection:
            connection.execute(text("UPDATE run SET state = 'finished', ended = 1, attempt = 1"))
        yield opened


def delete_and_die(store: Store, before: str) -> None:
    """Delete run 1 in another process that is gone in the middle of it."""
    command = [sys.executable, "-c", DELETE, str(store.home.root), before]
    assert subprocess.run(command, check=False).returncode == 9
    assert not store.home.run(1).root.exists()


@pytest.mark.parametrize("before", [BEFORE_ROWS, BEFORE_FOLDER])
def test_a_deletion_that_was_killed_is_finished_by_the_next_supervisor(
    store: Store, before: str
) -> None:
    delete_and_die(store, before)
    assert len(store.runs()) == (before == BEFORE_ROWS)
    open_store(store.home, create=True).close()
    assert store.runs() == []
    assert list(store.home.runs.iterdir()) == []


def test_a_deletion_that_was_killed_is_not_undone_by_a_rebuild(store: Store) -> None:
    delete_and_die(store, BEFORE_ROWS)
    store.close()
    assert rebuild(store.home) == 0


def test_a_run_that_another_starts_from_meanwhile_is_kept(store: Store) -> None:
    delete_and_die(store, BEFORE_ROWS)
    store.add_run(SMOKE, source=1)
    open_store(store.home, create=True).close()
    assert store.home.run(1).config.exists()
    assert len(store.runs()) == 2


def test_a_deletion_that_fails_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr("ccafl.store.removal.flush", fail)
    with pytest.raises(OSError, match="broken"):
        store.delete(1)
    assert store.home.run(1).config.exists()
    assert len(store.runs()) == 1
