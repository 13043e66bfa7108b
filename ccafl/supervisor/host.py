"""The memory of the host: how much of it was in use just before a process was killed."""

from collections import deque
from pathlib import Path
from typing import NamedTuple

_MEMINFO = Path("/proc/meminfo")
_LOOKS = 20  # five seconds of the usual pace; looks are counted, because a full host slows us too


class HostMemory(NamedTuple):
    """Bytes; the page cache does not count as used."""

    used: int
    total: int


class MemoryWatch:
    """Remembers the highest use of the last looks: after a kill the memory is free again."""

    def __init__(self) -> None:
        self._looks: deque[HostMemory] = deque(maxlen=_LOOKS)

    def look(self) -> None:
        """Take the present use."""
        found = host_memory(_MEMINFO)
        if found is not None:
            self._looks.append(found)

    def highest(self) -> HostMemory | None:
        """The highest use lately; None if it was never known."""
        return max(self._looks, default=None)


def host_memory(meminfo: Path) -> HostMemory | None:
    """What the kernel's table says; None if it does not tell."""
    try:
        words = [line.split() for line in meminfo.read_text(encoding="ascii").splitlines()]
        kilobytes = {name: int(value) for name, value, *_ in words}
        total, available = (1024 * kilobytes[name] for name in ("MemTotal:", "MemAvailable:"))
    except (OSError, ValueError, KeyError):
        return None
    return HostMemory(total - available, total)
