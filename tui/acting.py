"""Keys that act on runs; the same letter means the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tui.dialogs import Confirm, Labels

if TYPE_CHECKING:
    from ccafl.store import RunRow
    from tui.program import CcaflApp

WRITING = frozenset(
    ("cancel_runs", "resume_runs", "labels", "hold", "move", "top", "pause")
)  # what --read-only takes away
ACTIVE = ("starting", "running", "cancelling")  # as in ccafl.store, which loads later
AGAIN = ("failed", "cancelled", "lost")


class Acting(Vertical):
    """A part of a screen that knows which runs its keys are meant for."""

    app: CcaflApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "cancel_runs", "cancel", tooltip="cancel the run, after y"),
        Binding("r", "resume_runs", "resume", tooltip="resume from the newest checkpoint"),
        Binding("t", "labels", "tags", tooltip="change tags and note"),
    ]

    def chosen(self) -> list[RunRow]:
        """The runs to act on."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key does something here and now; the others are not shown."""
        del parameters
        if action in WRITING and self.app.read_only:
            return False
        if action == "cancel_runs":
            return any(run.state in (*ACTIVE, "queued") for run in self.chosen())
        if action == "resume_runs":
            return any(run.state in AGAIN for run in self.chosen())
        if action == "labels":
            return bool(self.chosen())
        return True

    def action_cancel_runs(self) -> None:
        """Ask, then cancel."""
        runs = [run for run in self.chosen() if run.state in (*ACTIVE, "queued")]
        if runs:
            self.app.push_screen(
                Confirm(_question(runs), yes="cancel it" if len(runs) == 1 else "cancel them"),
                lambda is_sure: self._cancel(runs) if is_sure else None,
            )

    def action_resume_runs(self) -> None:
        """Put ended runs back into the queue."""
        runs = [run for run in self.chosen() if run.state in AGAIN]
        self.app.act(runs, lambda store, run_id: store.resume(run_id), serve=True)

    def action_labels(self) -> None:
        """Edit tags and note of one run."""
        if chosen := self.chosen():
            run = chosen[0]
            self.app.push_screen(Labels(run), lambda changed: self._label(run, changed))

    def _cancel(self, runs: list[RunRow]) -> None:
        self.app.act(runs, lambda store, run_id: store.cancel(run_id), serve=True)

    def _label(self, run: RunRow, changed: tuple[list[str], str] | None) -> None:
        if changed is None:
            return
        tags, note = changed
        if tags != list(run.tags):
            self.app.act([run], lambda store, run_id: store.set_tags(run_id, tags))
        if note != run.note:
            self.app.act([run], lambda store, run_id: store.set_note(run_id, note))


def _question(runs: list[RunRow]) -> str:
    """What would happen, with the names of what it would happen to."""
    if len(runs) > 1:
        names = ", ".join(str(run.id) for run in runs)
        return f"Cancel runs {names}? Those that train save first and can be resumed."
    run = runs[0]
    title = f"Cancel run {run.id} {run.name}?"
    if run.state == "queued":
        return f"{title} It has not started; it leaves the queue."
    if run.cancel_requested:
        return (
            f"{title} It was asked to stop already and is saving. Asked again it is killed at "
            "once; its newest complete checkpoint stays."
        )
    return f"{title} It saves at the end of this iteration and can be resumed from there."
