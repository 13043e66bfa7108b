"""Runs of two processes under torchrun: whoever dies, nobody stays behind."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_fault_gpu import card, need
from test_supervisor import is_alive
from toy_queue import ToyQueue, wait_until

from ccafl.gpu import GpuAnswer, to_line
from ccafl.supervisor import process

ENDED = ("finished", "failed", "cancelled", "lost")
RANK = str(Path(__file__).with_name("toy_rank.py"))
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=0"]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToyQueue]:
    """A queue whose supervisor sees two cards and starts each run under torchrun."""
    toys = ToyQueue(tmp_path_factory.mktemp("r") / "h")
    cards = toys.home.root / "cards.json"
    cards.write_text(to_line(GpuAnswer(gpus=(card(0), card(1)))))
    patience = {"save_s": 0.5, "term_s": 0.5}
    toys.serve(gpus=str(cards), worker=[*TORCHRUN, RANK], patience=patience)
    yield toys
    toys.close()


def add(ranks: ToyQueue, deaf: bool = False) -> int:
    """A run of two ranks that are at work; nothing starts after it."""
    ranks.store.pause()
    run_id = ranks.add(gpu="auto", deaf=deaf)
    need(ranks, run_id, 2)
    ranks.store.unpause()
    ranks.wait_for_step(run_id, 3)
    wait_until((ranks.home.run(run_id).root / "rank-1").exists)
    ranks.store.pause()
    return run_id


def rank(ranks: ToyQueue, run_id: int, number: int) -> int:
    return int((ranks.home.run(run_id).root / f"rank-{number}").read_text())


def kill(pid: int | None) -> None:
    assert pid is not None
    found = process.identify(pid)
    assert found is not None
    process.send(found, signal.SIGKILL)


def test_fault_13_when_torchrun_is_killed_its_ranks_go_too(ranks: ToyQueue) -> None:
    run_id = add(ranks)
    family = ranks.family(run_id)
    assert len(family) >= 3
    began = time.monotonic()
    kill(ranks.store.run(run_id).pid)
    ranks.wait_for_end(run_id, 1)
    assert time.monotonic() - began < 5
    assert not any(is_alive(pid) for pid in family)
    assert ranks.store.run(run_id).state == "queued", "a lost run goes on"
    ranks.store.cancel(run_id)


def test_fault_14_a_killed_rank_ends_the_run_and_is_named(ranks: ToyQueue) -> None:
    run_id = add(ranks)
    kill(rank(ranks, run_id, 1))
    run = ranks.wait_for(run_id, *ENDED)
    assert (run.state, run.exit_code) == ("failed", 1)
    assert run.reason == "exit code 1: rank 1 ended by SIGKILL"
    assert not any(is_alive(rank(ranks, run_id, number)) for number in (0, 1))


def test_fault_15_ranks_that_ignore_sigterm_are_killed(ranks: ToyQueue) -> None:
    run_id = add(ranks, deaf=True)
    family = ranks.family(run_id)
    began = time.monotonic()
    ranks.store.cancel(run_id)
    run = ranks.wait_for(run_id, *ENDED)
    assert (run.state, 1 < time.monotonic() - began < 6) == ("cancelled", True)
    assert not any(is_alive(pid) for pid in family)
