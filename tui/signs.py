"""What the frame says: counts, badges, sentences; kept apart from the widgets that show it."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from ccafl.sentences import printable
from tui.acting import ACTIVE
from tui.frame import TALL, Heading
from tui.problems import Problems
from tui.strip import Strip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ccafl.store import RunRow
    from tui.messages import GpusRead, Owner, QueueRead, Trouble

BUSY_SHOWN_S = 3.0
SAID_SHOWN_S, ERROR_SHOWN_S, MOST_SAID = 6.0, 12.0, 4


class Signs:
    """The newest news of everything that the frame shows."""

    def __init__(self, problems: Problems, *, read_only: bool) -> None:
        self.queue: QueueRead | None = None
        self.problems = problems
        self.strip = Strip()
        self._owners: Mapping[int, Owner] = {}
        self._read_only = read_only
        self._trouble: Trouble | None = None
        self._trouble_since = 0.0
        self._said: list[tuple[float, str]] = []

    @property
    def runs(self) -> Sequence[RunRow]:
        """Runs that wait and work."""
        return self.queue.runs if self.queue else ()

    @property
    def active(self) -> int:
        """How many runs work."""
        return sum(run.state in ACTIVE for run in self.runs)

    @property
    def needs_serving(self) -> bool:
        """Whether a run works or could start, and nobody serves the queue.

        Serving it also brings an outdated database up to date.
        """
        if self._trouble is not None and self._trouble.is_outdated:
            return True
        if self.queue is None or self.queue.is_served:
            return False
        is_paused = self.queue.is_paused
        return any(run.state in ACTIVE or not (run.hold or is_paused) for run in self.runs)

    def take_trouble(self, trouble: Trouble) -> None:
        """Remember why the database cannot be read; an empty sentence when it can."""
        if self._trouble is None:
            self._trouble_since = time.monotonic()
        self._trouble = trouble if trouble.sentence else None

    def say(self, sentence: str, *, is_error: bool) -> None:
        """Remember a sentence for some seconds."""
        until = time.monotonic() + (ERROR_SHOWN_S if is_error else SAID_SHOWN_S)
        self._said = [*self._said, (until, printable(sentence))][-MOST_SAID:]

    def said(self) -> str:
        """Sentences that are still to be read."""
        return "\n".join(text for until, text in self._said if until > time.monotonic())

    def take_queue(self, queue: QueueRead) -> None:
        """Remember what works and waits, and what went wrong."""
        self.queue = queue
        self.problems.take(queue.problems)

    def take_gpus(self, message: GpusRead, now: float) -> None:
        """Remember what NVML says."""
        self.strip.take(message.answer, now)
        self._owners = message.owners

    def gpu_page(self) -> str:
        """Every GPU with its processes, or why there is none."""
        from tui.gpu_screen import gpu_page

        if self.strip.trouble:
            return f" {self.strip.trouble}"
        return gpu_page(self.strip.gpus, self._owners, self.runs)

    @property
    def is_closed(self) -> bool:
        """Whether the database could not be opened at all, so that there is nothing to show."""
        return self.queue is None and bool(self.problem())

    def problem(self) -> str:
        """What is wrong with the database, unless it is only busy, and with the disk."""
        sentences = [self.queue.low_disk] if self.queue else []
        if self._trouble is not None and not self._trouble.is_busy:
            sentences.append(self._trouble.sentence)
        return "\n".join(printable(sentence) for sentence in sentences if sentence)

    def heading(self, pane: str, path: str, now: float) -> Heading:
        """The title line."""
        queue = self.queue
        return Heading(
            counts=(len(queue.runs), self.active, queue.ended) if queue else (),
            pane=pane,
            path=path,
            unseen=self.problems.badge(),
            badges=self._badges(now),
            clock=datetime.fromtimestamp(now).strftime("%H:%M"),
        )

    def strip_text(self, width: int, height: int) -> str:
        """The lines of the GPU strip."""
        most = 8 if height >= TALL else 2 if height >= 24 and width >= 80 else 1
        lines = self.strip.lines(self.runs, most, width)
        return "\n".join(lines)

    def farewell(self) -> str:
        """What goes on when the viewer leaves; nothing if nothing does."""
        if not self.active:
            return ""
        what = "1 run goes" if self.active == 1 else f"{self.active} runs go"
        return f"{what} on in the background. ccafl-tui to look, ccafl queue to list."

    def _badges(self, now: float) -> list[str]:
        badges = []
        waited = time.monotonic() - self._trouble_since
        if self._trouble is not None and self._trouble.is_busy and waited >= BUSY_SHOWN_S:
            as_of = datetime.fromtimestamp(now - waited).strftime("%H:%M:%S")
            badges.append(f"database busy {waited:.0f} s, as of {as_of}")
        if self.needs_serving:
            badges.append("queue not served")
        if self.queue is not None and self.queue.is_paused:
            badges.append("queue paused")
        if self._read_only:
            badges.append("read-only")
        return badges
