"""How the viewer ends with its terminal, and how it leaves one that stays."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from recorded import Recorded, recorded
from toy_queue import wait_until

__all__ = ["recorded"]

ROOT = Path(__file__).parent.parent
# the terminal controls the program, as after a login, or does not, as after `setsid`
CONTROL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
START = "import os, sys; os.execv(sys.executable, [sys.executable, '-m', 'tui.app', *sys.argv[1:]])"


class Viewer:
    """The program in a terminal that a test holds the other end of."""

    def __init__(self, home: Path, *, controlled: bool) -> None:
        self._end, self.terminal = pty.openpty()
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        self.before, self._written = termios.tcgetattr(self.terminal), b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", CONTROL * controlled + START, "--home", home, "--read-only"],
            stdin=self.terminal,
            stdout=self.terminal,
            stderr=self.terminal,
            start_new_session=True,
            cwd=ROOT,
            env=os.environ | {"TERM": "xterm-256color"},
        )

    def shows(self, text: bytes) -> None:
        """Wait until it has written something."""
        wait_until(lambda: text in self.read())

    def read(self) -> bytes:
        """All that was written so far."""
        while select.select([self._end], [], [], 0.01)[0]:
            self._written += os.read(self._end, 1 << 16)
        return self._written

    def press(self, keys: bytes) -> None:
        """Type something."""
        os.write(self._end, keys)

    def hang_up(self) -> None:
        """Close both ends."""
        for end in (self._end, self.terminal):
            if end >= 0:
                os.close(end)
        self._end = self.terminal = -1

    def code(self) -> int:
        """Its exit code, as soon as it has ended."""

        def look() -> list[int]:
            code = self.process.poll()
            if self._end >= 0:
                self.read()
            return [] if code is None else [code]

        return wait_until(look)[0]

    def is_alone(self) -> bool:
        """Whether no process is left of those that it started."""
        return self.process.pid not in map(_session, Path("/proc").glob("[0-9]*"))


def _session(process: Path) -> int | None:
    with suppress(ProcessLookupError):
        return os.getsid(int(process.name))
    return None


@pytest.fixture
def viewer(recorded: Recorded, request: pytest.FixtureRequest) -> Iterator[Viewer]:
    """A viewer of a run at work; the parameter says whether the terminal controls it."""
    recorded.start()
    made = Viewer(recorded.home.root, controlled=getattr(request, "param", True))
    yield made
    made.process.kill()
    made.process.wait()
    made.hang_up()


@pytest.mark.parametrize(("what", "code"), [(b"q", 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_terminal_is_as_it_was(
    viewer: Viewer, recorded: Recorded, what: bytes | signal.Signals, code: int
) -> None:
    viewer.shows(b"running")
    assert termios.tcgetattr(viewer.terminal) != viewer.before
    if isinstance(what, bytes):
        viewer.press(what)
    else:
        viewer.process.send_signal(what)
    assert viewer.code() == code
    assert termios.tcgetattr(viewer.terminal) == viewer.before
    written = viewer.read()
    assert written.count(b"\x1b[?1049h") == written.count(b"\x1b[?1049l") == 1
    assert written.rindex(b"\x1b[?25h") > written.rindex(b"\x1b[?25l")  # there is a cursor again
    wait_until(viewer.is_alone)
    assert recorded.store.run(1).state == "running"


@pytest.mark.parametrize("viewer", [True, False], indirect=True, ids=["controlled", "not"])
def test_it_ends_with_its_terminal(viewer: Viewer, recorded: Recorded) -> None:
    viewer.shows(b"running")
    viewer.hang_up()
    assert viewer.code() == 128 + signal.SIGHUP
    wait_until(viewer.is_alone)
    assert recorded.store.run(1).state == "running"


def test_killed_as_soon_as_it_draws_it_gives_the_terminal_back(
    viewer: Viewer, recorded: Recorded
) -> None:
    viewer.shows(b"\x1b[?1049h")
    viewer.process.kill()
    viewer.shows(b"ccafl-tui was killed. It touched no run.")
    assert viewer.read().rindex(b"\x1b[?1049l") > viewer.read().rindex(b"\x1b[?1049h")
    wait_until(lambda: termios.tcgetattr(viewer.terminal) == viewer.before)
    assert viewer.code() == -signal.SIGKILL
    wait_until(viewer.is_alone)
    assert recorded.store.run(1).state == "running"
