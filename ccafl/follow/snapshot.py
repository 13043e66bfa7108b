"""What there is to see of a run at one moment, read from the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from ccafl.config import RunConfig, Stage, for_looking, from_json
from ccafl.errors import ConfigError
from ccafl.events import TERMS
from ccafl.store import EpochRow, EvaluationRow, LossRow, RunRow, Store

SMOOTH = 0.9  # weight of the past in the shown losses; about the last ten steps
PACE_EPOCHS = 3  # newest epochs the time left is estimated from


@dataclass(frozen=True, kw_only=True, slots=True)
class StageProgress:
    """How far a stage is: `epoch` is the one at work or the last one, 0 before the stage."""

    name: Stage
    epoch: int
    epochs: int
    share: float  # of its steps, in [0, 1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A run and its rows so far.

    `is_foreign`: another version stored the run; `config` is what this one makes of its settings.
    Of the losses: the smoothed ones of the stage at work, means per stage and epoch, the first
    step of each stage that made one, and those that are new since the last look.
    """

    run: RunRow
    config: RunConfig
    is_foreign: bool
    epochs: Sequence[EpochRow]
    evaluations: Sequence[EvaluationRow]
    smooth: Mapping[str, float]
    means: Mapping[tuple[str, int], Mapping[str, float]]
    first_steps: Mapping[str, int]
    new_losses: Sequence[LossRow]
    is_anew: bool  # the new losses are all there are; those of earlier looks are void

    def stages(self) -> list[StageProgress]:
        """Progress of each configured stage, in order."""
        return [self._progress(stage) for stage in self.config.run.stages]

    def time_left(self) -> "TimeLeft | None":
        """Estimate of the training time left, None while nothing is known.

        The prompt stage is so much faster than the others that it says nothing about them; inter
        is taken to be as fast as intra until its own first epoch has ended.
        """
        to_do = [stage for stage in self.stages() if stage.share < 1]
        pace = self._epoch_seconds(to_do[0].name) if to_do else None
        if pace is None:
            return None
        first = (1 - to_do[0].share) * to_do[0].epochs * pace
        if to_do[0].name == "prompt" and len(to_do) > 1:
            return TimeLeft(first, of_run=False)
        return TimeLeft(first + sum(stage.epochs * pace for stage in to_do[1:]), of_run=True)

    def _progress(self, name: Stage) -> StageProgress:
        order, epochs = list[str](self.config.run.stages), self.config.epochs(name)
        at_work = order.index(self.run.stage) if self.run.stage in order else -1
        position = order.index(name)
        if position != at_work:
            is_over = position < at_work
            return StageProgress(
                name=name, epoch=epochs * is_over, epochs=epochs, share=float(is_over)
            )
        return StageProgress(
            name=name, epoch=self.run.epoch or 1, epochs=epochs, share=self._share(name, epochs)
        )

    def _share(self, name: Stage, epochs: int) -> float:
        """Part of the stage at work that is done: its ended epochs, and steps of the present one.

        Told from the rows of the stage alone, because a run may take earlier stages from another.
        """
        ended = [row for row in self.epochs if row.stage == name]
        done = ended[-1].epoch if ended else 0
        of_epoch = self._steps_of_epoch(name) / max(self._steps_per_epoch(name), 1)
        return min((done + min(max(of_epoch, 0.0), 1.0)) / epochs, 1.0)

    def iteration(self) -> "Iteration | None":
        """Where in its epoch the stage at work is; None outside a stage, or if that is unknown."""
        order = list[str](self.config.run.stages)
        if self.run.stage not in order:
            return None
        stage = self.config.run.stages[order.index(self.run.stage)]
        done, of = self._steps_of_epoch(stage), round(self._steps_per_epoch(stage))
        return Iteration(done, of) if 0 <= done <= of else None

    def _steps_of_epoch(self, name: Stage) -> int:
        """Steps since the last epoch of the stage ended, or since the stage began."""
        ended = [row.step for row in self.epochs if row.stage == name]
        begun = ended[-1] if ended else self.first_steps.get(name, self.run.step + 1) - 1
        return self.run.step - begun

    def _steps_per_epoch(self, name: Stage) -> float:
        """Optimiser steps; those of the prompt stage are what the others leave of the total."""
        iterations = self.config.train.iterations
        if name != "prompt":
            return iterations
        loop = sum(self.config.epochs(stage) for stage in self.config.run.stages[1:])
        return ((self.run.steps or 0) - loop * iterations) / self.config.prompt.epochs

    def _epoch_seconds(self, name: Stage) -> float | None:
        newest = [row.seconds for row in self.epochs if row.stage == name][-PACE_EPOCHS:]
        if newest:
            return sum(newest) / len(newest)
        return self._epoch_seconds("intra") if name == "inter" else None


