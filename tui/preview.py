"""A look at the highlighted run of a list, where the terminal has room for it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ccafl.sentences import printable
from tui import run_text
from tui.frame import Line
from tui.settings_panel import setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.messages import RunRead

LOG_LINES, MOST_DIFFERENCES = 4, 4


class Preview(Line):
    """Stages, losses, differing settings and the end of the log; empty until they are read."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self._run_id: int | None = None
        self._lines: deque[str] = deque(maxlen=LOG_LINES)
        self._message: RunRead | None = None

    def expect(self, run_id: int) -> bool:
        """Forget the run shown if it is another one; True if it is."""
        if run_id == self._run_id:
            return False
        self._run_id, self._message = run_id, None
        self._lines.clear()
        self.show("")
        return True

    def take(self, message: RunRead) -> None:
        """Show what was read of the run that is expected."""
        if message.is_first:
            self._lines.clear()
        self._lines.extend(printable(line) for line in message.lines[-LOG_LINES:])
        self._message = message
        self._draw()

    def on_resize(self) -> None:
        """Lines are made for the width."""
        self._draw()

    def _draw(self) -> None:
        if self._message is not None:
            width = self.size.width or self.app.size.width
            self.show(preview(self._message, list(self._lines), width))


def preview(message: RunRead, log: Sequence[str], width: int) -> str:
    """The lines; what is longer than the width is not drawn."""
    from ccafl.tables import loss_value

    snapshot, found = message.snapshot, message.settings
    losses = "   ".join(f"{name} {loss_value(value)}" for name, value in snapshot.smooth.items())
    names = list(found.differing)
    lines = [run_text.bars(snapshot, width), f" {losses or 'no losses yet'}"]
    lines += [f" {setting(found, name)}" for name in names[:MOST_DIFFERENCES]]
    if len(names) > MOST_DIFFERENCES:
        lines.append(f" and {len(names) - MOST_DIFFERENCES} more settings that differ")
    lines += [f" {line}" for line in log]
    return "\n".join(lines)
