"""Text longer than the screen, and the keys that move through it."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Log

LINES: list[BindingType] = [
    Binding("j,down", "scroll_down", "next line", show=False),
    Binding("k,up", "scroll_up", "previous line", show=False),
    Binding("g,home", "scroll_home", "first line", show=False),
    Binding("G,end", "scroll_end", "last line", show=False),
    Binding("ctrl+d,pagedown", "page_down", "a page down", show=False),
    Binding("ctrl+u,pageup", "page_up", "a page up", show=False),
]


class Lines(VerticalScroll):
    """A page of text."""

    BINDINGS: ClassVar[list[BindingType]] = LINES


class TextLog(Log):
    """The log of a run; it follows the end until one scrolls up."""

    BINDINGS: ClassVar[list[BindingType]] = LINES
