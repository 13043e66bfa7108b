"""One run in its own process: config -> images -> stages -> evaluation -> result.

`python -m ccafl.run --home DIR --attempt N --device cpu|UUID ID`, started by the supervisor. It
reads the run's `config.json` and speaks through its event file and `result.json` only.
"""

import argparse
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ccafl import config as schema
from ccafl import events
from ccafl.association import audit
from ccafl.config import RunConfig, Stage
from ccafl.datasets import Dataset, camera_labels, identity_pids, scan
from ccafl.errors import BusyError, CcaflError, WorkerError
from ccafl.evaluation import Evaluator
from ccafl.events import EventWriter
from ccafl.images import Images
from ccafl.inheritance import Source, take_earlier
from ccafl.keeper import Keeper, Restored
from ccafl.limits import cpu_cores
from ccafl.locks import hold_lock
from ccafl.paths import Home
from ccafl.prompt_cache import PromptCache
from ccafl.reporter import Reporter
from ccafl.stages import AnyStage, stages_left
from ccafl.stages.training import Progress, Training

logger = logging.getLogger(__name__)


class CancelledError(Exception):
    """Somebody asked the run to stop; its state is saved."""


class CancelSwitch:
    """Whether somebody asked the run to stop: by a signal, or by a file in its folder."""

    def __init__(self, file: Path) -> None:
        self._file, self._signalled = file, False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def check(self) -> None:
        """Stop the work here, where nothing is half done.

        Raises:
            CancelledError: somebody asked for it.
        """
        if self._signalled or self._file.exists():
            raise CancelledError

    def _note(self, *_: object) -> None:
        self._signalled = True


