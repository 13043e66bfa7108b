"""Runs that wait and work, and in one sentence why each does what it does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from ccafl.sentences import describe, printable, state
from tui.acting import ACTIVE, Acting
from tui.columns import Column
from tui.frame import WIDE, Line
from tui.lists import RunTable, glyph_and_word
from tui.messages import QueueRead, RunRead
from tui.preview import Preview
from tui.run_cells import backbone, dataset, seed, setting, stored, tags
from tui.starts import when

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.message import Message

    from ccafl.listings import Listing
    from ccafl.store import RunRow, Store

NO_RUNS = "No runs yet.  a  add the first one,  v  verify a dataset,  or: ccafl run --help"
EMPTY = "No runs wait or work.  a  add one,  v  verify a dataset,  or: ccafl run --help"
FIRST_ROWS = 100  # of a long queue, to be on the screen soon
MOST_DIFFERENCES = 6
STAGES_WIDTH, DATASET_WIDTH = 20, 8


class QueuePane(Acting):
    """The queue in its order, and the keys that change it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "hold", "hold", tooltip="hold the run, or release it"),
        Binding("J", "move(1)", "down", tooltip="move the run one place down"),
        Binding("K", "move(-1)", "up", tooltip="move the run one place up"),
        Binding("T", "top", "to top", tooltip="make the run the next one", show=False),
        Binding(
            "w",
            "export",
            "export",
            tooltip="write what is listed, or copy it",
            show=False,
        ),
        Binding("escape", "unmark", "take marks away", show=False),
    ]

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._places: Mapping[int, str] = {}
        self._leases: Mapping[int, Sequence[str]] = {}
        self._when: Mapping[int, str] = {}

    def compose(self) -> ComposeResult:
        """Table, detail, and where there is room a look at the highlighted run."""
        columns = _columns(
            place=lambda run: self._places.get(run.id, ""),
            device=self._device,
            starts_or_ends=lambda run: self._when.get(run.id, ""),
        )
        table = RunTable(columns, "queue-table", words_from=WIDE)
        table.display = False  # nothing is known yet
        yield table
        yield Line("queue-empty", "Reading the database …")
        yield Line("queue-detail")
        yield Preview("queue-preview")

    @property
    def table(self) -> RunTable:
        """The table of runs."""
        return self.query_one(RunTable)

    def on_resize(self) -> None:
        """There may be room for a preview now."""
        if self.display:
            self.app.look()

    @property
    def previewed(self) -> int | None:
        """The run to be read for the preview; None where there is no room for one."""
        run = self.table.highlighted
        return run.id if run is not None and self.app.is_large else None

    def take(self, message: Message) -> None:
        """Show the queue, or what was read of the highlighted run."""
        if isinstance(message, RunRead) and message.snapshot.run.id == self.previewed:
            self.query_one(Preview).take(message)
        if not isinstance(message, QueueRead):
            return
        self.query_one("#queue-empty", Line).show(EMPTY if message.ended else NO_RUNS)
        waiting = enumerate((run for run in message.runs if run.state == "queued"), start=1)
        self._places = {run.id: str(place) for place, run in waiting if not run.hold}
        self._leases = message.leases
        now, is_paused = self.app.clock(), message.is_paused
        self._when = when(message.runs, message.times, now, is_paused=is_paused)
        self._show_table(bool(message.runs))
        self.table.marked.intersection_update(run.id for run in message.runs)
        is_long = not self.table.runs and len(message.runs) > FIRST_ROWS
        self.table.show(message.runs[:FIRST_ROWS] if is_long else message.runs)
        if is_long:  # the rest comes once these are on the screen
            self.call_after_refresh(self.app.look, anew=True)
        self._show_detail()

    def chosen(self) -> list[RunRow]:
        """Marked runs, else the highlighted one."""
        return self.table.chosen()

    @property
    def here(self) -> RunRow | None:
        """The highlighted run, whatever is marked."""
        return self.table.highlighted

    def focus_view(self) -> None:
        """Give the keys to the list, at once: the next one may have been typed already."""
        self.screen.set_focus(self.table if self.table.display else self)

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

    def action_move(self, by: int) -> None:
        """Move runs one place, keeping their order among themselves."""
        runs = self._queued()[::-by]  # the one that goes ahead makes room for the next
        ids = [run.id for run in runs]
        self.app.act(runs, lambda store, run_id: _move(store, run_id, ids, by))

    def action_top(self) -> None:
        """Move runs to the front, in their order."""
        self.app.act(self._queued()[::-1], lambda store, run_id: store.top(run_id))

    def action_export(self) -> None:
        """Write the queue, as `ccafl queue` lists it."""
        self.app.export(listing, "queue")

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.table.clear_marks()

    @on(DataTable.RowHighlighted)
    def _show_detail(self) -> None:
        run = self.table.highlighted
        self.query_one("#queue-detail", Line).show(_detail(run) if run else "")
        if run is not None and self.query_one(Preview).expect(run.id) and self.app.is_large:
            self.app.look()
        self.refresh_bindings()

    @on(DataTable.RowSelected)
    def _open(self) -> None:
        run = self.table.highlighted
        if run is not None:
            self.app.open_run(run.id, "1 Queue", [other.id for other in self.table.runs])

    def _device(self, run: RunRow) -> str:
        """The GPUs that a run has, by their index, else what it asks for."""
        known = {gpu.uuid: str(gpu.index) for gpu in self.app.signs.strip.gpus} | {"cpu": "cpu"}
        held = [known.get(uuid) for uuid in self._leases.get(run.id, ())]
        if held and run.state in ACTIVE and None not in held:
            return ",".join(filter(None, held))
        return printable(run.gpu)

    def _queued(self) -> Sequence[RunRow]:
        return [run for run in self.chosen() if run.state == "queued"]

    def _show_table(self, has_rows: bool) -> None:
        had_rows = self.table.display
        self.table.display = self.query_one("#queue-detail").display = has_rows
        self.query_one(Preview).set_class(not has_rows, "-empty")
        self.query_one("#queue-empty").display = not has_rows
        if has_rows != had_rows and self.display:
            self.focus_view()


