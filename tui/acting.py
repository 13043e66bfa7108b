"""Keys that act on runs; the same letter means the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical

from ccafl.errors import BusyError, StoreError
from tui.commands import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ccafl.store import RunRow, Store
    from tui.actor import Act
    from tui.program import CcaflApp

    Attempt = Callable[[Store, int], str]  # to do something to the run of a number

# what --read-only takes away
WRITING = {
    "add",
    "duplicate",
    "edit",
    "cancel_runs",
    "resume_runs",
    "retry_run",
    "delete_run",
    "labels",
    "hold",
    "move",
    "top",
    "pause",
}
ACTIVE = ("starting", "running", "cancelling")  # as in ccafl.store, which loads later
AGAIN = ("failed", "cancelled", "lost")
ENDED = ("finished", *AGAIN)


class Acting(Vertical, can_focus=True):
    """A part of a screen that knows which runs its keys are meant for."""

    app: CcaflApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "app.add", "add", tooltip="add a run"),  # works everywhere, is shown here
        Binding("x", "cancel_runs", "cancel", tooltip="cancel the run, after y"),
        Binding("r", "resume_runs", "resume", tooltip="resume from the newest checkpoint"),
        Binding("e", "edit", "edit", tooltip="change the run while it waits"),
        Binding("d", "duplicate", "duplicate", tooltip="a new run with the same settings"),
        Binding("t", "labels", "tags", tooltip="change tags and note"),
    ]
    KEYLESS: ClassVar[Sequence[Command]] = (
        Command("Retry run", "retry_run", "from the start, after y"),
        Command("Delete run", "delete_run", "with everything it wrote, after its number"),
    )

    def chosen(self) -> list[RunRow]:
        """The runs to act on; none, unless a part says."""
        return []

    @property
    def here(self) -> RunRow | None:
        """The run for what is done to one alone; none, unless a part says."""
        return None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key does something here and now; the others are not shown."""
        del parameters
        if action in WRITING and self.app.read_only:
            return False
        chosen = self.chosen()
        if action == "cancel_runs":
            return any(run.state in (*ACTIVE, "queued") for run in chosen)
        if action == "resume_runs":
            return any(run.state in AGAIN for run in chosen)
        states = {"edit": ("queued",), "retry_run": AGAIN, "delete_run": ENDED}
        if action in states:
            return self.here is not None and self.here.state in states[action]
        if action in ("labels", "duplicate"):
            return self.here is not None
        return True

    def action_cancel_runs(self) -> None:
        """Ask, then cancel."""
        runs = [run for run in self.chosen() if run.state in (*ACTIVE, "queued")]
        # those that are stopping already would be killed, which is asked about them alone
        runs = [run for run in runs if not run.cancel_requested] or runs[:1]
        if runs:
            from tui.dialogs import Confirm

            self.app.push_screen(
                Confirm(_question(runs), yes=_yes(runs), no=_no(runs)),
                lambda is_sure: self._cancel(runs) if is_sure else None,
            )

    def action_resume_runs(self) -> None:
        """Put ended runs back into the queue."""
        runs = [run for run in self.chosen() if run.state in AGAIN]
        self.app.act(runs, lambda store, run_id: store.resume(run_id), serve=True)

    def action_duplicate(self) -> None:
        """Open the form with the settings of a run."""
        from tui.draft import draft_of

        run = self.here
        assert run is not None, "check_action asks for a run"
        self.app.open_form(draft_of(run, self.app.home))

    def action_edit(self) -> None:
        """Open the form with a run that waits."""
        from tui.draft import draft_of

        run = self.here
        assert run is not None, "check_action asks for a run"
        self.app.open_form(draft_of(run, self.app.home), edited=run.id)

    def action_retry_run(self) -> None:
        """Ask, then queue an ended run to start from the beginning."""
        from tui.dialogs import Confirm

        run = self.here
        assert run is not None, "check_action asks for a run"
        self.app.push_screen(
            Confirm(_retry_question(run), yes="start again", no="leave it as it is"),
            lambda is_sure: self._retry(run) if is_sure else None,
        )

    def action_delete_run(self) -> None:
        """Have the number typed, then delete."""
        from tui.dialogs import DeleteRun

        run = self.here
        assert run is not None, "check_action asks for a run"
        self.app.push_screen(
            DeleteRun(run), lambda is_sure: self.app.act([run], _delete) if is_sure else None
        )

    def action_labels(self) -> None:
        """Edit tags and note of one run."""
        from tui.dialogs import Labels

        run = self.here
        assert run is not None, "check_action asks for a run"
        self.app.push_screen(Labels(run), lambda changed: self._label(run, changed))

    def _cancel(self, runs: list[RunRow]) -> None:
        seen = {run.id: run for run in runs}
        self.app.act(runs, lambda store, run_id: _cancel_as_seen(store, seen[run_id]), serve=True)

    def _retry(self, run: RunRow) -> None:
        self.app.act([run], lambda store, run_id: store.retry(run_id), serve=True)

    def _label(self, run: RunRow, changed: tuple[list[str], str] | None) -> None:
        if changed is None:
            return
        tags, note = changed
        if tags != list(run.tags):
            self.app.act([run], lambda store, run_id: store.set_tags(run_id, tags))
        if note != run.note:
            self.app.act([run], lambda store, run_id: store.set_note(run_id, note))


def or_too_late(run: RunRow, attempt: Attempt) -> Act:
    """An action on a run; where another window was faster it says that, not what is wrong now."""

    def act(store: Store) -> str:
        try:
            return attempt(store, run.id)
        except BusyError:
            raise
        except StoreError:
            _refuse_changed(store, run)
            raise

    return act


def _refuse_changed(store: Store, seen: RunRow) -> None:
    """Say it if a run is not in the state that the screen showed."""
    from ccafl.store.edit import too_late

    now = store.run(seen.id).state
    if now != seen.state:
        raise StoreError(f"{too_late(seen.id, now)} Nothing was changed.")


def _cancel_as_seen(store: Store, seen: RunRow) -> str:
    """Cancel, if that still does what the question said: asked twice, a run is killed."""
    now = store.run(seen.id)
    if (now.state == "queued") != (seen.state == "queued"):
        _refuse_changed(store, seen)
    if now.cancel_requested != seen.cancel_requested:
        raise StoreError(
            f"Run {seen.id} is being cancelled already (another window). Nothing was changed."
        )
    return store.cancel(seen.id)


def _delete(store: Store, run_id: int) -> str:
    from ccafl.tables import byte_count

    return f"Run {run_id} is deleted: {byte_count(store.delete(run_id))}."


def _question(runs: list[RunRow]) -> str:
    """What would happen, with the names of what it would happen to."""
    if len(runs) > 1:
        names = ", ".join(str(run.id) for run in runs)
        return f"Cancel {len(runs)} runs ({names})? Those that train save first and can be resumed."
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


def _yes(runs: list[RunRow]) -> str:
    return "cancel it" if len(runs) == 1 else "cancel them"


def _no(runs: list[RunRow]) -> str:
    is_training = any(run.state in ACTIVE and not run.cancel_requested for run in runs)
    return "keep running" if is_training else "leave it as it is"


def _retry_question(run: RunRow) -> str:
    """What is lost when a run starts again."""
    what = f"Start run {run.id} {run.name} again from the beginning? Its losses and evaluations"
    if run.checkpoint is None:
        return f"{what} are replaced when it starts; it saved no checkpoint."
    return (
        f"{what} and its checkpoint of step {run.checkpoint:,} are replaced when it starts; "
        "r goes on from the checkpoint instead."
    )
