"""A run that is killed anywhere ends with the bits of a run nobody disturbed."""

import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch
from workers import Worker, assert_same_weights, losses, work, written

from ccafl import events, keeper, ranking
from ccafl.checkpoint import load_checkpoint, save_checkpoint
from ccafl.config import STAGES, Stage
from ccafl.events import read_result
from ccafl.paths import RunFolder


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_in_save(arguments: list[str], console: Path) -> None:
    """A worker that is killed half way through saving the end of intra."""
    whole, calls = safetensors.torch.save_file, [0]

    def half(tensors: dict[str, torch.Tensor], path: Path) -> None:
        calls[0] += path.parent.name.endswith(".part")  # checkpoints only
        if calls[0] == 4:  # rehearsal, prompt, the cache entry, intra
            path.write_bytes(b"half")
            die()
        whole(tensors, path)

    safetensors.torch.save_file = half  # type: ignore[assignment]  # the same call
    work(arguments, console)


def dying_in_evaluation(arguments: list[str], console: Path) -> None:
    """A worker that is killed while it ranks the gallery after the first epoch of inter."""
    whole, calls = ranking.evaluate, [0]

    def killed(*tensors: torch.Tensor, **numbers: torch.Tensor) -> ranking.Evaluation:
        calls[0] += 1
        if calls[0] == 5:  # rehearsal, prompt, intra twice, inter
            die()
        return whole(*tensors, **numbers)  # type: ignore[arg-type]  # as it was called

    ranking.evaluate = killed  # type: ignore[assignment]  # the same call
    work(arguments, console)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, drawn_set: Path) -> RunFolder:
    worker = Worker(tmp_path_factory.mktemp("home"), drawn_set)
    assert worker.run() == 0, worker.folder.console.read_text()
    return worker.folder


def assert_same_run(worker: Worker, undisturbed: RunFolder) -> None:
    """The rows that count are those up to where the second attempt went on, and its own."""
    (start,) = (e.step for e in written(worker.folder, 2) if isinstance(e, events.Resume))
    before = [loss for loss in losses(worker.folder) if loss.step <= start]
    assert before + losses(worker.folder, 2) == losses(undisturbed)
    assert_same_weights(worker.folder, undisturbed)


@pytest.mark.parametrize("stage", STAGES)
def test_a_kill_in_the_middle_of_an_epoch_changes_nothing(
    tmp_path: Path, drawn_set: Path, undisturbed: RunFolder, stage: Stage
) -> None:
    worker = Worker(tmp_path, drawn_set)
    assert worker.stop_at(stage, signal.SIGKILL) == -signal.SIGKILL
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)  # so that the prompts are learned again
    assert worker.run(attempt=2) == 0
    assert_same_run(worker, undisturbed)


def saving_every_epoch(arguments: list[str], console: Path) -> None:
    """A worker for which every epoch is long enough to be saved."""
    keeper.SAVE_EVERY_S = 0.0
    work(arguments, console)


def test_a_long_epoch_is_saved_and_a_kill_later_goes_back_to_it_alone(
    tmp_path: Path, drawn_set: Path, undisturbed: RunFolder
) -> None:
    worker = Worker(tmp_path, drawn_set)
    last = losses(undisturbed)[-1].step
    assert worker.stop_at("inter", signal.SIGKILL, after=8, target=saving_every_epoch) < 0
    assert worker.run(attempt=2) == 0
    (start,) = (e.step for e in written(worker.folder, 2) if isinstance(e, events.Resume))
    assert start > last - 3 * 6  # the first epoch of inter is not trained again
    assert_same_run(worker, undisturbed)


def test_a_kill_during_a_save_changes_nothing(
    tmp_path: Path, drawn_set: Path, undisturbed: RunFolder
) -> None:
    worker = Worker(tmp_path, drawn_set)
    assert worker.run(target=dying_in_save) == -signal.SIGKILL
    assert [loss.stage for loss in losses(worker.folder)][-1] == "intra"
    assert worker.run(attempt=2) == 0
    assert_same_run(worker, undisturbed)


