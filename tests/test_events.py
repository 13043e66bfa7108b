"""The event file and result.json."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccafl import events
from ccafl.errors import WorkerError
from ccafl.events import Batch, EventWriter, Failure, Result, read_events, read_result, write_result

EVALUATION = events.Evaluation(
    stage="intra",
    epoch=1,
    step=20,
    seconds=1.5,
    mean_ap=0.5,
    rank1=0.6,
    rank5=0.7,
    rank10=0.8,
    mean_inp=0.2,
    queries=10,
    left_out=1,
    camera_pairs=(
        events.CameraPair(query_camid=1, gallery_camid=2, queries=10, mean_ap=0.5, rank1=0.6),
    ),
)
ONE_OF_EACH: list[events.Event] = [
    events.Start(
        attempt=1,
        pid=7,
        host="box",
        device="cpu",
        threads=1,
        versions={"ccafl": "0.1"},
        steps=20,
        stages=(events.StagePlan(stage="intra", epochs=1, steps=20),),
    ),
    events.Resume(step=0),
    events.Activity(text="decoding images", done=1, total=2),
    events.Activity(text="loading the model"),
    events.Stage(stage="intra", step=0),
    events.Loss(stage="intra", epoch=1, step=1, loss={"total": 1.5, "intra": None}),
    events.Epoch(
        stage="intra", epoch=1, step=20, seconds=2, images_per_s=9.5, lr=1e-3, peak_memory=5
    ),
    EVALUATION,
    events.Checkpoint(stage="intra", epoch=1, step=20, seconds=0.1, bytes=100),
    events.Warning(text="careful \N{SNOWMAN}"),
    events.End(exit="ok"),
]
GOOD = b'{"v":1,"k":"warning","t":1.0,"text":"x"}'
GOOD_LINE = events.Line(1.0, events.Warning(text="x"))


def loss(step: int, total: float = 1.0) -> events.Loss:
    return events.Loss(stage="intra", epoch=1, step=step, loss={"total": total})


def read_all(path: Path, limit: int = events.LINE_LIMIT, offset: int = 0) -> Batch:
    lines: list[events.Line] = []
    bad_lines = 0
    while True:
        batch = read_events(path, offset, limit)
        if batch.offset == offset:
            return Batch(lines, offset, bad_lines)
        lines, offset = lines + batch.lines, batch.offset
        bad_lines += batch.bad_lines


def steps(batch: Batch) -> list[int]:
    return [line.event.step for line in batch.lines if isinstance(line.event, events.Loss)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events-1.jsonl"


@pytest.fixture
def writer(path: Path) -> Iterator[EventWriter]:
    with EventWriter(path) as opened:
        yield opened


def test_every_event_is_read_back_as_it_was_written(path: Path, writer: EventWriter) -> None:
    for event in ONE_OF_EACH:
        writer.write(event)
    batch = read_events(path, 0)
    assert [line.event for line in batch.lines] == ONE_OF_EACH
    assert batch.bad_lines == 0
    assert batch.offset == path.stat().st_size


def test_only_the_user_may_read_the_file(path: Path, writer: EventWriter) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_attempt_that_was_started_before_is_refused(path: Path, writer: EventWriter) -> None:
    with pytest.raises(WorkerError, match="started before"):
        EventWriter(path)


def test_an_unknown_term_is_a_mistake_of_the_caller(writer: EventWriter) -> None:
    with pytest.raises(ValueError, match="tripplet"):
        writer.write(events.Loss(stage="intra", epoch=1, step=1, loss={"tripplet": 1.0}))


def test_reading_goes_on_where_the_last_read_ended(path: Path, writer: EventWriter) -> None:
    writer.write(loss(1))
    first = read_events(path, 0)
    writer.write(loss(2))
    assert steps(read_events(path, first.offset)) == [2]


def test_a_line_without_an_end_waits_for_it(path: Path) -> None:
    path.write_bytes(GOOD + b"\n" + GOOD[:10])
    batch = read_events(path, 0)
    assert (len(batch.lines), batch.offset, batch.bad_lines) == (1, len(GOOD) + 1, 0)


@pytest.mark.parametrize("offset", [0, 50])
def test_a_missing_file_and_one_that_was_cut_give_nothing(path: Path, offset: int) -> None:
    assert read_events(path, offset) == Batch([], offset, 0)
    path.write_bytes(b"")
    assert read_events(path, offset) == Batch([], offset, 0)


def test_fault_28_values_that_are_not_finite_become_null(path: Path, writer: EventWriter) -> None:
    writer.write(loss(1, float("nan")))
    writer.write(loss(2, float("-inf")))
    text = path.read_text()
    assert "NaN" not in text
    assert [json.loads(line)["loss"]["total"] for line in text.splitlines()] == [None, None]
    assert steps(read_events(path, 0)) == [1, 2]


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"\xff\xfe",
        b"null",
        b"[1]",
        b'{"v":2,"k":"warning","t":1.0,"text":"x"}',
        b'{"v":1,"k":"unheard of","t":1.0}',
        b'{"v":1,"k":["warning"],"t":1.0}',
        b'{"v":1,"k":"warning","t":NaN,"text":"x"}',
        b'{"v":1,"k":"warning","t":1.0}',
        b'{"v":1,"k":"warning","t":1.0,"text":5}',
        b'{"v":1,"k":"loss","t":1,"stage":"intra","epoch":true,"step":1,"loss":{}}',
        b'{"v":1,"k":"loss","t":1,"stage":"intra","epoch":1,"step":1e400,"loss":{}}',
        b'{"v":1,"k":"loss","t":1,"stage":"intra","epoch":1,"step":99999999999999999999,"loss":{}}',
        b'{"v":1,"k":"loss","t":1,"stage":"intra","epoch":1,"step":1,"loss":{"total":1e999}}',
        b'{"v":1,"k":"loss","t":1,"stage":"intra","epoch":1,"step":1,"loss":{"x":1}}',
        b'{"v":1,"k":"loss","t":1,"stage":"intra","epoch":1,"step":1,"loss":[]}',
        b'{"v":1,"k":"end","t":1,"exit":"whatever"}',
        b"[" * 200_000,
    ],
    ids=range(18),
)
def test_fault_28_a_line_that_is_no_event_is_counted_and_skipped(path: Path, line: bytes) -> None:
    path.write_bytes(GOOD + b"\n" + line + b"\n" + GOOD + b"\n")
    batch = read_all(path)
    assert (len(batch.lines), batch.bad_lines) == (2, 1)


def test_fault_28_a_huge_line_is_skipped_to_its_end(path: Path) -> None:
    path.write_bytes(GOOD + b"\n" + b"x" * 1000 + b"\n" + GOOD + b"\n")
    batch = read_all(path, limit=100)
    assert (len(batch.lines), batch.bad_lines) == (2, 1)
    assert batch.offset == path.stat().st_size


def test_a_huge_line_without_an_end_keeps_the_offset_before_it(path: Path) -> None:
    path.write_bytes(b"x" * 1000)
    assert read_events(path, 0, limit=100) == Batch([], 0, 0)


def test_a_name_that_is_no_text_is_kept_in_escaped_form(path: Path, writer: EventWriter) -> None:
    writer.write(events.Warning(text="caf\udce9.jpg"))
    assert read_events(path, 0).lines[0].event == events.Warning(text="caf\\udce9.jpg")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
almost_events = st.fixed_dictionaries(
    {"v": st.just(1), "k": st.sampled_from(["loss", "epoch", "start", "warning", "end", "?"])},
    optional=dict.fromkeys(["t", "stage", "epoch", "step", "loss", "text", "exit"], json_values),
)
junk = st.binary(max_size=60).map(lambda found: found.replace(b"\n", b"")) | almost_events.map(
    lambda found: json.dumps(found).encode()
)


@given(st.lists(st.just(GOOD) | junk, max_size=8), st.integers(0, 400), st.integers(60, 200))
def test_fault_28_whatever_stands_between_them_good_lines_are_read_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], torn: int, limit: int
) -> None:
    path = tmp_path_factory.mktemp("e") / "e"
    content = b"".join(line + b"\n" for line in lines) + GOOD + b"\n"
    path.write_bytes(content[: max(0, len(content) - torn)])
    begun = read_all(path, limit)
    path.write_bytes(content)
    rest, whole = read_all(path, limit, begun.offset), read_all(path, limit)
    assert begun.lines + rest.lines == whole.lines
    assert begun.bad_lines + rest.bad_lines == whole.bad_lines
    assert whole.offset == len(content)
    assert whole.lines.count(GOOD_LINE) >= lines.count(GOOD) + 1
    assert len(whole.lines) + whole.bad_lines == len([line for line in lines if line]) + 1


FULL_DISK = """
import logging, resource, sys
from pathlib import Path
from ccafl import events
logging.basicConfig(level=logging.WARNING, format="%(levelname)s")
writer = events.EventWriter(Path(sys.argv[1]))
for step in range(1, 101):
    if step == 90:
        resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    writer.write(events.Loss(stage="intra", epoch=1, step=step, loss={"total": 1.0}))
