"""The losses of a run, stage by stage, as the chart wants them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ccafl.events import TERMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ccafl.store import LossRow

Values = list[float | None]
Axis = Literal["epoch", "step", "time"]
LETTERS = "ABCDEF"  # of the curves that one chart holds
AXES: tuple[Axis, ...] = ("epoch", "step", "time")


@dataclass(slots=True)
class StageSeries:
    """Steps of one stage with their epochs and times, and the values of each term with any.

    `broken` are the places of steps whose loss was NaN or infinite.
    """

    steps: list[int] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    terms: dict[str, Values] = field(default_factory=dict)
    broken: list[int] = field(default_factory=list)

    def take(self, row: LossRow) -> None:
        """Add a step; a term that begins later has gaps before."""
        if row.total is None:
            self.broken.append(len(self.steps))
        self.steps.append(row.step)
        self.epochs.append(row.epoch)
        self.times.append(row.time)
        for name in TERMS:
            value = getattr(row, name)
            if value is not None and name not in self.terms:
                self.terms[name] = [None] * (len(self.steps) - 1)
            if name in self.terms:
                self.terms[name].append(value)

    def copy(self) -> StageSeries:
        """The series as it is now."""
        terms = {name: self.terms[name].copy() for name in TERMS if name in self.terms}
        return StageSeries(
            steps=self.steps.copy(),
            epochs=self.epochs.copy(),
            times=self.times.copy(),
            terms=terms,
            broken=self.broken.copy(),
        )


class Series:
    """All stages of a run."""

    def __init__(self) -> None:
        self._stages: dict[str, StageSeries] = {}

    def take(self, rows: Iterable[LossRow], *, is_anew: bool) -> None:
        """Add the rows that follow those taken so far, or begin anew with them."""
        if is_anew:
            self._stages = {}
        for row in rows:
            self._stages.setdefault(row.stage, StageSeries()).take(row)

    def copy(self) -> dict[str, StageSeries]:
        """Each stage as it is now."""
        return {stage: series.copy() for stage, series in self._stages.items()}
