"""GPU readings from the helper process, and the lines of the strip."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ccafl.sentences import printable
from tui.messages import GpusRead

if TYPE_CHECKING:
    from textual.message import Message

    from ccafl.gpu import Gpu, GpuAnswer
    from ccafl.store import RunRow

COMMAND = (sys.executable, "-m", "ccafl.gpu")
SILENT_S = 5.0
BLOCKS = "▁▂▃▄▅▆▇█"
MINUTE = 60  # readings, one per second


class GpuWatch(threading.Thread):
    """Reads the lines of the helper; a driver that hangs stops the helper and nothing else."""

    def __init__(self, post: Callable[[Message], object], command: Sequence[str] = COMMAND) -> None:
        super().__init__(name="gpus", daemon=True)
        self.heard = time.monotonic()
        self._post, self._command = post, command
        self._is_over = False
        self._helper: subprocess.Popen[str] | None = None

    def stop(self) -> None:
        """End the helper; one that hangs in the driver is left behind."""
        self._is_over = True
        if self._helper is not None and self._helper.stdin is not None:
            self._helper.terminate()

    def run(self) -> None:
        """Post each answer that differs from the last one."""
        from ccafl.gpu import parse_line

        with subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as helper:
            self._helper = helper
            if self._is_over:
                helper.terminate()
            assert helper.stdout is not None
            last: GpuAnswer | None = None
            for line in helper.stdout:
                self.heard = time.monotonic()
                answer = parse_line(line)
                if answer != last or answer.gpus:
                    self._tell(GpusRead(answer))
                last = answer
        self._tell(GpusRead(None))

    def _tell(self, message: Message) -> None:
        if not self._is_over:
            self._post(message)


class Strip:
    """Turns answers into lines, with the last minute of each GPU."""

    def __init__(self) -> None:
        self._answer: GpuAnswer | None = None
        self._has_answer = False
        self._minutes: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MINUTE))

    def take(self, answer: GpuAnswer | None) -> None:
        """Remember an answer; None when the helper is silent."""
        self._answer, self._has_answer = answer, True
        for gpu in answer.gpus if answer else ():
            self._minutes[_key(gpu)].append(gpu.utilisation or 0.0)

    def lines(self, runs: Sequence[RunRow], most: int, *, wide: bool) -> list[str]:
        """At most so many lines, GPUs with our runs first."""
        if not self._has_answer:
            return ["GPU  asking NVML"]
        answer = self._answer
        if answer is None:
            return ["GPU  no answer: the NVML helper is silent; runs go on"]
        if answer.absent:
            return ["No GPU: runs on the CPU go on; runs that need a GPU wait."]
        if answer.error is not None:
            return [f"GPU  {printable(answer.error)}: reboot, or reload the driver"]
        if not answer.gpus:
            return ["No GPU: the driver lists none. Runs on the CPU go on; others wait."]
        ordered = sorted(answer.gpus, key=lambda gpu: (_run_on(gpu, runs) is None, gpu.index))
        if len(ordered) <= most:
            return [self._line(gpu, runs, wide=wide) for gpu in ordered]
        shown, rest = ordered[: most - 1], ordered[most - 1 :]
        free = sum(not gpu.processes for gpu in rest)
        lines = [self._line(gpu, runs, wide=wide) for gpu in shown]
        return [*lines, f"+ {len(rest)} GPUs, {free} free"]

    def _line(self, gpu: Gpu, runs: Sequence[RunRow], *, wide: bool) -> str:
        name = printable(gpu.name or "").removeprefix("NVIDIA ")[: 24 if wide else 10]
        use = "-" if gpu.utilisation is None else f"{100 * gpu.utilisation:.0f} %"
        minute = _blocks(self._minutes[_key(gpu)], 30 if wide else 8)
        memory = f"{_gigabytes(gpu.memory_used)}/{_gigabytes(gpu.memory_total)} GB"
        heat = "-" if gpu.temperature is None else f"{gpu.temperature} °C"
        power = "-" if gpu.power is None else f"{gpu.power:.0f} W"
        parts = [f"GPU {gpu.index} {name}", f"{use:>5}", minute, f"{memory:>13}", heat, power]
        return "  ".join([*parts, _user(gpu, runs)])


def _key(gpu: Gpu) -> str:
    return gpu.uuid or str(gpu.index)


def _blocks(shares: Sequence[float], cells: int) -> str:
    """The readings of a minute as `cells` blocks, newest on the right, one style."""
    per_cell = MINUTE / cells
    values = list(shares)
    text = ""
    for cell in range(cells):
        end = len(values) - int((cells - 1 - cell) * per_cell)
        part = values[max(0, end - max(1, int(per_cell))) : max(0, end)]
        level = sum(part) / len(part) if part else 0.0
        text += BLOCKS[min(int(level * len(BLOCKS)), len(BLOCKS) - 1)]
    return text


def _gigabytes(size: int | None) -> str:
    return "-" if size is None else f"{size / (1 << 30):.1f}"


def _run_on(gpu: Gpu, runs: Sequence[RunRow]) -> int | None:
    pids = {process.pid for process in gpu.processes or ()}
    return next((run.id for run in runs if run.pid in pids), None)


def _user(gpu: Gpu, runs: Sequence[RunRow]) -> str:
    run = _run_on(gpu, runs)
    if run is not None:
        return f"run {run}"
    if gpu.processes is None:
        return "-"
    if not gpu.processes:
        return "free"
    sizes = [process.memory for process in gpu.processes]
    known = [size for size in sizes if size is not None]
    return f"other {_gigabytes(sum(known))} GB" if len(known) == len(sizes) else "other"
