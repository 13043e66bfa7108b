"""What clients write to and read from the database of runs."""

import itertools
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from toy_queue import wait_until

from ccafl.config import from_json
from ccafl.errors import ConfigError, StoreError
from ccafl.paths import Home
from ccafl.presets import resolve
from ccafl.store import STATES, NewRun, RunRow, State, Store, changes, claims, open_store
from ccafl.store.claims import Ending, Granted, Queued, Waits

SMOKE = resolve("smoke")
NASTY_NAMES = ["\x1b]0;owned\x07", "'; DROP TABLE run; --", "../../x", "\N{GRINNING FACE}", "a\nb"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "h")


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    with open_store(home, create=True) as opened:
        yield opened


def change(store: Store, sql: str, **values: Any) -> None:
    with store.writing() as connection:
        connection.execute(text(sql), values)


def claim_for_cpu(store: Store) -> claims.ActiveRun | None:
    def choose(queued: Queued, leases: Any) -> Granted | Waits:
        return Waits(f"run {leases['cpu']} holds the CPU") if "cpu" in leases else Granted("cpu")

    with store.writing() as connection:
        return claims.claim(connection, choose, time.time())


def test_a_new_run_is_a_queued_row_and_a_folder_with_its_config(store: Store, home: Home) -> None:
    run_id = store.add_run(SMOKE, name="first", note="why not", preset="smoke", tags=("b", "a"))
    run = store.run(run_id)
    assert (run.state, run.name, run.note, run.tags) == ("queued", "first", "why not", ("a", "b"))
    assert from_json(run.config) == SMOKE
    assert from_json(home.run(run_id).config.read_text()) == SMOKE
    names = {path.name for path in home.run(run_id).root.iterdir()}
    assert names == {"config.json", "run.json"}


def test_a_run_without_a_name_is_named_after_preset_and_seed(store: Store) -> None:
    assert store.run(store.add_run(SMOKE, preset="smoke")).name == "smoke seed 0"


def test_runs_of_equal_settings_get_numbers_and_places_in_order(store: Store) -> None:
    ids = [store.add_run(SMOKE) for _ in range(3)]
    assert ids == [1, 2, 3]
    assert [run.place for run in store.runs()] == [1, 2, 3]


