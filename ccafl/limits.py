"""What this process may use of the machine: its CPU cores and memory, also inside a container."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class _Names(NamedTuple):
    """Files of a control group in one version of the kernel's interface."""

    limit: str
    used: str
    cache: tuple[str, ...]  # entries of memory.stat: files in memory that can be dropped


_NAMES = {  # by the controllers of a line of /proc/self/cgroup
    "": _Names("memory.max", "memory.current", ("inactive_file", "active_file")),
    "memory": _Names(
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        ("total_inactive_file", "total_active_file"),
    ),
}


def cpu_cores() -> int:
    """CPU cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def free_memory(root: Path = Path("/")) -> int:
    """Bytes of memory that can be had without swapping; the page cache counts as free.

    What the machine has, or less where a control group around this process has a limit.
    """
    machine = _table(root / "proc/meminfo")["MemAvailable:"] * 1024
    return min([machine, *_left_in_groups(root)])


def _left_in_groups(root: Path) -> Iterator[int]:
    groups = root / "proc/self/cgroup"
    for line in groups.read_text(encoding="utf-8").splitlines() if groups.exists() else ():
        _, controllers, path = line.split(":", 2)
        if controllers in _NAMES:
            top = root / "sys/fs/cgroup" / controllers
            group = top / path.lstrip("/")
            # a container may see the name that its group has outside, and the group itself as top
            for folder in (group, *group.parents):
                if folder.is_relative_to(top):
                    yield from _left(folder, _NAMES[controllers])


def _left(group: Path, names: _Names) -> Iterator[int]:
    """Bytes until the limit of a group; nothing where it has none."""
    try:
        limit = (group / names.limit).read_text(encoding="ascii").strip()
        used = int((group / names.used).read_text(encoding="ascii"))
        stat = _table(group / "memory.stat")
    except OSError:
        return
    if limit != "max":
        yield int(limit) - used + sum(stat[name] for name in names.cache)


def _table(path: Path) -> dict[str, int]:
    lines = path.read_text(encoding="ascii").splitlines()
    return {name: int(value) for name, value, *_ in map(str.split, lines)}