def test_a_kill_during_an_evaluation_changes_nothing(
    tmp_path: Path, drawn_set: Path, undisturbed: RunFolder
) -> None:
    worker = Worker(tmp_path, drawn_set)
    assert worker.run(target=dying_in_evaluation) == -signal.SIGKILL
    assert losses(worker.folder)[-1].stage == "inter"
    assert worker.run(attempt=2) == 0
    assert_same_run(worker, undisturbed)


def disk_full_for_a_while(arguments: list[str], console: Path) -> None:
    """A worker whose disk is full at the end of an epoch, and twice at the end of intra."""
    keeper.SAVE_EVERY_S, keeper.RETRY_EVERY_S = 0.0, 0.01
    whole, calls = save_checkpoint, [0]

    def failing(folder: Path, state: Mapping[str, Any]) -> int:
        calls[0] += 1
        if calls[0] in (2, 4, 5):  # after the rehearsal: prompt 1; after prompt 2: intra twice
            raise OSError("No space left on device")
        return whole(folder, state)

    vars(keeper)["save_checkpoint"] = failing
    work(arguments, console)


def test_fault_22_a_full_disk_is_waited_for_and_no_checkpoint_is_lost(
    tmp_path: Path, drawn_set: Path, undisturbed: RunFolder
) -> None:
    worker = Worker(tmp_path, drawn_set, "intra.epochs=1", "inter.ical.window=[2, 4]")
    assert worker.run(target=disk_full_for_a_while) == 0
    told = [event.text for event in written(worker.folder) if isinstance(event, events.Warning)]
    assert ["Training goes on" in text for text in told] == [True, False]
    assert ["tried again for ten minutes" in text for text in told] == [False, True]
    assert worker.folder.intra_end.is_dir()


def disk_full_for_good(arguments: list[str], console: Path) -> None:
    """A worker whose disk is full from the end of intra on."""
    keeper.RETRY_FOR_S, keeper.RETRY_EVERY_S = 0.05, 0.01
    whole = save_checkpoint

    def failing(folder: Path, state: Mapping[str, Any]) -> int:
        if state.get("stage") == "intra":
            raise OSError("No space left on device")
        return whole(folder, state)

    vars(keeper)["save_checkpoint"] = failing
    work(arguments, console)


def test_fault_22_a_disk_that_stays_full_ends_the_run_and_keeps_the_checkpoint_before(
    tmp_path: Path, drawn_set: Path, undisturbed: RunFolder
) -> None:
    worker = Worker(tmp_path, drawn_set)
    assert worker.run(target=disk_full_for_good) == 1
    result = read_result(worker.folder.result)
    assert result is not None
    assert result.error is not None
    assert "free the disk and resume the run" in result.error.message
    shutil.rmtree(tmp_path / "cache")
    assert worker.run(attempt=2) == 0
    assert_same_run(worker, undisturbed)


def full_at_first(write: Callable[..., None]) -> Callable[..., None]:
    """A write that finds a full disk when it is called for something the first time."""
    known: set[Path] = set()

    def failing(path: Path, *rest: object) -> None:
        if path not in known:
            known.add(path)
            raise OSError("No space left on device")
        write(path, *rest)

    return failing


def disk_full_beside_the_checkpoints(arguments: list[str], console: Path) -> None:
    """A worker for which all but checkpoints finds a full disk at first; every epoch is saved."""
    keeper.SAVE_EVERY_S, keeper.RETRY_EVERY_S = 0.0, 0.01
    for name in ("save_tensors", "link_checkpoint"):
        vars(keeper)[name] = full_at_first(vars(keeper)[name])
    work(arguments, console)


