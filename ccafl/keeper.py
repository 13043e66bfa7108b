"""What a run leaves in its folder: checkpoints to go on from, and weights to use."""

import dataclasses
import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

import ccafl
from ccafl import events, images
from ccafl.checkpoint import link_checkpoint, load_checkpoint, save_checkpoint, save_tensors
from ccafl.config import stage_named
from ccafl.disk import room
from ccafl.errors import CheckpointError
from ccafl.paths import RunFolder, replace_text
from ccafl.reporter import Reporter
from ccafl.stages import STAGES, AnyStage
from ccafl.stages.training import Progress, Training

SAVE_EVERY_S = 30.0  # at epoch ends; a stage's end is always saved
RETRY_FOR_S, RETRY_EVERY_S = 600.0, 10.0  # while the disk is full
_KEPT = 2


class Restored(NamedTuple):
    """A stage as it was after a step of the run."""

    stage: AnyStage
    step: int


class Keeper:
    """Saves and restores one run."""

    def __init__(
        self, folder: RunFolder, training: Training, reporter: Reporter, dataset: str
    ) -> None:
        self._folder, self._training, self._reporter = folder, training, reporter
        self._dataset = dataset
        self._best: float | None = None  # mAP
        self._saved_at = time.monotonic()
        self._saved_step: int | None = None  # in this attempt

    def restore(self) -> Restored | None:
        """The stage of the newest checkpoint, as it was then; broken ones are set aside."""
        for folder in self._newest_first():
            try:
                saved = load_checkpoint(folder)
            except CheckpointError as error:
                folder.replace(folder.with_name(f"broken-{folder.name}"))
                self._reporter.warning(f"{error} It was set aside and an earlier one is used.")
                continue
            torch.set_num_threads(saved["threads"])  # another number gives other last bits
            self._best = saved["best"]
            stage = STAGES[stage_named(saved["stage"])](self._training)
            stage.load_state_dict(saved["state"])
            self._reporter.resume(saved["step"])
            return Restored(stage, saved["step"])
        return None

    def rehearse(self) -> None:
        """Write and read back a checkpoint now rather than find out hours later that it fails.

        Raises:
            CheckpointError: the disk has no room for the checkpoints of this run.
        """
        folder = self._folder.checkpoints / "rehearsal"
        try:
            size = save_checkpoint(folder, {"training": self._training.state_dict()})
            load_checkpoint(folder)
        except OSError as error:
            raise CheckpointError(
                f"A checkpoint cannot be written to {str(folder.parent)!r}: {error}. Free "
                "the disk, or keep the state folder on another one with --home."
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        needed = room(size)
        free = shutil.disk_usage(self._folder.root).free
        if free < needed:
            raise CheckpointError(
                f"The disk of {str(self._folder.root)!r} has {free / 1e9:.1f} GB free, and the "
                f"checkpoints of this run need {needed / 1e9:.1f} GB. Free the disk, or keep the "
                "state folder on another one with --home."
            )

    def save_if_due(self, stage: AnyStage, progress: Progress) -> None:
        """Save at the end of a stage, and at the end of an epoch when the last save is old.

        In between, training does not stop for a full disk: the save is tried again later.
        """
        if not progress.epoch_end:
            return
        if progress.epoch == self._training.config.epochs(progress.stage):
            self.save(stage, progress)
        elif time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            try:
                self._save(stage, progress)
            except OSError as error:
                self._saved_at = time.monotonic()
                self._reporter.warning(
                    f"The checkpoint of step {progress.step} could not be written ({error}). "
                    "Training goes on and the one before stays; free the disk."
                )

    def save(self, stage: AnyStage, progress: Progress) -> None:
        """Save the complete state after a step, unless it is; a full disk is waited for.

        Raises:
            CheckpointError: it could not be written for ten minutes.
        """
        if progress.step != self._saved_step:
            what = f"checkpoint of step {progress.step}"
            self._insist(what, partial(self._save, stage, progress))

    def _insist(self, what: str, write: Callable[[], None]) -> None:
        """Write what the run must not lose; a full disk is waited for."""
        deadline, told = time.monotonic() + RETRY_FOR_S, False
        while True:
            try:
                write()
            except OSError as error:
                words = f"The {what} cannot be written ({error})"
                if time.monotonic() >= deadline:
                    raise CheckpointError(
                        f"{words}. What was saved before is safe; free the disk and resume the run."
                    ) from error
                if not told:
                    self._reporter.warning(
                        f"{words}. It is tried again for ten minutes; free the disk."
                    )
                told = True
                time.sleep(RETRY_EVERY_S)
            else:
                return

    def _save(self, stage: AnyStage, progress: Progress) -> None:
        """Save once and drop all but the newest two."""
        self._reporter.flush()
        self._reporter.fsync()
        started = time.monotonic()
        state = {
            "stage": progress.stage,
            "step": progress.step,
            "seed": self._training.config.run.seed,
            "best": self._best,
            "threads": torch.get_num_threads(),
            "state": stage.state_dict(),
        }
        folder = self._folder.checkpoints / str(progress.step)
        shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was rolled back before it
        size = save_checkpoint(folder, state)
        for old in self._newest_first()[_KEPT:]:
            shutil.rmtree(old)
        self._saved_at, self._saved_step = time.monotonic(), progress.step
        self._reporter.checkpoint(
            events.Checkpoint(
                stage=progress.stage,
                epoch=progress.epoch,
                step=progress.step,
                seconds=self._saved_at - started,
                bytes=size,
            )
        )

    def keep_prompts(self) -> None:
        """Keep the learned prompts, which later runs may start from; a full disk is waited for."""
        learned = self._training.prompts.state_dict()
        self._insist("learned prompts", partial(save_tensors, self._folder.prompts, learned))

    def keep_intra_end(self) -> None:
        """Keep the whole state at the end of intra for later runs; a full disk is waited for."""
        newest = self._newest_first()[0]
        self._insist("end of intra", partial(link_checkpoint, newest, self._folder.intra_end))

    def keep_best(self, evaluation: events.Evaluation) -> None:
        """Export the encoder when this evaluation is the best of those that could be exported."""
        if not self._training.config.counts_for_best(stage_named(evaluation.stage)):
            return
        if self._best is not None and evaluation.mean_ap <= self._best:
            return
        try:
            self._folder.best.mkdir(mode=0o700, exist_ok=True)
            self._export(RunFolder(self._folder.best), evaluation)
        except OSError as error:
            self._reporter.warning(
                f"The weights of step {evaluation.step}, the best so far, could not be written "
                f"({error}). Training goes on without them; free the disk."
            )
        else:
            self._best = evaluation.mean_ap

    def export_last(self) -> None:
        """Export the encoder as it is at the end of the run; a full disk is waited for."""
        last = self._reporter.last_evaluation
        self._insist("weights of the run", partial(self._export, self._folder, last))

    def _export(self, folder: RunFolder, evaluation: events.Evaluation | None) -> None:
        save_tensors(folder.weights, self._training.encoder.state_dict())
        replace_text(folder.model, json.dumps(self._description(evaluation), indent=1) + "\n")

    def _description(self, evaluation: events.Evaluation | None) -> dict[str, Any]:
        config = self._training.config
        return {
            "ccafl": ccafl.__version__,
            "backbone": config.model.backbone,
            "image_size": config.model.image_size,
            "mean": images.MEAN,
            "std": images.STD,
            "embedding": self._training.encoder.embedding_size,
            "n_ctx": config.prompt.n_ctx,
            "dataset": self._dataset,
            "evaluation": None if evaluation is None else dataclasses.asdict(evaluation),
        }

    def _newest_first(self) -> list[Path]:
        folders = [path for path in self._folder.checkpoints.glob("*") if path.name.isdigit()]
        return sorted(folders, key=lambda path: int(path.name), reverse=True)
