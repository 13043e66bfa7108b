"""From event lines to rows: each once, whatever happened in between."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from toy_queue import wait_until

from ccafl import events
from ccafl.config import STAGES, Stage
from ccafl.events import EventWriter
from ccafl.paths import Home
from ccafl.presets import resolve
from ccafl.store import Store, claims, open_store
from ccafl.store.claims import Granted
from ccafl.store.ingest import ingest

SMOKE = resolve("smoke")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(Home(tmp_path / "h"), create=True) as opened:
        start_run(opened)
        yield opened


def start_run(store: Store, **changes: Any) -> int:
    """A claimed run; its number."""
    config = resolve("smoke", settings=[f"{key}={value}" for key, value in changes.items()])
    run_id = store.add_run(config)
    claim(store, run_id)
    return run_id


def claim(store: Store, run_id: int) -> None:
    with store.writing() as connection:
        connection.execute(text("UPDATE run SET state = 'queued' WHERE id = :id"), {"id": run_id})
        connection.execute(text("DELETE FROM lease"))
        claims.claim(connection, lambda asked, leases: Granted("cpu"), time.time())


def write(store: Store, *found: events.Event, attempt: int = 1, run_id: int = 1) -> Path:
    path = store.home.run(run_id).events(attempt)
    with EventWriter(path) as writer:
        for event in found:
            writer.write(event)
    return path


def take_in(store: Store, offset: int = 0, attempt: int = 1, run_id: int = 1) -> int:
    while (reached := ingest(store, run_id, attempt, offset)) != offset:
        offset = reached
    return offset


def loss(step: int, stage: str = "intra") -> events.Loss:
    return events.Loss(stage=stage, epoch=2, step=step, loss={"total": float(step), "intra": 0.5})


def evaluation(step: int, mean_ap: float, stage: str = "intra") -> events.Evaluation:
    pair = events.CameraPair(query_camid=1, gallery_camid=2, queries=3, mean_ap=0.5, rank1=0.25)
    return events.Evaluation(
        stage=stage,
        epoch=2,
        step=step,
        seconds=1.5,
        mean_ap=mean_ap,
        rank1=0.6,
        rank5=0.7,
        rank10=0.8,
        mean_inp=0.2,
        queries=10,
        left_out=1,
        camera_pairs=(pair,),
    )


def epoch(step: int) -> events.Epoch:
    return events.Epoch(
        stage="inter",
        epoch=2,
        step=step,
        seconds=1.5,
        images_per_s=64.5,
        lr=1e-3,
        peak_memory=1 << 30,
        linked=5,
        groups=2,
        conflicts=0,
        precision=0.5,
    )


def steps(store: Store, run_id: int = 1) -> list[int]:
    return [row.step for row in store.losses(run_id)]


def test_every_kind_of_event_reaches_its_rows(store: Store) -> None:
    write(store, loss(1), epoch(1), evaluation(1, 0.5))
    take_in(store)
    (row,) = store.losses(1)
    assert (row.step, row.stage, row.epoch, row.total, row.intra, row.ical) == (
        1, "intra", 2, 1.0, 0.5, None,
    )  # fmt: skip
    assert store.latest_loss(1) == row
    (ended,) = store.epochs(1)
    assert (ended.images_per_s, ended.peak_memory, ended.groups) == (64.5, 1 << 30, 2)
    assert (ended.precision, ended.recall) == (0.5, None)
    (measured,) = store.evaluations(1)
    assert (measured.mean_ap, measured.left_out, measured.last) == (0.5, 1, True)
    (pair,) = store.camera_pairs(1, 1)
    assert (pair.query_camid, pair.gallery_camid, pair.rank1) == (1, 2, 0.25)


def test_a_run_shows_where_it_is(store: Store) -> None:
    start = events.Start(
        attempt=1,
        pid=1,
        host="h",
        device="a GPU",
        threads=4,
        versions={"ccafl": "1"},
        steps=640,
        stages=(),
    )
    write(store, start, events.Stage(stage="intra", step=0), loss(7), events.Warning(text="hot"))
    take_in(store)
    run = store.run(1)
    assert (run.device, run.threads, run.versions, run.steps) == ("a GPU", 4, {"ccafl": "1"}, 640)
    assert (run.stage, run.epoch, run.step, run.warning) == ("intra", 2, 7, "hot")
    assert run.last_event == pytest.approx(time.time(), abs=5)


def test_an_activity_lasts_until_the_next_event_but_a_warning(store: Store) -> None:
    path = write(store, events.Activity(text="decoding images", done=3, total=9))
    offset = take_in(store)
    with path.open("ab") as file:
        file.write(b'{"v":1,"k":"warning","t":1.0,"text":"x"}\n')
    offset = take_in(store, offset)
    run = store.run(1)
    assert (run.activity, run.activity_done, run.activity_total) == ("decoding images", 3, 9)
    with path.open("ab") as file:
        file.write(b'{"v":1,"k":"stage","t":2.0,"stage":"intra","step":0}\n')
    take_in(store, offset)
    assert store.run(1).activity is None


def test_the_newest_checkpoint_is_known_of_run_and_attempt(store: Store) -> None:
    saved = [
        events.Checkpoint(stage="intra", epoch=1, step=step, seconds=1, bytes=1) for step in (5, 9)
    ]
    write(store, *saved)
    take_in(store)
    with store.reading() as connection:
        assert connection.execute(text("SELECT checkpoint FROM attempt")).scalar() == 9
    assert store.run(1).checkpoint == 9


def labels(store: Store, run_id: int = 1) -> tuple[list[int], list[int]]:
    """Steps that are last and best."""
    rows = store.evaluations(run_id)
    return [row.step for row in rows if row.last], [row.step for row in rows if row.best]


def test_last_is_the_highest_step_and_best_the_highest_map(store: Store) -> None:
    write(store, evaluation(1, 0.4), evaluation(2, 0.9), evaluation(3, 0.6))
    take_in(store)
    assert labels(store) == ([3], [2])


def test_the_untouched_tower_is_best_only_when_nothing_is_trained_after(store: Store) -> None:
    write(store, evaluation(1, 0.99, "prompt"))
    offset = take_in(store)
    assert labels(store) == ([1], [])
    assert offset
    alone = start_run(store, **{"run.stages": "['prompt']"})
    write(store, evaluation(1, 0.99, "prompt"), run_id=alone)
    take_in(store, run_id=alone)
    assert labels(store, alone) == ([1], [1])


@pytest.mark.parametrize("last", range(1, 4))
@pytest.mark.parametrize("stage", STAGES)
def test_the_rule_for_best_is_that_of_the_config(store: Store, last: int, stage: Stage) -> None:
    config = resolve("smoke", settings=[f"run.stages={json.dumps(STAGES[:last])}"])
    run_id = start_run(store, **{"run.stages": json.dumps(STAGES[:last])})
    write(store, evaluation(1, 0.5, stage), run_id=run_id)
    take_in(store, run_id=run_id)
    assert bool(labels(store, run_id)[1]) == config.counts_for_best(stage)


def test_fault_28_lines_that_no_row_can_hold_are_counted_and_skipped(store: Store) -> None:
    path = write(store, loss(1), loss(2, "unheard of"), loss(3))
    with path.open("ab") as file:
        file.write(b'garbage\n{"v":1,"k":"loss","t":NaN}\n')
    take_in(store)
    assert (steps(store), store.run(1).bad_lines) == ([1, 3], 3)


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("intra")
terms = st.dictionaries(st.sampled_from(["total", "intra", "i2t"]), values, max_size=2)
field_names = [
    "t", "stage", "epoch", "step", "text", "done", "total", "steps", "seconds", "device", "host",
]  # fmt: skip
lines = st.fixed_dictionaries(
    {"v": st.just(1), "k": st.sampled_from(sorted(events._READERS)), "loss": terms | values},
    optional=dict.fromkeys(field_names, values),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(lines, min_size=1, max_size=6))
def test_fault_28_nothing_that_a_line_may_hold_stops_the_ingest(
    store: Store, found: list[dict[str, Any]]
) -> None:
    run_id = start_run(store)  # one store for all examples, a run for each
    path = write(store, loss(1), run_id=run_id)
    with path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in found)
    assert take_in(store, run_id=run_id) == path.stat().st_size
    assert store.losses(run_id) or any(line["k"] == "resume" for line in found)


def test_fault_30_a_resume_drops_the_rows_after_its_step(store: Store) -> None:
    write(store, loss(1), loss(2), epoch(2), evaluation(2, 0.9), loss(3), evaluation(3, 0.95))
    take_in(store)
    claim(store, 1)
    write(store, events.Resume(step=2), loss(3), attempt=2)
    take_in(store, attempt=2)
    assert steps(store) == [1, 2, 3]
    assert [row.step for row in store.evaluations(1)] == [2]
    assert [row.step for row in store.epochs(1)] == [2]
    assert store.camera_pairs(1, 3) == []
    assert labels(store) == ([2], [2])
    assert store.run(1).checkpoint == 2


def test_fault_30_a_replay_within_one_batch_neither_doubles_nor_leaves_ghosts(store: Store) -> None:
    write(store, loss(1), loss(2), loss(3), events.Resume(step=1), loss(2), loss(2))
    take_in(store)
    assert steps(store) == [1, 2]


def test_fault_30_after_a_power_cut_the_new_attempt_is_read_from_its_start(store: Store) -> None:
    path = write(store, *(loss(step) for step in range(1, 9)))
    offset = take_in(store)
    with path.open("r+b") as file:
        file.truncate(offset // 2)
    assert take_in(store, offset) == offset
    claim(store, 1)
    write(store, events.Resume(step=3), *(loss(step) for step in range(4, 7)), attempt=2)
    take_in(store, attempt=2)
    assert steps(store) == [1, 2, 3, 4, 5, 6]


def test_an_offset_that_somebody_else_moved_is_taken_over(store: Store) -> None:
    path = write(store, loss(1), loss(2))
    take_in(store)
    assert ingest(store, 1, 1, 0) == path.stat().st_size
    assert steps(store) == [1, 2]


INGEST_FOREVER = """
import sys
from pathlib import Path
from sqlalchemy import text
from ccafl.paths import Home
from ccafl.store import open_store
from ccafl.store.ingest import ingest
with open_store(Home(Path(sys.argv[1]))) as store:
    with store.reading() as connection:
        offset = connection.execute(text("SELECT offset FROM attempt")).scalar_one()
    while True:
        offset = ingest(store, 1, 1, offset)
"""


def test_fault_03_each_line_enters_once_though_the_reader_is_killed(store: Store) -> None:
    path = store.home.run(1).events(1)
    command = [sys.executable, "-c", INGEST_FOREVER, str(store.home.root)]
    with EventWriter(path) as writer:
        for first in range(1, 401, 100):
            child = subprocess.Popen(command)
            for step in range(first, first + 100):
                writer.write(loss(step))
            wait_until(lambda first=first: steps(store)[-1:] >= [first])  # type: ignore[misc]
            child.send_signal(signal.SIGKILL)
            child.wait()
    with store.reading() as connection:
        offset = connection.execute(text("SELECT offset FROM attempt")).scalar_one()
    take_in(store, offset)
    assert steps(store) == list(range(1, 401))
    assert store.run(1).bad_lines == 0
