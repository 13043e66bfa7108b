"""The three stages, in order. Each yields its progress and knows nothing of files or screens."""

from collections.abc import Iterator

from ccafl.config import STAGES as ORDER
from ccafl.config import Stage
from ccafl.stages.inter import InterStage
from ccafl.stages.intra import IntraStage
from ccafl.stages.prompt import PromptStage
from ccafl.stages.training import Training

AnyStage = PromptStage | IntraStage | InterStage
STAGES: dict[Stage, type[AnyStage]] = {
    "prompt": PromptStage,
    "intra": IntraStage,
    "inter": InterStage,
}


def stages_left(
    training: Training, restored: AnyStage | None, taken: Stage | None
) -> Iterator[AnyStage]:
    """The stages a run has still to train, each built when the one before has ended.

    Args:
        training: at the state that `restored` or `taken` left it in.
        restored: the stage of a checkpoint; it comes first and may have nothing left to do.
        taken: the last stage that comes from another run.
    """
    done = restored.name if restored is not None else taken
    if restored is not None:
        yield restored
    for name in training.config.run.stages:
        if done is None or ORDER.index(name) > ORDER.index(done):
            yield STAGES[name](training)