class Iteration(NamedTuple):
    """Steps of the present epoch: how many are done, and of how many."""

    done: int
    of: int


class TimeLeft(NamedTuple):
    """Seconds to the end of the run, or only of the stage at work."""

    seconds: float
    of_run: bool


def time_left(store: Store, run: RunRow) -> TimeLeft | None:
    """Estimate of the training time left of a run, without reading its losses."""
    config, is_foreign = _read_config(run.config)
    return Snapshot(
        run=run,
        config=config,
        is_foreign=is_foreign,
        epochs=store.epochs(run.id),
        evaluations=(),
        smooth={},
        means={},
        first_steps={},
        new_losses=(),
        is_anew=True,
    ).time_left()


class Watcher:
    """Reads a run again and again, each row of its losses only once."""

    def __init__(self, store: Store, run_id: int) -> None:
        self._store, self._run_id = store, run_id
        self._evaluated: tuple[EvaluationRow | None, EvaluationRow | None] = None, None
        self._evaluations: Sequence[EvaluationRow] = ()
        self._forget()

    def read(self) -> Snapshot:
        """What there is to see now."""
        with self._store.moment():
            run = self._store.run(self._run_id)
            if run.step < self._step:  # it went on from a checkpoint: later losses are void
                self._forget()
            config, is_foreign = _read_config(run.config)
            epochs = self._store.epochs(self._run_id)
            if (run.last, run.best) != self._evaluated:
                self._evaluations = self._store.evaluations(self._run_id)
                self._evaluated = run.last, run.best
            is_anew = not self._step
            losses = self._store.losses(self._run_id, after_step=self._step)
        for row in losses:  # after the last query: one that fails must not lose them
            self._take(row)
        return Snapshot(
            run=run,
            config=config,
            is_foreign=is_foreign,
            epochs=epochs,
            evaluations=self._evaluations,
            smooth={name: average.smooth() for name, average in self._smooth.items()},
            means={epoch: _means(averages) for epoch, averages in self._epochs.items()},
            first_steps=dict(self._first_steps),
            new_losses=losses,
            is_anew=is_anew,
        )

    def _forget(self) -> None:
        self._step, self._stage = 0, ""
        self._smooth: dict[str, _Average] = {}
        self._epochs: dict[tuple[str, int], dict[str, _Average]] = {}
        self._first_steps: dict[str, int] = {}

    def _take(self, row: LossRow) -> None:
        if row.stage != self._stage:  # terms of another stage are no past of these
            self._stage, self._smooth = row.stage, {}
        self._step = row.step
        self._first_steps.setdefault(row.stage, row.step)
        of_epoch = self._epochs.setdefault((row.stage, row.epoch), {})
        for name in ("total", *TERMS):
            value = getattr(row, name)
            if value is not None:
                self._smooth.setdefault(name, _Average()).add(value)
                of_epoch.setdefault(name, _Average()).add(value)


@lru_cache(maxsize=16)
def _read_config(text: str) -> tuple[RunConfig, bool]:
    """The config to look at, and whether another version stored it."""
    try:
        return from_json(text), False
    except ConfigError:
        return for_looking(text), True


@dataclass(slots=True)
class _Average:
    """The mean of all values, and a moving one that does not begin at zero."""

    count: int = 0
    total: float = 0.0
    moving: float = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.moving = SMOOTH * self.moving + (1 - SMOOTH) * value

    def mean(self) -> float:
        return self.total / self.count

    def smooth(self) -> float:
        return self.moving / (1 - SMOOTH**self.count)


def _means(averages: Mapping[str, _Average]) -> dict[str, float]:
    return {name: average.mean() for name, average in averages.items()}
