"""All keys on one page, made from the bindings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from tui.frame import WIDE, Line, Opened
from tui.keys import KeyRow, joined, key_rows, together
from tui.texts import Lines

if TYPE_CHECKING:
    from textual.widget import Widget

EDGES = 3  # cells of padding and scroll bar


class HelpScreen(Opened):
    """The keys, those of the place it was opened from first; `/` shows those with some words."""

    path = "keys"
    AUTO_FOCUS = "#help-page"  # and not the field, which keys typed early would fill
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", tooltip="show only keys with these words")
    ]

    def __init__(self, here: Sequence[KeyRow]) -> None:
        super().__init__()
        self._rows = joined(together(here), key_rows())

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

    def action_leave(self) -> None:
        """Show all keys again, else go back."""
        field = self.query_one(Input)
        if field.display:
            field.value, field.display = "", False
            self.query_one(Lines).focus()
        else:
            super().action_leave()

    def action_filter(self) -> None:
        """Type words."""
        field = self.query_one(Input)
        field.display = True
        self.set_focus(field)  # at once: what is typed ahead must not act, or quit

    @on(Input.Changed)
    def _show(self) -> None:
        words = self.query_one(Input).value.casefold().split()
        width, is_wide = self.app.size.width, self.app.size.width >= WIDE
        room = width // 2 if is_wide else width
        blocks = _blocks((row for row in self._rows if _has(row, words)), room - EDGES)
        lines = _in_columns(blocks, room) if is_wide else chain(*blocks)
        self.query_one("#help-text", Line).show("\n".join(lines) or " No key does that.")

    @on(Input.Submitted)
    def _to_page(self) -> None:
        self.query_one(Lines).focus()


def _has(row: KeyRow, words: Sequence[str]) -> bool:
    text = f"{row.keys} {row.does} {row.where}".casefold()
    return all(word in text for word in words)


def _blocks(rows: Iterable[KeyRow], width: int) -> list[list[str]]:
    """The keys below the name of their place, place by place, in lines of that width."""
    return [
        [f" {where}", *chain.from_iterable(_lines(row, width) for row in group)]
        for where, group in groupby(rows, key=lambda row: row.where)
    ]


def _lines(row: KeyRow, width: int) -> list[str]:
    """Keys and what they do, in as many lines as that takes."""
    keys = f"   {row.keys.replace('`', ''):<16} "
    return wrap(row.does, width, initial_indent=keys, subsequent_indent=" " * len(keys))


def _in_columns(blocks: Sequence[Sequence[str]], width: int) -> list[str]:
    """Two columns of about the same height; no place is broken up."""
    left: list[str] = []
    right: list[str] = []
    half = sum(map(len, blocks)) / 2
    for block in blocks:
        (right if right or len(left) + len(block) / 2 > half else left).extend(block)
    return [f"{one:<{width}}{two}".rstrip() for one, two in zip_longest(left, right, fillvalue="")]
