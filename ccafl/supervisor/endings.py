"""How an attempt ended: its own result first, then its exit code, then what is missing."""

import re
import signal
from dataclasses import replace
from pathlib import Path

from ccafl.events import Result
from ccafl.store.claims import Ending
from ccafl.supervisor.host import HostMemory

_TAIL = 4096  # bytes of the console that are searched for its last line
_LINE = 300  # characters of it that are kept
_WRAPPED = {137: -9, 143: -15}  # how shells report a signal of their child
_LOCK_BUSY = 75
# Share of the host's memory above which a kill is probably the kernel's for lack of it. The last
# look may be a quarter of a second old, in which a process fills a few percent more.
_FULL = 0.95
# how torchrun reports the process that broke first
_RANK = re.compile(r"^\s*rank\s*: (\d+) .*\n\s*exitcode\s*: (-?\d+) ", re.MULTILINE)


def classify(
    result: Result | None,
    exit_code: int | None,
    *,
    cancelling: bool,
    memory_killed: bool,
    memory: HostMemory | None,
    last_line: str,
) -> Ending:
    """The state an attempt leads to after its last process is gone.

    Args:
        result: what the attempt wrote itself, None if nothing.
        exit_code: of the worker, negative for a signal, None for a process we did not start.
        cancelling: its end was asked for.
        memory_killed: the kernel killed a process for lack of memory meanwhile.
        memory: of the host just before, None if nobody knows.
        last_line: of the console, quoted when nothing better is known.
    """
    if result is not None:
        return _from_result(result, exit_code, cancelling)
    if cancelling:
        return Ending("cancelled", "cancelled", None, exit_code)
    if exit_code is None:
        return Ending("lost", "lost", "its process is gone and left no result", None)
    code = _WRAPPED.get(exit_code, exit_code)
    if code == -signal.SIGKILL:
        return _killed(exit_code, memory_killed, memory)
    if code < 0:
        return Ending("failed", "signal", _signal_words(-code), exit_code)
    return Ending("failed", "error", _exit_words(code, last_line), exit_code)


def late(ending: Ending) -> Ending:
    """The ending of a run that was cancelled by the limit of its time, not by the user."""
    if ending.state != "cancelled":
        return ending
    return replace(ending, exit_kind="timeout", reason="it reached its limit of time, run.hours")


def last_line(console: Path) -> str:
    """The last line of a console that is not empty, cut to a length for lists.

    Of several processes under torchrun: which one broke first, and how.
    """
    try:
        with console.open("rb") as file:
            file.seek(max(0, console.stat().st_size - _TAIL))
            text = file.read().decode(errors="replace")
    except OSError:  # it only serves to say more
        return ""
    ranks = _RANK.findall(text)
    if ranks:
        rank, code = ranks[-1]
        return f"rank {rank} {_how(int(code))}"
    lines = text.split("\n")
    return next((line.strip()[:_LINE] for line in reversed(lines) if line.strip()), "")


def _how(code: int) -> str:
    return _signal_words(-code) if code < 0 else f"exit code {code}"


def _from_result(result: Result, exit_code: int | None, cancelling: bool) -> Ending:
    reason = result.error.message if result.error else None
    if result.exit == "ok":
        return Ending("finished", "ok", None, exit_code)
    if cancelling or result.exit == "cancelled":
        return Ending("cancelled", "cancelled", reason, exit_code)
    return Ending("failed", result.exit, reason, exit_code)


def _killed(exit_code: int | None, memory_killed: bool, memory: HostMemory | None) -> Ending:
    if memory_killed:
        return Ending("lost", "host_memory", "the host ran out of memory", exit_code)
    reason = f"killed by signal {signal.SIGKILL:d}"
    if memory is not None:
        used, total = (round(size / 1e9, 1) for size in memory)
        reason += f". Host memory was {used:g} of {total:g} GB"
        if memory.used >= _FULL * memory.total:
            reason += ": probably out of memory"
    return Ending("lost", "signal", reason, exit_code)


def _signal_words(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    hint = ", probably for lack of shared memory" if number == signal.SIGBUS else ""
    return f"ended by {name}{hint}"


def _exit_words(code: int, line: str) -> str:
    if code == _LOCK_BUSY:
        return "another process holds the lock of this run"
    words = f"exit code {code}" if code else "it ended without a result"
    return f"{words}: {line}" if line else words