@dataclass(frozen=True, slots=True)
class Job:
    """What an attempt is told from outside."""

    run_id: int
    attempt: int
    config: RunConfig
    home: Home
    source: Source | None  # the run of --from
    device: torch.device
    check: Callable[[], None]  # raises CancelledError once somebody asked the run to stop


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run works with, built once at its start."""

    job: Job
    dataset: Dataset
    training: Training
    evaluator: Evaluator
    keeper: Keeper
    cache: PromptCache
    reporter: Reporter

    def evaluate(self, stage: Stage, epoch: int, step: int) -> None:
        """Evaluate the encoder as it is, report it, and keep it if it is the best so far."""
        evaluation = self.evaluator(
            self.training.encoder, self.job.device, stage=stage, epoch=epoch, step=step
        )
        self.reporter.evaluation(evaluation)
        self.keeper.keep_best(evaluation)


def train(job: Job, reporter: Reporter) -> None:
    """Train and evaluate the stages of a run, from its newest checkpoint if it has one.

    Raises:
        CcaflError: the data, the weights or a loss cannot be used.
        CancelledError: somebody asked the run to stop; the state after the last step is saved.
    """
    parts = _set_up(job, reporter)
    for stage in _stages(parts):
        reporter.stage(stage.name, len(parts.dataset.train))
        _train_stage(parts, stage)
        _end_stage(parts, stage.name)
    parts.keeper.export_last()


def _train_stage(parts: Parts, stage: AnyStage) -> None:
    """Train what is left of a stage; a cancel ends it with the state after its last step saved."""
    progress: Progress | None = None
    try:
        for progress in stage.steps():
            parts.reporter.step(progress)
            if progress.epoch_end:
                _end_epoch(parts, stage, progress)
            parts.job.check()
    except CancelledError:
        if progress is not None:
            parts.keeper.save(stage, progress)
        raise


def _set_up(job: Job, reporter: Reporter) -> Parts:
    """Read the data, build the model, and rehearse what would otherwise fail hours later."""
    config = job.config
    dataset = scan(Path(config.data.root), config.data.layout)
    logger.info("%s", dataset.summary())
    reporter.start(len(dataset.train))
    images, query, gallery = _decode(dataset, job, reporter)
    training = Training(config, images, camera_labels(dataset.train), job.device)
    evaluator = Evaluator(dataset, query, gallery)
    keeper = Keeper(job.home.run(job.run_id), training, reporter, dataset.name)
    cache = PromptCache(job.home.prompts, training, dataset.train)
    evaluator.rehearse(training.encoder, job.device)
    keeper.rehearse()
    return Parts(job, dataset, training, evaluator, keeper, cache, reporter)


def _stages(parts: Parts) -> Iterator[AnyStage]:
    """The stages that are left after a checkpoint, or after what earlier runs give."""
    job, training, reporter = parts.job, parts.training, parts.reporter
    restored, taken = parts.keeper.restore(), None
    if restored is None:
        if job.attempt > 1:
            reporter.resume(0)  # rows of an earlier attempt are void
        taken = take_earlier(training, job.source, parts.cache)
    else:
        _evaluate_restored(parts, restored)
    if taken is not None:
        reporter.taken(taken.stage, taken.run_id)
        parts.keeper.keep_prompts()
        epochs, step = job.config.epochs(taken.stage), training.steps_until(taken.stage)
        parts.evaluate(taken.stage, epochs, step)
    yield from stages_left(
        training, restored.stage if restored else None, taken.stage if taken else None
    )


def _evaluate_restored(parts: Parts, restored: Restored) -> None:
    """Evaluate once more at the end of an epoch: a cancel may have cut it off."""
    name, epoch = restored.stage.name, restored.stage.ended_epoch
    if epoch is not None and _evaluation_due(parts.job.config, name, epoch):
        parts.evaluate(name, epoch, restored.step)


def _end_epoch(parts: Parts, stage: AnyStage, progress: Progress) -> None:
    quality = _association_quality(progress, parts.training, parts.dataset)
    parts.reporter.epoch(progress, quality)
    if _evaluation_due(parts.job.config, progress.stage, progress.epoch):
        parts.evaluate(progress.stage, progress.epoch, progress.step)
    parts.keeper.save_if_due(stage, progress)
    parts.reporter.begin_epoch()


def _end_stage(parts: Parts, stage: Stage) -> None:
    """Keep what later runs can start from."""
    if stage == "prompt":
        parts.keeper.keep_prompts()
        parts.cache.keep(parts.job.run_id)
    elif stage == "intra":
        parts.keeper.keep_intra_end()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the attempt that the command line names.

    Returns:
        0 finished or cancelled, 1 failed, 75 when another process holds the run.
    """
    options = _parse(arguments)
    home = Home(options.home)
    folder, attempt = home.run(options.id), options.attempt
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    switch = CancelSwitch(folder.cancel)
    try:
        with hold_lock(folder.lock), EventWriter(folder.events(attempt)) as writer:
            result = _attempt(options, home, writer, switch)
            message = result.error.message if result.error else ""
            writer.write(events.End(exit=result.exit, message=message))
            writer.fsync()
            events.write_result(folder.result, result)
    except BusyError as error:
        logger.error("%s It trains this run already.", error)
        return error.exit_code
    if result.exit == "ok":  # a finished run is not resumed
        shutil.rmtree(folder.checkpoints, ignore_errors=True)
    return 0 if result.exit in ("ok", "cancelled") else 1


def _attempt(
    options: argparse.Namespace, home: Home, writer: EventWriter, switch: CancelSwitch
) -> events.Result:
    """Train, and say how it ended; this is the border where every exception becomes a sentence."""
    reporter: Reporter | None = None
    config: RunConfig | None = None
    how: events.Exit = "ok"
    failure: events.Failure | None = None
    try:
        text = home.run(options.id).config.read_text(encoding="utf-8")
        config = schema.from_json(text)
        device = _prepare(config, options.device)
        reporter = Reporter(writer, config, device, options.attempt)
        source = Source(options.source, home.run(options.source)) if options.source else None
        job = Job(options.id, options.attempt, config, home, source, device, switch.check)
        train(job, reporter)
    except CancelledError:
        how = "cancelled"
    except Exception as error:
        how = "gpu_memory" if _is_out_of_gpu_memory(error) else "error"
        logger.exception("the run failed")
        failure = events.Failure(name=type(error).__name__, message=sentence(error, config))
    return events.Result(
        attempt=options.attempt,
        exit=how,
        ended=time.time(),
        error=failure,
        evaluation=reporter.last_evaluation if reporter else None,
    )


