"""Small questions above a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ccafl.sentences import printable

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ccafl.store import RunRow


class Confirm(ModalScreen[bool]):
    """A question that only `y` answers with yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("escape,n", "answer(False)", "no"),
    ]

    def __init__(self, question: str, *, yes: str) -> None:
        super().__init__()
        self._question, self._yes = question, yes

    def compose(self) -> ComposeResult:
        """The question and its two answers."""
        with Vertical(classes="dialog"):
            yield Static(printable(self._question), markup=False)
            yield Static(f"\ny {self._yes}    esc leave it as it is", markup=False)

    def action_answer(self, is_sure: bool) -> None:
        """Close with the answer."""
        self.dismiss(is_sure)


class Labels(ModalScreen["tuple[list[str], str] | None"]):
    """Tags, separated by spaces, and the note of a run; None when left with `esc`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "save", "save", priority=True),
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
            yield Input(" ".join(run.tags), id="tags", compact=True, select_on_focus=False)
            yield Static("note", markup=False, classes="label")
            yield Input(run.note, id="note", compact=True, select_on_focus=False)
            yield Static("\nenter next field    ctrl+o save    esc leave", markup=False)

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
