"""What the app costs beside an empty app of its framework and nvitop: `python -m bench.tui`.

Programs run in terminals of their own, one after the other, as often as `--times` says; the table
has medians, and ratios to what the empty app, or nvitop where it is installed, took in the same
minutes. A live run computes on the card that nvitop shows beside it, and has ten epochs behind it.
About five minutes. `--output FILE` writes the table as Markdown.
"""

import argparse
import fcntl
import importlib.util
import os
import pty
import random
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

from bench.one_card import ON_CARD
from bench.queue_load import fill_history
from ccafl import events
from ccafl.errors import BusyError
from ccafl.events import EventWriter
from ccafl.paths import Home
from ccafl.presets import resolve
from ccafl.store import NewRun, claims, database, open_store
from ccafl.store.claims import Granted
from ccafl.store.ingest import ingest

EMPTY = "from textual.app import App; App().run()"
TABLE = """
from textual.app import App
from textual.widgets import DataTable
class Empty(App):
    def compose(self):
        yield DataTable(cursor_type="row")
    def on_mount(self):
        table = self.query_one(DataTable)
        table.add_columns(*"abcdefghij")
        table.add_rows([[f"{row} {column}" for column in range(10)] for row in range(200)])
Empty().run()
"""
ROOT = Path(__file__).parent.parent
CARD = [sys.executable, "-m", "bench.one_card"]
LARGE, SMALL = (120, 36), (80, 24)
WINDOW_S = 6.0  # of what goes on while nobody types
STEP_S = 0.2  # between two steps of the live run
BEHIND, EPOCH = 2_000, 200  # steps that it has behind it, and of an epoch
FIRST_FRAME = 2_500  # bytes: more than a terminal is asked at start, less than one frame
Row = tuple[str, str, str, str]


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, command: list[str], size: tuple[int, int]) -> None:
        self._began = time.monotonic()
        self.pid, self._terminal = pty.fork()
        if not self.pid:
            os.chdir(ROOT)
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execv(command[0], command)
        rows_columns = struct.pack("HHHH", size[1], size[0], 0, 0)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, rows_columns)
        self.sent = b""

    def wait(self, has: Callable[[bytes], bool], limit_s: float = 60.0) -> float:
        """Seconds since the start until what was sent has something."""
        while not has(self.sent):
            assert time.monotonic() - self._began < limit_s, "it never came"
            self.read(0.05)
        return time.monotonic() - self._began

    def read(self, seconds: float) -> int:
        """Wait so long for output; gives the number of bytes."""
        if not select.select([self._terminal], [], [], seconds)[0]:
            return 0
        found = os.read(self._terminal, 1 << 16)
        self.sent += found
        return len(found)

    def settle(self, quiet_s: float = 1.0, limit_s: float = 10.0) -> None:
        """Read until nothing comes for a while."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end and self.read(quiet_s):
            pass

    def type(self, keys: str) -> None:
        """Type keys."""
        os.write(self._terminal, keys.encode())

    def answers(self, key: str, count: int) -> list[float]:
        """Seconds from a key to the first output, several times."""
        found = []
        for _ in range(count):
            while self.read(0.05):
                pass
            began = time.monotonic()
            self.type(key)
            assert self.read(5.0), "no answer to a key"
            found.append(time.monotonic() - began)
        return found

    def at_work(self) -> tuple[float, float]:
        """Share of a core and bytes per second over a while, with the helpers of the program."""
        before, sent, began = _cpu_seconds(self.pid), len(self.sent), time.monotonic()
        while (left := began + WINDOW_S - time.monotonic()) > 0:
            self.read(left)
        seconds = time.monotonic() - began
        return (_cpu_seconds(self.pid) - before) / seconds, (len(self.sent) - sent) / seconds

    def megabytes(self) -> float:
        """Memory that the program has, without its helpers."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def close(self) -> None:
        """End it, at once."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._terminal)


@contextmanager
def running(command: list[str], size: tuple[int, int] = LARGE) -> Iterator[Terminal]:
    """A program that has painted its first frame."""
    terminal = Terminal(command, size)
    try:
        terminal.wait(_is_painted)
        yield terminal
    finally:
        terminal.close()


def app(home: Home) -> list[str]:
    """The app, looking only."""
    return [sys.executable, "-m", "tui.app", *looking(home)]


def looking(home: Home) -> list[str]:
    """Its options."""
    return ["--read-only", "--home", str(home.root)]


def empty(program: str = EMPTY) -> list[str]:
    """An app of the framework alone, or with one widget."""
    return [sys.executable, "-c", program]


def start(times: int, home: Home) -> Iterator[Row]:
    """First paint, and the list of 1,000 queued runs, in turn with the empty app."""
    alone, first, filled = [], [], []
    for _ in range(times):
        with running(empty()) as terminal:
            alone.append(terminal.wait(_is_painted))
        with running(app(home)) as terminal:
            first.append(terminal.wait(_is_painted))
            filled.append(terminal.wait(lambda sent: b"in line" in sent))
    base = statistics.median(alone)
    yield "empty app, first paint", f"{base * 1e3:.0f} ms", "1", "-"
    for what, values, target in (
        ("first paint", first, "<= 1.3 x"),
        ("list of 1,000 runs filled", filled, "<= 5 x"),
    ):
        middle = statistics.median(values)
        yield what, f"{middle * 1e3:.0f} ms", f"{middle / base:.2f} x", target


class Nvitop:
    """What nvitop needs beside the app, with the same invented card."""

    def __init__(self) -> None:
        self._found: list[tuple[float, float]] = []

    def measure(self) -> None:
        """Run it once, if it is installed."""
        if importlib.util.find_spec("nvitop") is not None:
            with running([*CARD, "nvitop"]) as terminal:
                terminal.settle(limit_s=4.0)
                self._found.append(terminal.at_work())

    def compare(self, share: float, rate: float) -> tuple[str, str]:
        """Shares of a core and bytes per second, as multiples of its own."""
        if not self._found:
            return "nvitop is not installed", "nvitop is not installed"
        own_share, own_rate = _medians(self._found)
        return (
            f"{share / own_share:.2f} x nvitop's {100 * own_share:.2f} %",
            f"{rate / own_rate:.2f} x nvitop's {own_rate:.0f}",
        )


def idle(times: int, home: Home) -> Iterator[Row]:
    """Nobody types, nothing trains; one card."""
    nvitop = Nvitop()
    ours, sizes, alone = [], [], []
    for _ in range(times):
        with running(empty()) as terminal:
            terminal.settle()
            alone.append(terminal.megabytes())
        with running([*CARD, "app", *looking(home)]) as terminal:
            terminal.settle(limit_s=6.0)
            ours.append(terminal.at_work())
            sizes.append(terminal.megabytes())
        nvitop.measure()
    share, rate = _medians(ours)
    of_share, of_rate = nvitop.compare(share, rate)
    yield "idle, one card, CPU", f"{100 * share:.2f} % of a core", of_share, "<= nvitop"
    yield "idle, one card, output", f"{rate:.0f} bytes/s", of_rate, "<= 1.5 x nvitop"
    size, base = statistics.median(sizes), statistics.median(alone)
    yield "memory", f"{size:.0f} MB, empty app {base:.0f}", f"{size / base:.2f} x", "<= 2.5 x"


def live(times: int, home: Home) -> Iterator[Row]:
    """A run trains on the card, five losses a second come and are on the screen."""
    nvitop = Nvitop()
    large: list[tuple[float, float]] = []
    small: list[tuple[float, float]] = []
    for _ in range(times):
        for found, size in ((large, LARGE), (small, SMALL)):
            with running([*CARD, "app", *looking(home)], size) as terminal:
                terminal.wait(lambda sent: b"in line" in sent)
                terminal.type("2")
                terminal.settle(quiet_s=3.0, limit_s=4.0)
                found.append(terminal.at_work())
        nvitop.measure()
    for what, found, target, most in (
        ("one live run, ten epochs in, losses", large, "<= 2 x nvitop", "<= 16 kB/s"),
        ("the same at 80x24", small, "-", "<= 8 kB/s"),
    ):
        share, rate = _medians(found)
        ratio = nvitop.compare(share, rate)[0]
        yield f"{what}, CPU", f"{100 * share:.2f} % of a core", ratio, target
        yield f"{what}, output", f"{rate / 1e3:.1f} kB/s", "-", most


def keys(times: int, home: Home) -> Iterator[Row]:
    """From a key to the first output, in a history of 10,000 runs while a run trains."""
    count = 20 * times
    with running(empty(TABLE)) as terminal:
        terminal.settle()
        alone = terminal.answers("\x1b[B", count)
    base = _share(alone, 0.9)
    yield "table of 200 rows in an empty app, key", _in_words(alone), "1", "-"
    with running(app(home)) as terminal:
        terminal.wait(lambda sent: b"in line" in sent)
        terminal.type("3")
        terminal.settle(quiet_s=2.0)
        free = terminal.answers("j", count)
        with database.connect(home.database, "rw") as connection:
            connection.execute("BEGIN EXCLUSIVE")
            busy = terminal.answers("k", count)
            connection.execute("ROLLBACK")
    for what, values in (("key", free), ("key, database locked", busy)):
        ratio = f"{_share(values, 0.9) / base:.2f} x"
        yield f"history of 10,000 runs, {what}", _in_words(values), ratio, "p90 <= 2 x, < 100 ms"


@contextmanager
def training(home: Home) -> Iterator[None]:
    """A run that writes losses all the time, with some epochs behind it."""
    over = threading.Event()
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1e6)"])

    def write() -> None:
        noise = random.Random(0)
        with open_store(home) as store, EventWriter(home.run(1).events(1)) as writer:
            offset, step = 0, 0
            while step < BEHIND or not over.wait(STEP_S):
                step += 1
                terms = {"intra": 5.0 / step**0.5, "text": 4.0 / step**0.5 + 1.0}
                terms = {name: value * noise.uniform(0.8, 1.2) for name, value in terms.items()}
                epoch = 1 + step // EPOCH
                terms["total"] = sum(terms.values())
                writer.write(events.Loss(stage="intra", epoch=epoch, step=step, loss=terms))
                if step < BEHIND:
                    continue
                with suppress(BusyError):  # while the database is locked on purpose
                    offset = ingest(store, 1, 1, offset)

    with open_store(home) as store, store.writing() as connection:
        claimed = claims.claim(connection, lambda *_: Granted("toy"), time.time())
        assert claimed is not None
        claims.record_process(connection, claimed.id, "host", "boot", worker.pid, 1)
    thread = threading.Thread(target=write)
    thread.start()
    os.environ[ON_CARD] = str(worker.pid)
    try:
        yield
    finally:
        del os.environ[ON_CARD]
        over.set()
        thread.join()
        worker.kill()
        worker.wait()


def measure(root: Path, times: int) -> Iterator[Row]:
    """All figures, each kind with a state folder of its own."""
    queued, mixed, unused = (Home(root / name) for name in ("queued", "mixed", "unused"))
    open_store(unused, create=True).close()
    run = NewRun(config=resolve("smoke"), name="in line", gpu="cpu")
    with open_store(queued, create=True) as store:
        store.add_runs([run] * 1_000)
    with open_store(mixed, create=True) as store:
        store.add_runs([run])
        fill_history(store, 10_000)
    yield from start(times, queued)
    yield from idle(times, unused)
    with training(mixed):
        yield from live(times, mixed)
        yield from keys(times, mixed)


def markdown(rows: list[Row], times: int) -> str:
    """The table."""
    lines = [
        "# Cost of the app",
        "",
        f"{date.today()}, {os.cpu_count()} CPU cores shared with other work, Python "
        f"{sys.version.split()[0]}, medians of {times}. Made by `python -m bench.tui`.",
        "",
        "| What, at 120x36 unless said | Measured | Ratio | Target |",
        "| --- | --- | --- | --- |",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="ccafl-tui-"))
    rows = []
    try:
        for row in measure(root, options.times):
            print(" | ".join(row), flush=True)
            rows.append(row)
    finally:
        shutil.rmtree(root)
    if options.output:
        options.output.write_text(markdown(rows, options.times), encoding="utf-8")
    return 0


def _is_painted(sent: bytes) -> bool:
    return b"\x1b[?1049h" in sent and len(sent) > FIRST_FRAME


def _cpu_seconds(pid: int) -> float:
    """Processor time of a program and its helpers, all threads; clock ticks would be too coarse."""
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    for child in [child for task in tasks for child in (task / "children").read_text().split()]:
        tasks += Path(f"/proc/{child}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _medians(found: list[tuple[float, float]]) -> tuple[float, float]:
    shares, rates = zip(*found, strict=True)
    return statistics.median(shares), statistics.median(rates)


def _share(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def _in_words(values: list[float]) -> str:
    return f"p50 {_share(values, 0.5) * 1e3:.1f} ms, p90 {_share(values, 0.9) * 1e3:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
