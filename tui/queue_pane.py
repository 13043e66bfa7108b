"""Runs that wait and work, and in one sentence why each does what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from ccafl.sentences import describe, printable, waits
from tui.acting import ACTIVE, Acting
from tui.frame import Line
from tui.lists import Column, RunTable
from tui.messages import QueueRead

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.message import Message

    from ccafl.store import RunRow

EMPTY = (
    "No runs wait or work.  In a shell:\n\n"
    "  ccafl run --preset demo              a first run, on drawn pictures\n"
    "  ccafl run --data DIR --detach        your own data\n"
    "  ccafl check DIR                      is a data folder complete?\n\n"
    "They appear here by themselves."
)
MOST_DIFFERENCES = 6


def doing(run: RunRow) -> str:
    """Where a run is, or what it waits for, as short as a column."""
    if run.state == "queued":
        return waits(run).removeprefix("waits").lstrip(": ")
    if not run.stage:
        return "its worker begins"
    share = f" {100 * run.step / run.steps:.0f} %" if run.steps else ""
    return f"{run.stage} {run.epoch or ''}{share}"


def _config(run: RunRow, key: str) -> str:
    from ccafl.overview import flatten_stored

    return printable(str(flatten_stored(run).get(key, "-")))


class QueuePane(Acting):
    """The queue in its order, and the keys that change it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "hold", "hold", tooltip="hold the run, or release it"),
        Binding("J", "move('down')", "down", tooltip="move the run one place down", show=False),
        Binding("K", "move('up')", "up", tooltip="move the run one place up", show=False),
        Binding("T", "top", "to top", tooltip="make the run the next one"),
        Binding("escape", "unmark", "take marks away", show=False),
    ]

    def compose(self) -> ComposeResult:
        """Table and detail."""
        yield RunTable(COLUMNS, "queue-table")
        yield Line("queue-empty", "Reading the database …")
        yield Line("queue-detail")

    @property
    def table(self) -> RunTable:
        """The table of runs."""
        return self.query_one(RunTable)

    def on_mount(self) -> None:
        """Nothing is known yet."""
        self.table.display = False

    def take(self, message: Message) -> None:
        """Show the queue."""
        if not isinstance(message, QueueRead):
            return
        self.query_one("#queue-empty", Line).show(EMPTY)
        self._show_table(bool(message.runs))
        self.table.show(message.runs)
        self._show_detail()

    def chosen(self) -> list[RunRow]:
        """Marked runs, else the highlighted one."""
        return self.table.chosen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Places and holds are for runs that wait."""
        if action in ("hold", "move", "top") and not self._queued():
            return False
        if action == "unmark":
            return bool(self.table.marked)
        return super().check_action(action, parameters)

    def action_hold(self) -> None:
        """Hold runs; release them if all are held."""
        runs = self._queued()
        if all(run.hold for run in runs):
            self.app.act(runs, lambda store, run_id: store.release(run_id), serve=True)
        else:
            free = [run for run in runs if not run.hold]
            self.app.act(free, lambda store, run_id: store.hold(run_id))

    def action_move(self, where: str) -> None:
        """Move runs one place, keeping their order among themselves."""
        runs = self._queued()
        if where == "down":
            self.app.act(runs[::-1], lambda store, run_id: store.down(run_id))
        else:
            self.app.act(runs, lambda store, run_id: store.up(run_id))

    def action_top(self) -> None:
        """Move runs to the front, in their order."""
        self.app.act(self._queued()[::-1], lambda store, run_id: store.top(run_id))

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.table.clear_marks()

    @on(DataTable.RowHighlighted)
    def _show_detail(self) -> None:
        run = self.table.highlighted
        self.query_one("#queue-detail", Line).show(_detail(run) if run else "")
        self.refresh_bindings()

    @on(DataTable.RowSelected)
    def _open(self) -> None:
        run = self.table.highlighted
        if run is not None:
            self.app.open_run(run.id, "1 Queue", [other.id for other in self.table.runs])

    def _queued(self) -> Sequence[RunRow]:
        return [run for run in self.chosen() if run.state == "queued"]

    def _show_table(self, has_rows: bool) -> None:
        had_rows = self.table.display
        self.table.display = self.query_one("#queue-detail").display = has_rows
        self.query_one("#queue-empty").display = not has_rows
        if has_rows and not had_rows and self.display:
            self.table.focus()


def _detail(run: RunRow) -> str:
    """What differs from the preset, and the sentence why it waits or what it does."""
    from ccafl.overview import differences

    found = differences(run)
    shown = [f"{key} {values['run']}" for key, values in list(found.items())[:MOST_DIFFERENCES]]
    more = f" and {len(found) - len(shown)} more" if len(found) > len(shown) else ""
    differing = f"{', '.join(shown)}{more}" if shown else "nothing"
    first = f"{run.id} {run.name}   differs from preset: {differing}   {_config(run, 'data.root')}"
    warning = f"  warning: {run.warning}" if run.warning else ""
    return f"{printable(first)}\n{describe(run)}{printable(warning)}"


def _place(run: RunRow) -> str:
    return "" if run.state in ACTIVE else str(run.place)


COLUMNS = (
    Column(head="#", cell=_place, width=3, right=True),
    Column(head="ID", cell=lambda run: str(run.id), width=4, right=True),
    Column(head="Name", cell=lambda run: printable(run.name), width=0),
    Column(head="Dataset", cell=lambda run: printable(run.dataset) or "-", width=10),
    Column(head="GPU", cell=lambda run: printable(run.gpu), width=4),
    Column(head="Doing", cell=doing, width=14, below_width=110),
    Column(head="Doing", cell=doing, width=30, from_width=110),
    Column(
        head="Backbone", cell=lambda run: _config(run, "model.backbone"), width=8, from_width=110
    ),
    Column(head="Seed", cell=lambda run: _config(run, "run.seed"), width=4, from_width=110),
    Column(head="Tags", cell=lambda run: printable(" ".join(run.tags)), width=12, from_width=110),
)
