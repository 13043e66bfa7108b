"""Numbers behind a chart: where each step lies, the moving average, and as few points as show it.

Numpy is loaded with the first chart, so nothing else may import this module at its top.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tui.series import Axis, StageSeries

Floats = NDArray[np.float64]
Span = tuple[float, float]  # from where to where an axis goes


def positions(series: StageSeries, axis: Axis = "epoch") -> Floats:
    """Where each step lies on an axis.

    `epoch`: 0 is the beginning of the stage's first epoch, 1 its end. `step`: steps of the run.
    `time`: seconds since the first step of the stage.
    """
    if axis == "step":
        return np.array(series.steps, dtype=float)
    if axis == "time":
        times: Floats = np.array(series.times) - series.times[0]
        return times
    epochs, steps = np.array(series.epochs), np.array(series.steps, dtype=float)
    first = np.flatnonzero(np.diff(epochs, prepend=-1))
    counts = np.diff(first, append=len(epochs))
    begun = np.repeat(steps[first], counts)
    length = float((steps - begun).max()) + 1
    found: Floats = epochs - 1 + (steps - begun + 1) / length
    return found


def values(series: StageSeries, name: str) -> Floats:
    """The values of a term; NaN where it was off or not finite."""
    found = np.array(series.terms[name])
    found[~np.isfinite(found)] = np.nan
    return found


class Average:
    """Debiased moving average of a curve that grows; a constant stays constant.

    `weight` is that of the past. What was averaged before is not averaged again, as long as the
    curve goes on from there.
    """

    def __init__(self, weight: float) -> None:
        self._weight = weight
        self._raw: Floats = np.empty(0)
        self._found: Floats = np.empty(0)
        self._reached = 0.0, 0.0  # the average, and the share of it that values have

    def __call__(self, raw: Floats) -> Floats:
        """The average at each place; NaN where there is no value."""
        weight, known = self._weight, len(self._raw)
        if weight == 0:
            return raw
        goes_on = np.array_equal(raw[:known], self._raw, equal_nan=True)
        known, (average, share) = (known, self._reached) if goes_on else (0, (0.0, 0.0))
        added = raw[known:].tolist()
        for index, value in enumerate(added):
            if not math.isnan(value):
                share = weight * share + (1 - weight)
                average += (1 - weight) / share * (value - average)  # no rounding for a constant
                added[index] = average
        self._raw, self._reached = raw, (average, share)
        self._found = np.concatenate((self._found[:known], added))
        return self._found


def logarithms(y: Floats) -> Floats:
    """Decimal logarithms; NaN where there is none."""
    found: Floats = np.full_like(y, np.nan)
    np.log10(y, out=found, where=y > 0)
    return found


def segments(x: Floats, y: Floats) -> Iterator[tuple[Floats, Floats]]:
    """The parts between gaps, so that no line joins what a gap separates."""
    finite = np.isfinite(y)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], finite, [False])).astype(int)))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        yield x[begin:end], y[begin:end]


def first_point(x: Floats, y: Floats, after: float) -> tuple[float, float]:
    """The first point of a curve from a place on; its last one if it ends before."""
    places = np.flatnonzero(np.isfinite(y))
    here = places[min(int(np.searchsorted(x[places], after)), len(places) - 1)]
    return float(x[here]), float(y[here])


def thin(x: Floats, y: Floats, shown: Span, cells: int) -> tuple[Floats, Floats]:
    """At most two points per cell, its lowest and its highest, so that no spike is lost.

    `shown` is what the cells divide; points that are added change those of the last cell alone.
    """
    if len(x) <= 2 * cells:
        return x, y
    width = (shown[1] - shown[0]) / cells
    cell = ((x - shown[0]) // width).astype(int)
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    low, high = np.minimum.reduceat(y, first), np.maximum.reduceat(y, first)
    falls = y[first] - low > high - y[first]  # begins at its highest
    left = shown[0] + (cell[first] + 0.25) * width
    thin_x = np.column_stack((left, left + width / 2)).ravel()
    return thin_x, np.where(falls, (high, low), (low, high)).T.ravel()
