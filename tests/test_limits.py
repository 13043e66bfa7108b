"""What a process may use: the cores it may run on, and what is left of a memory limit."""

import os
from pathlib import Path

import pytest

from ccafl.limits import cpu_cores, free_memory

MIB = 1 << 20
NO_LIMIT_V1 = 9223372036854771712


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a machine with 8 GiB free and no control groups."""
    write(tmp_path / "proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


def add_group(root: Path, path: str, *, limit: int | str, used: int, cache: int = 0) -> None:
    """A control group of version 2; half of its page cache was used lately."""
    group = root / "sys/fs/cgroup" / path
    write(group / "memory.max", f"{limit}\n")
    write(group / "memory.current", f"{used}\n")
    halves = f"inactive_file {cache // 2}\nactive_file {cache // 2}\n"
    write(group / "memory.stat", f"anon {used - cache}\n{halves}")


def test_cores_are_those_the_process_may_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 6})
    assert cpu_cores() == 3


def test_without_control_groups_the_machine_tells(root: Path) -> None:
    assert free_memory(root) == 8192 * MIB


def test_a_container_that_sees_its_group_as_top_is_limited_by_it(root: Path) -> None:
    write(root / "proc/self/cgroup", "0::/\n")
    add_group(root, "", limit=2048 * MIB, used=1536 * MIB, cache=512 * MIB)
    assert free_memory(root) == 1024 * MIB


def test_the_narrowest_group_around_the_process_counts(root: Path) -> None:
    write(root / "proc/self/cgroup", "0::/user.slice/job/step\n")
    add_group(root, "user.slice", limit=4096 * MIB, used=1024 * MIB)
    add_group(root, "user.slice/job", limit=1024 * MIB, used=256 * MIB)
    add_group(root, "user.slice/job/step", limit="max", used=256 * MIB)
    add_group(root, "other.slice", limit=MIB, used=0)
    assert free_memory(root) == 768 * MIB


def test_a_limit_above_what_the_machine_has_changes_nothing(root: Path) -> None:
    write(root / "proc/self/cgroup", "0::/job\n")
    add_group(root, "job", limit=65536 * MIB, used=0)
    assert free_memory(root) == 8192 * MIB


@pytest.mark.parametrize(("limit", "free"), [(2048 * MIB, 1536 * MIB), (NO_LIMIT_V1, 8192 * MIB)])
def test_groups_of_the_first_version_limit_as_well(root: Path, limit: int, free: int) -> None:
    write(root / "proc/self/cgroup", "5:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n0::/\n")
    group = root / "sys/fs/cgroup/memory"  # a container sees its own group here
    write(group / "memory.limit_in_bytes", f"{limit}\n")
    write(group / "memory.usage_in_bytes", f"{1024 * MIB}\n")
    cache = f"total_inactive_file {256 * MIB}\ntotal_active_file {256 * MIB}\n"
    write(group / "memory.stat", f"cache 1\n{cache}")
    assert free_memory(root) == free
