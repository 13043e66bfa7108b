"""Runs on a GPU as processes of their own, through the worker's command line.

What a resume promises on a GPU: everything that was saved comes back bit for bit (weights,
optimisers, memories, sampler, sources of chance), so the run goes on with the same batches and the
same augmentations. The steps behind it agree to rounding, because torch has no deterministic form
of a few kernels there. On a CPU the bits agree, see tests/test_resume.py.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from workers import Worker, ended, losses, written

from ccafl import events
from ccafl.events import read_result
from ccafl.gpu import read_gpus
from ccafl.paths import RunFolder

GIB = 1 << 30
LEFT = 2 * GIB  # enough for CUDA itself and for encoding, not for the batch of HUGE
HUGE = (  # 24 camera identities of the drawn set, 64 images each: about 25 GB of activations
    "model.image_size=[256, 128]",
    "train.p=24",
    "train.k=64",
    "intra.instances=64",
)
WAIT_S = 60.0


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, drawn_set: Path, gpu: str) -> RunFolder:
    """An undisturbed run in float32."""
    home = tmp_path_factory.mktemp("home")
    worker = Worker(home, drawn_set, "model.precision=fp32", device=gpu)
    assert worker.run() == 0, worker.folder.console.read_text()
    return worker.folder


def memory_used(uuid: str) -> int:
    """Bytes in use on a GPU, by all processes."""
    answer = read_gpus()
    used = next((gpu.memory_used for gpu in answer.gpus if gpu.uuid == uuid), None)
    assert used is not None, answer.error or "NVML does not tell the memory of the GPU"
    return used


def wait_for_losses(worker: Worker, count: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while len(losses(worker.folder)) < count:
        assert time.monotonic() < deadline, worker.folder.console.read_text()
        time.sleep(0.05)


def test_a_run_goes_through_all_stages_on_the_gpu(finished: RunFolder) -> None:
    result = read_result(finished.result)
    assert result is not None
    assert result.exit == "ok"
    assert result.evaluation is not None
    assert 0 < result.evaluation.mean_ap <= 1
    start, *rest = written(finished)
    assert isinstance(start, events.Start)
    assert start.device == torch.cuda.get_device_name(0)
    epochs = [event for event in rest if isinstance(event, events.Epoch)]
    assert {epoch.stage for epoch in epochs} == {"prompt", "intra", "inter"}
    assert all(epoch.peak_memory > 0 for epoch in epochs)


def test_the_first_step_on_the_gpu_is_that_of_the_cpu(
    tmp_path: Path, drawn_set: Path, finished: RunFolder
) -> None:
    worker = Worker(tmp_path, drawn_set, "model.precision=fp32")
    assert worker.stop_at("prompt", signal.SIGKILL, after=1) == -signal.SIGKILL
    first = losses(worker.folder)[0]
    assert losses(finished)[0].loss == pytest.approx(first.loss, rel=1e-3)


def test_others_see_the_run_on_the_gpu_before_it_decodes(gpu: str) -> None:
    ready = "import ccafl.presets, ccafl.run, time; "
    take = f"ccafl.run._prepare(ccafl.presets.resolve('smoke'), {gpu!r}); print('taken'); "
    command = [sys.executable, "-u", "-c", f"{ready}{take}time.sleep({WAIT_S})"]
    before = memory_used(gpu)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "taken\n"
            assert memory_used(gpu) > before + 100 * 2**20
        finally:
            process.kill()


def test_a_run_in_the_precision_of_the_card_ends_well(
    tmp_path: Path, drawn_set: Path, gpu: str
) -> None:
    worker = Worker(tmp_path, drawn_set, "model.precision=auto", device=gpu)
    assert worker.run() == 0, worker.folder.console.read_text()
    result = read_result(worker.folder.result)
    assert result is not None
    assert result.exit == "ok"


def test_a_killed_run_goes_on_with_the_same_batches(
    tmp_path: Path, drawn_set: Path, finished: RunFolder, gpu: str
) -> None:
    worker = Worker(tmp_path, drawn_set, "model.precision=fp32", device=gpu)
    assert worker.stop_at("inter", signal.SIGKILL) == -signal.SIGKILL
    assert worker.run(attempt=2) == 0, worker.folder.console.read_text()
    resume = next(e for e in written(worker.folder, 2) if isinstance(e, events.Resume))
    after, expected = losses(worker.folder, 2), losses(finished)[resume.step :]
    assert [loss.step for loss in after] == [loss.step for loss in expected]
    for found, known in zip(after[:3], expected[:3], strict=True):
        assert found.loss == pytest.approx(known.loss, rel=1e-3, abs=1e-4)


def test_a_batch_that_does_not_fit_is_told_with_what_to_lower(
    tmp_path: Path, drawn_set: Path, gpu: str
) -> None:
    free, _ = torch.cuda.mem_get_info(0)
    held = torch.empty(max(0, free - LEFT), dtype=torch.uint8, device="cuda:0")
    try:
        worker = Worker(tmp_path, drawn_set, *HUGE, device=gpu)
        assert worker.run() == 1
    finally:
        del held
        torch.cuda.empty_cache()
    result = read_result(worker.folder.result)
    assert result is not None
    assert result.exit == "gpu_memory"
    assert result.error is not None
    for word in ("1536 images", "train.p 24 x train.k 64", "model.bn_batch", "Lower train.p"):
        assert word in result.error.message


def test_a_killed_run_gives_the_gpu_its_memory_back(
    tmp_path: Path, drawn_set: Path, gpu: str
) -> None:
    before = memory_used(gpu)
    worker = Worker(tmp_path, drawn_set, device=gpu)
    process = worker.start()
    wait_for_losses(worker, 2)
    assert memory_used(gpu) > before + 100 * 2**20  # a CUDA context alone takes more
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    assert ended(process) == -signal.SIGKILL
    deadline = time.monotonic() + WAIT_S
    while memory_used(gpu) > before + 16 * 2**20:
        assert time.monotonic() < deadline, "the memory of a killed run is still in use"
        time.sleep(0.2)
