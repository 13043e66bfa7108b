"""One measure of several runs over their epochs, a letter and a colour each.

Numpy and the plot are loaded with the first chart, so nothing else may import this at its top.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tui.chart import Chart
from tui.messages import Curve


class Curves(Chart):
    """Draws the curves of a comparison."""

    def draw_runs(self, curves: Mapping[str, Curve]) -> None:
        """Draw the curve of each letter; letters stand at different places, so all are seen."""
        with self.app.batch_update():
            self.clear()
            lowest, highest, first, end = np.inf, -np.inf, np.inf, -np.inf
            for place, (letter, curve) in enumerate(curves.items(), start=1):
                x, y = (np.array(values, dtype=float) for values in zip(*curve, strict=True))
                colour = self.colour(letter)
                found = self._line(x, y, colour)
                if found is not None:
                    lowest, highest = min(lowest, found[1]), max(highest, found[2])
                    first, end = min(first, float(x[0])), max(end, float(x[-1]))
                    middle = x[0] + (x[-1] - x[0]) * place / (len(curves) + 1)
                    self.scatter([middle], [np.interp(middle, x, y)], letter, colour)
            if curves:
                room = max(0.02 * (end - first), 0.1)  # what lies on the edge is not drawn
                self.set_xlimits(first - room, end + room)
            self._fit_y(lowest, highest)
