"""One measure of several runs over their epochs, a letter and a colour each.

Numpy and the plot are loaded with the first chart, so nothing else may import this at its top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import ceil, floor

import numpy as np
from textual_plot.axis_formatter import AxisFormatter

from tui.chart import Chart
from tui.messages import Curve


class Epochs(AxisFormatter):
    """Labels of an axis of epochs, which have no fractions."""

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        """Every epoch, or every second, fifth, tenth."""
        steps = (digit * 10**power for power, digit in product(range(9), (1, 2, 5)))
        step = next(step for step in steps if (max_ - min_) / step <= max_ticks)
        return [float(n * step) for n in range(ceil(min_ / step), floor(max_ / step) + 1)]

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """Whole numbers."""
        return [f"{tick:.0f}" for tick in ticks]


class Curves(Chart):
    """Draws the curves of a comparison."""

    def draw_runs(self, curves: Mapping[str, Curve]) -> None:
        """Draw the curve of each letter; letters stand at different places, so all are seen."""
        with self.app.batch_update():
            self.clear()
            points = [point for curve in curves.values() for point in curve]
            first, end = (pick((x for x, _ in points), default=0.0) for pick in (min, max))
            room = max(0.02 * (end - first), 0.1)  # what lies on the edge is not drawn
            shown = first - room, end + room
            pieces, places = [], {}
            for place, (letter, curve) in enumerate(curves.items(), start=1):
                x, y = (np.array(values, dtype=float) for values in zip(*curve, strict=True))
                pieces += self._pieces(x, y, self.colour(letter), shown)
                middle = x[0] + (x[-1] - x[0]) * place / (len(curves) + 1)
                places[letter] = middle, float(np.interp(middle, x, y))
            self._plot(pieces)
            self._write_letters(places)
            self.set_xlimits(*shown)
            self.set_ylimits(*self._fit_y(pieces))
            self.set_x_formatter(Epochs())
