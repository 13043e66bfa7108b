"""The command line in this process: arguments in; exit code, stdout and stderr out."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from recorded import Recorded
from toy_queue import ToyQueue

from ccafl.cli import main

PROGRAM = (sys.executable, "-c", "from ccafl.cli import main; main()")


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str


class Terminal:
    """Runs `ccafl ARGUMENTS` with a state folder of its own that does not exist yet."""

    def __init__(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.home, self._monkeypatch, self._capsys = home, monkeypatch, capsys

    def __call__(self, *arguments: str | Path) -> Answer:
        self._monkeypatch.setattr(sys, "argv", ["ccafl", *map(str, arguments)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        code = ended.value.code
        return Answer(code if isinstance(code, int) else 0, out, err)


def on_a_terminal(answer: str, *arguments: str) -> tuple[int, str]:
    """Exit code and screen of a command with a terminal on which somebody types an answer."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen([*PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    screen = b""
    try:
        while read := os.read(ours, 4096):
            screen += read
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    return child.wait(), screen.decode()


@pytest.fixture
def ccafl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Terminal]:
    """The command line; what it changes in this process is put back."""
    monkeypatch.setenv("CCAFL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    before = signal.getsignal(signal.SIGPIPE)
    yield Terminal(tmp_path / "home", monkeypatch, capsys)
    signal.signal(signal.SIGPIPE, before)


@pytest.fixture
def queue(ccafl: Terminal) -> Iterator[ToyQueue]:
    """A queue of toy runs in the state folder of the command line."""
    toys = ToyQueue(ccafl.home)
    yield toys
    served = toys.serving()
    toys.close()
    assert served in [toy.pid for toy in toys.supervisors]  # a command started none of its own


@pytest.fixture
def past(ccafl: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """Recorded runs in the state folder of the command line, which nobody serves."""
    monkeypatch.setattr("ccafl.supervisor.ensure_supervisor", lambda home: None)
    made = Recorded(ccafl.home)
    yield made
    made.close()
