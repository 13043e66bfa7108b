"""Processes: who they are, whether they live, and signals that reach nobody else.

A process is its pid, its start time and the boot it belongs to, because pids are used again
within a day. Every process of a run carries the run's token in its environment, because a child
may leave the session and the process group of its parent.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOKEN_NAME = "CCAFL_RUN"  # noqa: S105  # the name of a variable
_PROC = Path("/proc")
_START_FIELD = 19  # field 22 of /proc/PID/stat, counted from the state (field 3)


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that no later one is mistaken for; `start` is clock ticks after boot."""

    pid: int
    start: int
    boot_id: str


def boot_id() -> str:
    """The name of the present boot of this machine."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Identity | None:
    """The identity of a process that lives or was not waited for yet."""
    fields = _stat(pid)
    return Identity(pid, int(fields[_START_FIELD]), boot_id()) if fields else None


def lives(process: Identity) -> bool:
    """Whether exactly this process still runs; a zombie does not."""
    fields = _stat(process.pid)
    return (
        bool(fields)
        and fields[0] not in "ZX"
        and int(fields[_START_FIELD]) == process.start
        and boot_id() == process.boot_id
    )


def send(process: Identity, number: signal.Signals) -> None:
    """Signal exactly this process; does nothing when it is gone."""
    with _opened(process.pid) as descriptor:
        if descriptor is not None and lives(process):
            _send(descriptor, number)


def members(token: str) -> list[int]:
    """Pids of this user's living processes that carry a run's token."""
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and _carries(entry, token):
            found.append(int(entry.name))
    return found


def head(token: str) -> Identity | None:
    """The process of a run that no other one of the run started."""
    family = members(token)
    for pid in family:
        fields = _stat(pid)
        if fields and int(fields[1]) not in family:
            return identify(pid)
    return None


def kill_members(token: str) -> bool:
    """Send SIGKILL to every process of a run; True if there was none left."""
    family = members(token)
    for pid in family:
        with _opened(pid) as descriptor:
            # asked again, because the pid may have changed hands before the descriptor held it
            if descriptor is not None and _carries(_PROC / str(pid), token):
                _send(descriptor, signal.SIGKILL)
    return not family


def memory_kills() -> int:
    """How often the kernel killed a process of our control group for lack of memory."""
    try:
        group = (_PROC / "self/cgroup").read_text().splitlines()[-1].rpartition("::")[2]
        events = Path(f"/sys/fs/cgroup{group}/memory.events").read_text()
    except (OSError, IndexError):
        return 0
    counts = dict(line.split() for line in events.splitlines())
    return int(counts.get("oom_kill", 0))


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on; empty when there is no such process."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()  # the name in parentheses may hold anything


def _carries(folder: Path, token: str) -> bool:
    try:
        if folder.stat().st_uid != os.geteuid():
            return False
        environment = (folder / "environ").read_bytes()  # empty for a zombie
    except OSError:
        return False
    return f"{TOKEN_NAME}={token}".encode() in environment.split(b"\0")


@contextmanager
def _opened(pid: int) -> Iterator[int | None]:
    """A descriptor that means this process even after its pid is given to another one."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _send(descriptor: int, number: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return  # it ended in between, which is what the signal is for
