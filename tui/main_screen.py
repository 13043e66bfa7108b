"""The three panes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.widgets import ContentSwitcher

from tui.frame import Framed
from tui.history_pane import HistoryPane
from tui.live_pane import LivePane
from tui.messages import Interest, QueueRead, RunGone, RunRead
from tui.queue_pane import QueuePane

if TYPE_CHECKING:
    from textual.message import Message
    from textual.widget import Widget


class MainScreen(Framed):
    """Queue, Live and History; one of them is shown."""

    def __init__(self) -> None:
        super().__init__()
        self._wanted = "queue"

    def body(self) -> Iterator[Widget]:
        """The queue, which is shown first; the other panes come after the first paint."""
        with ContentSwitcher(id="panes", initial="queue"):
            yield QueuePane(id="queue")

    def on_mount(self) -> None:
        """Paint first, complete then."""
        self.call_after_refresh(self._complete)

    async def _complete(self) -> None:
        for pane in (LivePane(id="live"), HistoryPane(id="history")):
            pane.display = False
            await self.query_one(ContentSwitcher).mount(pane)
        self.show_pane(self._wanted)
        self.app.start()

    @property
    def pane(self) -> str:
        """The pane shown."""
        return self.query_one(ContentSwitcher).current or "queue"

    def show_pane(self, pane: str) -> None:
        """Show another pane; before the first paint there is only one."""
        self._wanted = pane
        if not self.query(f"#{pane}"):
            return
        self.query_one(ContentSwitcher).current = pane
        if pane == "queue":
            queue = self.query_one(QueuePane)
            (queue.table if queue.table.display else queue).focus()
        elif pane == "live":
            self.query_one(LivePane).focus_view()
        else:
            self.query_one(HistoryPane).focus_view()

    def interest(self) -> Interest:
        """What the shown pane shows."""
        if self.pane == "live":
            return Interest(run=self.query_one(LivePane).run_id)
        if self.pane == "history":
            return Interest(history=self.query_one(HistoryPane).asked)
        return Interest()

    def take(self, message: Message) -> None:
        """Give a message to the panes that it is for."""
        if isinstance(message, QueueRead):
            self.query_one(QueuePane).take(message)
            self.query_one(LivePane).take(message)
        elif isinstance(message, RunRead | RunGone):
            if self.is_current or self.pane == "live":
                self._take_run(message)
        else:
            self.query_one(HistoryPane).take(message)

    def _take_run(self, message: RunRead | RunGone) -> None:
        live = self.query_one(LivePane)
        run_id = message.snapshot.run.id if isinstance(message, RunRead) else message.run_id
        if run_id == live.run_id:
            live.take(message)
