"""The form that queues new runs, or changes one that waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.worker import Worker, WorkerState, get_current_worker

from ccafl.errors import CcaflError, ConfigError
from ccafl.sentences import printable
from tui.commands import Command
from tui.dialogs import Confirm
from tui.form_check import Checked, check, explain
from tui.form_fields import FormFields
from tui.form_offers import GpusOffered, Offers, find_offers
from tui.frame import Line, Opened, button
from tui.texts import Lines
from tui.working import Progress, StoppedError, teller

if TYPE_CHECKING:
    from textual.timer import Timer
    from textual.widget import Widget

    from ccafl.datasets.check import Tell
    from ccafl.paths import Home
    from tui.draft import Draft

PAUSE_S = 0.3  # after the last key, before what was typed is checked
UNASKED = 20  # runs that are queued without asking


@dataclass
class Ordered(Message):
    """What was asked for is done."""

    sentence: str
    remarks: Sequence[str] = ()


@dataclass
class Refused(Message):
    """It was not done, and why; without a reason because it was stopped."""

    reason: str


class FormScreen(Opened):
    """Fields that are checked while one types; nothing is queued before `ctrl+o`."""

    is_typed_into = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "queue", "queue or save", tooltip="queue the run, or save the change"),
        Binding("tab", "app.focus_next", "next", tooltip="next field"),
        Binding("shift+tab", "app.focus_previous", "previous field", show=False),
    ]
    # Textual's own palette reads its providers from this name; ours is not given any
    COMMANDS: ClassVar[Sequence[Command]] = (  # type: ignore[assignment]
        Command("Clear form", "clear", "as for a first run"),
    )

    def __init__(self, home: Home, draft: Draft, edited: int | None) -> None:
        from ccafl.orders import Planner

        super().__init__()
        self._home, self._first, self._edited = home, draft, edited
        self._planner = Planner(home)
        self._checked: Checked | None = None
        self._is_wanted = False
        self._timer: Timer | None = None
        self._work: Worker[None] | None = None
        self.path = f"1 Queue > {'new run' if edited is None else f'edit run {edited}'}"

    def body(self) -> Iterator[Widget]:
        """Fields, what is wrong with them, what they come to; beside them all settings."""
        with Horizontal(id="form"):
            with Vertical(id="form-side"):
                yield FormFields(self._first, is_new=self._edited is None)
                yield Line("form-problem")
                yield Line("form-outlook", "checking …")
                yield Line("form-buttons")
            with Lines(id="form-settings"):
                yield Line("form-settings-text")

    def on_mount(self) -> None:
        """Look at what can be chosen, and check what stands in the fields."""
        self.query_one("#root").focus()
        self._show_buttons()
        self._look()
        self._check(self._first)

    @property
    def draft(self) -> Draft:
        """What stands in the fields."""
        return self.query_one(FormFields).draft

    # --- keys

    def action_leave(self) -> None:
        """Stop the work, else go back; what was typed is kept."""
        if self._work is not None:
            self._work.cancel()
            self._show_buttons("stopping …")
        else:
            self.dismiss()

    def action_clear(self) -> None:
        """Begin again with empty fields."""
        self._keep(None)
        self.dismiss()
        self.app.action_add()

    def action_queue(self) -> None:
        """Check everything once more, every image too, and queue."""
        found, draft = self._checked, self.draft
        if self._work is not None:
            return
        if found is None or found.draft != draft:
            self._is_wanted = True  # as soon as it is checked
            self._check(draft)
        elif found.problem:
            self.app.say(f"Not queued. {found.problem}", is_error=True)
        elif found.count > UNASKED:
            self.app.push_screen(
                Confirm(f"Queue {found.count:,} runs?", yes="queue them", no="back"),
                lambda is_sure: self._begin(draft) if is_sure else None,
            )
        else:
            self._begin(draft)

    # --- work in threads

    @work(thread=True, group="offers", exit_on_error=False)
    def _look(self) -> None:
        self.post_message(find_offers(self._home))
        gpus = self._planner.gpus().gpus
        self.post_message(GpusOffered([str(gpu.index) for gpu in gpus]))

    @work(thread=True, exclusive=True, group="check", exit_on_error=False)
    def _check(self, draft: Draft) -> None:
        worker = get_current_worker()
        found = check(draft, self._planner, self._home)
        if not worker.is_cancelled:
            self.post_message(found)

    def _begin(self, draft: Draft) -> None:
        self._work = self._order(draft)
        self._show_buttons("checking …")

    @work(thread=True, group="order", exit_on_error=False)
    def _order(self, draft: Draft) -> None:
        worker: Worker[object] = get_current_worker()
        try:
            done = _carry_out(draft, self._edited, self._home, teller(worker, self.post_message))
        except StoppedError:
            self.post_message(Refused("It was stopped. Nothing was changed."))
        except CcaflError as error:
            self.post_message(Refused(explain(draft, str(error))))
        else:
            self.post_message(done)

    # --- messages

    @on(FormFields.Changed)
    def _wait(self) -> None:
        """Check when nothing was typed for a moment."""
        if self._timer is not None:
            self._timer.stop()
        draft = self.draft
        if self._checked is None or draft != self._checked.draft:
            self._timer = self.set_timer(PAUSE_S, lambda: self._check(self.draft))
        if draft != self._first:
            self._keep(draft)

    @on(Offers)
    def _offer(self, message: Offers) -> None:
        self.query_one(FormFields).offer(message)

    @on(GpusOffered)
    def _offer_gpus(self, message: GpusOffered) -> None:
        self.query_one(FormFields).offer_gpus(message.indices)

    @on(Checked)
    def _show(self, message: Checked) -> None:
        self._checked = message
        self.query_one(FormFields).show_root(message.data)
        lines = [f"✗ {message.problem}"] if message.problem else message.remarks
        self.query_one("#form-problem", Line).show("\n".join(lines))
        self.query_one("#form-outlook", Line).show(_outlook(message))
        if message.settings:
            self.query_one("#form-settings-text", Line).show(message.settings)
        if self._is_wanted:
            self._is_wanted = False
            self.action_queue()

    @on(Progress)
    def _show_progress(self, message: Progress) -> None:
        if self._work is not None:
            self._show_buttons(f"{printable(message.line())}   esc stop")

    @on(Refused)
    def _stay(self, message: Refused) -> None:
        self._work = None
        self._show_buttons()
        self.app.say(message.reason, is_error=True)

    @on(Worker.StateChanged)
    def _admit(self, event: Worker.StateChanged) -> None:
        """Say what broke a thread, such as a full disk; the fields stay."""
        error = event.worker.error
        if event.state == WorkerState.ERROR and error is not None:
            self.post_message(Refused(printable(f"Not done: {type(error).__name__}: {error}")))

    @on(Ordered)
    def _done(self, message: Ordered) -> None:
        self._work = None
        if self._edited is None:
            self._keep(None)
        for remark in message.remarks:
            self.app.say(remark)
        self.app.say(message.sentence)
        self.dismiss()
        self.app.action_pane("queue")

    def _keep(self, draft: Draft | None) -> None:
        """Remember what was typed for the next time; a change of a run is not."""
        if self._edited is None:
            kept = asdict(draft) if draft is not None else {}
            self.app.remembered = replace(self.app.remembered, draft=kept)

    def _show_buttons(self, instead: str = "") -> None:
        """Two buttons, or what is being done."""
        name = "Queue run" if self._edited is None else "Save change"
        buttons = Content.assemble(
            button(f"[ {name} ]", "screen.queue"), "   ", button("[ Back ]", "screen.leave")
        )
        self.query_one("#form-buttons", Line).show(Content(instead) if instead else buttons)


def _outlook(found: Checked) -> str:
    if found.problem:
        return "Nothing can be queued yet."
    runs = "1 run" if found.count == 1 else f"{found.count:,} runs, each"
    return f"{runs}: {found.duration}" if found.duration else f"{runs.removesuffix(', each')}."


def _carry_out(draft: Draft, edited: int | None, home: Home, tell: Tell) -> Ordered:
    """Queue the runs of a draft, or change one."""
    from ccafl.orders import Planner, change, prepare, remarks, submit

    plans = Planner(home).plan(draft.order())
    if edited is not None and len(plans) > 1:
        raise ConfigError("This changes one run; name one seed, and one value of each setting.")
    ready = prepare(plans, home, tell)
    warnings = [line for line in remarks(ready) if line.startswith("warning: ")]
    if edited is not None:
        return Ordered(change(edited, ready[0], home, hold=draft.hold), warnings)
    run_ids = submit(ready, home, hold=draft.hold, first=draft.is_next)
    names = ", ".join(map(str, run_ids))
    sentence = f"Run {names} is queued." if len(run_ids) == 1 else f"Runs {names} are queued."
    return Ordered(sentence, warnings)
