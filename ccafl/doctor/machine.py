"""What the machine offers: versions, GPUs, and whether background processes outlive a login."""

import getpass
import platform
import re
import sqlite3
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ccafl.doctor.findings import Finding, ok, problem, remark
from ccafl.gpu import read_gpus
from ccafl.tables import byte_count

PACKAGES = ("ccafl", "torch", "torchvision", "open_clip_torch", "textual")
STRICT_SQLITE = (3, 37, 0)
ROOT = Path("/")
DRIVER = Path("/proc/driver/nvidia/version")


def examine() -> Iterator[Finding]:
    """Look at the machine; imports nothing heavy."""
    yield ok("python", platform.python_version())
    yield from _packages()
    yield _sqlite()
    yield from _gpus()
    yield from login(ROOT)


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield ok(name, version(name))
        except PackageNotFoundError:
            yield problem(name, "It is not installed.", "Install ccafl again: pip install ccafl")


def _sqlite() -> Finding:
    if sqlite3.sqlite_version_info < STRICT_SQLITE:
        return problem(
            "sqlite",
            f"{sqlite3.sqlite_version} is too old for the tables of ccafl.",
            f"Use a Python whose SQLite is {'.'.join(map(str, STRICT_SQLITE))} or newer.",
        )
    return ok("sqlite", sqlite3.sqlite_version)


def _gpus() -> Iterator[Finding]:
    answer = read_gpus()
    if answer.absent:
        yield remark("GPU", f"There is none ({answer.error}); runs train on the CPU.")
        return
    if answer.error is not None:
        yield problem(
            "GPU",
            f"The driver does not answer: {answer.error}.",
            "See whether `nvidia-smi` lists the GPUs; until then no run is started on one.",
        )
        return
    driver = _driver()
    for gpu in answer.gpus:
        memory = byte_count(gpu.memory_total) if gpu.memory_total else "memory not told"
        yield ok(f"GPU {gpu.index}", f"{gpu.name or 'no name'}, {memory}, {gpu.uuid}{driver}")
    if answer.gpus and _torch_is_for_cpus():
        yield problem(
            "torch",
            "There is a GPU, and the installed torch cannot use it.",
            "Install a CUDA build of torch; pytorch.org has the command.",
        )


def _driver() -> str:
    try:
        found = re.search(r"\s(\d+\.[\d.]+)\s", DRIVER.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        found = None
    return f", driver {found.group(1)}" if found else ""


def _torch_is_for_cpus() -> bool:
    try:
        return version("torch").endswith("+cpu")
    except PackageNotFoundError:
        return False


def login(root: Path) -> Iterator[Finding]:
    """Whether systemd ends the supervisor and the runs when the user logs out."""
    if not (root / "run/systemd/system").is_dir():
        return
    if not _kills_user_processes(root):
        yield ok("logout", "Background processes go on after logout.")
        return
    user = getpass.getuser()
    if (root / "var/lib/systemd/linger" / user).exists():
        yield ok("logout", f"Background processes of {user} go on after logout (linger is on).")
    else:
        yield problem(
            "logout",
            "This system ends background processes at logout (KillUserProcesses=yes), runs too.",
            "Run once: loginctl enable-linger",
        )


def _kills_user_processes(root: Path) -> bool:
    """The last word of logind's configuration; distributions build it with `no`."""
    files = [root / "etc/systemd/logind.conf"]
    for folder in ("usr/lib", "run", "etc"):
        files += sorted((root / folder / "systemd/logind.conf.d").glob("*.conf"))
    kills = False
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for value in re.findall(r"(?mi)^\s*KillUserProcesses\s*=\s*(\w+)", text):
            kills = value.lower() in ("yes", "true", "1", "on")
    return kills
