"""What clients ask of runs that wait or have ended: order, hold, pause, again, delete, labels."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ccafl.errors import ConfigError, StoreError
from ccafl.paths import Home
from ccafl.presets import resolve
from ccafl.store import NewRun, State, Store, claims, open_store
from ccafl.store.claims import Granted, Queued, Waits

SMOKE = resolve("smoke")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(Home(tmp_path / "h"), create=True) as opened:
        yield opened


def change(store: Store, sql: str, **values: Any) -> None:
    with store.writing() as connection:
        connection.execute(text(sql), values)


def end(store: Store, run_id: int, state: State, **values: Any) -> None:
    change(
        store,
        "UPDATE run SET state = :state, ended = 1, attempt = 1, checkpoint = :step,"
        " reason = 'it broke', exit_kind = 'error', lost_in_row = 2 WHERE id = :id",
        state=state,
        id=run_id,
        step=values.get("checkpoint"),
    )


def claim(store: Store, now: float = 1.0) -> claims.ActiveRun | None:
    with store.writing() as connection:
        return claims.claim(connection, lambda queued, leases: Granted(f"GPU-{queued.id}"), now)


def order(store: Store) -> list[int]:
    return [run.id for run in store.runs(["queued"])]


@pytest.mark.parametrize("state", ["failed", "cancelled", "lost"])
def test_an_ended_run_is_resumed_at_the_end_of_the_queue(store: Store, state: State) -> None:
    first, second = store.add_run(SMOKE), store.add_run(SMOKE)
    end(store, first, state, checkpoint=640)
    answer = store.resume(first)
    assert answer == "Run 1 is queued again; it goes on from the checkpoint of step 640."
    run = store.run(first)
    assert (run.state, run.reason, run.ended, run.exit_kind) == ("queued", None, None, None)
    assert order(store) == [second, first]


def test_a_run_without_a_checkpoint_is_resumed_from_the_beginning(store: Store) -> None:
    end(store, store.add_run(SMOKE), "failed")
    assert store.resume(1).endswith("it has no checkpoint and starts from the beginning.")


def test_a_retry_starts_over_and_a_resume_after_it_does_not(store: Store) -> None:
    end(store, store.add_run(SMOKE), "failed", checkpoint=640)
    assert "starts from the beginning" in store.retry(1)
    store.cancel(1)
    store.resume(1)
    claimed = claim(store)
    assert claimed is not None
    assert (claimed.attempt, claimed.start_over) == (2, False)
    end(store, 1, "failed", checkpoint=640)
    store.retry(1)
    change(store, "DELETE FROM lease")
    change(store, "DELETE FROM attempt")
    again = claim(store)
    assert again is not None
    assert again.start_over


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("finished", "Run 1 finished; .*Add its settings as a new run"),
        ("queued", "Run 1 is in the queue already; there is nothing to"),
        ("running", "Run 1 is running; there is nothing to"),
    ],
)
@pytest.mark.parametrize("verb", ["resume", "retry"])
def test_a_run_that_did_not_break_is_not_started_again(
    store: Store, verb: str, state: State, words: str
) -> None:
    store.add_run(SMOKE)
    change(store, "UPDATE run SET state = :state", state=state)
    with pytest.raises(StoreError, match=words):
        getattr(store, verb)(1)
    assert store.run(1).state == state


def test_a_run_is_moved_through_the_queue(store: Store) -> None:
    store.add_runs([NewRun(config=SMOKE)] * 4)
    assert store.up(3) == "Run 3 is number 2 of 4 in the queue."
    assert order(store) == [1, 3, 2, 4]
    store.down(1)
    assert order(store) == [3, 1, 2, 4]
    store.top(4)
    assert order(store) == [4, 3, 1, 2]
    store.bottom(3)
    assert order(store) == [4, 1, 2, 3]
    assert store.up(4) == "Run 4 is first in the queue already."
    assert store.bottom(3) == "Run 3 is last in the queue already."
    assert order(store) == [4, 1, 2, 3]
    assert store.add_run(SMOKE) == 5
    assert order(store) == [4, 1, 2, 3, 5]


def test_a_held_run_waits_until_it_is_released(store: Store) -> None:
    store.add_run(SMOKE)
    assert store.hold(1) == "Run 1 is held; it waits until you release it."
    assert store.hold(1) == "Run 1 is held already."
    assert claim(store) is None
    assert "is released" in store.release(1)
    assert claim(store) is not None


@pytest.mark.parametrize("verb", ["hold", "release", "up", "down", "top", "bottom"])
def test_only_a_queued_run_has_a_place(store: Store, verb: str) -> None:
    end(store, store.add_run(SMOKE), "failed")
    with pytest.raises(StoreError, match="Run 1 is failed, not queued"):
        getattr(store, verb)(1)
    with pytest.raises(StoreError, match="There is no run 9"):
        getattr(store, verb)(9)


def test_a_paused_queue_starts_nothing_until_it_goes_on(store: Store) -> None:
    store.add_run(SMOKE)
    assert "is paused" in store.pause()
    assert store.paused()
    assert claim(store) is None
    assert store.run(1).reason == "the queue is paused"
    assert store.unpause() == "The queue goes on."
    assert not store.paused()
    assert claim(store) is not None


def test_tags_and_notes_of_any_run_can_be_changed(store: Store) -> None:
    end(store, store.add_run(SMOKE, tags=("a",)), "finished")
    assert store.add_tag(1, "b") == store.add_tag(1, "b") == "Run 1 has the tags a, b."
    assert store.remove_tag(1, "a") == "Run 1 has the tags b."
    with pytest.raises(StoreError, match="Run 1 has no tag 'a'"):
        store.remove_tag(1, "a")
    assert store.set_tags(1, ["x", "y", "x"]) == "Run 1 has the tags x, y."
    assert store.set_tags(1, []) == "Run 1 has no tags."
    with pytest.raises(StoreError, match="at least one character"):
        store.add_tag(1, " ")
    assert "stored" in store.set_note(1, "good")
    assert (store.run(1).note, store.run(1).tags) == ("good", ())


def test_a_deleted_run_leaves_nothing_and_its_number_is_not_used_again(store: Store) -> None:
    end(store, store.add_run(SMOKE), "finished")
    end(store, store.add_run(SMOKE, tags=("a",)), "finished")
    root = store.home.run(2).root
    (root / "big").write_bytes(bytes(10_000))
    (root / "same").hardlink_to(root / "big")
    expected = store.size(2)
    assert 10_000 < expected < 20_000
    assert store.delete(2) == expected
    assert not root.exists()
    with store.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM tag")).scalar() == 0
    with pytest.raises(StoreError, match="There is no run 2"):
        store.size(2)
    assert store.add_run(SMOKE) == 3


def test_a_run_that_others_start_from_or_that_is_queued_is_not_deleted(store: Store) -> None:
    store.add_run(SMOKE)
    with pytest.raises(StoreError, match="Run 1 is queued"):
        store.delete(1)
    end(store, 1, "finished")
    users = [store.add_run(SMOKE, source=1) for _ in range(2)]
    with pytest.raises(StoreError, match="runs 2, 3 start from it"):
        store.delete(1)
    assert store.home.run(1).root.exists()
    for user in users:
        store.cancel(user)
        store.delete(user)
    assert store.delete(1) > 0


def test_a_source_must_exist(store: Store) -> None:
    with pytest.raises(StoreError, match="There is no run 7"):
        store.add_run(SMOKE, source=7)
    assert store.runs() == []
    store.add_run(SMOKE)
    assert store.run(store.add_run(SMOKE, source=1)).source == 1


def test_many_runs_are_added_quickly_and_all_or_none(store: Store) -> None:
    began = time.monotonic()
    ids = store.add_runs([NewRun(config=SMOKE, name=str(i), tags=("t",)) for i in range(100)])
    assert time.monotonic() - began < 2
    assert ids == order(store) == list(range(1, 101))
    with pytest.raises(ConfigError, match="names no device"):
        store.add_runs([NewRun(config=SMOKE), NewRun(config=SMOKE, gpu="nonsense")])
    with pytest.raises(StoreError, match="There is no run 999"):
        store.add_runs([NewRun(config=SMOKE), NewRun(config=SMOKE, source=999)])
    assert len(store.runs()) == len(list(store.home.runs.iterdir())) == 100


def test_a_run_keeps_a_record_beside_its_config(store: Store) -> None:
    store.add_run(SMOKE, name="n", note="why", dataset="d", tags=("b", "a"))
    record = json.loads(store.home.run(1).record.read_text())
    assert record["tags"] == ["a", "b"]
    assert (record["run"]["name"], record["run"]["state"]) == ("n", "queued")
    assert "config" not in record["run"]
    store.cancel(1)
    assert json.loads(store.home.run(1).record.read_text())["run"]["state"] == "cancelled"


def test_the_choice_knows_the_source_and_the_settings_of_a_queued_run(store: Store) -> None:
    store.add_run(SMOKE)
    end(store, 1, "failed")
    inter = resolve("smoke", settings=["run.stages=['inter']"])
    store.add_run(inter, gpu="3", source=1)
    asked: list[Queued] = []

    def choose(queued: Queued, leases: Any) -> Waits:
        asked.append(queued)
        return Waits("no")

    with store.writing() as connection:
        claims.claim(connection, choose, 0.0)
    assert asked == [Queued(2, "3", 1, "inter", 1, "failed", None)]


def test_a_run_that_takes_several_devices_holds_a_lease_on_each(store: Store) -> None:
    store.add_run(SMOKE)
    with store.writing() as connection:
        run = claims.claim(connection, lambda queued, leases: Granted("GPU-a,GPU-b"), 1.0)
    assert run is not None
    assert run.devices == ("GPU-a", "GPU-b")
    with store.reading() as connection:
        rows = connection.execute(text("SELECT gpu_uuid, run_id FROM lease")).all()
    assert [tuple(row) for row in rows] == [("GPU-a", 1), ("GPU-b", 1)]
