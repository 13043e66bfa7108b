"""Text longer than the screen, and the keys that move through it."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

SIDEWAYS = 8  # cells


class Lines(VerticalScroll):
    """A page of text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_down", "next line", show=False),
        Binding("k,up", "scroll_up", "previous line", show=False),
        Binding("g,home", "scroll_home", "first line", show=False),
        Binding("G,end", "scroll_end", "last line", show=False),
        Binding("ctrl+d,pagedown", "page_down", "a page down", show=False),
        Binding("ctrl+u,pageup", "page_up", "a page up", show=False),
    ]

    def action_sideways(self, by: int) -> None:
        """Scroll text that is wider than the page."""
        self.scroll_relative(x=by * SIDEWAYS, animate=False)
