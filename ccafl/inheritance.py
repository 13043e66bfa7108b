"""What a run takes from earlier runs instead of training it again."""

from dataclasses import dataclass

import safetensors.torch
from safetensors import SafetensorError

from ccafl.checkpoint import load_checkpoint
from ccafl.config import Stage
from ccafl.errors import CheckpointError, WorkerError
from ccafl.paths import RunFolder
from ccafl.prompt_cache import PromptCache
from ccafl.stages.training import Training


@dataclass(frozen=True, slots=True)
class Source:
    """The run named by `--from`."""

    run_id: int
    folder: RunFolder


@dataclass(frozen=True, slots=True)
class Taken:
    """The last stage that was taken, and the run that trained it."""

    stage: Stage
    run_id: int


def take_earlier(training: Training, source: Source | None, cache: PromptCache) -> Taken | None:
    """Bring a fresh training to where its first stage begins.

    A run that begins with `inter` takes the whole state at the end of the source's intra, one that
    begins with `intra` the source's prompts. Without a source, learned prompts come from the cache
    if it has them.

    Returns:
        What was taken; None if the run's first stage begins from nothing.

    Raises:
        CheckpointError: what the source left cannot be read.
        WorkerError: `intra` needs prompts and nobody has learned them.
    """
    config = training.config
    first = config.run.stages[0]
    if source is not None:
        if first == "inter":
            _take_intra(training, source)
            return Taken("intra", source.run_id)
        _take_prompts(training, source)
        return Taken("prompt", source.run_id)
    learned = cache.find() if first == "prompt" or config.uses_text else None
    if learned is not None:
        training.load_prompt_state(learned.state)
        return Taken("prompt", learned.run_id)
    if first != "prompt" and config.uses_text:
        raise WorkerError(
            "No earlier run has learned prompts for these images, weights and settings. Train "
            "the prompt stage too, name a run with --from, or switch text off "
            "(intra.text=false, inter.text=false)."
        )
    return None


def _take_intra(training: Training, source: Source) -> None:
    saved = load_checkpoint(source.folder.intra_end)
    training.load_state_dict(saved["state"]["training"])
    if training.config.run.seed != saved["seed"]:
        training.reseed()


def _take_prompts(training: Training, source: Source) -> None:
    try:
        learned = safetensors.torch.load_file(source.folder.prompts)
        training.prompts.load_state_dict(learned)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"The prompts of run {source.run_id} cannot be taken: {error}. Run its prompt stage "
            "again, or name another run with --from."
        ) from error