writer.fsync()
print(writer.dropped)
"""


def test_fault_20_a_full_disk_costs_lines_and_never_stops_training(path: Path) -> None:
    limit = (5000, resource.RLIM_INFINITY)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        capture_output=True,
        text=True,
        check=True,
    )
    batch = read_all(path)
    found = steps(batch)
    assert found[-11:] == list(range(90, 101))
    assert found == sorted(set(found))
    assert len(found) + int(done.stdout) == 100
    assert batch.bad_lines == 1
    assert done.stderr.splitlines() == ["WARNING"]


def test_fault_20_a_write_that_fails_completely_loses_its_event_alone(
    path: Path, writer: EventWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    writer.write(loss(1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", no_space)
        writer.write(loss(2))
    writer.write(loss(3))
    batch = read_all(path)
    assert (steps(batch), batch.bad_lines, writer.dropped) == ([1, 3], 0, 1)


def test_fault_20_results_wait_for_room_on_the_disk(
    path: Path, writer: EventWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    results = [event for event in ONE_OF_EACH if not isinstance(event, events.Loss)]
    results = [event for event in results if not isinstance(event, events.Activity)]
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:20]))
        for step, result in enumerate(results, start=1):
            writer.write(result)
            writer.write(loss(step))
    writer.write(loss(99))
    batch = read_all(path)
    assert [line.event for line in batch.lines] == [*results, loss(99)]
    assert writer.dropped == len(results)


def test_fault_20_what_still_waits_at_the_end_is_written_then(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with EventWriter(path) as writer, monkeypatch.context() as patch:
        patch.setattr(os, "write", no_space)
        writer.write(EVALUATION)
    assert [line.event for line in read_all(path).lines] == [EVALUATION]


KILLED = """
import sys
from pathlib import Path
from ccafl import events
writer = events.EventWriter(Path(sys.argv[1]))
for step in range(1, 10**9):
    writer.write(events.Loss(stage="intra", epoch=1, step=step, loss={"total": 1.0}))
    print(step, flush=True)
