"""One run, opened from a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from tui.frame import Opened
from tui.messages import Interest, QueueRead
from tui.run_view import RunView

if TYPE_CHECKING:
    from textual.message import Message
    from textual.widget import Widget


class RunScreen(Opened):
    """The view of a run; `<` and `>` go through the list it was opened from."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("less_than_sign", "other(-1)", "previous run", show=False),
        Binding("greater_than_sign", "other(1)", "next run", show=False),
    ]

    def __init__(self, run_id: int, origin: str, run_ids: Sequence[int]) -> None:
        super().__init__()
        self._run_id, self._origin, self._run_ids = run_id, origin, list(run_ids)
        self._entitle()

    def body(self) -> Iterator[Widget]:
        """The view."""
        yield RunView("opened-run")

    def on_mount(self) -> None:
        """Give the keys to the run."""
        self.query_one(RunView).focus_view()

    def interest(self) -> Interest:
        """The run."""
        return Interest(run=self._run_id)

    def take(self, message: Message) -> None:
        """Show the run."""
        if not isinstance(message, QueueRead):
            self.query_one(RunView).take(message)

    def action_other(self, by: int) -> None:
        """Show the previous or next run of the list."""
        here = self._run_ids.index(self._run_id)
        self._run_id = self._run_ids[(here + by) % len(self._run_ids)]
        self._entitle()
        self.app.draw_frame(self)
        self.app.look()

    def _entitle(self) -> None:
        self.path = f"{self._origin} > run {self._run_id}"