def sentence(error: Exception, config: RunConfig | None) -> str:
    """What went wrong, for the reader; the log has the trace."""
    if isinstance(error, CcaflError):
        return str(error)
    first = next(iter(str(error).splitlines()), "").rstrip(".")
    if _is_out_of_gpu_memory(error) and config is not None:
        train, model = config.train, config.model
        return (
            f"The GPU's memory is full ({first}). The batch is {train.p * train.k} images (train.p "
            f"{train.p} x train.k {train.k}), encoded {model.bn_batch} at a time (model.bn_batch). "
            "Lower train.p, lower model.image_size, or run on a GPU that nobody else uses."
        )
    return f"{type(error).__name__}: {first}"


def _is_out_of_gpu_memory(error: Exception) -> bool:
    """Whether a GPU's memory was the reason; its libraries raise no class of their own for it."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError)
        and ("CUDA error: out of memory" in text or "_STATUS_ALLOC_FAILED" in text)
    )


def _prepare(config: RunConfig, device_name: str) -> torch.device:
    """Set up torch for one run and give its device.

    Raises:
        WorkerError: a GPU was leased that torch cannot use.
    """
    torch.set_num_threads(config.run.threads or cpu_cores())
    torch.backends.cudnn.allow_tf32 = False  # evaluation is float32 to the last bit
    torch.set_float32_matmul_precision("highest")  # the default, which the environment can change
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    # on a CPU the same seed gives the same bits; CUDA lacks some kernels, which then only warn
    torch.use_deterministic_algorithms(True, warn_only=device_name != "cpu")
    if device_name == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise WorkerError(
            f"The run was given the GPU {device_name}, but torch cannot use it. Check that the "
            "NVIDIA driver fits torch's CUDA version, or run with --gpu cpu."
        )
    device = torch.device("cuda", 0)  # CUDA_VISIBLE_DEVICES holds the leased GPU alone
    torch.empty(1, device=device)  # from now on others see our process on it, before any decoding
    return device


def _decode(dataset: Dataset, job: Job, reporter: Reporter) -> tuple[Images, Images, Images]:
    """Training, query and gallery images, decoded once."""
    sides = (dataset.train, dataset.query, dataset.gallery)
    train, query, gallery = (
        Images([record.path for record in side], job.config.model.image_size, job.check)
        for side in sides
    )
    for images, name in ((train, "training"), (query, "query"), (gallery, "gallery")):
        images.decode_all(reporter.activity(f"decoding {name} images"))
    return train, query, gallery


def _association_quality(
    progress: Progress, training: Training, dataset: Dataset
) -> tuple[float, float] | None:
    """Precision and recall of the epoch's groups; the only use of cross-camera identities."""
    if progress.association is None:
        return None
    pid = torch.from_numpy(identity_pids(dataset.train))
    return audit(progress.association.group, training.camera_of_identity.cpu(), pid)


def _evaluation_due(config: RunConfig, stage: Stage, epoch: int) -> bool:
    """Every `eval.every` epochs of a loop stage, and at the end of each stage."""
    if epoch == config.epochs(stage):
        return True
    return stage != "prompt" and epoch % config.eval.every == 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ccafl.run", description="Train one queued run.")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--attempt", type=int, required=True)
    parser.add_argument("--device", required=True, help="cpu, or the UUID of the leased GPU")
    parser.add_argument("--source", type=int, help="the run that --from named")
    parser.add_argument("id", type=int)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
