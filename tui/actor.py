"""A thread that does what the user asks for, one action after the other."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from ccafl.errors import BusyError, CcaflError, OutdatedError
from tui.messages import Said, mistake

if TYPE_CHECKING:
    from textual.message import Message

    from ccafl.paths import Home
    from ccafl.store import Store

PATIENCE_S = 30.0  # an action on a busy database is tried so long

Act = Callable[["Store"], str]


class Actor(threading.Thread):
    """Writes in one thread of its own, so that keys typed fast act in their order."""

    def __init__(self, home: Home, post: Callable[[Message], object]) -> None:
        super().__init__(name="actor", daemon=True)
        self._home, self._post = home, post
        self._orders: queue.Queue[Callable[[], str] | None] = queue.Queue()
        self._is_over = False

    def do(self, act: Act) -> None:
        """Do something after all that was asked for before, and post the sentence it gives."""
        self._orders.put(partial(self._try, act))

    def serve(self) -> None:
        """Start a supervisor if none lives."""
        self._orders.put(partial(_ensure_served, self._home))

    def stop(self) -> None:
        """End the thread after the action at work."""
        self._is_over = True
        self._orders.put(None)

    def run(self) -> None:
        """Obey until told to stop."""
        while (order := self._orders.get()) is not None:
            try:
                sentence = order()
            except CcaflError as error:
                self._say(Said(str(error), is_error=True))
            except OSError as error:
                sentence = f"That failed: {error.strerror} ({error.filename})."
                self._say(Said(sentence, is_error=True))
            except Exception as error:  # a mistake of ours; what is asked for next may be done
                self._say(Said(mistake(error), is_error=True))
            else:
                if sentence:
                    self._say(Said(sentence))

    def _say(self, message: Said) -> None:
        if not self._is_over:
            self._post(message)

    def _try(self, act: Act) -> str:
        from ccafl.store import open_store

        deadline = time.monotonic() + PATIENCE_S
        has_said = False
        while True:
            try:
                with open_store(self._home) as store:
                    return act(store)
            except BusyError as error:
                if self._is_over or time.monotonic() > deadline:
                    raise BusyError(f"Nothing was changed. {error}") from error
                if not has_said:
                    has_said = True
                    self._say(Said("The database is busy; this is tried for half a minute."))


def _ensure_served(home: Home) -> str:
    """See to it that the queue is served, and say so if it was not before."""
    from ccafl.store import open_store
    from ccafl.supervisor import ensure_supervisor

    before = None
    with suppress(OutdatedError), open_store(home) as store:
        before = store.supervisor()
    ensure_supervisor(home)
    with open_store(home) as store:
        after = store.supervisor()
    if after is None or (before is not None and before.pid == after.pid):
        return ""
    return "Nobody served the queue; it is served from now on."
