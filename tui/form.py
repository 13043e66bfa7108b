"""The form that queues new runs, or changes one that waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.worker import Worker, WorkerState, get_current_worker

from ccafl.errors import CcaflError
from ccafl.sentences import printable
from tui.commands import Command
from tui.dialogs import Confirm
from tui.form_check import Checked, check, explain
from tui.form_fields import FormFields
from tui.form_memory import memory_text
from tui.form_offers import Offers, find_offers
from tui.form_order import Ordered, Refused, add, change
from tui.frame import WIDE, Line, Opened, button
from tui.messages import GpusRead
from tui.texts import Lines
from tui.working import Progress, StoppedError, teller

if TYPE_CHECKING:
    from textual.message import Message
    from textual.timer import Timer
    from textual.widget import Widget

    from ccafl.orders import Planner
    from tui.draft import Draft

PAUSE_S = 0.3  # after the last key, before what was typed is checked
ROWS = 78  # columns from which on two short rows stand side by side
UNASKED = 20  # runs that are queued without asking


class FormScreen(Opened):
    """Fields that are checked while one types; nothing is queued before `ctrl+o`."""

    is_typed_into = True
    HORIZONTAL_BREAKPOINTS = [(0, "-cramped"), (ROWS, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "queue", "queue or save", tooltip="queue the run, or save the change"),
        Binding("tab", "app.focus_next", "next", tooltip="next field"),
        Binding("shift+tab", "app.focus_previous", "previous field", show=False),
    ]
    KEYLESS: ClassVar[Sequence[Command]] = (Command("Clear form", "clear", "as for a first run"),)

    def __init__(self, draft: Draft, edited: int | None) -> None:
        super().__init__()
        self._edited = edited
        self._verb = "queued" if edited is None else "saved"
        self._first = self._last = draft
        self._planner: Planner | None = None  # made in a thread: it loads for a while
        self._checked: Checked | None = None
        self._wanted: Draft | None = None  # to be queued as soon as it is checked
        self._timer: Timer | None = None
        self._work: Worker[None] | None = None
        self._focused: Widget | None = None  # before the work
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
        self._show_gpus()
        self._look()
        self._check(self.draft)

    @property
    def draft(self) -> Draft:
        """What stands in the fields."""
        return self.query_one(FormFields).draft

    def take(self, message: Message) -> None:
        """What is free on the GPUs, when NVML has told it again."""
        if isinstance(message, GpusRead):
            self._show_gpus()

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A run that is changed, or queued at this moment, cannot be begun again."""
        if action == "clear":
            return self._edited is None and self._work is None
        return super().check_action(action, parameters)

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
            self._wanted = draft
            self._show_buttons("checking …")
            self._check(draft)
        elif found.problem:
            self.app.say(f"Not {self._verb}. {found.problem}", is_error=True)
            self._look_again()
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
        self.post_message(find_offers(self.app.home, self._edited))

    @work(thread=True, exclusive=True, group="check", exit_on_error=False)
    def _check(self, draft: Draft) -> None:
        from ccafl.orders import Planner

        worker = get_current_worker()
        planner = self._planner = self._planner or Planner(self.app.home)
        found = check(draft, planner, self.app.home)
        if not worker.is_cancelled:
            self.post_message(found)

    def _begin(self, draft: Draft) -> None:
        self._work = self._order(draft)
        self._focused = self.focused
        self.query_one(FormFields).disabled = True  # what is typed now would be lost
        self._show_buttons("checking …")

    @work(thread=True, group="order", exit_on_error=False)
    def _order(self, draft: Draft) -> None:
        worker: Worker[object] = get_current_worker()
        tell = teller(worker, self.post_message)
        try:
            if self._edited is None:
                done = add(draft, self.app.home, tell)
            else:
                done = change(self._edited, self._first, draft, self.app.home, tell)
        except StoppedError:
            self.post_message(Refused("It was stopped. Nothing was changed."))
        except CcaflError as error:
            self.post_message(Refused(explain(draft, str(error))))
        except OSError as error:  # such as a full disk
            self.post_message(Refused(f"Not done: {error.strerror}."))
        else:
            self.post_message(done)

    def _look_again(self) -> None:
        """Check anew: what was wrong with a folder may have been put right since."""
        self._planner = None
        self._check(self.draft)

    # --- messages

    @on(FormFields.Changed)
    def _wait(self) -> None:
        """Check when nothing was typed for a moment."""
        if self._timer is not None:
            self._timer.stop()
        draft = self.draft
        if self._wanted not in (None, draft):
            self._wanted = None
            self._show_buttons()
        if self._checked is None or draft != self._checked.draft:
            self._timer = self.set_timer(PAUSE_S, lambda: self._check(self.draft))
        if draft != self._last:
            self._last = draft
            self._keep(draft)

    @on(Offers)
    def _offer(self, message: Offers) -> None:
        self.query_one(FormFields).offer(message)

    @on(Checked)
    def _show(self, message: Checked) -> None:
        if message.draft != self.draft:
            return  # something else stands there by now
        self._checked = message
        self.query_one(FormFields).show_root(message.data)
        self._show_gpus()
        lines = [f"✗ {message.problem}"] if message.problem else message.remarks
        self.query_one("#form-problem", Line).show("\n".join(lines))
        self.query_one("#form-outlook", Line).show(_outlook(message, self._verb))
        self.query_one("#form-settings-text", Line).show(message.settings)
        if self._wanted is not None:
            self._wanted = None
            self._show_buttons()
            self.action_queue()

    @on(Progress)
    def _show_progress(self, message: Progress) -> None:
        if self._work is not None:
            self._show_buttons(f"{printable(message.line())}   esc stop")

    @on(Refused)
    def _stay(self, message: Refused) -> None:
        self._end_work()
        self.app.say(message.reason, is_error=True)

    @on(Worker.StateChanged)
    def _break_off(self, event: Worker.StateChanged) -> None:
        """The frame says what broke a thread; the fields stay."""
        if event.state == WorkerState.ERROR:
            self._end_work()

    def _end_work(self) -> None:
        """Let the fields be changed again."""
        self._work = None
        self._show_buttons()
        fields = self.query_one(FormFields)
        if fields.disabled:
            fields.disabled = False
            self.set_focus(self._focused)

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

    def _show_gpus(self) -> None:
        """Offer the GPUs that NVML tells of; say which of them has the memory that is needed."""
        found, text, gpus = self._checked, "", self.app.signs.strip.gpus
        if found is not None and found.gpu_memory is not None:
            text = memory_text(found.gpu_memory, found.draft.gpu, gpus)
        self.query_one(FormFields).offer_gpus([str(gpu.index) for gpu in gpus], text)

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


def _outlook(found: Checked, verb: str) -> str:
    if found.problem:
        return f"Nothing can be {verb} yet."
    runs = "1 run" if found.count == 1 else f"{found.count:,} runs, each"
    return f"{runs}: {found.duration}" if found.duration else f"{runs.removesuffix(', each')}."
