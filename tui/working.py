"""Slow work in a thread: how far it is, as a line, and how it is stopped."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.worker import Worker

PERIOD_S = 0.2  # between two messages
_CELLS = 24


class StoppedError(Exception):
    """Somebody does not want the work any more."""


@dataclass
class Progress(Message):
    """How far the work is; `total` is 0 where that is not known."""

    activity: str
    done: int = 0
    total: int = 0

    def line(self) -> str:
        """What is done, a bar, and the count."""
        if not self.total:
            return f"{self.activity} …"
        full = _CELLS * self.done // self.total
        bar = "█" * full + "░" * (_CELLS - full)
        return f"{self.activity} {bar} {self.done:,} of {self.total:,}"


def teller(
    worker: Worker[object], post: Callable[[Message], object]
) -> Callable[[str, int, int], None]:
    """A function that is told how far work is; once the worker is cancelled it stops the work."""
    told = ("", 0.0)

    def tell(activity: str, done: int, total: int) -> None:
        nonlocal told
        if worker.is_cancelled:
            raise StoppedError
        now = time.monotonic()
        if activity != told[0] or now - told[1] >= PERIOD_S:
            told = (activity, now)
            post(Progress(activity, done, total))

    return tell
