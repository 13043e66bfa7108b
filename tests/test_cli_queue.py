"""`ccafl queue` and what changes the queue; `ccafl delete`."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from recorded import Recorded
from terminal import PROGRAM, Terminal, ccafl, on_a_terminal, past, queue
from toy_queue import ToyQueue

from ccafl.errors import WorkerError
from ccafl.paths import Home

__all__ = ["ccafl", "past", "queue"]


def order(past: Recorded) -> list[int]:
    """The waiting runs from first to last."""
    return [run.id for run in past.store.runs(("queued",))]


@pytest.mark.parametrize(
    ("move", "moved", "wanted"),
    [
        ("up", ["3"], [1, 3, 2, 4]),
        ("up", ["2", "3"], [2, 3, 1, 4]),
        ("down", ["1"], [2, 1, 3, 4]),
        ("down", ["1", "2"], [3, 1, 2, 4]),
        ("top", ["3", "4"], [3, 4, 1, 2]),
        ("bottom", ["1", "2"], [3, 4, 1, 2]),
    ],
)
def test_waiting_runs_are_moved_and_keep_the_order_given(
    ccafl: Terminal, past: Recorded, move: str, moved: list[str], wanted: list[int]
) -> None:
    for _ in range(4):
        past.add()
    answer = ccafl("queue", move, *moved)
    assert answer.code == 0
    assert answer.out.count("in the queue.") == len(moved)
    assert order(past) == wanted


def test_a_held_run_says_so_until_it_is_released(ccafl: Terminal, past: Recorded) -> None:
    run_id = str(past.add())
    assert ccafl("queue", "hold", run_id).code == 0
    assert "held until you release it" in ccafl("queue").out
    assert ccafl("queue", "release", run_id).code == 0
    assert past.store.run(int(run_id)).hold is False


def test_a_paused_queue_says_so_until_it_goes_on(ccafl: Terminal, past: Recorded) -> None:
    past.add()
    assert ccafl("queue", "pause").out.startswith("The queue is paused")
    assert "ccafl queue unpause" in ccafl("queue").err
    assert ccafl("queue", "unpause").out == "The queue goes on.\n"
    assert past.store.paused() is False
    assert ccafl("queue").err == ""


@pytest.mark.parametrize(
    "command", ["cancel", "resume", "retry", "hold", "release", "up", "down", "top", "bottom"]
)
def test_every_run_is_tried_and_a_failure_is_told_at_the_end(
    ccafl: Terminal, past: Recorded, command: str
) -> None:
    run_id = past.add()
    if command in ("resume", "retry"):
        past.store.cancel(run_id)
    yes = ["--yes"] if command == "retry" else []
    answer = ccafl("queue", command, *yes, "98", str(run_id), "99")
    assert answer.code == 1
    assert sorted(line.split(".")[0] for line in answer.err.splitlines()) == [
        "error: There is no run 98",
        "error: There is no run 99",
    ]
    assert answer.out.startswith(f"Run {run_id} ")


def test_a_cancelled_run_goes_on_from_its_checkpoint(ccafl: Terminal, queue: ToyQueue) -> None:
    queue.serve()
    run_id = queue.add(steps=60)
    queue.wait_for_step(run_id, 3)
    ccafl("queue", "cancel", str(run_id))
    checkpoint = queue.wait_for(run_id, "cancelled").checkpoint
    answer = ccafl("queue", "resume", str(run_id))
    assert (answer.code, answer.err) == (0, "")
    assert f"goes on from the checkpoint of step {checkpoint}" in answer.out
    assert queue.wait_for(run_id, "finished").attempt == 2


def test_retry_needs_a_yes_where_nobody_can_be_asked(ccafl: Terminal, past: Recorded) -> None:
    run_id = past.end(past.start(name="mine"), "failed", "it broke")
    answer = ccafl("queue", "retry", str(run_id))
    assert (answer.code, answer.out) == (2, "")
    assert "Pass --yes" in answer.err
    assert past.store.run(run_id).state == "failed"
    assert ccafl("queue", "retry", str(run_id), "--yes").code == 0
    assert past.store.run(run_id).state == "queued"


def test_a_no_on_the_terminal_changes_nothing(ccafl: Terminal, past: Recorded) -> None:
    run_id = past.end(past.start(name="mine\x1b[1m"), "failed", "it broke")
    for command in (("queue", "retry"), ("delete",)):
        code, screen = on_a_terminal("n", *command, str(run_id))
        assert code == 1
        assert r"mine\x1b[1m" in screen
        assert "nothing was changed" in screen
    assert past.store.run(run_id).state == "failed"


def test_a_yes_on_the_terminal_deletes(ccafl: Terminal, past: Recorded) -> None:
    run_id = past.finished()
    folder = past.home.run(run_id).root
    size = sum(path.stat().st_size for path in folder.rglob("*"))
    code, screen = on_a_terminal("y", "delete", str(run_id))
    assert code == 0
    assert f"finished: {size / 1000:.1f} kB" in screen
    assert not folder.exists()
    assert past.store.runs() == []


def test_delete_needs_a_yes_where_nobody_can_be_asked(ccafl: Terminal, past: Recorded) -> None:
    run_id = past.finished()
    answer = ccafl("delete", str(run_id))
    assert (answer.code, answer.out) == (2, "")
    assert "Pass --yes to delete for good" in answer.err
    assert past.home.run(run_id).root.is_dir()


def test_delete_tries_every_run(ccafl: Terminal, past: Recorded) -> None:
    done, waits = past.finished(), past.add()
    answer = ccafl("delete", "--yes", str(done), str(waits), "9")
    assert answer.code == 1
    assert answer.out.startswith(f"Run {done} is deleted: ")
    assert "There is no run 9" in answer.err
    assert f"Run {waits} is queued" in answer.err
    assert order(past) == [waits]


@pytest.mark.parametrize("command", [("queue", "cancel"), ("delete", "--yes")])
def test_what_the_system_refuses_is_told_and_the_other_runs_are_tried(
    ccafl: Terminal, past: Recorded, command: tuple[str, ...]
) -> None:
    good, stuck = past.add(), past.add()
    if command[0] == "delete":
        ccafl("queue", "cancel", str(stuck), str(good))
        past.home.doomed(stuck).write_text("in the way")
    else:
        past.home.run(stuck).record.unlink()
        past.home.run(stuck).record.mkdir()
    answer = ccafl(*command, str(stuck), str(good))
    assert answer.code == 1
    assert answer.err.startswith(f"error: '{past.home.runs}")
    assert answer.err.count("\n") == 1
    assert f"Run {good} is " in answer.out


def test_a_queue_that_nobody_serves_is_served_again(
    ccafl: Terminal, queue: ToyQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = queue.add(steps=3)
    monkeypatch.setattr("ccafl.supervisor.ensure_supervisor", lambda home: queue.serve())
    answer = ccafl("queue")
    assert answer.code == 0
    assert "it is served from now on" in answer.err
    queue.wait_for(run_id, "finished")
    again = ccafl("queue")
    assert (again.out[:19], again.err) == ("The queue is empty.", "")


def test_a_queue_that_cannot_be_served_is_listed(
    ccafl: Terminal, past: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(home: Home) -> None:
        raise WorkerError("The supervisor stopped at once.")

    past.add(name="mine")
    monkeypatch.setattr("ccafl.supervisor.ensure_supervisor", fail)
    answer = ccafl("queue", "--format", "json")
    assert answer.code == 0
    assert json.loads(answer.out)[0]["name"] == "mine"
    assert "warning: nobody serves the queue" in answer.err


def test_nothing_is_served_for_runs_that_are_held(
    ccafl: Terminal, past: Recorded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    past.store.hold(past.add())
    monkeypatch.setattr("ccafl.supervisor.ensure_supervisor", lambda home: pytest.fail("served"))
    assert ccafl("queue").code == 0


# root may write everywhere, unless it gives this up
AS_ANYBODY = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
)


@pytest.fixture
def read_only(past: Recorded) -> Iterator[Recorded]:
    """A state folder with a finished and a waiting run, that nobody can write to."""
    if AS_ANYBODY and shutil.which(AS_ANYBODY[0]) is None:
        pytest.skip("needs setpriv of util-linux, because this is root")
    past.finished(name="done")
    past.add(name="waits")
    past.store.close()
    folders = [past.home.root, *(path for path in past.home.root.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    past.home.database.chmod(0o400)
    yield past
    for folder in folders:
        folder.chmod(0o700)
    past.home.database.chmod(0o600)


def as_anybody(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A command of a user who may not write where modes forbid it."""
    command = [*AS_ANYBODY, *PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", [("history",), ("show", "1")])
def test_fault_24_runs_in_a_read_only_folder_can_be_looked_at(
    read_only: Recorded, command: tuple[str, ...]
) -> None:
    ended = as_anybody(*command)
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert "done" in ended.stdout


def test_fault_24_a_read_only_queue_is_listed_and_not_served(read_only: Recorded) -> None:
    ended = as_anybody("queue")
    assert ended.returncode == 0
    assert "waits" in ended.stdout
    assert "cannot be served: Permission denied" in ended.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("queue", "cancel", "2"),
        ("queue", "pause"),
        ("delete", "1", "--yes"),
        ("run", "--preset", "smoke", "--data", "{data}"),
    ],
)
def test_fault_24_changes_of_a_read_only_folder_are_refused_in_one_sentence(
    read_only: Recorded, drawn_set: Path, command: tuple[str, ...]
) -> None:
    before = sorted(read_only.home.root.rglob("*"))
    ended = as_anybody(*(word.format(data=drawn_set) for word in command))
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert (ended.returncode, len(errors), ended.stdout) == (1, 1, "")
    assert "defect" not in errors[0]
    assert sorted(read_only.home.root.rglob("*")) == before