def test_a_failure_while_adding_leaves_neither_row_nor_folder(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ccafl.store.changes.write_new", full)
    with pytest.raises(OSError, match="No space"):
        store.add_run(SMOKE)
    assert store.runs() == []
    assert list(home.runs.iterdir()) == []


def test_a_commit_that_fails_leaves_no_folder(store: Store, home: Home) -> None:
    @contextmanager
    def full_at_commit() -> Iterator[Connection]:
        with store.writing() as connection:
            yield connection
            raise StoreError("The disk is full.")

    with pytest.raises(StoreError, match="full"):
        changes.add_runs(full_at_commit(), home, [NewRun(config=SMOKE)], 0.0)
    assert store.runs() == []
    assert list(home.runs.iterdir()) == []


def test_folders_of_a_deleted_database_are_never_written_to_again(home: Home) -> None:
    home.run(1).root.mkdir(parents=True)
    home.root.chmod(0o700)
    with open_store(home, create=True) as store:
        assert store.add_run(SMOKE) == 2
    assert list(home.run(1).root.iterdir()) == []


@pytest.mark.parametrize("gpu", ["", "gpu", "-1", "0; rm", "GPU-", "../x", "MIG-6a2f-01/0/1"])
def test_a_device_that_nothing_is_called_is_refused(store: Store, gpu: str) -> None:
    with pytest.raises(ConfigError, match="names no device"):
        store.add_run(SMOKE, gpu=gpu)


@pytest.mark.parametrize("tag", ["", "  "])
def test_a_tag_of_no_letters_is_refused(store: Store, home: Home, tag: str) -> None:
    with pytest.raises(StoreError, match="A tag needs"):
        store.add_run(SMOKE, tags=("good", tag))
    assert store.runs() == []
    assert list(home.runs.iterdir()) == []


@pytest.mark.parametrize("gpu", ["auto", "cpu", "0", "12", "GPU-6a2f"])
def test_devices_are_stored_as_they_were_asked_for(store: Store, gpu: str) -> None:
    assert store.run(store.add_run(SMOKE, gpu=gpu)).gpu == gpu


def test_an_unknown_run_is_named_in_the_error(store: Store) -> None:
    with pytest.raises(StoreError, match="There is no run 12"):
        store.run(12)
    with pytest.raises(StoreError, match="There is no run 12"):
        store.cancel(12)


def test_a_missing_database_reads_as_empty_and_refuses_writes(home: Home) -> None:
    with open_store(home) as store:
        assert (store.runs(), store.history(), store.losses(1), store.data_version()) == (
            [],
            [],
            [],
            0,
        )
        assert store.references()
        with pytest.raises(StoreError, match="no database"):
            store.add_run(SMOKE)
    assert not home.root.exists()


def test_a_database_that_appears_later_is_seen(home: Home) -> None:
    with open_store(home) as reader:
        assert reader.runs() == []
        with open_store(home, create=True) as writer:
            writer.add_run(SMOKE)
        assert [run.id for run in reader.runs()] == [1]


def test_the_data_version_changes_when_another_process_writes(store: Store, home: Home) -> None:
    before = store.data_version()
    assert store.data_version() == before
    with open_store(home) as other:
        other.add_run(SMOKE)
    assert store.data_version() != before


def test_fault_16_a_queued_run_is_cancelled_at_once(store: Store) -> None:
    run_id = store.add_run(SMOKE)
    assert store.cancel(run_id) == "Run 1 is cancelled; it had not started."
    run = store.run(run_id)
    assert (run.state, run.exit_kind, run.ended is not None) == ("cancelled", "cancelled", True)


def test_fault_16_a_started_run_is_asked_to_stop(store: Store, home: Home) -> None:
    store.add_run(SMOKE)
    claim_for_cpu(store)
    assert "saves a checkpoint" in store.cancel(1)
    assert "is killed" in store.cancel(1)
    assert (store.run(1).state, store.run(1).cancel_requested) == ("starting", 2)
    assert home.run(1).cancel.exists()


def test_fault_16_an_ended_run_stays_as_it_ended(store: Store) -> None:
    run_id = store.add_run(SMOKE)
    store.cancel(run_id)
    with pytest.raises(StoreError, match=r"Run 1 ended already \(cancelled\)"):
        store.cancel(run_id)


def test_fault_16_cancel_and_claim_at_once_never_lose_the_cancel(store: Store, home: Home) -> None:
    for run_id in range(1, 31):
        store.add_run(SMOKE)
        with open_store(home) as other:
            claimer = threading.Thread(target=claim_for_cpu, args=(other,))
            claimer.start()
            store.cancel(run_id)
            claimer.join()
        run = store.run(run_id)
        assert (run.state, run.cancel_requested) in [("cancelled", 0), ("starting", 1)]
        if run.state == "starting":
            change(store, "DELETE FROM lease")
            change(store, "UPDATE run SET state = 'lost', ended = 1 WHERE id = :id", id=run_id)


def test_a_claim_takes_the_first_and_tells_the_others_why_they_wait(store: Store) -> None:
    for _ in range(3):
        store.add_run(SMOKE, gpu="cpu")
    change(store, "UPDATE run SET hold = 1 WHERE id = 1")
    claimed = claim_for_cpu(store)
    assert claimed is not None
    assert (claimed.id, claimed.state, claimed.attempt, claimed.gpu_uuid) == (
        2,
        "starting",
        1,
        "cpu",
    )
    assert [store.run(run_id).reason for run_id in (1, 3)] == [None, "run 2 holds the CPU"]
    assert claim_for_cpu(store) is None


def test_a_paused_queue_starts_nothing(store: Store) -> None:
    store.add_run(SMOKE)
    change(store, "UPDATE setting SET paused = 1")
    assert claim_for_cpu(store) is None
    assert store.run(1).reason == "the queue is paused"


def test_rivals_never_claim_a_run_twice(store: Store, home: Home) -> None:
    for _ in range(40):
        store.add_run(SMOKE)
    claimed: list[int] = []

    def rival() -> None:
        def choose(queued: Queued, leases: Any) -> Granted:
            return Granted(f"GPU-{len(leases)}")

        with open_store(home) as own:
            while True:
                with own.writing() as connection:
                    run = claims.claim(connection, choose, time.time())
                if run is None:
                    return
                claimed.append(run.id)

    rivals = [threading.Thread(target=rival) for _ in range(4)]
    for thread in rivals:
        thread.start()
    for thread in rivals:
        thread.join()
    assert sorted(claimed) == list(range(1, 41))


WAYS = {
    "queued": {"starting", "cancelled"},
    "starting": {"running", "failed", "cancelling", "lost"},
    "running": {"cancelling", "finished", "failed", "lost"},
    "cancelling": {"cancelled", "finished"},
    "lost": {"queued"},
    "failed": {"queued"},
    "cancelled": {"queued"},
    "finished": set(),
}


def test_fault_48_of_64_pairs_of_states_only_the_ways_of_the_table_exist(store: Store) -> None:
    store.add_run(SMOKE)
    for old, new in itertools.product(STATES, STATES):
        change(store, "UPDATE run SET state = :old", old=old)
        with store.writing() as connection:
            if new in WAYS[old]:
                assert claims.move(connection, 1, old, new, {})
                assert not claims.move(connection, 1, old, new, {}), "somebody was here before"
            else:
                with pytest.raises(ValueError, match="never goes"):
                    claims.move(connection, 1, old, new, {})
        assert store.run(1).state == (new if new in WAYS[old] else old)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *itertools.product(("starting", "running"), ("finished", "cancelled", "failed", "lost")),
        ("cancelling", "finished"),
        ("cancelling", "cancelled"),
    ],
)
def test_an_ending_is_recorded_with_its_attempt_and_frees_the_lease(
    store: Store, old: State, new: State
) -> None:
    store.add_run(SMOKE)
    run = claim_for_cpu(store)
    assert run is not None
    change(store, "UPDATE run SET state = :old, activity = 'saving'", old=old)
    with store.writing() as connection:
        claims.finish(connection, run, Ending(new, "signal", "because", -11), 5.0)
    found = store.run(1)
    assert (found.state, found.exit_kind, found.exit_code) == (new, "signal", -11)
    assert (found.reason, found.ended, found.activity) == ("because", 5.0, None)
    with store.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM lease")).scalar() == 0
        assert connection.execute(text("SELECT ended, exit_code FROM attempt")).one() == (5.0, -11)


