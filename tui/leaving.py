"""Signals that end the viewer: within a second, whatever hangs."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable

LEAVE_S = 1.0


def watch_signals(leave: Callable[[signal.Signals], None]) -> None:
    """Call `leave` when the terminal is gone or somebody wants the viewer gone."""
    if threading.current_thread() is threading.main_thread():  # others cannot
        for number in (signal.SIGHUP, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, _leave, number, leave)


def _leave(number: signal.Signals, leave: Callable[[signal.Signals], None]) -> None:
    end = threading.Timer(LEAVE_S, os._exit, (128 + number,))
    end.daemon = True
    end.start()
    leave(number)
