"""The table that queue, history and comparison show runs in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.coordinate import Coordinate
from textual.geometry import Offset
from textual.message import Message
from textual.widgets import DataTable

from ccafl.sentences import state
from tui.columns import GAP, Column, draw, fit, head

if TYPE_CHECKING:
    from textual.events import Click

    from ccafl.store import RunRow
    from tui.program import CcaflApp

OPENING_CLICKS = 2
MOST_TAKEN = 20  # rows that are taken away one by one; more are shown anew
FEWEST, MOST = 2, 6  # runs that a comparison takes
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


def glyph_and_word(word: str) -> str:
    """A state as one reads it, never by its colour alone."""
    return f"{GLYPHS[word]} {word}"


class RunTable(DataTable[Text]):
    """Rows of runs with a highlighted one and marked ones; both survive new contents."""

    app: CcaflApp

    class Marked(Message):
        """Marks were set or taken away."""

    class EndReached(Message):
        """The last row came into view."""

    @dataclass
    class HeadClicked(Message):
        """Somebody wants the list sorted by a column."""

        sort: str

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "cursor_down", "next", show=False),
        Binding("k,up", "cursor_up", "previous", show=False),
        Binding("g,home", "scroll_top", "first", show=False),
        Binding("G,end", "scroll_bottom", "last", show=False),
        Binding("ctrl+d,pagedown", "half(1)", "half a page down", show=False),
        Binding("ctrl+u,pageup", "half(-1)", "half a page up", show=False),
        Binding("enter", "select_cursor", "open"),
        Binding("space", "mark", "mark"),
        Binding("c", "compare", "compare", tooltip="compare the marked runs, 2 to 6"),
        Binding("y", "copy", "copy", tooltip="copy the marked rows, or this one", show=False),
    ]

    def __init__(self, columns: Sequence[Column], id: str, *, words_from: int = 0) -> None:
        """`words_from`: the terminal's width from which a state is a word beside its sign."""
        super().__init__(id=id, cursor_type="row", cell_padding=0, zebra_stripes=False)
        self.marked: set[int] = set()
        self.runs: Sequence[RunRow] = ()
        self._all_columns, self._words_from = columns, words_from
        self._laid_out: list[tuple[Column, int]] = []
        self._shown: list[list[str]] = []
        self._for_width, self._height = (0, 0), 0

    @property
    def highlighted(self) -> RunRow | None:
        """The run under the cursor."""
        return self.runs[self.cursor_row] if 0 <= self.cursor_row < len(self.runs) else None

    @property
    def cursor_screen_offset(self) -> Offset:
        """Where the highlighted row begins on the screen."""
        row = self.header_height + self.cursor_row - self.scroll_offset.y
        return self.content_region.offset + Offset(0, row)

    def chosen(self) -> list[RunRow]:
        """The marked runs that are shown, else the highlighted one."""
        marked = [run for run in self.runs if run.id in self.marked]
        return marked or [run for run in (self.highlighted,) if run is not None]

    def show(self, runs: Sequence[RunRow]) -> None:
        """Show runs; the highlighted one stays; cells that did not change are not drawn again."""
        before, surplus = self.highlighted, len(self.runs) - len(runs)
        self.runs = runs
        if self._for_width != self._width() or surplus > MOST_TAKEN:
            self._lay_out()
        rows = [self._cells(run) for run in runs]
        for key in list(self.rows)[len(rows) :]:
            self.remove_row(key)
        del self._shown[len(rows) :]
        for row, cells in enumerate(rows[: len(self._shown)]):
            for index, text in enumerate(cells):
                self._show_cell(row, index, text)
        for cells in rows[len(self._shown) :]:
            self.add_row(*(self._draw(index, text) for index, text in enumerate(cells)))
            self._shown.append(cells)
        here = [row for row, run in enumerate(runs) if before is not None and run.id == before.id]
        if here and here[0] != self.cursor_row:
            self.move_cursor(row=here[0], animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Comparing is offered once something is marked, or where there are results."""
        del parameters
        if action != "compare" or self.marked:
            return True
        return sum(run.last is not None for run in self.runs) >= FEWEST

    def action_half(self, sign: int) -> None:
        """Move the cursor half a page."""
        step = max(1, (self.size.height - 1) // 2)
        self.move_cursor(row=self.cursor_row + sign * step)

    def action_scroll_top(self) -> None:
        """Go to the first row."""
        self.move_cursor(row=0)

    def action_scroll_bottom(self) -> None:
        """Go to the last row."""
        self.move_cursor(row=self.row_count)

    def action_mark(self) -> None:
        """Mark the highlighted run, or take its mark away, and go on to the next."""
        run = self.highlighted
        if run is not None:
            self.marked ^= {run.id}
            self._show_mark(self.cursor_row)
            self.action_cursor_down()
            self.post_message(self.Marked())

    def action_compare(self) -> None:
        """Compare the marked runs, also those that a filter hides."""
        shown = [run.id for run in self.runs if run.id in self.marked]
        runs = [*shown, *sorted(self.marked.difference(shown))]
        if FEWEST <= len(runs) <= MOST:
            self.app.compare(runs)
        else:
            self.app.say(f"Mark {FEWEST} to {MOST} runs with space, then c compares them.")

    def action_copy(self) -> None:
        """Copy rows with all columns, whatever there is room for."""
        from ccafl.tables import Table, as_tabs

        runs = self.chosen()
        columns = self._all_columns
        rows = [[state(run), *(column.cell(run) for column in columns)] for run in runs]
        what = f"{len(runs)} row{'s' * (len(runs) != 1)}"
        heads = ["State", *(column.head for column in columns)]
        self.app.copy(as_tabs(Table(heads, rows)), what)

    def clear_marks(self) -> bool:
        """Take all marks away; False if there are none."""
        had = bool(self.marked)
        self.marked.clear()
        for row in range(len(self.runs)):
            self._show_mark(row)
        self.post_message(self.Marked())
        return had

    def on_data_table_row_highlighted(self) -> None:
        """The terminal's cursor goes with the highlight."""
        if self.has_focus:
            self.app.cursor_position = self.cursor_screen_offset

    def on_resize(self) -> None:
        """Fit the columns to the new width; a highlighted row that is in view stays there."""
        was_in_view = 0 <= self.cursor_row - self.scroll_offset.y < self._height
        self._height = self.size.height - self.header_height
        if self._for_width != self._width():
            self.show(self.runs)
        if was_in_view:
            self.move_cursor(row=self.cursor_row, animate=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling, by wheel or cursor, may reach the end."""
        super().watch_scroll_y(old_value, new_value)
        if self.is_vertical_scroll_end:
            self.post_message(self.EndReached())

    async def _on_click(self, event: Click) -> None:
        """A click highlights a row, a second one opens it, one on a head sorts."""
        event.prevent_default()
        row, column = (event.style.meta.get(name) for name in ("row", "column"))
        if row is None or column is None:
            return
        event.stop()
        if row == -1:
            if column >= 2 and (sort := self._laid_out[column - 2][0].sort):
                self.post_message(self.HeadClicked(sort))
            return
        self.move_cursor(row=row)
        if event.chain == OPENING_CLICKS:
            self.action_select_cursor()

    def _width(self) -> tuple[int, int]:
        """Of the terminal, and of the table in it."""
        terminal = self.app.size.width
        return terminal, self.size.width or terminal

    def _has_words(self) -> bool:
        return self.app.size.width >= self._words_from

    def _state_width(self) -> int:
        return 1 + (STATE_WIDTH if self._has_words() else 1)

    def _fit(self) -> list[tuple[Column, int]]:
        """The columns beside state and mark, with their widths."""
        terminal, width = self._width()
        room = width - 1 - (self._state_width() + GAP) - (1 + GAP)  # a scroll bar takes a cell
        return fit(self._all_columns, terminal, room)

    def _cells(self, run: RunRow) -> list[str]:
        """State, mark and what each column says of a run, as plain text that is soon compared."""
        return [state(run), self._mark(run), *(column.cell(run) for column, _ in self._laid_out)]

    def _draw(self, index: int, text: str) -> Text:
        """What stands in the column of that index."""
        if index == 0:
            sign = glyph_and_word(text) if self._has_words() else GLYPHS[text]
            return Text(f" {sign}", style=COLOURS.get(text, ""), no_wrap=True)
        if index == 1:
            return Text(text)
        return draw(text, *self._laid_out[index - 2])

    def _mark(self, run: RunRow) -> str:
        return "*" if run.id in self.marked else " "

    def _show_mark(self, row: int) -> None:
        self._show_cell(row, 1, self._mark(self.runs[row]))

    def _show_cell(self, row: int, index: int, text: str) -> None:
        if text != self._shown[row][index]:
            self._shown[row][index] = text
            self.update_cell_at(Coordinate(row, index), self._draw(index, text))

    def _lay_out(self) -> None:
        """Take all rows away, and make the columns that fit."""
        self._for_width, self._laid_out, self._shown = self._width(), self._fit(), []
        self.clear(columns=True)
        self.add_column(Text(" State" * self._has_words()), width=self._state_width() + GAP)
        self.add_column(Text(""), width=1 + GAP)
        for column, width in self._laid_out:
            self.add_column(head(column, width), width=width + GAP)
