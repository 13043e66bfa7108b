"""The columns of a list: which of them fit into a width, and what of a cell does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from ccafl.store import RunRow

GAP, NARROWEST = 1, 12  # cells between columns, and of a name


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column, shown in tables of some widths; the one of `width` 0, the name, takes what is left.

    `sort` is what a click on its head sorts by, nothing where the list has one order.
    """

    head: str
    cell: Callable[[RunRow], str]
    width: int
    is_right: bool = False
    from_width: int = 0
    below_width: int = 10_000
    sort: str = ""


def fit(columns: Sequence[Column], width: int, room: int) -> list[tuple[Column, int]]:
    """Columns of a table of that width, each with its share of the room; the right leave first."""
    fitting = [column for column in columns if column.from_width <= width < column.below_width]
    while len(fitting) > 1 and room < _least(fitting):
        fitting.pop()
    rest = max(0, room - _least(fitting))
    return [(column, column.width or (NARROWEST + rest)) for column in fitting]


def draw(text: str, column: Column, width: int) -> Text:
    """A cell of a column that has so many cells."""
    from ccafl.tables import shorten_name

    drawn = Text(text if column.width else shorten_name(text, width), no_wrap=True)
    drawn.truncate(width, overflow="ellipsis")
    if column.is_right:
        drawn.pad_left(width - drawn.cell_len)
    return drawn


def _least(columns: Sequence[Column]) -> int:
    """Cells that columns take at least."""
    return sum((column.width or NARROWEST) + GAP for column in columns)
