"""The losses of a run, stage by stage, as the chart wants them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, Literal

from ccafl.events import TERMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ccafl.store import LossRow

Axis = Literal["epoch", "step", "time"]
LETTERS = "ABCDEF"  # of the curves that one chart holds
AXES: tuple[Axis, ...] = ("epoch", "step", "time")


@dataclass(slots=True)
class StageSeries:
    """Steps of one stage with their epochs and times, and the values of each term with any.

    A value is NaN where its term was off or its loss not finite; `broken` are the places of steps
    whose total was not. Arrays, because lists of ten thousands of numbers take six times as much.
    """

    steps: array[int] = field(default_factory=lambda: array("q"))
    epochs: array[int] = field(default_factory=lambda: array("q"))
    times: array[float] = field(default_factory=lambda: array("d"))
    terms: dict[str, array[float]] = field(default_factory=dict)
    broken: list[int] = field(default_factory=list)

    def take(self, row: LossRow) -> None:
        """Add a step; a term that begins later has gaps before."""
        if row.total is None:
            self.broken.append(len(self.steps))
        for name in TERMS:
            value = getattr(row, name)
            if value is not None and name not in self.terms:
                self.terms[name] = array("d", [nan]) * len(self.steps)
            if name in self.terms:
                self.terms[name].append(nan if value is None else value)
        self.steps.append(row.step)
        self.epochs.append(row.epoch)
        self.times.append(row.time)

    def copy(self) -> StageSeries:
        """The series as it is now."""
        return StageSeries(
            steps=self.steps[:],
            epochs=self.epochs[:],
            times=self.times[:],
            terms={name: self.terms[name][:] for name in TERMS if name in self.terms},
            broken=self.broken[:],
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