def _move(store: Store, run_id: int, together: Collection[int], by: int) -> str:
    """Move a run one place, unless one that is moved together with it is stuck there."""
    order = [run.id for run in store.runs(("queued",))]
    there = order.index(run_id) + by if run_id in order else -1
    if 0 <= there < len(order) and order[there] in together:
        return ""
    return store.down(run_id) if by > 0 else store.up(run_id)


def listing(store: Store) -> Listing:
    """The queue for a file."""
    from ccafl.listings import Listing, record
    from ccafl.store import ACTIVE as WORKING
    from ccafl.tables import queue_objects, queue_table

    runs = store.runs((*WORKING, "queued"))
    table, objects = queue_table(runs), queue_objects(runs)
    return Listing(table, objects, [record(found) for found in objects], table)


def _detail(run: RunRow) -> str:
    """What differs from the preset, and the sentence why it waits or what it does."""
    from ccafl.overview import differences, value_text

    own = [f"{key} {value_text(values['run'])}" for key, values in differences(run).items()]
    shown = own[:MOST_DIFFERENCES]
    more = f" and {len(own) - len(shown)} more" if len(own) > len(shown) else ""
    differing = f"{', '.join(shown)}{more}" if shown else "nothing"
    data = f"{backbone(run)}   root {setting(run, 'data', 'root')}"
    first = f"{run.id} {run.name}   differs from preset: {differing}   {data}"
    warning = f"  warning: {run.warning}" if run.warning else ""
    second = f"{glyph_and_word(state(run))}   {describe(run)}{printable(warning)}"
    return f"{printable(first)}\n{second}"


def _dataset(run: RunRow) -> str:
    """The name, the number that some carry left out where it does not fit."""
    name = dataset(run)
    return name if len(name) <= DATASET_WIDTH else name.split("-")[0]


def stages(run: RunRow) -> str:
    """The stages to train, the one at work in brackets, and where earlier ones come from."""
    names = stored(run.config)["run"]["stages"]
    is_active = run.state in ACTIVE
    text = " ".join(f"[{name}]" if is_active and name == run.stage else name for name in names)
    if run.source is None:
        return text
    origin = f"{text} (from run {run.source})"
    return origin if len(origin) <= STAGES_WIDTH else f"{text} (run {run.source})"


def _added(run: RunRow) -> str:
    return datetime.fromtimestamp(run.created).strftime("%d %b")


def _columns(
    *,
    place: Callable[[RunRow], str],
    device: Callable[[RunRow], str],
    starts_or_ends: Callable[[RunRow], str],
) -> tuple[Column, ...]:
    return (
        Column(head="", cell=place, width=2, is_right=True),
        Column(head="ID", cell=lambda run: str(run.id), width=4, is_right=True),
        Column(head="Name", cell=lambda run: printable(run.name), width=0),
        Column(head="Dataset", cell=_dataset, width=DATASET_WIDTH),
        Column(head="Stages", cell=stages, width=STAGES_WIDTH),
        Column(head="GPU", cell=device, width=4),
        Column(head="Starts or ends", cell=starts_or_ends, width=14),
        Column(head="Bkb", cell=backbone, width=5, from_width=WIDE),
        Column(head="Seed", cell=seed, width=4, is_right=True, from_width=WIDE),
        Column(head="Tags", cell=tags, width=8, from_width=WIDE),
        Column(head="Added", cell=_added, width=6, from_width=WIDE),
    )
