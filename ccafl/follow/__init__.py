"""Follow a run until it ends, and say how it ended.

A follower only reads the database. It may come, go and be killed: the run does not notice.
"""

import signal
import time
from collections.abc import Callable, Mapping
from textwrap import fill
from types import FrameType, TracebackType
from typing import Any, Protocol, Self

from ccafl.errors import BusyError, CcaflError, StoreError
from ccafl.follow.live import LiveView
from ccafl.follow.log import LogTail, find_lines, read_lines
from ccafl.follow.plain import PlainView
from ccafl.follow.snapshot import Snapshot, Watcher, time_left
from ccafl.sentences import describe, printable
from ccafl.store import ENDED, State, Store
from ccafl.tables import as_text, evaluation_table, stage_results

__all__ = [
    "LiveView",
    "LogTail",
    "PlainView",
    "Signals",
    "Snapshot",
    "Watcher",
    "closing_text",
    "exit_code",
    "find_lines",
    "follow",
    "read_lines",
    "time_left",
]

POLL_S = 0.25
SERVE_S = 10.0
REDRAW_S = 1.0  # the time left runs on while the database stands still
EXIT_CODES: Mapping[State, int] = {"finished": 0, "failed": 1, "lost": 1, "cancelled": 130}


class View(Protocol):
    """Shows snapshots and sentences."""

    def show(self, snapshot: Snapshot) -> None: ...

    def say(self, sentence: str) -> None: ...

    def close(self) -> None: ...


class Signals:
    """What was asked of this client by signals while it follows a run.

    SIGINT asks for a cancel, each time. SIGTERM and SIGHUP end the client and leave the run
    alone; where they were ignored before (nohup) they stay ignored.
    """

    def __init__(self) -> None:
        self.interrupts = 0
        self.leaving: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            self.interrupts += 1
        else:
            self.leaving = signal.Signals(number)


def follow(
    store: Store,
    run_id: int,
    view: View,
    signals: Signals,
    *,
    serve: Callable[[], None] = lambda: None,
    wait: Callable[[float], None] = time.sleep,
) -> Snapshot | None:
    """Show a run until it ends, or until this client is told to leave.

    Args:
        store: the database to read.
        run_id: the run.
        view: shows it.
        signals: what the user asks for meanwhile.
        serve: called now and then to see to it that somebody serves the queue.
        wait: waits some seconds; tests give their own.

    Returns:
        The last snapshot of the ended run, None if the client was told to leave.
    """
    watcher, answered = Watcher(store, run_id), 0
    redraw, look = _Every(REDRAW_S), _Every(SERVE_S)
    version = -1
    try:
        while signals.leaving is None:
            if signals.interrupts > answered and _cancel(store, run_id, view):
                answered += 1
            newest = store.data_version()
            if newest != version or redraw.is_due():
                version = newest
                snapshot = watcher.read()
                view.show(snapshot)
                if snapshot.run.state in ENDED:
                    return snapshot
            if look.is_due():
                _serve(serve, view)
            wait(POLL_S)
    except OSError:
        if signals.leaving is None:  # else the terminal is gone, which is why we leave
            raise
    finally:
        if signals.leaving != signal.SIGHUP:
            view.close()
    return None


def exit_code(state: State) -> int:
    """0 finished, 1 failed or lost, 130 cancelled."""
    return EXIT_CODES[state]


def closing_text(snapshot: Snapshot, width: int | None = None) -> str:
    """How the run ended, its evaluations, and what to do next."""
    run = snapshot.run
    title = f"{printable(run.name)}, {printable(run.dataset)}\n"
    results = evaluation_table(stage_results(snapshot.evaluations))
    table = as_text(results, width) if results.rows else ""
    end = f"{describe(run)} `ccafl history` lists all results."
    return f"{title}{table}{fill(end, width) if width else end}\n"


class _Every:
    """Due once per period."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._last = seconds, time.monotonic()

    def is_due(self) -> bool:
        is_due = time.monotonic() - self._last >= self._seconds
        self._last = time.monotonic() if is_due else self._last
        return is_due


def _serve(serve: Callable[[], None], view: View) -> None:
    try:
        serve()
    except CcaflError as error:
        view.say(str(error))


def _cancel(store: Store, run_id: int, view: View) -> bool:
    """Ask for the end of the run; False if the database was too busy to ask."""
    try:
        view.say(store.cancel(run_id))
    except BusyError as error:
        view.say(str(error))
        return False
    except StoreError as error:  # it ended by itself in this moment, which the next look shows
        view.say(str(error))
    return True
