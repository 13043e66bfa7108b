"""The run that trains: the newest one, until another is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical

from ccafl.sentences import waits
from tui.acting import ACTIVE
from tui.frame import Line
from tui.messages import QueueRead
from tui.run_view import RunView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.message import Message

    from ccafl.store import RunRow
    from tui.program import CcaflApp


class LivePane(Vertical, can_focus=True):
    """A run view that follows what trains; a run that ends stays until another one begins."""

    app: CcaflApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "app.add", "add", tooltip="add a run"),  # works everywhere, is shown here
        Binding("less_than_sign", "other(-1)", "previous run", show=False),
        Binding("greater_than_sign", "other(1)", "next run", show=False),
    ]

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.run_id: int | None = None
        self._is_chosen = False
        self._active: list[int] = []

    def compose(self) -> ComposeResult:
        """The run, or why there is none; nothing is known yet."""
        view = RunView("live-run")
        view.display = False
        yield view
        yield Line("live-empty", " Reading the database …")

    @property
    def view(self) -> RunView:
        """The view of the run."""
        return self.query_one(RunView)

    def take(self, message: Message) -> None:
        """Choose a run, and show it."""
        if isinstance(message, QueueRead):
            self._choose(message.runs)
        else:
            self.view.take(message)

    def action_other(self, by: int) -> None:
        """Show the previous or next run that trains."""
        if self._active:
            here = self._active.index(self.run_id) if self.run_id in self._active else 0
            self._is_chosen = True
            self._show(self._active[(here + by) % len(self._active)])
            self.app.look()

    def focus_view(self) -> None:
        """Give the keys to the run, if there is one."""
        if self.run_id is None:
            self.screen.set_focus(self)
        else:
            self.view.focus_view()

    def _choose(self, runs: Sequence[RunRow]) -> None:
        active = [run for run in runs if run.state in ACTIVE]
        before, self._active = self._active, [run.id for run in active]
        if self._is_chosen and self.run_id in self._active:
            return
        begun = [run for run in active if self.run_id is None or run.id not in before]
        if begun:
            newest = max(begun, key=lambda run: (run.started or run.created, run.id))
            self._is_chosen = False
            if newest.id != self.run_id:
                self._show(newest.id)
                self.app.look()
        elif self.run_id is None:
            queued = sorted(runs, key=lambda run: run.hold)  # a held run comes after all others
            following = f" Next: run {queued[0].id}, {waits(queued[0])}." if queued else ""
            self.query_one("#live-empty", Line).show(f" Nothing is running.{following}")

    def _show(self, run_id: int) -> None:
        self.run_id = run_id
        self.view.display, self.query_one("#live-empty").display = True, False
        if self.display:
            self.call_after_refresh(self._focus_if_shown)

    def _focus_if_shown(self) -> None:
        if self.display and self.screen.is_current:
            self.focus_view()
