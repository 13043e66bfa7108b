"""A thread that reads what the NVML helper says, and who owns the processes it names."""

from __future__ import annotations

import pwd
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tui.messages import GpusRead, Owner

if TYPE_CHECKING:
    from textual.message import Message

    from ccafl.gpu import GpuAnswer

COMMAND: Sequence[str] = (sys.executable, "-m", "ccafl.gpu")
SILENT_S = 5.0
AGAIN_S = 30.0  # after which a helper that broke off is started again


class GpuWatch(threading.Thread):
    """Reads the lines of the helper; a driver that hangs stops the helper and nothing else."""

    def __init__(self, post: Callable[[Message], object], command: Sequence[str] = COMMAND) -> None:
        super().__init__(name="gpus", daemon=True)
        self.heard = time.monotonic()
        self._post, self._command = post, command
        self._over = threading.Event()
        self._helper: subprocess.Popen[str] | None = None

    def stop(self) -> None:
        """End the helper; one that hangs in the driver is left behind."""
        self._over.set()
        if self._helper is not None:
            self._helper.terminate()

    def run(self) -> None:
        """Post what helpers say until told to stop."""
        self._listen()
        while not self._over.wait(AGAIN_S):
            self._listen()

    def _listen(self) -> None:
        """Post each answer of a helper that differs from the last one."""
        from ccafl.gpu import parse_line

        with subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as helper:
            self._helper = helper
            if self._over.is_set():
                helper.terminate()
            assert helper.stdout is not None
            last: GpuAnswer | None = None
            owners: dict[int, Owner] = {}
            for line in helper.stdout:
                self.heard = time.monotonic()
                answer = parse_line(line)
                if answer != last or answer.gpus:
                    owners = read_owners(answer, owners)
                    self._tell(GpusRead(answer, owners))
                last = answer
        self._tell(GpusRead(None))

    def _tell(self, message: Message) -> None:
        if not self._over.is_set():
            self._post(message)


def read_owners(answer: GpuAnswer, known: Mapping[int, Owner]) -> dict[int, Owner]:
    """User and command of the processes that can be seen from here, unless they are known."""
    pids = {process.pid for gpu in answer.gpus for process in gpu.processes or ()}
    found = {pid: known.get(pid) or _owner(Path(f"/proc/{pid}")) for pid in pids}
    return {pid: owner for pid, owner in found.items() if owner is not None}


def _owner(folder: Path) -> Owner | None:
    try:
        uid = folder.stat().st_uid
        command = (folder / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        return None
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return Owner(user, command.strip())
