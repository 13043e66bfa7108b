"""How long a run will take, told from the newest earlier run that resembles it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select

from ccafl.config import RunConfig, Stage, flatten
from ccafl.store import Store
from ccafl.store.queries import ATTEMPT, EPOCH, RUN
from ccafl.tables import duration

# what decides, with data set and kind of device, how fast a step is
_ALIKE = ("model.backbone", "model.image_size", "model.precision", "train.p", "train.k")
_ROUGH_S = 3 * 3600.0  # from here on an estimate tells whole hours


@dataclass(frozen=True, kw_only=True, slots=True)
class StageTime:
    """Seconds of a stage; `is_measured` when the earlier run trained exactly as many steps."""

    stage: Stage
    seconds: float
    is_measured: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Time of each stage of a run, and the earlier run it is told from.

    `gpu_memory` is the most that run held of a GPU, in bytes; None if it trained on the CPU.
    """

    stages: Sequence[StageTime]
    source_run_id: int
    gpu_memory: int | None

    @property
    def seconds(self) -> float:
        """Time of all stages."""
        return sum(stage.seconds for stage in self.stages)

    def after(self, name: str) -> float:
        """Time of the stages that follow one."""
        names = [str(stage.stage) for stage in self.stages]
        following = names.index(name) + 1 if name in names else 0
        return sum(stage.seconds for stage in self.stages[following:])

    def sentence(self) -> str:
        """`prompt 41 m + inter about 11 h, as run 43 took`."""
        stages = " + ".join(f"{stage.stage} {_length(stage)}" for stage in self.stages)
        return f"{stages}, as run {self.source_run_id} took"


def estimate(store: Store, config: RunConfig, dataset: str, gpu: str = "auto") -> Estimate | None:
    """What a run will take by the newest run that resembles it and trained all of its stages.

    Args:
        store: the database with the earlier runs, ended or not.
        config: of the run to come.
        dataset: name under which its results will be compared.
        gpu: the device asked for; a run on the CPU tells nothing about one on a GPU.

    Returns:
        None when no run resembles it. Evaluations and decoding are not counted.
    """
    iterations = func.json_extract(RUN.c.config, "$.train.iterations")
    query = select(RUN.c.id, iterations).where(*_resembles(config, dataset, gpu))
    with store.reading() as connection:
        found = connection.execute(query.order_by(RUN.c.id.desc()).limit(1)).first()
        if found is None:
            return None
        epochs = select(EPOCH.c.stage, func.avg(EPOCH.c.seconds), func.count())
        epochs = epochs.where(EPOCH.c.run_id == found[0]).group_by(EPOCH.c.stage)
        paces = {row[0]: (row[1], row[2]) for row in connection.execute(epochs)}
        on_gpu = exists().where(ATTEMPT.c.run_id == found[0], ATTEMPT.c.gpu_uuid != "cpu")
        peak = select(func.max(EPOCH.c.peak_memory)).where(EPOCH.c.run_id == found[0], on_gpu)
        gpu_memory = connection.execute(peak).scalar()
    longer = config.train.iterations / found[1]
    stages = [_stage_time(config, stage, paces, longer) for stage in config.run.stages]
    return Estimate(stages=stages, source_run_id=found[0], gpu_memory=gpu_memory)


def _resembles(config: RunConfig, dataset: str, gpu: str) -> list[ColumnElement[bool]]:
    settings = flatten(config)
    kind = RUN.c.gpu == "cpu"
    return [
        RUN.c.dataset == dataset,
        kind if gpu == "cpu" else ~kind,
        *(func.json_extract(RUN.c.config, f"$.{key}") == _sql(settings[key]) for key in _ALIKE),
        *(
            exists().where(EPOCH.c.run_id == RUN.c.id, EPOCH.c.stage == stage)
            for stage in config.run.stages
        ),
    ]


def _sql(value: Any) -> Any:
    """A setting as `json_extract` gives it."""
    return json.dumps(value, separators=(",", ":")) if isinstance(value, list) else value


def _stage_time(
    config: RunConfig, stage: Stage, paces: Mapping[str, tuple[float, int]], longer: float
) -> StageTime:
    """The time of a stage; an epoch of prompt is one pass, whatever `train.iterations` says."""
    seconds, ended = paces[stage]
    longer = 1.0 if stage == "prompt" else longer
    epochs = config.epochs(stage)
    return StageTime(
        stage=stage,
        seconds=seconds * longer * epochs,
        is_measured=ended == epochs and longer == 1.0,
    )


def _length(stage: StageTime) -> str:
    if stage.is_measured:
        return duration(stage.seconds)
    rough = stage.seconds >= _ROUGH_S
    return f"about {f'{stage.seconds / 3600:.0f} h' if rough else duration(stage.seconds)}"
