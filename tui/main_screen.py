"""The three panes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.widgets import ContentSwitcher

from tui.frame import PANES, Framed, Line
from tui.messages import Interest, QueueRead, RunGone, RunRead, Trouble

if TYPE_CHECKING:
    from textual.message import Message
    from textual.widget import Widget

    from tui.history_pane import HistoryPane
    from tui.live_pane import LivePane
    from tui.queue_pane import QueuePane
    from tui.remembered import Remembered


class MainScreen(Framed):
    """Queue, Live and History; one of them is shown."""

    def __init__(self, pane: str) -> None:
        super().__init__()
        self.pane = pane if pane in PANES else "queue"
        self._read: QueueRead | None = None
        self._queue: QueuePane | None = None
        self._live: LivePane | None = None
        self._history: HistoryPane | None = None

    def body(self) -> Iterator[Widget]:
        """One line, which is painted first; the panes load after it."""
        with ContentSwitcher(id="panes", initial="panes-reading"):
            yield Line("panes-reading", " Reading the database …")

    def on_mount(self) -> None:
        """Paint first, read then."""
        self.call_after_refresh(self._begin)

    async def _begin(self) -> None:
        """The queue; the other panes come when it is filled or left."""
        from tui.queue_pane import QueuePane

        switcher = self.query_one(ContentSwitcher)
        if not switcher.is_attached:  # the app has ended already
            return
        self.app.start()
        queue = QueuePane(id="queue")
        queue.display = False  # another pane may be asked for before it is there
        await switcher.mount(queue)
        self._queue = queue
        self.show_pane(self.pane)

    async def _complete(self) -> None:
        from tui.history_pane import HistoryPane
        from tui.live_pane import LivePane

        switcher = self.query_one(ContentSwitcher)
        if self._live is None and switcher.is_attached:
            live, history = LivePane(id="live"), HistoryPane(id="history")
            live.display = history.display = False
            await switcher.mount(live, history)
            self._live, self._history = live, history
            self.show_pane(self.pane)
            self.app.look(anew=True)

    def show_pane(self, pane: str) -> None:
        """Show another pane, as soon as it is there."""
        self.pane = pane
        is_there = self._queue if pane == "queue" else self._live
        if is_there is not None:
            self.query_one(ContentSwitcher).current = pane
            self._fill_queue()
            self._focus()
        elif self._queue is not None:
            self.call_later(self._complete)

    def _fill_queue(self) -> None:
        """Show the queue as it was read last; a hidden list of 1,000 runs would cost the same."""
        if self._read is not None and self._queue is not None and self.pane == "queue":
            self._queue.take(self._read)

    def _focus(self) -> None:
        """Give the keys to the pane shown."""
        if self.pane == "queue" and self._queue is not None:
            self._queue.focus_view()
        elif self.pane == "live" and self._live is not None:
            self._live.focus_view()
        elif self._history is not None:
            self._history.focus_view()

    def as_left(self, before: Remembered) -> Remembered:
        """The same, with the pane and the list as they are."""
        if self._history is None:
            return before
        asked = self._history.asked
        return replace(
            before, pane=self.pane, words=asked.words, sort=asked.sort, reverse=asked.reverse
        )

    def interest(self) -> Interest:
        """What the shown pane shows."""
        if self.pane == "live" and self._live is not None:
            return Interest(run=self._live.run_id)
        if self.pane == "history" and self._history is not None:
            return Interest(history=self._history.asked)
        return Interest(run=self._queue.previewed if self._queue is not None else None)

    def take(self, message: Message) -> None:
        """Give a message to the panes that it is for; after the first one all are made."""
        queue, live, history = self._queue, self._live, self._history
        if isinstance(message, QueueRead):
            self._read = message
            self._fill_queue()
        if queue is None or live is None or history is None:
            self.call_after_refresh(self._complete)
        elif isinstance(message, QueueRead | Trouble):
            live.take(message)
        elif isinstance(message, RunRead | RunGone):
            if self.is_current or self.pane == "live":
                _take_run(live, message)
            if self.is_current and self.pane == "queue":
                queue.take(message)
        else:
            history.take(message)


def _take_run(live: LivePane, message: RunRead | RunGone) -> None:
    run_id = message.snapshot.run.id if isinstance(message, RunRead) else message.run_id
    if run_id == live.run_id:
        live.take(message)
