"""Runs that have ended: sorted, filtered, opened, compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Input

from ccafl.sentences import printable
from tui import history_text
from tui.acting import Acting
from tui.frame import Line
from tui.history_columns import SORTS, columns
from tui.history_preview import HistoryPreview
from tui.history_reading import all_listed
from tui.lists import RunTable
from tui.messages import Filter, FilterUnclear, HistoryRead

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.message import Message

    from ccafl.store import RunRow
    from ccafl.store.queries import Which

PAGE = 500
ROOMY = 160  # from which states are words
EMPTY = " No run has ended yet.  a  add one,  v  verify a dataset,  or: ccafl run --help"
UNMATCHED = " No ended run matches.  esc clears the filter"


class HistoryPane(Acting):
    """Ended runs and the words that choose among them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", tooltip="filter the list"),
        Binding("s", "sort", "sort", tooltip="sort by the next column"),
        Binding("S", "reverse", "reverse", tooltip="turn the order round", show=False),
        Binding("b", "which", "last/best", tooltip="last evaluation, or best on test", show=False),
        Binding("w", "export", "export", tooltip="write what is listed, or copy it"),
        Binding("escape", "clear", "clear", tooltip="clear marks, else the filter"),
    ]

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.asked = Filter(limit=PAGE)
        self._message: HistoryRead | None = None
        self._hint = ""

    def compose(self) -> ComposeResult:
        """Filter, table, detail, preview; as it was left, and with nothing known yet."""
        left = self.app.remembered
        sort = left.sort if left.sort in SORTS else self.asked.sort
        self.asked = replace(self.asked, words=left.words, sort=sort, reverse=left.reverse)
        with Horizontal(id="history-bar"):
            yield Line("history-slash", " / ")
            yield Input(
                left.words, id="filter", placeholder="filter", compact=True, select_on_focus=False
            )
            yield Line("history-head")
        with Horizontal(id="history-body") as body:
            body.display = False
            with Vertical():
                yield RunTable(columns(self._which), "history-table", words_from=ROOMY)
                yield Line("history-detail")
            yield HistoryPreview("history-preview", resumes=not self.app.read_only)
        yield Line("history-empty", " Reading the database …")

    def on_resize(self) -> None:
        """Lines are made for the room there is."""
        self.call_after_refresh(self._show_detail)

    @property
    def table(self) -> RunTable:
        """The table of runs."""
        return self.query_one(RunTable)

    @property
    def body(self) -> Horizontal:
        """List, detail and preview; shown when there is a run."""
        return self.query_one("#history-body", Horizontal)

    @property
    def field(self) -> Input:
        """Where the filter is typed."""
        return self.query_one("#filter", Input)

    def chosen(self) -> list[RunRow]:
        """Marked runs, else the highlighted one."""
        return self.table.chosen()

    @property
    def here(self) -> RunRow | None:
        """The highlighted run, whatever is marked."""
        return self.table.highlighted

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Clearing needs something to clear."""
        if action == "clear":
            return bool(self.field.value or self.table.marked or self.field.has_focus)
        return super().check_action(action, parameters)

    def take(self, message: Message) -> None:
        """Show what was read, unless something else was asked for meanwhile."""
        if isinstance(message, FilterUnclear) and message.asked == self.asked:
            self._hint = message.sentence
            self._show_head()
            self._ask(replace(self.asked, words=self._message.asked.words if self._message else ""))
        if not isinstance(message, HistoryRead) or message.asked != self.asked:
            return
        before, self._message = self._message, message
        if before is not None and before.asked == message.asked:  # what a filter hides stays marked
            self.table.marked -= {run.id for run in before.runs} - {run.id for run in message.runs}
        self._show_head()
        self.query_one("#history-empty", Line).show(UNMATCHED if message.ended else EMPTY)
        if before is None or (message.runs, message.asked) != (before.runs, before.asked):
            self._show_runs(message)

    def focus_view(self) -> None:
        """Give the keys to the list."""
        self.screen.set_focus(self.table if self.body.display else self)  # at once, as for `/`

    def filter_by(self, words: str) -> None:
        """Show the runs that these words choose."""
        self.field.value = words

    def action_filter(self) -> None:
        """Type a filter."""
        self.screen.set_focus(self.field)  # at once: what is typed ahead must not act on runs

    def action_sort(self) -> None:
        """Sort by the next column."""
        keys = list(SORTS)
        following = keys[(keys.index(self.asked.sort) + 1) % len(keys)]
        self._ask(replace(self.asked, sort=following, reverse=False))

    def action_reverse(self) -> None:
        """Turn the order round."""
        self._ask(replace(self.asked, reverse=not self.asked.reverse))

    def action_which(self) -> None:
        """Show, sort and filter by the metrics of the other evaluation, last or best."""
        self._ask(replace(self.asked, which="best" if self.asked.which == "last" else "last"))

    def action_clear(self) -> None:
        """Clear the marks, else the filter."""
        if not self.field.has_focus and self.table.clear_marks():
            return
        self.field.value = ""
        self.focus_view()

    def action_export(self) -> None:
        """Write all runs that match, also those that are not loaded."""
        asked = self.asked
        self.app.export(lambda store: all_listed(store, asked), "history")

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._hint = ""
        self._show_head()
        self._ask(replace(self.asked, words=event.value.strip(), limit=PAGE))

    @on(Input.Submitted)
    def _to_list(self) -> None:
        self.focus_view()

    @on(RunTable.HeadClicked)
    def _sort_by(self, event: RunTable.HeadClicked) -> None:
        if event.sort == self.asked.sort:
            self.action_reverse()
        else:
            self._ask(replace(self.asked, sort=event.sort, reverse=False))

    @on(DataTable.RowHighlighted)
    def _show_detail(self) -> None:
        run = self.table.highlighted
        self.refresh_bindings()
        if run is None or self._message is None:
            return
        published = self._message.published.get(run.dataset)
        line, resumes = self.query_one("#history-detail", Line), not self.app.read_only
        width = line.size.width or self.app.size.width - 2
        line.show(history_text.detail(run, published, width, resumes=resumes))
        self.query_one(HistoryPreview).about(run, published)
        if self.table.cursor_row == len(self.table.runs) - 1:
            self._read_more()

    @on(RunTable.EndReached)
    def _read_more(self) -> None:
        if self._message is not None and len(self.table.runs) < self._message.matching:
            self._ask(replace(self.asked, limit=len(self.table.runs) + PAGE))

    @on(DataTable.RowSelected)
    def _open(self) -> None:
        run = self.table.highlighted
        if run is not None:
            self.app.open_run(run.id, "3 History", [other.id for other in self.table.runs])

    def _which(self) -> Which:
        """The evaluation whose metrics are shown; what is asked for may not be read yet."""
        return self._message.asked.which if self._message is not None else "last"

    def _show_runs(self, message: HistoryRead) -> None:
        has_rows, had_rows = bool(message.runs), self.body.display
        self.body.display = has_rows
        self.query_one("#history-empty").display = not has_rows
        self.table.show(message.runs)
        if has_rows != had_rows and self.display and not self.field.has_focus:
            self.focus_view()
        self._show_detail()

    def _ask(self, asked: Filter) -> None:
        if asked != self.asked:
            self.asked = asked
            self.app.look()

    @on(RunTable.Marked)
    def _show_head(self) -> None:
        """How many runs match, marks and order; instead of them what a word lacks."""
        message = self._message
        if message is None:
            return
        arrow = "^" if (message.asked.sort in ("name", "dataset")) != message.asked.reverse else "v"
        parts = [f"{len(self.table.marked)} marked"] * bool(self.table.marked)
        parts += [f"{message.matching:,} of {message.ended:,}"]
        parts += ["best on test"] * (message.asked.which == "best")
        parts += [f"sort {SORTS[message.asked.sort]} {arrow}"]
        head = printable(self._hint or "   ".join(parts))
        self.query_one("#history-head", Line).show(f"  {head} ")
