"""The lines of a log on the screen, and the keys that move through them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.highlighter import Highlighter
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Log

from tui.following import KEPT
from tui.texts import Scrolled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text


class TextLog(Log, Scrolled):
    """Plain lines, each as it is; says when one moves, so that others can be loaded."""

    class Moved(Message):
        """The lines were scrolled."""

    @dataclass
    class EndWanted(Message):
        """Somebody wants to see the first line of the log, or the last one."""

        is_last: bool

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,left", "sideways(-1)", "scroll left", show=False),
        Binding("l,right", "sideways(1)", "scroll right", show=False),
    ]

    def __init__(self, id: str) -> None:
        super().__init__(id=id, auto_scroll=False, max_lines=KEPT)

    @property
    def top(self) -> int:
        """The first line in view, counted from the first one there is here."""
        return round(self.scroll_y)

    def in_view(self) -> Sequence[str]:
        """The lines in view."""
        return self.lines[self.top : self.top + self.size.height]

    def show(self, lines: Sequence[str], top: int) -> None:
        """Replace all lines; `top` is the first one in view."""
        with self.app.batch_update():
            self.clear()
            self.write_lines(lines)
            self.to_line(top)

    def to_line(self, top: int) -> None:
        """Make a line the first one in view."""
        self.scroll_to(y=max(top, 0), animate=False, force=True, immediate=True)

    def to_end(self) -> None:
        """Bring the last line into view."""
        self.scroll_end(animate=False, force=True, immediate=True, x_axis=False)

    def mark(self, words: str) -> None:
        """Show words reversed wherever they stand; no words: nothing."""
        self.highlight, self.highlighter = bool(words), _Found(words)
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell of every move, by key, wheel or program."""
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Moved())

    def action_end(self, is_last: bool) -> None:
        """Ask for the first or the last line."""
        self.post_message(self.EndWanted(is_last))


class _Found(Highlighter):
    """Reverses words, whatever their case."""

    def __init__(self, words: str) -> None:
        self._pattern = re.compile(re.escape(words), re.IGNORECASE)

    def highlight(self, text: Text) -> None:
        text.highlight_regex(self._pattern, "reverse")
