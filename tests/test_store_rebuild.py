"""A damaged database, made again from the folders of the runs."""

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from test_store_schema import cut_half, empty, zero_header, zero_page
from toy_queue import ToyQueue, queue, wait_until

from ccafl.errors import BusyError, StoreError
from ccafl.locks import hold_lock
from ccafl.paths import Home
from ccafl.store import Store, database, open_store
from ccafl.store.rebuild import rebuild

__all__ = ["queue"]  # a fixture

TABLES = ("run", "attempt", "tag", "loss", "epoch", "evaluation", "camera_pair")
ENDED = ("finished", "failed", "cancelled", "lost")


def content(store: Store) -> dict[str, list[Any]]:
    with store.reading() as connection:
        return {
            table: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table}"))]
            for table in TABLES
        }


def fill(queue: ToyQueue) -> None:
    """Runs that ended in every way, one of them in its third attempt, and one that waits."""
    supervisor = queue.serve()
    runs = [
        queue.add(steps=30, save_every=5),
        queue.add(steps=5, exit="error"),
        queue.add(steps=5, exit="crash"),
        queue.add(steps=5, die_at=3),
    ]
    for run_id in runs:
        queue.wait_for(run_id, *ENDED)
    queue.store.resume(runs[1])
    wait_until(lambda: queue.store.run(runs[1]).attempt == 2)
    queue.wait_for(runs[1], "failed")
    supervisor.terminate()
    supervisor.wait()
    queue.store.cancel(queue.add())
    queue.add(source=runs[0])
    queue.store.add_tag(runs[0], "late")
    queue.store.set_note(runs[0], "late too")


@pytest.mark.parametrize("damage", [zero_page, cut_half, zero_header, empty, Path.unlink])
def test_fault_25_a_database_made_again_equals_the_damaged_one(
    queue: ToyQueue, damage: Callable[[Path], None]
) -> None:
    fill(queue)
    before = content(queue.store)
    queue.store.close()
    database.checkpoint(queue.home.database)
    database.backup(queue.home.database, queue.home.backups / "runs-2026-01-01.db")
    damage(queue.home.database)
    with contextlib.suppress(StoreError):
        open_store(queue.home, create=True).close() if damage is not Path.unlink else None
    assert rebuild(queue.home) == 6
    queue.store = open_store(queue.home)
    assert content(queue.store) == before
    kept = [path.name for path in queue.home.root.glob("runs.db.damaged-*")]
    assert any(name[-1].isdigit() for name in kept) == (damage is not Path.unlink)


def test_fault_25_a_run_that_was_active_is_found_after_the_database_was_made_again(
    queue: ToyQueue,
) -> None:
    run_id = queue.add(steps=200, delay_s=0.01)
    queue.serve()
    queue.wait_for_step(run_id, 5)
    queue.kill_supervisor()
    queue.store.close()
    queue.home.database.unlink()
    assert rebuild(queue.home) == 1
    queue.store = open_store(queue.home)
    queue.serve()
    assert queue.wait_for(run_id, "running").pid in queue.family(run_id)
    run = queue.wait_for(run_id, *ENDED)
    assert (run.state, run.attempt) == ("finished", 1)
    assert queue.steps(run_id) == list(range(1, 201))


def test_a_folder_without_a_record_is_an_ended_run_with_its_rows(queue: ToyQueue) -> None:
    run_id = queue.add(steps=5)
    queue.serve()
    queue.wait_for(run_id, *ENDED)
    queue.kill_supervisor()
    queue.home.run(run_id).record.unlink()
    (queue.home.runs / "77").mkdir()
    assert rebuild(queue.home) == 1
    queue.store.close()
    queue.store = open_store(queue.home)
    assert queue.steps(run_id) == [1, 2, 3, 4, 5]
    queue.serve()
    assert queue.wait_for(run_id, *ENDED).state == "finished", "its result says so"


