"""Text longer than the screen, and the keys that move through it."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import ScrollableContainer, VerticalScroll

SIDEWAYS = 8  # cells


class Scrolled(ScrollableContainer):
    """More or longer lines than the screen has room for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_down", "next line", show=False),
        Binding("k,up", "scroll_up", "previous line", show=False),
        Binding("g,home", "end(False)", "first line", show=False),
        Binding("G,end", "end(True)", "last line", show=False),
        Binding("ctrl+d,pagedown", "half(1)", "half a page down", show=False),
        Binding("ctrl+u,pageup", "half(-1)", "half a page up", show=False),
    ]

    def action_end(self, is_last: bool) -> None:
        """Go to the first or the last line."""
        if is_last:
            self.action_scroll_end()
        else:
            self.action_scroll_home()

    def action_half(self, sign: int) -> None:
        """Scroll by half a page."""
        self.scroll_relative(y=sign * max(self.size.height // 2, 1), animate=False)

    def action_sideways(self, by: int) -> None:
        """Scroll lines that are longer than the screen is wide."""
        self.scroll_relative(x=by * SIDEWAYS, animate=False)


class Lines(VerticalScroll, Scrolled):
    """A page of text."""