def test_a_run_that_ended_is_not_ended_again(store: Store) -> None:
    store.add_run(SMOKE)
    run = claim_for_cpu(store)
    assert run is not None
    for state in ("lost", "failed"):
        with store.writing() as connection:
            claims.finish(connection, run, Ending(state, "lost"), 5.0)
    assert store.run(1).state == "lost"


def history(store: Store, **filters: Any) -> list[int]:
    return [run.id for run in store.history(**filters)]


def fill_history(store: Store) -> None:
    for run_id, (name, mean_ap) in enumerate([("b", 0.5), ("a", 0.9), ("c", None)], start=1):
        store.add_run(SMOKE, name=name, dataset="duke" if name == "c" else "market", tags=(name,))
        ended = f"UPDATE run SET state = 'finished', ended = {run_id} WHERE id = {run_id}"
        change(store, ended)
        if mean_ap is not None:
            columns = "'inter', 1, 2.0, :map, 1, 1, 1, 1, 5, 0, 1, 1"
            change(
                store,
                f"INSERT INTO evaluation VALUES ({run_id}, 10, {columns})",
                map=mean_ap,
            )
    store.add_run(SMOKE, name="d")


def test_history_holds_ended_runs_filtered_and_sorted(store: Store) -> None:
    fill_history(store)
    assert history(store) == [3, 2, 1]
    assert history(store, sort="mean_ap") == [2, 1, 3]
    assert history(store, sort="name") == [2, 1, 3]
    assert history(store, dataset="market") == [2, 1]
    assert history(store, tag="c") == [3]
    assert history(store, limit=1) == [3]
    with pytest.raises(ConfigError, match="known are ended"):
        store.history(sort="colour")


def test_runs_are_listed_active_first_then_the_queue_then_ended(store: Store) -> None:
    fill_history(store)
    store.add_run(SMOKE)
    claim_for_cpu(store)
    assert [(run.id, run.state) for run in store.runs(limit=3)] == [
        (4, "starting"),
        (5, "queued"),
        (3, "finished"),
    ]
    assert [run.id for run in store.runs(["queued"])] == [5]


def test_a_run_is_read_with_its_last_and_best_evaluation(store: Store) -> None:
    fill_history(store)
    run: RunRow = store.run(2)
    assert run.last is not None
    assert run.last == run.best == store.evaluations(2)[0]
    assert (run.last.step, run.last.mean_ap, run.last.last) == (10, 0.9, True)
    assert store.run(3).last is None


@pytest.mark.parametrize("name", NASTY_NAMES)
def test_fault_42_names_are_stored_as_they_are_and_reach_no_file(
    store: Store, home: Home, name: str
) -> None:
    run_id = store.add_run(SMOKE, name=name, note=name, dataset=name, preset=name, tags=(name,))
    run = store.run(run_id)
    assert {run.name, run.note, run.dataset, run.preset, *run.tags} == {name}
    assert history(store, dataset=name, tag=name) == []
    assert [path.name for path in home.runs.iterdir()] == ["1"]
    assert len(list(home.root.parent.iterdir())) == 1


def test_fault_41_everything_is_for_the_user_alone(store: Store, home: Home) -> None:
    store.add_run(SMOKE)
    claim_for_cpu(store)
    store.cancel(1)
    for path in [home.root, *home.root.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_fault_41_a_folder_that_others_can_write_to_is_refused(store: Store, home: Home) -> None:
    home.root.chmod(0o770)
    with pytest.raises(StoreError, match="chmod go-w"):
        open_store(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")
def test_fault_41_a_folder_of_another_user_is_refused(store: Store, home: Home) -> None:
    os.chown(home.root, 12345, -1)
    with pytest.raises(StoreError, match="belongs to another user"):
        open_store(home)


ADD_FOREVER = """
import sys
from pathlib import Path
from ccafl.paths import Home
from ccafl.presets import resolve
from ccafl.store import open_store
config = resolve("smoke")
with open_store(Home(Path(sys.argv[1]))) as store:
    while True:
        store.add_run(config, name="x", tags=("a", "b"))
"""


def test_fault_01_a_client_killed_while_adding_leaves_whole_runs(store: Store, home: Home) -> None:
    for count in (3, 6, 9, 12):
        with subprocess.Popen([sys.executable, "-c", ADD_FOREVER, str(home.root)]) as client:
            wait_until(lambda count=count: len(store.runs()) >= count)  # type: ignore[misc]
            client.kill()
    runs = store.runs()
    for run in runs:
        assert run.tags == ("a", "b")
        assert from_json(home.run(run.id).config.read_text()) == SMOKE
    assert store.add_run(SMOKE) > runs[-1].id