def test_fault_22_a_full_disk_at_an_evaluation_or_at_a_stages_end_stops_no_training(
    tmp_path: Path, drawn_set: Path, undisturbed: RunFolder
) -> None:
    worker = Worker(tmp_path, drawn_set)
    assert worker.run(target=disk_full_beside_the_checkpoints) == 0
    found = written(worker.folder)
    told = [event.text for event in found if isinstance(event, events.Warning)]
    assert [re.search("prompts|best|intra|of the run", text)[0] for text in told] == [  # type: ignore[index]  # each matches
        *("prompts", "best", "intra", "of the run")
    ]
    epochs = [event.step for event in found if isinstance(event, events.Epoch)]
    assert [e.step for e in found if isinstance(e, events.Checkpoint)] == epochs
    scores = [event.mean_ap for event in found if isinstance(event, events.Evaluation)]
    best = json.loads(RunFolder(worker.folder.best).model.read_text())
    assert best["evaluation"]["mean_ap"] == max(scores[2:])  # not the prompts', not the lost one
    assert worker.folder.prompts.exists()
    assert worker.folder.intra_end.is_dir()
    assert losses(worker.folder) == losses(undisturbed)
    assert_same_weights(worker.folder, undisturbed)


def disk_full_for(write: str, target: Path, arguments: list[str], console: Path) -> None:
    """A worker whose disk has no room for one thing."""
    keeper.RETRY_FOR_S, keeper.RETRY_EVERY_S = 0.05, 0.01
    whole = vars(keeper)[write]

    def failing(*paths: object) -> None:
        if target in paths:
            raise OSError("No space left on device")
        whole(*paths)

    vars(keeper)[write] = failing
    work(arguments, console)


@pytest.mark.parametrize(
    ("write", "name"), [("link_checkpoint", "intra-end"), ("save_tensors", "model.safetensors")]
)
def test_fault_22_a_run_that_could_not_keep_a_result_makes_up_for_it_when_resumed(
    tmp_path: Path, drawn_set: Path, undisturbed: RunFolder, write: str, name: str
) -> None:
    worker = Worker(tmp_path, drawn_set)
    target = worker.folder.root / name
    assert worker.run(target=partial(disk_full_for, write, target)) == 1
    result = read_result(worker.folder.result)
    assert result is not None
    assert result.error is not None
    assert "free the disk and resume the run" in result.error.message
    assert not target.exists()
    assert worker.run(attempt=2) == 0
    assert target.exists()
    assert_same_run(worker, undisturbed)
    told, expected = (json.loads(of.model.read_text()) for of in (worker.folder, undisturbed))
    assert told["evaluation"]["mean_ap"] == expected["evaluation"]["mean_ap"]


def full_disk(arguments: list[str], console: Path) -> None:
    """A worker that finds a disk with a gigabyte less than it needs."""
    shutil.disk_usage = lambda _: SimpleNamespace(free=1000)  # type: ignore[assignment,return-value]
    work(arguments, console)


def test_a_disk_without_room_for_checkpoints_is_told_before_the_first_step(
    tmp_path: Path, drawn_set: Path
) -> None:
    worker = Worker(tmp_path, drawn_set)
    assert worker.run(target=full_disk) == 1
    result = read_result(worker.folder.result)
    assert result is not None
    assert result.error is not None
    assert re.search(r"has 0\.0 GB free, and the checkpoints .* need", result.error.message)
    assert losses(worker.folder) == []
    assert list(worker.folder.checkpoints.iterdir()) == []


def test_the_end_of_intra_and_the_weights_outlive_the_checkpoints(undisturbed: RunFolder) -> None:
    assert not undisturbed.checkpoints.exists()
    saved = load_checkpoint(undisturbed.intra_end)
    assert (saved["stage"], saved["seed"]) == ("intra", 0)
    told = json.loads(undisturbed.model.read_text())
    assert (told["backbone"], told["image_size"], told["n_ctx"]) == ("tiny", [64, 32], 4)
    assert told["evaluation"]["stage"] == "inter"
    best = json.loads(RunFolder(undisturbed.best).model.read_text())
    scores = [e.mean_ap for e in written(undisturbed) if isinstance(e, events.Evaluation)]
    assert best["evaluation"]["mean_ap"] == max(scores[1:])


def test_two_checkpoints_are_kept(tmp_path: Path, drawn_set: Path) -> None:
    worker = Worker(tmp_path, drawn_set)
    worker.stop_at("inter", signal.SIGINT)
    steps = sorted(int(path.name) for path in worker.folder.checkpoints.iterdir())
    last = losses(worker.folder)[-1].step
    assert steps == [steps[0], last]
