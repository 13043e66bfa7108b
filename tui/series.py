"""The losses of a run, stage by stage, as the chart wants them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ccafl.events import TERMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ccafl.store import LossRow

Values = list[float | None]


@dataclass(slots=True)
class StageSeries:
    """Steps of one stage with their epochs, and the values of each term that ever had one."""

    steps: list[int] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    terms: dict[str, Values] = field(default_factory=dict)

    def take(self, row: LossRow) -> None:
        """Add a step; a term that begins later has gaps before."""
        self.steps.append(row.step)
        self.epochs.append(row.epoch)
        for name in TERMS:
            value = getattr(row, name)
            if value is not None and name not in self.terms:
                self.terms[name] = [None] * (len(self.steps) - 1)
            if name in self.terms:
                self.terms[name].append(value)

    def copy(self) -> StageSeries:
        """The series as it is now."""
        terms = {name: self.terms[name].copy() for name in TERMS if name in self.terms}
        return StageSeries(self.steps.copy(), self.epochs.copy(), terms)


class Series:
    """All stages of a run; takes each row once, and forgets what a resume made void."""

    def __init__(self) -> None:
        self.last_step = 0
        self._stages: dict[str, StageSeries] = {}

    def take(self, rows: Iterable[LossRow], run_step: int) -> None:
        """Add rows after `last_step`; a run that went back to a checkpoint begins anew."""
        for row in rows:
            self._stages.setdefault(row.stage, StageSeries()).take(row)
            self.last_step = row.step
        if run_step < self.last_step:
            self.last_step, self._stages = 0, {}

    def copy(self) -> dict[str, StageSeries]:
        """Each stage as it is now."""
        return {stage: series.copy() for stage, series in self._stages.items()}
