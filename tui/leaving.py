"""What ends the viewer: signals, and a terminal that is gone; within a second, whatever hangs."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

LEAVE_S = 1.0


def watch_signals(leave: Callable[[signal.Signals], None]) -> None:
    """Call `leave` when the terminal is gone or somebody wants the viewer gone."""
    if threading.current_thread() is threading.main_thread():  # others cannot
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            loop.add_signal_handler(number, _leave, number, leave)
        if sys.__stdin__ is not None and sys.__stdin__.isatty():
            watch = threading.Thread(
                target=_wait_for_hangup,
                args=(sys.__stdin__.fileno(), loop, leave),
                name="hangup",
                daemon=True,
            )
            watch.start()


def _wait_for_hangup(
    terminal: int, loop: asyncio.AbstractEventLoop, leave: Callable[[signal.Signals], None]
) -> None:
    """A terminal that does not control this process, as after `setsid`, ends without a signal."""
    poll = select.poll()
    poll.register(terminal, 0)  # a hangup alone; what is typed is for others
    poll.poll()
    with suppress(RuntimeError):  # the app has ended already
        loop.call_soon_threadsafe(_leave, signal.SIGHUP, leave)


def _leave(number: signal.Signals, leave: Callable[[signal.Signals], None]) -> None:
    end = threading.Timer(LEAVE_S, os._exit, (128 + number,))
    end.daemon = True
    end.start()
    leave(number)
