"""Runs that go on: after a loss by themselves, by the user, and from an earlier run."""

import random
import signal
import time

import pytest
from toy_queue import ToyQueue, queue, served, wait_until

from ccafl.sentences import describe, waits
from ccafl.supervisor import process

__all__ = ["queue", "served"]  # fixtures

ENDED = ("finished", "failed", "cancelled", "lost")
BOOKS = "SELECT count(*), min(step), max(step), count(DISTINCT step) FROM loss WHERE run_id = :id"


def kill_family(queue: ToyQueue, run_id: int) -> None:
    for pid in queue.family(run_id):
        found = process.identify(pid)
        if found is not None:
            process.send(found, signal.SIGKILL)


def assert_all_steps(queue: ToyQueue, run_id: int, steps: int) -> None:
    assert [tuple(row) for row in queue.query(BOOKS, id=run_id)] == [(steps, 1, steps, steps)]


def test_fault_05_kills_of_workers_lose_and_double_no_step(served: ToyQueue) -> None:
    chance = random.Random(5)
    runs = [served.add(steps=150, save_every=5, delay_s=0.005) for _ in range(2)]
    kills = 0
    while kills < 8:
        run = served.wait_for(runs[kills // 4], "running", "finished")
        time.sleep(chance.uniform(0.1, 0.3))  # spreads the kills over start, steps and saves
        kill_family(served, run.id)
        kills += 1
    for run_id in runs:
        run = served.wait_for(run_id, *ENDED)
        assert run.state == "finished", run.reason
        assert_all_steps(served, run_id, 150)
    assert served.query("SELECT * FROM lease") == []


def test_fault_06_kills_of_both_lose_and_double_no_step(queue: ToyQueue) -> None:
    run_id = queue.add(steps=200, save_every=5, delay_s=0.005)
    for step in (20, 60, 100):
        supervisor = queue.serve()
        queue.wait_for_step(run_id, step)
        kill_family(queue, run_id)
        supervisor.kill()
        supervisor.wait()
        kill_family(queue, run_id)
    queue.serve()
    run = queue.wait_for(run_id, *ENDED)
    assert (run.state, run.attempt >= 4) == ("finished", True)
    assert_all_steps(queue, run_id, 200)


def test_fault_33_a_run_lost_three_times_without_a_checkpoint_stays_lost(served: ToyQueue) -> None:
    run_id = served.add(die_at=3)
    run = served.wait_for(run_id, "lost")
    wait_until(lambda: served.query("SELECT 1 FROM lease") == [])
    run = served.wait_for(run_id, "lost")
    assert run.attempt == 3
    assert "was lost in intra, epoch 1, " in describe(run)
    assert ": killed by signal 9. Host memory was " in describe(run)
    assert "Resumed by itself 2 of 3 times." in describe(run)
    assert run.warning is None, "it does not go on"


def test_fault_33_a_checkpoint_begins_the_count_anew(served: ToyQueue) -> None:
    run_id = served.add(steps=12, save_every=2, die_at=5)
    # each attempt after the first begins at step 4 and dies at step 5 without a new checkpoint
    run = served.wait_for(run_id, "lost")
    assert run.attempt == 4
    assert served.steps(run_id) == [1, 2, 3, 4, 5]


def test_a_resumed_run_goes_on_with_its_old_result_kept(served: ToyQueue) -> None:
    run_id = served.add(steps=60, delay_s=0.01)
    served.wait_for_step(run_id, 5)
    served.store.cancel(run_id)
    cancelled = served.wait_for(run_id, *ENDED)
    assert cancelled.state == "cancelled"
    assert str(cancelled.checkpoint) in served.store.resume(run_id)
    run = served.wait_for(run_id, "finished")
    folder = served.home.run(run_id)
    assert (run.attempt, folder.old_result(1).exists(), folder.cancel.exists()) == (2, True, False)
    assert_all_steps(served, run_id, 60)


def test_a_retried_run_starts_over(served: ToyQueue) -> None:
    run_id = served.add(steps=40, save_every=10, exit="error")
    served.wait_for(run_id, "failed")
    assert len(list(served.home.run(run_id).checkpoints.iterdir())) == 4
    served.store.retry(run_id)
    assert served.wait_for(run_id, "failed", "lost").attempt == 2
    assert_all_steps(served, run_id, 40)
    lines = served.home.run(run_id).events(2).read_text().splitlines()
    assert '"k":"resume"' in lines[1]
    assert '"step":0' in lines[1]


def test_a_failed_run_never_starts_by_itself(served: ToyQueue) -> None:
    run_id = served.add(exit="error", steps=1)
    served.wait_for(run_id, "failed")
    other = served.add(steps=1)
    served.wait_for(other, "finished")
    assert served.store.run(run_id).attempt == 1


@pytest.mark.parametrize(
    ("stage", "needs", "prompts"), [("intra", "prompt", True), ("inter", "intra", False)]
)
def test_a_run_waits_for_the_stage_of_its_source(
    served: ToyQueue, stage: str, needs: str, prompts: bool
) -> None:
    source = served.add(steps=40, delay_s=0.02, prompts=prompts)
    stages = [f"run.stages=['{stage}']"]
    run_id = served.add(source=source, settings=stages, steps=2)
    reason = f"for run {source} to finish its {needs} stage"
    wait_until(lambda: served.store.run(run_id).reason == reason)
    assert waits(served.store.run(run_id)) == f"waits {reason}"
    if needs == "intra":
        served.home.run(source).intra_end.mkdir()
        reason = f"run {source} holds the CPU"
        wait_until(lambda: served.store.run(run_id).reason == reason)
    assert served.wait_for(run_id, *ENDED).state == "finished"
    assert served.wait_for(source, *ENDED).state == "finished"


def test_a_run_whose_source_ended_too_early_says_what_to_do(served: ToyQueue) -> None:
    source = served.add(steps=1, exit="error")
    run_id = served.add(source=source, settings=["run.stages=['inter']"])
    served.wait_for(source, "failed")
    reason = (
        f"run {source} ended (failed) without its intra stage; "
        f"resume run {source}, or cancel this run"
    )
    wait_until(lambda: served.store.run(run_id).reason == reason)
    served.store.cancel(run_id)