def change_record(home: Home, run_id: int, change: Callable[[dict[str, Any]], object]) -> None:
    path = home.run(run_id).record
    record = json.loads(path.read_text(encoding="utf-8"))
    change(record)
    path.write_text(json.dumps(record), encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        dict.clear,
        lambda record: record.update(run={}),
        lambda record: record.update(attempts="torn"),
        lambda record: record["run"].update(state="bogus"),
        lambda record: record["run"].update(place=2**80),
        lambda record: record["run"].update(note={}),
        lambda record: record["attempts"].append({"n": "x"}),
    ],
)
def test_a_record_that_is_none_takes_no_other_run_along(
    queue: ToyQueue, change: Callable[[dict[str, Any]], object]
) -> None:
    broken, whole = queue.add(), queue.add()
    queue.store.add_tag(whole, "t")
    queue.store.cancel(whole)  # which writes its record
    change_record(queue.home, broken, change)
    queue.store.close()
    queue.home.database.unlink()
    assert rebuild(queue.home) == 2
    queue.store = open_store(queue.home)
    assert queue.store.run(whole).tags == ("t",)
    guessed = queue.store.run(broken)
    assert (guessed.state, "guessed" in (guessed.warning or "")) == ("cancelled", True)


def test_a_copied_folder_and_a_stray_one_do_not_stop_a_rebuild(queue: ToyQueue) -> None:
    run_id = queue.add()
    shutil.copytree(queue.home.run(run_id).root, queue.home.run(7).root)
    for name in ("²", "007", "-3", ".foo.deleted", "notes"):
        (queue.home.runs / name).mkdir()
    (queue.home.run(run_id).root / "events-².jsonl").touch()
    queue.store.close()
    queue.home.database.unlink()
    assert rebuild(queue.home) == 2
    queue.store = open_store(queue.home)
    assert [run.id for run in queue.store.runs()] == [run_id, 7]


def test_a_run_that_starts_from_a_later_one_still_does_after_a_rebuild(queue: ToyQueue) -> None:
    first, later = queue.add(), queue.add()
    change_record(queue.home, first, lambda record: record["run"].update(source=later))
    queue.store.close()
    queue.home.database.unlink()
    rebuild(queue.home)
    queue.store = open_store(queue.home)
    assert queue.store.run(first).source == later


def test_a_config_that_is_none_leaves_out_its_run_alone(queue: ToyQueue) -> None:
    torn, whole = queue.add(), queue.add()
    queue.home.run(torn).config.write_text('{"run": ', encoding="utf-8")
    queue.store.close()
    queue.home.database.unlink()
    assert rebuild(queue.home) == 1
    queue.store = open_store(queue.home)
    assert [run.id for run in queue.store.runs()] == [whole]


def test_a_run_whose_events_cannot_be_read_is_there_without_them(queue: ToyQueue) -> None:
    run_id = queue.add()
    queue.store.cancel(run_id)
    queue.home.run(run_id).events(1).mkdir()
    queue.store.close()
    queue.home.database.unlink()
    assert rebuild(queue.home) == 1
    queue.store = open_store(queue.home)
    assert queue.steps(run_id) == []


def test_a_backup_that_cannot_be_opened_is_done_without(queue: ToyQueue) -> None:
    queue.add()
    queue.store.close()
    queue.home.database.unlink()
    (queue.home.backups / "runs-2026-01-01.db").mkdir(parents=True)
    (queue.home.backups / "runs-2026-01-02.db").symlink_to("/nowhere")
    (queue.home.backups / "runs-2026-01-03.db").write_text("no database")
    assert rebuild(queue.home) == 1
    queue.store = open_store(queue.home)


def test_a_database_in_use_is_not_made_again(queue: ToyQueue) -> None:
    with hold_lock(queue.home.lock), pytest.raises(BusyError):
        rebuild(queue.home)


def test_a_backup_is_complete_and_for_the_user_alone(queue: ToyQueue) -> None:
    queue.add()
    target = queue.home.backups / "copy.db"
    database.backup(queue.home.database, target)
    assert target.stat().st_mode & 0o777 == 0o600
    with contextlib.closing(sqlite3.connect(target)) as copy:
        assert copy.execute("SELECT count(*) FROM run").fetchone() == (1,)


def test_a_migration_keeps_a_copy_of_the_old_database(
    queue: ToyQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.add()
    queue.store.close()
    scripts = [*database.migrations(), "ALTER TABLE tag ADD COLUMN extra TEXT;"]
    monkeypatch.setattr(database, "migrations", lambda: scripts)
    queue.store = open_store(queue.home, create=True)
    copy = queue.home.backups / "runs-v1.db"
    with contextlib.closing(sqlite3.connect(copy)) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (1,)
        assert old.execute("SELECT count(*) FROM run").fetchone() == (1,)
