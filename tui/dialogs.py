"""Small questions above a screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ccafl.errors import CcaflError
from ccafl.sentences import printable
from tui.fields import Field
from tui.frame import Line, button

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ccafl.store import RunRow
    from tui.program import CcaflApp


class Confirm(ModalScreen[bool]):
    """A question that only `y`, or a click on it, answers with yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("escape,n", "answer(False)", "no"),
    ]

    def __init__(self, question: str, *, yes: str, no: str) -> None:
        super().__init__()
        self._question, self._yes, self._no = question, yes, no

    def compose(self) -> ComposeResult:
        """The question and its two answers."""
        with Vertical(classes="dialog"):
            yield Static(printable(self._question), markup=False)
            yield _answers({"answer(True)": f"y {self._yes}", "answer(False)": f"esc {self._no}"})

    def action_answer(self, is_sure: bool) -> None:
        """Close with the answer."""
        self.dismiss(is_sure)


class Labels(ModalScreen["tuple[list[str], str] | None"]):
    """Tags, separated by spaces, and the note of a run; None when left with `esc`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "save", "save"),
        Binding("escape", "leave", "leave as it was"),
    ]

    def __init__(self, run: RunRow) -> None:
        super().__init__()
        self._run = run

    def compose(self) -> ComposeResult:
        """Two fields."""
        run = self._run
        with Vertical(classes="dialog"):
            yield Static(printable(f"Run {run.id} {run.name}"), markup=False)
            yield Static("tags, separated by spaces", markup=False, classes="label")
            yield Field(" ".join(run.tags), id="tags")
            yield Static("note", markup=False, classes="label")
            yield Field(run.note, id="note")
            yield _answers({"save": "ctrl+o save", "leave": "esc leave"})

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the next field; the last one saves."""
        if event.input.id == "tags":
            self.query_one("#note", Input).focus()
        else:
            self.action_save()

    def action_save(self) -> None:
        """Close with the new texts."""
        tags = self.query_one("#tags", Input).value.split()
        self.dismiss((tags, self.query_one("#note", Input).value))

    def action_leave(self) -> None:
        """Close without a change."""
        self.dismiss(None)


class DeleteRun(ModalScreen[bool]):
    """Asks for the number of the run that is to be deleted, and shows how much it takes."""

    @dataclass
    class Measured(Message):
        """What deleting would give back, or why nobody knows."""

        text: str

    app: CcaflApp
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "keep it")]

    def __init__(self, run: RunRow) -> None:
        super().__init__()
        self._run = run

    def compose(self) -> ComposeResult:
        """What would be lost, and a field for the number."""
        run = self._run
        with Vertical(classes="dialog"):
            yield Static(
                printable(
                    f"Delete run {run.id} {run.name} ({run.state}) for good, with its losses, "
                    "evaluations, weights and log?"
                ),
                markup=False,
            )
            yield Line("delete-size", "counting its bytes …")
            yield Static(f"type {run.id} and press enter", markup=False, classes="label")
            yield Field(id="delete-number")
            yield _answers({"delete": "enter delete", "leave": "esc keep it"})

    def on_mount(self) -> None:
        """Count."""
        self._measure()

    @work(thread=True, exit_on_error=False)
    def _measure(self) -> None:
        from ccafl.store import open_store
        from ccafl.tables import byte_count

        try:
            with open_store(self.app.home) as store:
                text = f"This frees {byte_count(store.size(self._run.id))}."
        except CcaflError as error:
            text = printable(str(error))
        self.post_message(self.Measured(text))

    @on(Measured)
    def _show(self, message: Measured) -> None:
        self.query_one("#delete-size", Line).show(message.text)

    @on(Input.Submitted)
    def action_delete(self) -> None:
        """Close with yes if the number is right."""
        typed = self.query_one(Field).value.strip()
        if typed == str(self._run.id):
            self.dismiss(True)
        else:
            self.query_one("#delete-size", Line).show(
                f"Nothing was deleted: {typed or 'nothing'} was typed, not {self._run.id}."
            )

    def action_leave(self) -> None:
        """Close with no."""
        self.dismiss(False)


def _answers(actions: dict[str, str]) -> Static:
    """A line of answers; a click on one gives it."""
    parts = [button(text, f"screen.{action}") for action, text in actions.items()]
    return Static(Content("\n").append(Content("    ").join(parts)), markup=False)
