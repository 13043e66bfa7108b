"""Gives the terminal back when the app was killed: a program of its own that outlives it."""

import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# the mouse, pixels, focus, pasting, sizes and keys are reported no more; lines wrap, the cursor is
# there, colours are the terminal's, and what was on the screen before is there again
_RESTORE = (
    "\x1b[?1000;1003;1006;1015;1016l\x1b[?1004l\x1b[?2004l\x1b[?2048l\x1b[<u"
    "\x1b[?2026l\x1b[?7h\x1b[?25h\x1b[0m\x1b[?1049l"
)
_DONE = b"done"
_START_S = 1.0  # later than the first picture, which it would delay
_INPUT, _LOCAL = 0, 3  # places in what termios gives


@contextmanager
def guarding() -> Iterator[None]:
    """Let another process restore the terminal if this one ends inside without doing so."""
    guards: list[subprocess.Popen[bytes]] = []
    start = threading.Timer(_START_S, lambda: guards.append(_start()))
    start.start()
    try:
        yield
    finally:
        start.cancel()
        start.join()
        for guard in guards:
            guard.communicate(_DONE)


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def main() -> None:
    """Wait until the app tells that it has ended, or is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read() != _DONE:
        _restore(sys.stdout.fileno())


def _restore(terminal: int) -> None:
    attributes = termios.tcgetattr(terminal)
    if not attributes[_LOCAL] & termios.ISIG:  # no shell has changed it yet
        attributes[_LOCAL] |= termios.ISIG | termios.ICANON | termios.ECHO | termios.IEXTEN
        attributes[_INPUT] |= termios.ICRNL | termios.IXON
        termios.tcsetattr(terminal, termios.TCSAFLUSH, attributes)
    sys.stdout.write(f"{_RESTORE}\r\nccafl-tui was killed. It touched no run.\r\n")


if __name__ == "__main__":
    main()
