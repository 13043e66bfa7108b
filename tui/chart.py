"""The chart of losses: curves by stage epoch, a letter and a colour each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
from textual_plot import HiResMode, PlotWidget
from textual_plot.axis_formatter import AxisFormatter, NumericAxisFormatter

from tui.curves import Floats, positions, segments, smooth, thin, values
from tui.series import StageSeries

LETTERS = "ABCDEF"
# Okabe and Ito's set, told apart by people who see few colours
CURVES = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d9c92b", "#d55e00")
FAINT = ("#2c5a75", "#734f00", "#004f3a", "#663c54", "#6c6415", "#6a2f00")


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How the chart is drawn: `zoom` halves the part of the axis that is shown, each time."""

    smooth: float = 0.6
    is_log: bool = False
    zoom: int = 0
    only: str = ""


class LogAxis(AxisFormatter):
    """Labels of an axis whose positions are decimal logarithms."""

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        """Whole decades, or evenly spaced places if there are too few of them."""
        decades = [float(n) for n in range(ceil(min_), floor(max_) + 1)]
        if 2 <= len(decades) <= max_ticks:
            return decades
        return [float(place) for place in np.linspace(min_, max_, 5)]

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """The values themselves."""
        return [f"{10**tick:.2g}" for tick in ticks]


class Chart(PlotWidget, inherit_bindings=False, can_focus=False):
    """Draws one stage at a time; keys belong to the view around it."""

    def __init__(self) -> None:
        super().__init__(id="chart", allow_pan_and_zoom=False)
        self.left_out = 0

    @property
    def is_ready(self) -> bool:
        """Whether it can be drawn on."""
        return bool(self.query("#legend")) and self.size.width > 0

    def on_mount(self) -> None:
        """Leave all room to the curves."""
        self.margin_top, self.margin_bottom, self.margin_left = 0, 1, 8

    def draw(self, series: StageSeries, letters: Mapping[str, str], look: Look) -> None:
        """Draw the terms of a stage.

        Args:
            series: the stage.
            letters: letter of each term to draw.
            look: smoothing, axis, zoom.
        """
        x = positions(series)
        end = max(float(x[-1]), 1.0)
        begin = max(0.0, end - end / 2**look.zoom)
        inside = x >= begin
        self.left_out = 0
        with self.app.batch_update():
            self.clear()
            lowest, highest = np.inf, -np.inf
            for name, letter in letters.items():
                raw = values(series, name)
                curve = self._scaled(smooth(raw, look.smooth)[inside], is_log=look.is_log)
                if look.smooth:
                    self._line(
                        x[inside],
                        self._scaled(raw[inside], is_log=look.is_log),
                        FAINT[LETTERS.index(letter)],
                    )
                found = self._line(x[inside], curve, CURVES[LETTERS.index(letter)])
                if found is not None:
                    place, low, high = found
                    lowest, highest = min(lowest, low), max(highest, high)
                    self.scatter([place[0]], [place[1]], letter, CURVES[LETTERS.index(letter)])
            self.left_out = self._count_left_out(series, letters) if look.is_log else 0
            self.set_xlimits(begin, end)
            self._fit_y(lowest, highest)
            self.set_y_formatter(LogAxis() if look.is_log else NumericAxisFormatter())

    def _line(
        self, x: Floats, y: Floats, colour: str
    ) -> tuple[tuple[float, float], float, float] | None:
        """Draw the parts of a curve; gives its first point and its range."""
        cells = max(self.size.width - 10, 10)
        first, lowest, highest = None, np.inf, -np.inf
        for part_x, part_y in segments(x, y):
            thin_x, thin_y = thin(part_x, part_y, cells)
            self.plot(thin_x, thin_y, colour, HiResMode.BRAILLE)
            first = first or (float(part_x[0]), float(part_y[0]))
            lowest, highest = min(lowest, float(part_y.min())), max(highest, float(part_y.max()))
        return None if first is None else (first, lowest, highest)

    def _fit_y(self, lowest: float, highest: float) -> None:
        """Let the smooth curves fill the chart; raw values may leave it."""
        if not np.isfinite(lowest):
            self.set_ylimits(0.0, 1.0)
            return
        room = 0.05 * (highest - lowest) or 0.05 * abs(highest) or 1.0
        self.set_ylimits(lowest - room, highest + room)

    @staticmethod
    def _scaled(y: Floats, *, is_log: bool) -> Floats:
        if not is_log:
            return y
        positive: Floats = np.full_like(y, np.nan)
        found = y > 0
        positive[found] = np.array([log10(value) for value in y[found]])
        return positive

    @staticmethod
    def _count_left_out(series: StageSeries, letters: Mapping[str, str]) -> int:
        return sum(int((values(series, name) <= 0).sum()) for name in letters)
