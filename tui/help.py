"""All keys on one page, made from the bindings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from tui.frame import WIDE, Line, Opened
from tui.keys import KeyRow, key_rows
from tui.texts import Lines

if TYPE_CHECKING:
    from textual.widget import Widget


class HelpScreen(Opened):
    """The keys, those of the place it was opened from first; `/` shows those with some words."""

    path = "keys"
    AUTO_FOCUS = "#help-page"  # and not the field, which keys typed early would fill
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", tooltip="show only keys with these words")
    ]

    def __init__(self, here: Sequence[KeyRow]) -> None:
        super().__init__()
        known = {(row.keys, row.does) for row in here}
        rest = [row for row in key_rows() if (row.keys, row.does) not in known]
        self._rows = [*here, *rest]

    def body(self) -> Iterator[Widget]:
        """A field that is hidden at first, and the page."""
        yield Input(id="help-filter", placeholder="words", compact=True)
        with Lines(id="help-page"):
            yield Line("help-text")

    def on_mount(self) -> None:
        """Show all keys."""
        self.query_one(Input).display = False

    def on_resize(self) -> None:
        """Two columns need room."""
        self._show()

    def action_filter(self) -> None:
        """Type words."""
        self.query_one(Input).display = True
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _show(self) -> None:
        words = self.query_one(Input).value.casefold().split()
        lines = _lines(row for row in self._rows if _has(row, words))
        width = self.app.size.width
        lines = _in_columns(lines, width // 2) if width >= WIDE else lines
        self.query_one("#help-text", Line).show("\n".join(lines) or " No key does that.")

    @on(Input.Submitted)
    def _to_page(self) -> None:
        self.query_one(Lines).focus()


def _has(row: KeyRow, words: Sequence[str]) -> bool:
    text = f"{row.keys} {row.does} {row.where}".casefold()
    return all(word in text for word in words)


def _lines(rows: Iterable[KeyRow]) -> list[str]:
    """A line per key below the name of its place."""
    lines = []
    for where, group in groupby(rows, key=lambda row: row.where):
        lines.append(f" {where}")
        lines += [f"   {row.keys.replace('`', ''):<16} {row.does}" for row in group]
    return lines


def _in_columns(lines: Sequence[str], width: int) -> list[str]:
    """The second half of the lines beside the first."""
    half = (len(lines) + 1) // 2
    pairs = zip_longest(lines[:half], lines[half:], fillvalue="")
    return [f"{left[: width - 1]:<{width}}{right}".rstrip() for left, right in pairs]
