"""Runs that have ended: sorted, filtered, opened, compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Input

from ccafl.sentences import describe, printable
from tui.acting import Acting
from tui.frame import Line
from tui.lists import Column, RunTable
from tui.messages import Filter, HistoryRead

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.message import Message

    from ccafl.store import RunRow

SORTS = {
    "ended": "ended",
    "mean_ap": "mAP",
    "rank1": "Rank-1",
    "mean_inp": "mINP",
    "best": "best mAP",
    "name": "name",
    "dataset": "dataset",
    "id": "ID",
}
FIRST_PAGE = PAGE = 500
FEWEST, MOST = 2, 6  # runs that a comparison takes
EMPTY = " No run has ended yet.  In a shell:  ccafl run --preset demo"


class HistoryPane(Acting):
    """Ended runs and the words that choose among them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "compare", "compare", tooltip="compare the marked runs, 2 to 6"),
        Binding("slash", "filter", "filter", tooltip="filter the list"),
        Binding("s", "sort", "sort", tooltip="sort by the next column"),
        Binding("escape", "clear", "clear filter, marks", show=False),
    ]

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.asked = Filter(limit=FIRST_PAGE)
        self._message: HistoryRead | None = None

    def compose(self) -> ComposeResult:
        """Filter, table, detail."""
        yield Input(id="filter", placeholder="words, dataset:  tag:  state:  seed:", compact=True)
        yield Line("history-head")
        yield RunTable(COLUMNS, "history-table")
        yield Line("history-empty", " Reading the database …")
        yield Line("history-detail")

    def on_mount(self) -> None:
        """Nothing is known yet, and nothing is filtered."""
        self.table.display = False
        self.query_one(Input).display = False

    @property
    def table(self) -> RunTable:
        """The table of runs."""
        return self.query_one(RunTable)

    def chosen(self) -> list[RunRow]:
        """Marked runs, else the highlighted one."""
        return self.table.chosen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Clearing needs something to clear."""
        if action == "clear":
            return bool(self.asked.words or self.table.marked or self.query_one(Input).has_focus)
        return super().check_action(action, parameters)

    def take(self, message: Message) -> None:
        """Show what was read, unless something else was asked for meanwhile."""
        if not isinstance(message, HistoryRead) or message.asked != self.asked:
            return
        has_rows = bool(message.runs)
        had_rows = self.table.display
        self.table.display = self.query_one("#history-detail").display = has_rows
        self.query_one("#history-empty").display = not has_rows
        empty = " No ended run matches.  esc clears the filter" if self.asked.words else EMPTY
        self.query_one("#history-empty", Line).show(empty)
        self.table.show(message.runs)
        if has_rows and not had_rows and self.display and not self.query_one(Input).has_focus:
            self.table.focus()
        self._message = message
        self._show_head()
        self._show_detail()

    def focus_view(self) -> None:
        """Give the keys to the list."""
        (self.table if self.table.display else self).focus()

    def action_filter(self) -> None:
        """Type a filter."""
        field = self.query_one(Input)
        field.display = True
        field.focus()

    def action_sort(self) -> None:
        """Sort by the next column."""
        keys = list(SORTS)
        following = keys[(keys.index(self.asked.sort) + 1) % len(keys)]
        self._ask(replace(self.asked, sort=following))

    def action_clear(self) -> None:
        """Clear the marks, else the filter."""
        field = self.query_one(Input)
        if not field.has_focus and self.table.clear_marks():
            return
        field.value = ""
        field.display = False
        self._ask(replace(self.asked, words=""))
        self.focus_view()

    def action_compare(self) -> None:
        """Compare the marked runs."""
        runs = [run.id for run in self.table.runs if run.id in self.table.marked]
        if FEWEST <= len(runs) <= MOST:
            self.app.compare(runs)
        else:
            self.app.say(f"Mark {FEWEST} to {MOST} runs with space, then c compares them.")

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._ask(replace(self.asked, words=event.value.strip()))

    @on(Input.Submitted)
    def _to_list(self) -> None:
        self.focus_view()

    @on(DataTable.RowHighlighted)
    def _show_detail(self) -> None:
        run = self.table.highlighted
        self.query_one("#history-detail", Line).show(_detail(run) if run else "")
        self.refresh_bindings()
        if run is not None and self.table.cursor_row == self.asked.limit - 1:
            self._ask(replace(self.asked, limit=self.asked.limit + PAGE))

    @on(DataTable.RowSelected)
    def _open(self) -> None:
        run = self.table.highlighted
        if run is not None:
            self.app.open_run(run.id, "3 History", [other.id for other in self.table.runs])

    def _ask(self, asked: Filter) -> None:
        if asked != self.asked:
            self.asked = asked
            self.app.look()

    @on(RunTable.Marked)
    def _show_head(self) -> None:
        message = self._message
        if message is None:
            return
        more = "the first " if message.has_more else ""
        count = len(message.runs)
        parts = [
            f" {more}{count:,} run{'s' * (count != 1)}",
            f"sorted by {SORTS[message.asked.sort]}",
        ]
        parts += [f"filter: {message.asked.words}"] * bool(message.asked.words)
        parts += [message.problem] * bool(message.problem)
        parts += [f"{len(self.table.marked)} marked"] * bool(self.table.marked)
        self.query_one("#history-head", Line).show(printable("   ".join(parts)))


def _detail(run: RunRow) -> str:
    note = f"   note {run.note}" if run.note else ""
    first = f"{run.id} {run.name}   tags {' '.join(run.tags) or '-'}{note}"
    return f"{printable(first)}\n{describe(run)}"


def _day(run: RunRow) -> str:
    return "-" if run.ended is None else datetime.fromtimestamp(run.ended).strftime("%d %b")


def _took(run: RunRow) -> str:
    from ccafl.tables import duration

    if run.started is None or run.ended is None:
        return "-"
    return duration(run.ended - run.started)


def _value(name: str) -> Column:
    head = {"mean_ap": "mAP", "rank1": "Rank-1", "rank10": "Rank10", "mean_inp": "mINP"}
    wide = 110 if name in ("rank10",) else 0

    def cell(run: RunRow) -> str:
        from ccafl.tables import percent

        return percent(getattr(run.last, name, None))

    return Column(head=head[name], cell=cell, width=6, right=True, from_width=wide)


COLUMNS = (
    Column(head="ID", cell=lambda run: str(run.id), width=5, right=True),
    Column(head="Name", cell=lambda run: printable(run.name), width=0),
    Column(head="Dataset", cell=lambda run: printable(run.dataset) or "-", width=10),
    _value("mean_ap"),
    _value("rank1"),
    _value("rank10"),
    _value("mean_inp"),
    Column(head="Ended", cell=_day, width=6, from_width=90),
    Column(head="Took", cell=_took, width=9, from_width=100),
    Column(head="Tags", cell=lambda run: printable(" ".join(run.tags)), width=12, from_width=110),
)
