"""The worker as a process of its own, on a small drawn data set."""

import importlib
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from workers import Worker, assert_same_weights, losses, weights, work, written

from ccafl import events, presets, run
from ccafl.events import Result, read_result
from ccafl.locks import hold_lock
from ccafl.paths import RunFolder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, drawn_set: Path) -> RunFolder:
    """An undisturbed run, started as the supervisor starts it."""
    worker = Worker(tmp_path_factory.mktemp("home"), drawn_set)
    command = [sys.executable, "-m", "ccafl.run", *worker.arguments(attempt=1)]
    done = subprocess.run(command, capture_output=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return worker.folder


def ending(folder: RunFolder) -> Result:
    result = read_result(folder.result)
    assert result is not None
    return result


def evaluated(folder: RunFolder, attempt: int = 1) -> dict[int, float]:
    """mAP after each step that was evaluated."""
    found = written(folder, attempt)
    return {e.step: e.mean_ap for e in found if isinstance(e, events.Evaluation)}


def test_a_finished_run_leaves_its_result_and_weights(finished: RunFolder) -> None:
    result = ending(finished)
    assert result.exit == "ok"
    assert result.evaluation is not None
    assert 0 < result.evaluation.mean_ap <= 1
    assert "visual.conv1.weight" in weights(finished)
    assert finished.prompts.exists()
    assert finished.model.exists()


def test_events_tell_the_run_in_order(finished: RunFolder) -> None:
    found = written(finished)
    assert isinstance(found[0], events.Start)
    assert isinstance(found[-1], events.End)
    assert found[-1].exit == "ok"
    stages = [event.stage for event in found if isinstance(event, events.Stage)]
    assert stages == ["prompt", "intra", "inter"]
    steps = [loss.step for loss in losses(finished)]
    assert steps == list(range(1, found[0].steps + 1))


def test_each_stage_ends_with_an_evaluation(finished: RunFolder) -> None:
    found = [(e.stage, e.epoch) for e in written(finished) if isinstance(e, events.Evaluation)]
    inter = [("inter", 1), ("inter", 2), ("inter", 3)]
    assert found == [("prompt", 2), ("intra", 1), ("intra", 2), *inter]


def test_association_quality_is_reported_for_inter_alone(finished: RunFolder) -> None:
    epochs = [event for event in written(finished) if isinstance(event, events.Epoch)]
    assert {e.stage for e in epochs if e.groups is not None} == {"inter"}
    assert all(0 <= e.recall <= 1 for e in epochs if e.recall is not None)


def test_a_finished_run_keeps_no_checkpoints_and_the_best_weights(finished: RunFolder) -> None:
    assert not finished.checkpoints.exists()
    assert RunFolder(finished.best).weights.exists()


def test_an_interrupt_saves_the_step_and_the_next_attempt_goes_on_from_it(
    tmp_path: Path, drawn_set: Path, finished: RunFolder
) -> None:
    worker = Worker(tmp_path, drawn_set)
    assert worker.stop_at("intra", signal.SIGINT) == 0
    result = ending(worker.folder)
    assert result.exit == "cancelled"
    done = losses(worker.folder)[-1].step
    assert (worker.folder.checkpoints / str(done)).is_dir()
    assert worker.run(attempt=2) == 0
    assert losses(worker.folder, 2)[0].step == done + 1
    assert losses(worker.folder) + losses(worker.folder, 2) == losses(finished)
    assert_same_weights(worker.folder, finished)


def test_fault_31_a_broken_checkpoint_is_set_aside_and_the_one_before_is_used(
    tmp_path: Path, drawn_set: Path, finished: RunFolder
) -> None:
    worker = Worker(tmp_path, drawn_set)
    worker.stop_at("inter", signal.SIGKILL)
    newest = max(worker.folder.checkpoints.iterdir(), key=lambda path: int(path.name))
    (newest / "tensors.safetensors").write_bytes(b"cut")
    assert worker.run(attempt=2) == 0
    found = [e.text for e in written(worker.folder, 2) if isinstance(e, events.Warning)]
    assert any("is damaged" in text for text in found)
    assert (newest.parent.parent / "model.safetensors").exists()
    assert_same_weights(worker.folder, finished)


def test_a_file_named_cancel_stops_the_run_also_while_images_are_decoded(
    tmp_path: Path, drawn_set: Path
) -> None:
    worker = Worker(tmp_path, drawn_set)
    worker.folder.cancel.touch()
    assert worker.run() == 0
    assert ending(worker.folder).exit == "cancelled"
    assert losses(worker.folder) == []


def cancelled_in(module: str, call: int, arguments: list[str], console: Path) -> None:
    """A worker that is cancelled while a module embeds images for the n-th time."""
    names = vars(importlib.import_module(module))
    whole, calls = names["embed"], [0]

    def embed(*inputs: Any, **options: Any) -> Any:  # as it is called
        calls[0] += 1
        if calls[0] == call:
            (console.parent / "cancel").touch()
        return whole(*inputs, **options)

    names["embed"] = embed
    work(arguments, console)


@pytest.mark.parametrize(
    ("module", "call", "count"),
    [
        ("ccafl.evaluation", 5, 1),  # after rehearsal and prompt stage, of two sides each
        ("ccafl.stages.training", 3, 2),  # after prompt stage and first epoch of intra
    ],
)
def test_a_cancel_between_epochs_saves_the_last_step_and_no_evaluation_is_missed(
    tmp_path: Path, drawn_set: Path, finished: RunFolder, module: str, call: int, count: int
) -> None:
    worker = Worker(tmp_path, drawn_set)
    assert worker.run(target=partial(cancelled_in, module, call)) == 0
    assert ending(worker.folder).exit == "cancelled"
    assert len(evaluated(worker.folder)) == count
    last = [event for event in written(worker.folder) if isinstance(event, events.Epoch)][-1]
    assert (last.stage, last.step) == ("intra", losses(worker.folder)[-1].step)
    worker.folder.cancel.unlink()
    assert worker.run(attempt=2) == 0
    assert losses(worker.folder) + losses(worker.folder, 2) == losses(finished)
    both = {**evaluated(worker.folder), **evaluated(worker.folder, 2)}
    assert both == evaluated(finished)
    assert_same_weights(worker.folder, finished)


def gpu_that_fails(arguments: list[str], console: Path) -> None:
    """A worker with a GPU that cannot be used although torch says so."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    vars(torch.cuda).update(is_available=lambda: True, get_device_name=lambda _: "GPU")
    work(arguments, console)


def test_the_gpu_is_taken_hold_of_before_images_are_decoded(
    tmp_path: Path, drawn_set: Path
) -> None:
    worker = Worker(tmp_path, drawn_set, device="GPU-0")
    assert worker.run(target=gpu_that_fails) == 1
    assert [type(event) for event in written(worker.folder)] == [events.End]


def test_a_loss_that_is_not_finite_stops_the_run_with_its_name(
    tmp_path: Path, drawn_set: Path
) -> None:
    worker = Worker(tmp_path, drawn_set, "train.lr=1e6", "train.warmup_epochs=0")
    assert worker.run() == 1
    result = ending(worker.folder)
    assert result.error is not None
    assert result.error.name == "NonFiniteLossError"
    assert "(intra, epoch 1)" in result.error.message
    assert losses(worker.folder)[-1].loss["total"] is None


def test_data_that_vanished_is_told_in_a_sentence(tmp_path: Path) -> None:
    worker = Worker(tmp_path, tmp_path / "gone")
    assert worker.run() == 1
    result = ending(worker.folder)
    assert result.error is not None
    assert "is no folder" in result.error.message
    end = written(worker.folder)[-1]
    assert isinstance(end, events.End)
    assert end.message == result.error.message


def test_a_run_is_never_trained_twice_at_once(tmp_path: Path, drawn_set: Path) -> None:
    worker = Worker(tmp_path, drawn_set)
    with hold_lock(worker.folder.lock):
        assert worker.run() == 75
    assert not worker.folder.events(1).exists()


def test_fault_35_a_full_gpu_is_told_with_what_to_lower() -> None:
    config = presets.resolve("demo")
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore")
    sentence = run.sentence(error, config)
    assert "Tried to allocate 2 GiB)" in sentence
    assert "64 images (train.p 16 x train.k 4), encoded 64 at a time (model.bn_batch)" in sentence
    assert "Lower train.p" in sentence


def library_without_gpu_memory(arguments: list[str], console: Path) -> None:
    """A worker in which cuBLAS finds no memory, for which it has an error of its own."""

    def fail(*_: object) -> None:
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`")

    run.train = fail  # type: ignore[assignment]  # the same call
    work(arguments, console)


def test_a_library_that_finds_no_gpu_memory_ends_the_run_for_that_reason(
    tmp_path: Path, drawn_set: Path
) -> None:
    worker = Worker(tmp_path, drawn_set)
    assert worker.run(target=library_without_gpu_memory) == 1
    result = ending(worker.folder)
    assert result.exit == "gpu_memory"
    assert result.error is not None
    assert "Lower train.p" in result.error.message
