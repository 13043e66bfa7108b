"""GPUs that hang, err, are taken by others, or are not given back; runs that need several."""

import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from toy_queue import ToyQueue, queue, wait_until

from ccafl.gpu import Gpu, GpuAnswer, read_gpus, to_line
from ccafl.store.claims import Granted, Queued
from ccafl.supervisor.devices import NOTHING, Allocator

__all__ = ["queue"]  # a fixture

ENDED = ("finished", "failed", "cancelled", "lost")
GIB = 1 << 30


def card(index: int, used: int = 0, uuid: str | None = None) -> Gpu:
    return Gpu(
        index=index,
        uuid=uuid or f"GPU-{index}",
        name="card",
        memory_used=used,
        memory_total=80 * GIB,
        utilisation=None,
        temperature=None,
        power=None,
        processes=None,
    )


class Cards:
    """What the fake helper says from now on."""

    def __init__(self, queue: ToyQueue) -> None:
        self.path = queue.home.root / "cards.json"

    def say(self, *cards: Gpu) -> None:
        self._write(GpuAnswer(gpus=cards))

    def fail(self, error: str, absent: bool = False) -> None:
        self._write(GpuAnswer(error=error, absent=absent))

    def hang(self) -> None:
        self.path.unlink()

    def _write(self, answer: GpuAnswer) -> None:
        aside = self.path.with_suffix(".part")
        aside.write_text(to_line(answer))
        aside.replace(self.path)


@pytest.fixture
def cards(queue: ToyQueue) -> Cards:
    """Two free cards that a served queue knows of."""
    found = Cards(queue)
    found.say(card(0), card(1))
    pace = {"give_back_s": 0.5, "overtake_s": 1.0}
    queue.serve(gpus=str(found.path), pace=pace)
    return found


def wait_for_reason(queue: ToyQueue, run_id: int, words: str) -> None:
    wait_until(lambda: words in str(queue.store.run(run_id).reason))


def device(queue: ToyQueue, run_id: int) -> str:
    """What the process of a run was told to see."""
    (pid,) = wait_until(lambda: queue.family(run_id))
    names = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next(n.decode() for n in names if n.startswith(b"CUDA_VISIBLE_DEVICES=")).partition("=")[
        2
    ]


def test_fault_36_while_nvml_hangs_nothing_starts_and_running_goes_on(
    queue: ToyQueue, cards: Cards
) -> None:
    running = queue.add(gpu="auto", steps=100_000, delay_s=0.01)
    queue.wait_for_step(running, 1)
    cards.hang()
    time.sleep(0.8)  # the last answer is fresh for 0.6 s
    waiting = queue.add(gpu="auto")
    wait_for_reason(queue, waiting, "NVML did not answer within")
    queue.wait_for_step(running, queue.store.run(running).step + 20)
    assert queue.store.run(waiting).state == "queued"
    cards.say(card(0, 5 * GIB), card(1))
    assert queue.wait_for(waiting, *ENDED).state == "finished"
    assert queue.store.run(running).state == "running"


def test_auto_means_a_gpu_where_there_is_one(queue: ToyQueue, cards: Cards) -> None:
    run_id = queue.add(gpu="auto")
    assert queue.wait_for(run_id, *ENDED).state == "finished"
    assert queue.query("SELECT gpu_uuid FROM attempt") == [("GPU-0",)]


def test_auto_means_the_cpu_without_a_driver(queue: ToyQueue) -> None:
    cards = Cards(queue)
    cards.fail("NVML Shared Library Not Found", absent=True)
    queue.serve(gpus=str(cards.path))
    run_id = queue.add(gpu="auto")
    assert queue.wait_for(run_id, *ENDED).state == "finished"
    assert queue.query("SELECT gpu_uuid FROM attempt") == [("cpu",)]


def test_fault_36_errors_of_nvml_are_shown_and_waited_for(queue: ToyQueue, cards: Cards) -> None:
    cards.fail("Driver/library version mismatch")
    run_id = queue.add(gpu="auto")
    wait_for_reason(queue, run_id, "Driver/library version mismatch")
    cards.fail("NVML Shared Library Not Found", absent=True)
    assert queue.wait_for(run_id, *ENDED).state == "finished"
    assert queue.query("SELECT gpu_uuid FROM attempt")[0][0] == "cpu"


def test_fault_36_a_card_is_known_by_its_uuid_in_whatever_order(
    queue: ToyQueue, cards: Cards
) -> None:
    cards.say(card(0, uuid="GPU-b"), card(1, uuid="GPU-a"))
    by_index = queue.add(gpu="1", steps=100_000)
    assert device(queue, by_index) == "GPU-a"
    cards.say(card(0, 5 * GIB, uuid="GPU-a"), card(1, uuid="GPU-b"))
    other = queue.add(gpu="auto", steps=100_000)
    assert device(queue, other) == "GPU-b"


