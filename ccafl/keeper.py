"""What a run leaves in its folder: checkpoints to go on from, and weights to use."""

import dataclasses
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import ccafl
from ccafl import events, images
from ccafl.checkpoint import load_checkpoint, save_checkpoint, save_tensors
from ccafl.errors import CheckpointError
from ccafl.paths import RunFolder, replace_text
from ccafl.reporter import Reporter
from ccafl.stages import STAGES, AnyStage
from ccafl.stages.training import Progress, Training

SAVE_EVERY_S = 30.0  # at epoch ends; a stage's end is always saved
_KEPT = 2


class Keeper:
    """Saves and restores one run."""

    def __init__(
        self, folder: RunFolder, training: Training, reporter: Reporter, dataset: str
    ) -> None:
        self._folder, self._training, self._reporter = folder, training, reporter
        self._dataset = dataset
        self._best: float | None = None  # mAP
        self._saved_at = time.monotonic()

    def stages(self) -> Iterator[AnyStage]:
        """The stages that are left, the first one as the newest checkpoint left it."""
        saved = self._restore()
        names = self._training.config.run.stages
        if saved is not None:
            names = names[names.index(saved["stage"]) :]
            self._best = saved["best"]
            self._reporter.resume(saved["step"])
        for name in names:
            stage = STAGES[name](self._training)
            if saved is not None and name == saved["stage"]:
                stage.load_state_dict(saved["state"])
            yield stage

    def save_if_due(self, stage: AnyStage, progress: Progress) -> None:
        """Save at the end of a stage, and at the end of an epoch when the last save is old."""
        last = progress.epoch == self._training.config.epochs(progress.stage)
        old = time.monotonic() - self._saved_at >= SAVE_EVERY_S
        if progress.epoch_end and (last or old):
            self.save(stage, progress)

    def save(self, stage: AnyStage, progress: Progress) -> None:
        """Save the complete state after a step and drop all but the newest two."""
        self._reporter.flush()
        self._reporter.fsync()
        started = time.monotonic()
        state = {
            "stage": progress.stage,
            "step": progress.step,
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

    def keep_best(self, evaluation: events.Evaluation) -> None:
        """Export the encoder when this evaluation is the best so far."""
        stage = next(name for name in STAGES if name == evaluation.stage)
        if not self._training.config.counts_for_best(stage):
            return
        if self._best is None or evaluation.mean_ap > self._best:
            self._best = evaluation.mean_ap
            self._folder.best.mkdir(mode=0o700, exist_ok=True)
            best = RunFolder(self._folder.best)
            self._export(best, evaluation)

    def export_last(self) -> None:
        """Export the encoder and the prompts as they are at the end of the run."""
        self._export(self._folder, self._reporter.last_evaluation)
        save_tensors(self._folder.prompts, {"learned": self._training.prompts.learned})

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

    def _restore(self) -> dict[str, Any] | None:
        """The newest checkpoint that can be read; broken ones are set aside."""
        for folder in self._newest_first():
            try:
                saved = load_checkpoint(folder)
            except CheckpointError as error:
                folder.replace(folder.with_name(f"broken-{folder.name}"))
                self._reporter.warning(f"{error} It was set aside and an earlier one is used.")
                continue
            torch.set_num_threads(saved["threads"])  # another number gives other last bits
            return saved
        return None

    def _newest_first(self) -> list[Path]:
        folders = [path for path in self._folder.checkpoints.glob("*") if path.name.isdigit()]
        return sorted(folders, key=lambda path: int(path.name), reverse=True)
