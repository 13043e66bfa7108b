"""Work that is asked for often and done at most once in a period.

Periods are those of the clock: what is done once a second is done in the same moment, which wakes
the app once and paints its screen once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.timer import Timer
    from textual.widget import Widget

DRAW_PERIOD_S = 1.0  # of what is drawn of a run
LATE_S = 0.1  # after the period, in which that may be asked for which wakes the app anyway


def is_due(done: float, now: float, period_s: float) -> bool:
    """Whether another period has begun since something was done."""
    return now // period_s != done // period_s


class Pace:
    """Does the work of a widget, or a moment later what was asked for too soon."""

    def __init__(self, widget: Widget, period_s: float, work: Callable[[], None]) -> None:
        self._widget, self._period_s, self._work = widget, period_s, work
        self._done = 0.0
        self._waiting: Timer | None = None

    def ask(self, *, now: bool = False) -> None:
        """Do it as soon as the period allows, or at once."""
        clock = time.monotonic()
        if now or is_due(self._done, clock, self._period_s):
            self._do()
        elif self._waiting is None:
            rest_s = self._period_s - clock % self._period_s
            self._waiting = self._widget.set_timer(rest_s + LATE_S, self._do)

    def _do(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
        self._done = time.monotonic()
        self._work()
