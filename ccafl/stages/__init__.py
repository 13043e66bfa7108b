"""The three stages, in order. Each yields its progress and knows nothing of files or screens."""

from ccafl.config import Stage
from ccafl.stages.inter import InterStage
from ccafl.stages.intra import IntraStage
from ccafl.stages.prompt import PromptStage

AnyStage = PromptStage | IntraStage | InterStage
STAGES: dict[Stage, type[AnyStage]] = {
    "prompt": PromptStage,
    "intra": IntraStage,
    "inter": InterStage,
}
