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


def test_a_run_that_was_queued_again_meanwhile_is_kept(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(text("UPDATE run SET state = 'failed'"))
    delete_and_die(store, BEFORE_ROWS)
    store.resume(1)
    open_store(store.home, create=True).close()
    assert [run.state for run in store.runs()] == ["queued"]
    assert [path.name for path in store.home.runs.iterdir()] == ["1"]


def test_a_folder_that_cannot_be_removed_stops_nobody(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(path: Path) -> None:
        store.set_note(store.add_run(SMOKE), "the write lock is free")
        raise OSError(errno.EIO, "broken")

    delete_and_die(store, BEFORE_ROWS)
    with monkeypatch.context() as patch:
        patch.setattr("ccafl.store.removal.shutil.rmtree", fail)
        open_store(store.home, create=True).close()
    assert "run 1 is deleted, and its folder stays: [Errno 5] broken" in caplog.text
    assert [run.id for run in store.runs()] == [2]
    open_store(store.home, create=True).close()
    assert not store.home.doomed(1).exists()


def test_folders_with_other_names_are_no_deleted_runs(store: Store) -> None:
    for name in (".foo.deleted", ".².deleted", ".01.deleted"):
        (store.home.runs / name).mkdir()
    open_store(store.home, create=True).close()
    assert [run.id for run in store.runs()] == [1]
    assert len(list(store.home.runs.iterdir())) == 4


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
