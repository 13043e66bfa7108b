"""The supervisor with real workers, real signals and a real database."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from toy_queue import SUPERVISOR, ToyQueue, queue, served, wait_until

from ccafl.errors import BusyError, StoreError, WorkerError
from ccafl.paths import Home
from ccafl.sentences import describe
from ccafl.store.database import connect
from ccafl.supervisor import ensure_supervisor, process
from ccafl.supervisor.process import Identity

__all__ = ["queue", "served"]  # fixtures

FOREVER: dict[str, Any] = {"steps": 100_000, "delay_s": 0.005}
ENDED = ("finished", "failed", "cancelled", "lost")


def steps(queue: ToyQueue, run_id: int) -> list[int]:
    return [row.step for row in queue.store.losses(run_id)]


def head(queue: ToyQueue, run_id: int) -> Identity:
    """The worker of a running run."""
    run = queue.active(run_id)
    assert run.pid is not None
    assert run.pid_start is not None
    assert run.boot_id is not None
    return Identity(run.pid, run.pid_start, run.boot_id)


def is_alive(pid: int) -> bool:
    found = process.identify(pid)
    return found is not None and process.lives(found)


def test_runs_are_trained_one_after_the_other(served: ToyQueue) -> None:
    first, second = served.add(steps=30, delay_s=0.02), served.add()
    wait_until(lambda: served.store.run(second).reason == f"run {first} holds the CPU")
    for run_id in (first, second):
        run = served.wait_for(run_id, *ENDED)
        assert (run.state, run.exit_kind, run.exit_code, run.reason) == ("finished", "ok", 0, None)
    assert steps(served, first) == list(range(1, 31))
    assert served.store.run(first).ended <= served.store.run(second).started  # type: ignore[operator]
    assert served.query("SELECT * FROM lease") == []


def test_a_step_is_in_the_database_within_a_second(queue: ToyQueue) -> None:
    run_id = queue.add(**FOREVER)
    queue.serve(pace={"tick_s": 0.25})
    queue.wait_for_step(run_id, 1)
    for _ in range(5):
        row = queue.store.latest_loss(run_id)
        assert row is not None
        assert time.time() - row.time < 1
        time.sleep(0.1)


def test_a_worker_that_says_why_it_failed_is_believed(served: ToyQueue) -> None:
    error, memory = served.add(exit="error"), served.add(exit="gpu_memory")
    for run_id, kind in ((error, "error"), (memory, "gpu_memory")):
        run = served.wait_for(run_id, *ENDED)
        assert (run.state, run.exit_kind, run.exit_code) == ("failed", kind, 1)
        assert run.reason == "the toy broke"


def test_fault_33_a_worker_that_breaks_at_once_fails_after_one_attempt(served: ToyQueue) -> None:
    run_id = served.add(exit="crash", steps=0)
    silent = served.add(exit="silent", steps=0)
    run = served.wait_for(run_id, *ENDED)
    assert (run.state, run.attempt, run.exit_code) == ("failed", 1, 3)
    assert run.reason == "exit code 3: toy: something broke"
    assert served.wait_for(silent, *ENDED).reason == "it ended without a result"


def test_a_worker_that_cannot_be_executed_fails_with_the_reason(queue: ToyQueue) -> None:
    run_id = queue.add()
    queue.home.run(run_id).console.mkdir()  # so its console cannot be opened
    queue.serve()
    run = queue.wait_for(run_id, *ENDED)
    assert run.state == "failed"
    assert "could not be started" in str(run.reason)


def test_a_run_whose_folder_is_gone_gets_it_back_from_its_row(queue: ToyQueue) -> None:
    run_id = queue.add()
    folder = queue.home.run(run_id)
    shutil.rmtree(folder.root)
    queue.serve()
    assert queue.wait_for(run_id, *ENDED).state == "finished"


def test_fault_05_a_killed_worker_goes_on_from_its_checkpoint(served: ToyQueue) -> None:
    run_id = served.add(steps=60, save_every=7, delay_s=0.01)
    served.wait_for_step(run_id, 20)
    process.send(head(served, run_id), signal.SIGKILL)
    run = served.wait_for(run_id, *ENDED)
    assert (run.state, run.attempt, run.exit_kind) == ("finished", 2, "ok")
    why = r"attempt 1 was lost: killed by signal 9. Host memory was [\d.]+ of [\d.]+ GB"
    assert re.match(why, str(run.warning))
    assert steps(served, run_id) == list(range(1, 61))
    kinds = served.query("SELECT exit_kind, exit_code FROM attempt WHERE run_id = :i", i=run_id)
    assert [tuple(row) for row in kinds] == [("signal", -9), ("ok", 0)]


def test_a_run_says_that_its_events_cannot_be_read_and_ends_when_they_can(
    served: ToyQueue,
) -> None:
    run_id = served.add(**FOREVER, deaf=True)
    served.wait_for_step(run_id, 5)
    events = served.home.run(run_id).events(1)
    aside = events.with_suffix(".aside")
    events.rename(aside)
    events.mkdir()  # which cannot be read even by root
    why = wait_until(lambda: served.store.run(run_id).warning)
    assert why.startswith("its events could not be read: [Errno 21] Is a directory")
    for _ in range(2):
        served.store.cancel(run_id)
    wait_until(lambda: not served.family(run_id))
    assert served.wait_for(run_id, "cancelling").ended is None
    events.rmdir()
    aside.rename(events)
    run = served.wait_for(run_id, *ENDED)
    assert run.state == "cancelled"
    assert steps(served, run_id) == list(range(1, run.step + 1))


def test_what_killed_processes_left_half_written_is_removed(queue: ToyQueue) -> None:
    run_id = queue.add()
    folder = queue.home.run(run_id)
    dead = folder.checkpoints / f".20.{2**22 + 1}.part"  # a number that no process has
    alive = folder.root / f".run.json.{os.getpid()}.part"
    dead.mkdir(parents=True)
    for path in (dead / f".tensors.safetensors.{2**22 + 1}.part", alive):
        path.touch()
    queue.serve()
    assert queue.wait_for(run_id, *ENDED).state == "finished"
    assert list(folder.root.rglob(".*.part")) == [alive]


def test_a_worker_that_a_signal_ends_has_failed(served: ToyQueue) -> None:
    run_id = served.add(**FOREVER)
    served.wait_for_step(run_id, 5)
    process.send(head(served, run_id), signal.SIGSEGV)
    run = served.wait_for(run_id, *ENDED)
    assert (run.state, run.exit_kind, run.reason) == ("failed", "signal", "ended by SIGSEGV")


def test_fault_03_killed_supervisors_lose_and_double_nothing(queue: ToyQueue) -> None:
    runs = [queue.add(steps=150, delay_s=0.01) for _ in range(3)]
    for count in range(4):
        queue.serve()
        time.sleep(0.05 * (count % 3))  # spreads the kills over claim, start and ingest
        queue.kill_supervisor()
    queue.serve()
    for run_id in runs:
        run = queue.wait_for(run_id, *ENDED)
        assert (run.state, run.attempt) == ("finished", 1)
        assert steps(queue, run_id) == list(range(1, 151))
    assert queue.query("SELECT * FROM lease") == []


def test_fault_04_a_run_claimed_and_not_started_is_started_again(queue: ToyQueue) -> None:
    run_id = queue.add()
    queue.start(die="before launch").wait()
    assert queue.store.run(run_id).state == "starting"
    queue.serve()
    run = queue.wait_for(run_id, *ENDED)
    assert (run.state, run.attempt) == ("finished", 2)
    assert "its process is gone and left no result" in str(run.warning)


def test_fault_04_a_run_started_and_not_recorded_is_found_by_its_token(queue: ToyQueue) -> None:
    run_id = queue.add(steps=200, delay_s=0.01)
    queue.start(die="after launch").wait()
    assert queue.store.run(run_id).pid is None
    wait_until(lambda: queue.family(run_id))
    queue.serve()
    assert queue.wait_for(run_id, "running").pid is not None
    assert queue.wait_for(run_id, *ENDED).state == "finished"
    assert steps(queue, run_id) == list(range(1, 201))


def test_fault_32_a_run_that_ended_while_nobody_looked_is_finished(queue: ToyQueue) -> None:
    run_id = queue.add(steps=30, delay_s=0.01)
    queue.serve()
    worker = head(queue, queue.wait_for(run_id, "running").id)
    queue.kill_supervisor()
    wait_until(lambda: not process.lives(worker))
    queue.serve()
    run = queue.wait_for(run_id, *ENDED)
    assert (run.state, run.attempt, run.exit_code) == ("finished", 1, None)
    assert steps(queue, run_id) == list(range(1, 31))


def test_fault_07_of_four_supervisors_one_serves_and_three_are_sent_away(queue: ToyQueue) -> None:
    started = [queue.start() for _ in range(4)]
    wait_until(lambda: sum(one.poll() == 75 for one in started) == 3)
    (serving,) = [one for one in started if one.poll() is None]
    assert wait_until(queue.serving) == serving.pid
    serving.kill()
    serving.wait()
    assert queue.serve().poll() is None, "the lock died with its holder"


def test_fault_08_a_supervisor_whose_lock_was_deleted_leaves(queue: ToyQueue) -> None:
    run_id = queue.add(**FOREVER)
    old = queue.serve(pace={"lock_s": 1})
    queue.wait_for(run_id, "running")
    queue.home.lock.unlink()
    new = queue.serve()
    assert old.wait(10) == 0
    assert (new.poll(), queue.store.run(run_id).state) == (None, "running")
    row = queue.store.supervisor()
    assert row is not None
    assert (row.pid, row.beat > 0) == (new.pid, True)


def test_a_supervisor_whose_database_was_deleted_leaves(queue: ToyQueue) -> None:
    old = queue.serve(pace={"lock_s": 0.2})
    queue.home.database.rename(queue.home.database.with_name("aside"))
    assert old.wait(10) == 0
    queue.home.database.with_name("aside").rename(queue.home.database)


def test_fault_09_a_stranger_with_the_pid_of_a_worker_is_not_touched(queue: ToyQueue) -> None:
    run_id = queue.add(**FOREVER)
    queue.serve()
    queue.wait_for(run_id, "running")
    queue.kill_supervisor()
    wait_until(lambda: process.kill_members(queue.token(run_id)))
    queue.store.cancel(run_id)
    with subprocess.Popen(["sleep", "30"]) as stranger:
        queue.change("UPDATE run SET pid = :pid", pid=stranger.pid)
        queue.serve(patience={"save_s": 0.0, "term_s": 0.0})
        assert queue.wait_for(run_id, *ENDED).state == "cancelled"
        assert stranger.poll() is None
        stranger.kill()


def test_fault_10_after_a_reboot_a_run_goes_on_and_nobody_is_signalled(queue: ToyQueue) -> None:
    run_id = queue.add(steps=60, save_every=5, delay_s=0.01)
    queue.serve()
    queue.wait_for_step(run_id, 10)
    queue.kill_supervisor()
    process.send(head(queue, run_id), signal.SIGKILL)
    with subprocess.Popen(["sleep", "30"]) as stranger:
        found = process.identify(stranger.pid)
        assert found is not None
        queue.change(
            "UPDATE run SET boot_id = 'an earlier one', pid = :pid, pid_start = :start",
            pid=found.pid,
            start=found.start,
        )
        queue.serve()
        run = queue.wait_for(run_id, *ENDED)
        assert stranger.poll() is None
        stranger.kill()
    assert (run.state, run.attempt) == ("finished", 2)
    assert steps(queue, run_id) == list(range(1, 61))


def test_fault_11_no_zombie_stays(served: ToyQueue) -> None:
    run_id = served.add(steps=1)
    pid = served.wait_for(run_id, *ENDED).pid
    assert pid is not None
    assert process.identify(pid) is None
    supervisor = served.serving()
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text()
    assert children == ""


@pytest.mark.parametrize("ending", ["finished", "lost"])
def test_fault_12_a_grandchild_in_its_own_session_dies_with_the_run(
    served: ToyQueue, ending: str
) -> None:
    endless = ending == "lost"
    run_id = served.add(grandchild=True, steps=100_000 if endless else 40, delay_s=0.01)
    served.wait_for_step(run_id, 1)
    family = wait_until(lambda: sorted(served.family(run_id)))
    assert len(family) == 2
    if endless:
        process.send(head(served, run_id), signal.SIGKILL)
    served.wait_for_end(run_id, 1)
    assert not any(is_alive(pid) for pid in family)
    if endless:
        served.store.cancel(run_id)
    assert served.wait_for(run_id, *ENDED).state == ("cancelled" if endless else "finished")


def test_fault_16_a_running_run_saves_and_stops_when_cancelled(served: ToyQueue) -> None:
    run_id = served.add(**FOREVER)
    served.wait_for_step(run_id, 3)
    served.store.cancel(run_id)
    run = served.wait_for(run_id, *ENDED)
    assert (run.state, run.exit_kind) == ("cancelled", "cancelled")
    assert run.exit_code in (0, -signal.SIGINT)  # the signal may meet an interpreter that leaves
    assert run.checkpoint == run.step == steps(served, run_id)[-1]


def test_fault_16_a_run_that_is_starting_is_cancelled_too(served: ToyQueue) -> None:
    for _ in range(5):
        run_id = served.add(**FOREVER)
        served.wait_for(run_id, "starting", "running")
        served.store.cancel(run_id)
        assert served.wait_for(run_id, *ENDED).state == "cancelled"


def test_fault_16_a_cancel_near_the_end_gives_one_of_the_two_endings(served: ToyQueue) -> None:
    for steps_before in range(10, 15):
        run_id = served.add(steps=12, delay_s=0.01)
        served.wait_for_step(run_id, min(steps_before, 12))
        with contextlib.suppress(StoreError):  # it has ended already
            served.store.cancel(run_id)
        assert served.wait_for(run_id, *ENDED).state in ("finished", "cancelled")


def test_fault_15_a_deaf_run_and_its_family_are_killed_when_patience_ends(queue: ToyQueue) -> None:
    run_id = queue.add(deaf=True, grandchild=True, **FOREVER)
    queue.serve(patience={"save_s": 0.3, "term_s": 0.3})
    queue.wait_for_step(run_id, 3)
    family = queue.family(run_id)
    began = time.monotonic()
    queue.store.cancel(run_id)
    run = queue.wait_for(run_id, *ENDED)
    assert (run.state, run.exit_kind, run.exit_code) == ("cancelled", "cancelled", -9)
    assert 0.6 < time.monotonic() - began < 10
    assert len(family) == 2
    assert not any(is_alive(pid) for pid in family)


@pytest.mark.parametrize("dies", [False, True])
def test_a_run_that_reaches_its_limit_of_time_saves_and_stops(queue: ToyQueue, dies: bool) -> None:
    run_id = queue.add(settings=("run.hours=0.0003",), **FOREVER)
    queue.serve()
    queue.wait_for_step(run_id, 3)
    if dies:
        queue.kill_supervisor()
        queue.serve()
    run = queue.wait_for(run_id, *ENDED)
    assert (run.state, run.exit_kind) == ("cancelled", "timeout")
    assert run.checkpoint == run.step
    assert "reached its limit of time, run.hours" in describe(run)


def test_a_run_cancelled_by_the_user_did_not_reach_its_limit(served: ToyQueue) -> None:
    run_id = served.add(settings=("run.hours=1",), **FOREVER)
    served.wait_for_step(run_id, 3)
    served.store.cancel(run_id)
    assert served.wait_for(run_id, *ENDED).exit_kind == "cancelled"


def test_a_run_whose_folder_was_deleted_is_cancelled_as_others(served: ToyQueue) -> None:
    run_id = served.add(**FOREVER)
    served.wait_for_step(run_id, 3)
    shutil.rmtree(served.home.run(run_id).root)
    assert "stops after its step" in served.store.cancel(run_id)
    assert served.wait_for(run_id, *ENDED).state == "cancelled"


def test_a_second_cancel_kills_at_once(served: ToyQueue) -> None:
    run_id = served.add(deaf=True, **FOREVER)
    served.wait_for_step(run_id, 3)
    served.store.cancel(run_id)
    served.wait_for(run_id, "cancelling")
    began = time.monotonic()
    served.store.cancel(run_id)
    assert served.wait_for(run_id, *ENDED).state == "cancelled"
    assert time.monotonic() - began < 10


def test_a_cancel_goes_on_under_the_next_supervisor(queue: ToyQueue) -> None:
    run_id = queue.add(deaf=True, **FOREVER)
    queue.serve()
    queue.wait_for_step(run_id, 3)
    queue.store.cancel(run_id)
    queue.wait_for(run_id, "cancelling")
    queue.kill_supervisor()
    queue.serve(patience={"save_s": 0.1, "term_s": 0.1})
    assert queue.wait_for(run_id, *ENDED).state == "cancelled"


def test_fault_17_a_stopped_supervisor_stops_no_run_and_catches_up(queue: ToyQueue) -> None:
    run_id = queue.add(steps=100, delay_s=0.01)
    supervisor = queue.serve()
    queue.wait_for_step(run_id, 3)
    supervisor.send_signal(signal.SIGSTOP)
    folder = queue.home.run(run_id)
    wait_until(folder.result.exists)
    assert queue.store.run(run_id).state == "running"
    supervisor.send_signal(signal.SIGCONT)
    assert queue.wait_for(run_id, *ENDED).state == "finished"
    assert steps(queue, run_id) == list(range(1, 101))


def test_fault_18_a_stranger_with_the_write_lock_slows_no_run(queue: ToyQueue) -> None:
    run_id = queue.add(steps=600, delay_s=0.01)
    queue.serve()
    queue.wait_for_step(run_id, 3)
    stranger = connect(queue.home.database, "rw")
    stranger.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(BusyError, match="holds the database"):
        queue.add()
    assert 4 < time.monotonic() - began < 6
    wait_until(lambda: "holds the database" in queue.home.log.read_text())
    told = queue.home.run(run_id).events(1)
    before = told.stat().st_size
    wait_until(lambda: told.stat().st_size > before or queue.home.run(run_id).result.exists())
    stranger.close()
    assert queue.wait_for(run_id, *ENDED).state == "finished"
    assert steps(queue, run_id) == list(range(1, 601))


def test_fault_29_a_cut_event_file_is_reported_and_doubles_nothing(queue: ToyQueue) -> None:
    run_id = queue.add(**FOREVER)
    queue.serve(pace={"damaged_s": 0.2})
    queue.wait_for_step(run_id, 5)
    process.send(head(queue, run_id), signal.SIGSTOP)
    known = queue.store.run(run_id).step
    os.truncate(queue.home.run(run_id).events(1), 100)
    wait_until(lambda: queue.query("SELECT 1 FROM attempt WHERE damaged = 1"))
    assert "was cut" in str(queue.store.run(run_id).warning)
    found = steps(queue, run_id)
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= known


def wait_for_next_round(queue: ToyQueue) -> None:
    """Wait until a supervisor that shows its life in every round begins one."""
    (before,) = queue.query("SELECT beat FROM supervisor")
    wait_until(lambda: queue.query("SELECT beat FROM supervisor") != [before])


def test_a_file_that_cannot_be_read_is_tried_again_and_reported_once(queue: ToyQueue) -> None:
    run_id = queue.add(steps=60, delay_s=0.01)
    queue.serve(pace={"beat_s": 0.0})
    queue.wait_for_step(run_id, 3)
    path = queue.home.run(run_id).events(1)
    aside = path.rename(path.with_name("aside"))
    path.mkdir()
    wait_until(lambda: "Is a directory" in queue.home.log.read_text())
    for _ in range(3):
        wait_for_next_round(queue)
    path.rmdir()
    aside.rename(path)
    assert queue.wait_for(run_id, *ENDED).state == "finished"
    assert steps(queue, run_id) == list(range(1, 61))
    assert queue.home.log.read_text().count("Is a directory") == 1


def test_a_gpu_that_is_not_there_is_waited_for_with_the_reason(served: ToyQueue) -> None:
    run_id = served.add(gpu="999")
    reason = wait_until(lambda: served.store.run(run_id).reason)
    assert "GPU" in reason
    assert "cancelled" in served.store.cancel(run_id)


def test_fault_43_secrets_of_the_environment_reach_no_file(
    queue: ToyQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "CCAFL_API_KEY", "AWS_SECRET_ACCESS", "MY_THING"):
        monkeypatch.setenv(name, "hunter2")
    run_id = queue.add(**FOREVER)
    queue.serve()
    queue.wait_for_step(run_id, 3)
    (pid,) = queue.family(run_id)
    assert b"hunter2" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert b"CUDA_VISIBLE_DEVICES=\0" in Path(f"/proc/{pid}/environ").read_bytes()
    queue.store.cancel(run_id)
    queue.wait_for(run_id, *ENDED)
    for path in queue.home.root.rglob("*"):
        assert path.is_dir() or b"hunter2" not in path.read_bytes(), path


def test_fault_18_47_no_child_has_the_database_or_the_lock_open(served: ToyQueue) -> None:
    run_id = served.add(**FOREVER)
    served.wait_for_step(run_id, 3)
    (pid,) = served.family(run_id)
    opened = {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    served.store.cancel(run_id)
    served.wait_for(run_id, *ENDED)
    assert not [name for name in opened if "runs.db" in name or "supervisor" in name]
    assert str(served.home.run(run_id).console) in opened


def test_fault_41_what_a_run_leaves_is_for_the_user_alone(served: ToyQueue) -> None:
    run_id = served.add(say="hello")
    served.wait_for(run_id, *ENDED)
    assert served.home.run(run_id).console.read_text() == "hello\n"
    for path in [served.home.root, *served.home.root.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_an_idle_supervisor_leaves_and_says_so(queue: ToyQueue) -> None:
    supervisor = queue.serve(pace={"idle_s": 0.2})
    assert supervisor.wait(10) == 0
    row = queue.store.supervisor()
    assert row is not None
    assert row.beat == 0


def test_a_supervisor_with_work_does_not_leave(queue: ToyQueue) -> None:
    run_id = queue.add(steps=60, delay_s=0.01)
    supervisor = queue.serve(pace={"idle_s": 0.1})
    assert queue.wait_for(run_id, *ENDED).state == "finished"
    assert supervisor.wait(10) == 0


def test_sigterm_ends_the_supervisor_and_no_run(queue: ToyQueue) -> None:
    run_id = queue.add(**FOREVER)
    supervisor = queue.serve()
    queue.wait_for_step(run_id, 3)
    supervisor.terminate()
    assert supervisor.wait(10) == 0
    assert process.lives(head(queue, run_id))


def stop_server(queue: ToyQueue) -> None:
    pid = queue.serving()
    assert pid is not None
    found = process.identify(pid)
    assert found is not None
    process.send(found, signal.SIGKILL)
    wait_until(lambda: not process.lives(found))


def test_a_client_starts_a_supervisor_that_outlives_it(queue: ToyQueue) -> None:
    client = (
        "import sys; from pathlib import Path; from ccafl.paths import Home;"
        "from ccafl.supervisor import ensure_supervisor;"
        "ensure_supervisor(Home(Path(sys.argv[1])), [sys.argv[2]])"
    )
    subprocess.run([sys.executable, "-c", client, str(queue.home.root), SUPERVISOR], check=True)
    pid = queue.serving()
    assert pid is not None
    assert os.getsid(pid) == pid
    run_id = queue.add()
    assert queue.wait_for(run_id, *ENDED).state == "finished"
    stop_server(queue)


def test_a_second_client_finds_the_supervisor_of_the_first(queue: ToyQueue) -> None:
    began = time.monotonic()
    ensure_supervisor(queue.home)
    assert time.monotonic() - began < 8
    pid = queue.serving()
    ensure_supervisor(queue.home, ["must not be started"])
    assert queue.serving() == pid
    stop_server(queue)


def test_a_client_started_by_a_run_starts_no_member_of_that_run(
    queue: ToyQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(process.TOKEN_NAME, "of some run")
    ensure_supervisor(queue.home, [SUPERVISOR])
    assert process.members("of some run") == []
    stop_server(queue)


def test_a_supervisor_that_breaks_is_shown_with_its_log(queue: ToyQueue) -> None:
    with pytest.raises(WorkerError, match=r"(?s)stopped at once.*No such file"):
        ensure_supervisor(queue.home, ["/no/such/file.py"])


def test_a_damaged_database_is_reported_to_the_client(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    home = Home(tmp_path)
    home.database.touch()
    with pytest.raises(StoreError, match="damaged"):
        ensure_supervisor(home, [SUPERVISOR])
