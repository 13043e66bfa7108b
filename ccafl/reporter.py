"""What a run tells the outside, as events; stops the run at the first loss gone wrong."""

import logging
import math
import os
import resource
import socket
import time
from collections.abc import Callable
from typing import Any

import open_clip
import torch

import ccafl
from ccafl import events
from ccafl.config import RunConfig, Stage
from ccafl.errors import NonFiniteLossError
from ccafl.events import EventWriter
from ccafl.stages.training import Progress, stage_steps, steps_before

logger = logging.getLogger(__name__)

_PENDING_ON_DEVICE = 10  # steps whose losses may wait on a GPU before they are read
_ACTIVITY_EVERY_S = 0.25
_LOG_EVERY = 100  # steps


class Reporter:
    """Writes the events of one attempt; the log gets a line where a reader of it wants one."""

    def __init__(
        self, writer: EventWriter, config: RunConfig, device: torch.device, attempt: int
    ) -> None:
        self._attempt = attempt
        self.last_evaluation: events.Evaluation | None = None
        self._writer, self._config, self._device = writer, config, device
        self._limit = _PENDING_ON_DEVICE if device.type == "cuda" else 1
        self._pending: list[Progress] = []
        self._images = 0  # of the epoch so far
        self._epoch_started = time.monotonic()

    def start(self, images: int) -> None:
        """The run begins; `images` is the size of the training set."""
        config = self._config
        before = steps_before(config, config.run.stages[0], images)  # by another run, if any
        plans = tuple(
            events.StagePlan(
                stage=stage, epochs=config.epochs(stage), steps=stage_steps(config, stage, images)
            )
            for stage in config.run.stages
        )
        self._writer.write(
            events.Start(
                attempt=self._attempt,
                pid=os.getpid(),
                host=socket.gethostname(),
                device=_device_name(self._device),
                threads=torch.get_num_threads(),
                versions={
                    "ccafl": ccafl.__version__,
                    "torch": torch.__version__,
                    "open_clip": open_clip.__version__,
                },
                steps=before + sum(plan.steps for plan in plans),
                stages=plans,
            )
        )

    def resume(self, step: int) -> None:
        """The run goes on from a checkpoint."""
        logger.info("going on after step %d", step)
        self._writer.write(events.Resume(step=step))

    def taken(self, stage: Stage, run_id: int) -> None:
        """What comes before this run's first stage was taken from another run."""
        text = f"{stage} stage taken from run {run_id}"
        logger.info("%s", text)
        self._writer.write(events.Activity(text=text))

    def activity(self, text: str) -> Callable[[int, int], None]:
        """A function that tells (done, total) of something that is not a step, now and then."""
        told = -math.inf

        def tell(done: int, total: int) -> None:
            nonlocal told
            if time.monotonic() - told >= _ACTIVITY_EVERY_S or done == total:
                told = time.monotonic()
                self._writer.write(events.Activity(text=text, done=done, total=total))

        return tell

    def stage(self, stage: Stage, images: int) -> None:
        """A stage begins, or goes on after a checkpoint."""
        logger.info("stage %s: %d epochs", stage, self._config.epochs(stage))
        step = steps_before(self._config, stage, images)
        self._writer.write(events.Stage(stage=stage, step=step))
        self.begin_epoch()

    def step(self, progress: Progress) -> None:
        """One step; its losses may be read from the device a few steps later.

        Raises:
            NonFiniteLossError: a term of this step or of one before it is infinite or NaN.
        """
        self._pending.append(progress)
        self._images += progress.images
        if len(self._pending) >= self._limit or progress.epoch_end:
            self.flush()

    def flush(self) -> None:
        """Read and check all losses that wait, so that nothing is saved after a broken step.

        Raises:
            NonFiniteLossError: a term is infinite or NaN.
        """
        pending, self._pending = self._pending, []
        if not pending:
            return
        losses = [loss for progress in pending for loss in progress.losses.values()]
        values = iter(torch.stack(losses).tolist())  # one copy from the device for all of them
        for progress in pending:
            read = {name: next(values) for name in progress.losses}
            self._write_loss(progress, read)
            _check_finite(progress, read)

    def epoch(self, progress: Progress, quality: tuple[float, float] | None) -> None:
        """The epoch of `progress` ended; `quality` is precision and recall of its association."""
        seconds = time.monotonic() - self._epoch_started
        found: dict[str, Any] = {}
        if progress.association is not None and quality is not None:
            found = {
                "linked": progress.association.linked,
                "groups": progress.association.groups,
                "conflicts": progress.association.conflicts,
                "precision": quality[0],
                "recall": quality[1],
            }
            if not progress.association.groups:
                self.warning(
                    f"No camera identities could be linked in epoch {progress.epoch} of inter, so "
                    "only the classifier was trained. Raise inter.association.rate."
                )
        self._writer.write(
            events.Epoch(
                stage=progress.stage,
                epoch=progress.epoch,
                step=progress.step,
                seconds=seconds,
                images_per_s=self._images / seconds,
                lr=progress.lr,
                peak_memory=self._peak_memory(),
                **found,
            )
        )
        logger.info("%s epoch %d ended, %.1f s", progress.stage, progress.epoch, seconds)

    def evaluation(self, evaluation: events.Evaluation) -> None:
        """Metrics after a step."""
        self.last_evaluation = evaluation
        self._writer.write(evaluation)
        logger.info(
            "%s epoch %d: mAP %.1f %%, Rank-1 %.1f %%, %d queries, %d left out",
            evaluation.stage,
            evaluation.epoch,
            100 * evaluation.mean_ap,
            100 * evaluation.rank1,
            evaluation.queries,
            evaluation.left_out,
        )

    def checkpoint(self, checkpoint: events.Checkpoint) -> None:
        """A complete checkpoint is on the disk."""
        self._writer.write(checkpoint)

    def begin_epoch(self) -> None:
        """Start the clock of an epoch, after whatever came between two of them."""
        self._images, self._epoch_started = 0, time.monotonic()

    def fsync(self) -> None:
        """Make the rows up to a checkpoint as durable as the checkpoint."""
        self._writer.fsync()

    def warning(self, text: str) -> None:
        """The run goes on, but somebody should know."""
        logger.warning("%s", text)
        self._writer.write(events.Warning(text=text))

    def _write_loss(self, progress: Progress, losses: dict[str, float]) -> None:
        self._writer.write(
            events.Loss(stage=progress.stage, epoch=progress.epoch, step=progress.step, loss=losses)
        )
        if progress.step % _LOG_EVERY == 0:
            logger.info("step %d: total %.4f", progress.step, losses["total"])

    def _peak_memory(self) -> int:
        """Bytes: on a GPU what torch held at most, on a CPU the process."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts KiB


def _check_finite(progress: Progress, losses: dict[str, float]) -> None:
    broken = [name for name, value in losses.items() if not math.isfinite(value)]
    if not broken:
        return
    term = next((name for name in broken if name != "total"), "total")
    setting = "prompt.lr" if progress.stage == "prompt" else "train.lr"
    raise NonFiniteLossError(
        f"The {term} loss became {losses[term]} at step {progress.step} ({progress.stage}, epoch "
        f"{progress.epoch}); nothing was saved after it. Lower {setting}, or try "
        "model.precision=fp32 to see whether the number format is the cause."
    )


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
