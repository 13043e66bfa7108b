"""What a run leaves in its folder: checkpoints to go on from, and weights to use."""

import dataclasses
import json
import shutil
import time
from pathlib import Path
from typing import Any

import torch

import ccafl
from ccafl import events, images
from ccafl.checkpoint import link_checkpoint, load_checkpoint, save_checkpoint, save_tensors
from ccafl.config import stage_named
from ccafl.errors import CheckpointError
from ccafl.paths import RunFolder, replace_text
from ccafl.reporter import Reporter
from ccafl.stages import STAGES, AnyStage
from ccafl.stages.training import Progress, Training

SAVE_EVERY_S = 30.0  # at epoch ends; a stage's end is always saved
RETRY_FOR_S, RETRY_EVERY_S = 600.0, 10.0  # while the disk is full
_KEPT = 2
_CHECKPOINTS, _SPARE = 3, 1 << 30  # room for two that are kept, one being written, and the rest


class Keeper:
    """Saves and restores one run."""

    def __init__(
        self, folder: RunFolder, training: Training, reporter: Reporter, dataset: str
    ) -> None:
        self._folder, self._training, self._reporter = folder, training, reporter
        self._dataset = dataset
        self._best: float | None = None  # mAP
        self._saved_at = time.monotonic()

    def restore(self) -> AnyStage | None:
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
            return stage
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
        needed = _CHECKPOINTS * size + _SPARE
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
        """Save the complete state after a step; a full disk is waited for.

        Raises:
            CheckpointError: it could not be written for ten minutes.
        """
        deadline, told = time.monotonic() + RETRY_FOR_S, False
        while True:
            try:
                self._save(stage, progress)
            except OSError as error:
                self._complain(progress, error, deadline, told=told)
                told = True
                time.sleep(RETRY_EVERY_S)
            else:
                return

    def _complain(self, progress: Progress, error: OSError, deadline: float, *, told: bool) -> None:
        words = f"The checkpoint of step {progress.step} cannot be written ({error})"
        if time.monotonic() >= deadline:
            raise CheckpointError(
                f"{words}. The one before is safe; free the disk and resume the run."
            ) from error
        if not told:
            self._reporter.warning(f"{words}. It is tried again for ten minutes; free the disk.")

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
        self._saved_at = time.monotonic()
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
        """Keep the learned prompts, which later runs may start from."""
        save_tensors(self._folder.prompts, self._training.prompts.state_dict())

    def keep_intra_end(self) -> None:
        """Keep the whole state at the end of intra, which later runs may start from."""
        link_checkpoint(self._newest_first()[0], self._folder.intra_end)

    def keep_best(self, evaluation: events.Evaluation) -> None:
        """Export the encoder when this evaluation is the best so far."""
        if not self._training.config.counts_for_best(stage_named(evaluation.stage)):
            return
        if self._best is None or evaluation.mean_ap > self._best:
            self._best = evaluation.mean_ap
            self._folder.best.mkdir(mode=0o700, exist_ok=True)
            best = RunFolder(self._folder.best)
            self._export(best, evaluation)

    def export_last(self) -> None:
        """Export the encoder as it is at the end of the run."""
        self._export(self._folder, self._reporter.last_evaluation)

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
