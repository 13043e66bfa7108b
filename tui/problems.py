"""Runs that ended badly while nobody looked, until somebody does."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ccafl.paths import Home
    from ccafl.store import ProblemRow

MOST_PROBLEMS = 100  # problems that are told apart


class Problems:
    """Problems since somebody looked first, less those that were looked at."""

    def __init__(self, since: float, seen: Sequence[float]) -> None:
        self.since, self.seen = since, list(seen)
        self._known: Sequence[ProblemRow] = ()

    def take(self, newest_first: Sequence[ProblemRow]) -> None:
        """Remember what the database knows; what was seen and is gone need not be kept."""
        self._known = newest_first
        times = {problem.ended for problem in newest_first}
        self.seen = [ended for ended in self.seen if ended in times]

    def look_at(self, run_id: int | None) -> None:
        """A run is on the screen."""
        self.seen += [problem.ended for problem in self.unseen() if problem.run_id == run_id]

    def unseen(self) -> list[ProblemRow]:
        """Those that nobody has looked at, newest first."""
        return [
            problem
            for problem in self._known
            if problem.ended > self.since and problem.ended not in self.seen
        ]

    def badge(self) -> str:
        """How many, such as `! 1 failed, 2 lost`; empty if none."""
        states = [problem.state for problem in self.unseen()]
        parts = [f"{states.count(name)} {name}" for name in ("failed", "lost") if name in states]
        return f"! {', '.join(parts)}" if parts else ""


def read_low_disk(home: Home) -> str:
    """A sentence when the disk has no room for checkpoints, else nothing."""
    from ccafl.disk import FREE

    free = shutil.disk_usage(home.root).free if home.root.exists() else FREE
    if free >= FREE:
        return ""
    return (
        f"Disk full: {str(home.root)!r} has {free / 1e9:.1f} GB free, {FREE / 1e9:.1f} GB and room "
        "for checkpoints are needed. Nothing starts, and runs at work try their checkpoints again. "
        "Free space, or x."
    )
