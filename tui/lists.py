"""The table that queue, history and comparison show runs in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.coordinate import Coordinate
from textual.message import Message
from textual.widgets import DataTable

if TYPE_CHECKING:
    from ccafl.store import RunRow

GAP = 2  # cells between columns
NARROWEST = 12
GLYPHS = {
    "queued": "○",
    "held": "‖",
    "starting": "◔",
    "running": "●",
    "cancelling": "◌",
    "finished": "✓",
    "cancelled": "–",
    "failed": "✗",
    "lost": "!",
}
COLOURS = {
    "starting": "blue",
    "running": "blue",
    "cancelling": "yellow",
    "finished": "green",
    "failed": "red",
    "lost": "red",
}
STATE_WIDTH = max(len(f"{glyph} {word}") for word, glyph in GLYPHS.items())


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column, shown in tables of some widths; one of `width` 0 takes what is left."""

    head: str
    cell: Callable[[RunRow], str]
    width: int
    right: bool = False
    from_width: int = 0
    below_width: int = 10_000


def state_text(state: str) -> Text:
    """Glyph and word of a state, never a colour alone."""
    return Text(f"{GLYPHS[state]} {state}", style=COLOURS.get(state, ""), no_wrap=True)


def glyph_and_word(state: str) -> str:
    """The same as a string."""
    return f"{GLYPHS[state]} {state}"


class RunTable(DataTable[Text]):
    """Rows of runs with a highlighted one and marked ones; both survive new contents."""

    class Marked(Message):
        """Marks were set or taken away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "cursor_down", "next", show=False),
        Binding("k,up", "cursor_up", "previous", show=False),
        Binding("g,home", "scroll_top", "first", show=False),
        Binding("G,end", "scroll_bottom", "last", show=False),
        Binding("ctrl+d,pagedown", "half(1)", "half a page down", show=False),
        Binding("ctrl+u,pageup", "half(-1)", "half a page up", show=False),
        Binding("enter", "select_cursor", "open"),
        Binding("space", "mark", "mark", show=False),
    ]

    def __init__(self, columns: Sequence[Column], id: str) -> None:
        super().__init__(id=id, cursor_type="row", cell_padding=0, zebra_stripes=False)
        self.marked: set[int] = set()
        self.runs: Sequence[RunRow] = ()
        self._all_columns = columns
        self._shown: list[list[Text]] = []
        self._for_width = -1

    @property
    def highlighted(self) -> RunRow | None:
        """The run under the cursor."""
        return self.runs[self.cursor_row] if 0 <= self.cursor_row < len(self.runs) else None

    def chosen(self) -> list[RunRow]:
        """The marked runs, else the highlighted one."""
        marked = [run for run in self.runs if run.id in self.marked]
        return marked or [run for run in (self.highlighted,) if run is not None]

    def show(self, runs: Sequence[RunRow]) -> None:
        """Show runs; cells that did not change are not drawn again."""
        before = self.highlighted
        same = self._for_width == self._width() and [run.id for run in runs] == [
            run.id for run in self.runs
        ]
        self.runs = runs
        self.marked &= {run.id for run in runs}
        rows = [self._cells(run) for run in runs]
        if same:
            self._update(rows)
        else:
            self._rebuild(rows, before)
        self._shown = rows

    def action_half(self, sign: int) -> None:
        """Move the cursor half a page."""
        step = max(1, (self.size.height - 1) // 2)
        row = min(max(self.cursor_row + sign * step, 0), max(self.row_count - 1, 0))
        self.move_cursor(row=row)

    def action_scroll_top(self) -> None:
        """Go to the first row."""
        self.move_cursor(row=0)

    def action_scroll_bottom(self) -> None:
        """Go to the last row."""
        self.move_cursor(row=max(self.row_count - 1, 0))

    def action_mark(self) -> None:
        """Mark the highlighted run, or take its mark away, and go on to the next."""
        run = self.highlighted
        if run is not None:
            self.marked ^= {run.id}
            self.show(self.runs)
            self.action_cursor_down()
            self.post_message(self.Marked())

    def clear_marks(self) -> bool:
        """Take all marks away; False if there are none."""
        had = bool(self.marked)
        self.marked.clear()
        self.show(self.runs)
        self.post_message(self.Marked())
        return had

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        if self._for_width != self._width():
            self.show(self.runs)

    def _width(self) -> int:
        return self.size.width or self.app.size.width

    def _visible(self) -> list[tuple[Column, int]]:
        """Columns that fit, with their widths."""
        width = self._width()
        columns = [
            column
            for column in self._all_columns
            if column.from_width <= width < column.below_width
        ]
        fixed = 1 + STATE_WIDTH + GAP + sum((column.width or NARROWEST) + GAP for column in columns)
        left = max(0, width - 2 - fixed)  # a scroll bar may need two cells
        return [(column, column.width or (NARROWEST + left)) for column in columns]

    def _cells(self, run: RunRow) -> list[Text]:
        from ccafl.sentences import state

        cells = [Text("*" if run.id in self.marked else " "), state_text(state(run))]
        for column, width in self._visible():
            text = Text(column.cell(run), no_wrap=True)
            text.truncate(width, overflow="ellipsis")
            if column.right:
                text.pad_left(width - text.cell_len)
            cells.append(text)
        return cells

    def _update(self, rows: Sequence[Sequence[Text]]) -> None:
        for index, (new, old) in enumerate(zip(rows, self._shown, strict=True)):
            for column, (cell, was) in enumerate(zip(new, old, strict=True)):
                if cell != was:
                    self.update_cell_at(Coordinate(index, column), cell)

    def _rebuild(self, rows: Sequence[Sequence[Text]], before: RunRow | None) -> None:
        self._for_width = self._width()
        self.clear(columns=True)
        self.add_column(Text(""), width=1)
        self.add_column(Text("State"), width=STATE_WIDTH + GAP)
        for column, width in self._visible():
            head = Text(column.head)
            if column.right:
                head.pad_left(width - head.cell_len)
            self.add_column(head, width=width + GAP)
        self.add_rows(rows)
        ids = [run.id for run in self.runs]
        if before is not None and before.id in ids:
            self.move_cursor(row=ids.index(before.id), animate=False)