"""


def test_fault_05_a_killed_worker_leaves_every_line_it_wrote(path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    told = [int(next(child.stdout)) for _ in range(200)]
    child.send_signal(signal.SIGKILL)
    told += [int(line) for line in child.stdout if line.endswith("\n")]
    child.wait()
    child.stdout.close()
    found = steps(read_all(path))
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= told[-1]


def test_a_result_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    result = Result(
        attempt=2,
        exit="gpu_memory",
        ended=5.5,
        error=Failure(name="OutOfMemoryError", message="CUDA out of memory"),
        evaluation=EVALUATION,
    )
    write_result(tmp_path / "result.json", result)
    assert read_result(tmp_path / "result.json") == result


@pytest.mark.parametrize("content", ["", "{", '{"attempt": 1}', "[1]"])
def test_a_result_that_cannot_be_understood_reads_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "result.json").write_text(content)
    assert read_result(tmp_path / "result.json") is None


def test_no_result_reads_as_none(tmp_path: Path) -> None:
    assert read_result(tmp_path / "result.json") is None


def test_a_worker_that_speaks_events_loads_no_database_layer() -> None:
    code = (
        "import ccafl.events, sys;"
        "print({'sqlmodel', 'sqlalchemy', 'pydantic', 'torch', 'sqlite3'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