def test_fault_37_a_card_that_a_stranger_uses_is_waited_for(queue: ToyQueue, cards: Cards) -> None:
    cards.say(card(0, 8 * GIB), card(1, 8 * GIB))
    run_id = queue.add(gpu="auto")
    wait_for_reason(queue, run_id, "others use 8.6 GB of GPU 0, others use 8.6 GB of GPU 1")
    cards.say(card(0, 8 * GIB), card(1))
    assert queue.wait_for(run_id, *ENDED).state == "finished"


def test_fault_38_a_card_whose_memory_stays_used_is_kept_and_shown_stuck(
    queue: ToyQueue, cards: Cards
) -> None:
    cards.say(card(0))
    first = queue.add(gpu="0", steps=20, delay_s=0.02)
    queue.wait_for_step(first, 1)
    cards.say(card(0, 20 * GIB))
    assert queue.wait_for(first, *ENDED).state == "finished"
    second = queue.add(gpu="0")
    wait_for_reason(queue, second, f"GPU 0 is stuck: run {first} ended")
    (lease,) = queue.store.leases()
    assert (lease.gpu_uuid, lease.run_id, lease.stuck) == ("GPU-0", first, True)
    cards.say(card(0))
    assert queue.wait_for(second, *ENDED).state == "finished"
    wait_until(lambda: queue.query("SELECT * FROM lease") == [])


def need(queue: ToyQueue, run_id: int, gpus: int) -> None:
    """A config of several GPUs is refused until they are built; the queue can already do it."""
    sql = "UPDATE run SET config = json_set(config, '$.run.gpus', :gpus) WHERE id = :id"
    queue.change(sql, gpus=gpus, id=run_id)


def test_fault_39_a_run_of_two_cards_takes_both_or_none_and_is_not_starved(
    queue: ToyQueue, cards: Cards
) -> None:
    queue.store.pause()
    first = queue.add(gpu="auto", steps=100, delay_s=0.02)
    big = queue.add(gpu="auto", steps=100_000)
    need(queue, big, 2)
    small = [queue.add(gpu="auto", steps=30, delay_s=0.02) for _ in range(6)]
    queue.store.unpause()
    queue.wait_for(first, "running", "finished")
    assert queue.store.run(big).state == "queued"
    wait_for_reason(queue, big, "it needs 2 GPUs: ")
    assert device(queue, queue.wait_for(big, "running").id) == "GPU-0,GPU-1"
    waiting = [run_id for run_id in small if queue.store.run(run_id).state == "queued"]
    assert waiting, "later runs had to let it pass"
    assert {row[0] for row in queue.query("SELECT run_id FROM lease")} == {big}


def play(chance: random.Random, overtake: int) -> tuple[int, int]:
    """A queue of runs of one card and one of four; how long it waited and how long it might."""
    free_at = [0] * 4
    big, at = chance.randrange(1, 20), 0
    queue = [Queued(n, "auto", 4 if n == big else 1, "prompt", None, None, None) for n in range(40)]
    answer = GpuAnswer(gpus=tuple(card(index) for index in range(4)))
    allocator, longest, began = Allocator(overtake), 0, None
    while True:
        leases = {f"GPU-{index}": 1000 for index in range(4) if free_at[index] > at}
        allocator.begin()
        for run in list(queue):
            if run.id == queue[0].id == big and began is None:
                began = at
            found = allocator.choose(run, leases, answer, NOTHING, at)
            if not isinstance(found, Granted):
                continue
            names = found.gpu_uuid.split(",")
            assert len(names) == run.gpus
            assert not set(names) & set(leases)
            if run.id == big:
                return at - (began or 0), overtake + longest
            seconds = chance.randrange(1, 6)
            longest = max(longest, seconds)
            free_at[int(names[0][4:])] = at + seconds
            leases[names[0]] = run.id
            queue.remove(run)
        at += 1


def test_fault_39_of_1000_queues_none_starves_its_big_run() -> None:
    for seed in range(1000):
        waited, bound = play(random.Random(seed), overtake=8)
        assert waited <= bound + 1, seed


LIBRARY = """
#include <string.h>
int nvmlInit_v2(void) { return 0; }
int nvmlInitWithFlags(unsigned flags) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return "Not Supported"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    *device = (void *)(long)(index + 1); return 0; }
int nvmlDeviceGetUUID(void *device, char *uuid, unsigned length) {
    strcpy(uuid, (long)device == 1 ? "GPU-one" : "GPU-two"); return 0; }
int nvmlDeviceGetName(void *device, char *name, unsigned length) { return 3; }
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *memory) {
    memory[0] = 80; memory[1] = 60; memory[2] = 20; return 0; }
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius) {
    *celsius = 41; return 0; }
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) { return 15; }
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc to make a library for pynvml")
def test_fault_36_the_real_pynvml_reads_a_driver_that_offers_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "nvml.c"
    source.write_text(LIBRARY)
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", library, source], check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    answer = read_gpus()
    assert answer.error is None
    assert [gpu.uuid for gpu in answer.gpus] == ["GPU-one", "GPU-two"]
    (gpu, _) = answer.gpus
    assert (gpu.memory_total, gpu.memory_used, gpu.temperature) == (80, 20, 41)
    assert (gpu.name, gpu.utilisation, gpu.power, gpu.processes) == (None, None, None, None)
