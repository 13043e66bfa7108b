"""The columns of a list: which of them fit into a width, and what of a cell does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

if TYPE_CHECKING:
    from ccafl.store import RunRow

GAP, NARROWEST, ENDLESS = 1, 12, 10_000  # cells between columns; least and most of a name


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of at least `width` cells; one of `width` 0, the name, takes what is left.

    `most` is what it grows to where there is room, `short_head` stands for `head` before that.
    `cut` makes a text fit that is too long; else it loses its end, and a name its middle.
    `from_width` is the width of the terminal from which the column is shown. `sort` is what a
    click on its head sorts by, nothing where the list has one order.
    """

    head: str
    cell: Callable[[RunRow], str]
    width: int
    most: int = 0
    short_head: str = ""
    cut: Callable[[str, int], str] | None = None
    is_right: bool = False
    from_width: int = 0
    sort: str = ""


def fit(columns: Sequence[Column], terminal: int, room: int) -> list[tuple[Column, int]]:
    """Columns for a terminal of that width, with their shares of the room; the right leave first.

    What is left of the room is dealt out cell by cell.
    """
    fitting = [column for column in columns if column.from_width <= terminal]
    while len(fitting) > 1 and room < _least(fitting):
        fitting.pop()
    widths = [column.width or NARROWEST for column in fitting]
    most = [column.most if column.width else ENDLESS for column in fitting]
    rest = room - _least(fitting)
    while rest > 0 and (growing := [i for i, width in enumerate(widths) if width < most[i]]):
        for index in growing[:rest]:
            widths[index] += 1
        rest -= len(growing)
    return list(zip(fitting, widths, strict=True))


def head(column: Column, width: int) -> Text:
    """What stands above a column that has so many cells."""
    has_room = cell_len(column.head) <= width
    return _placed(column.head if has_room else column.short_head or column.head, column, width)


def draw(text: str, column: Column, width: int) -> Text:
    """A cell of a column that has so many cells."""
    from ccafl.tables import shorten, shorten_name

    if cell_len(text) > width:
        cut = column.cut or (shorten if column.width else shorten_name)
        text = cut(text, width)
    return _placed(text, column, width)


def _least(columns: Sequence[Column]) -> int:
    """Cells that columns take at least."""
    return sum((column.width or NARROWEST) + GAP for column in columns)


def _placed(text: str, column: Column, width: int) -> Text:
    placed = Text(text, no_wrap=True)
    if column.is_right:
        placed.pad_left(width - placed.cell_len)
    return placed
