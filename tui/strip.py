"""What NVML said, as the lines of the strip: a GPU each, those with our runs first."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict, deque
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len

from ccafl.sentences import printable
from tui.frame import WIDE

if TYPE_CHECKING:
    from ccafl.gpu import Gpu, GpuAnswer
    from ccafl.store import RunRow

BLOCKS = "▁▂▃▄▅▆▇█"
MINUTE = 60  # readings, one per second
_SIZE = re.compile(r"[ -]\d+ ?GB")
_SHORT, _LONG = 10, 24  # cells of a name


class Strip:
    """Turns answers into lines, with the last minute of each GPU."""

    def __init__(self) -> None:
        self.gpus: Sequence[Gpu] = ()
        self._trouble = "GPU  asking NVML"
        self._heard = 0.0
        self._minutes: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MINUTE))

    def take(self, answer: GpuAnswer | None, now: float) -> None:
        """Remember an answer; None when the helper is silent."""
        self._trouble = _trouble(answer, self._heard)
        self.gpus = answer.gpus if answer else ()
        if answer is not None:
            self._heard = now
        for gpu in self.gpus:
            self._minutes[_key(gpu)].append(gpu.utilisation or 0.0)

    @property
    def trouble(self) -> str:
        """Why there are no GPUs to show; empty if there are some."""
        return self._trouble

    def lines(self, runs: Sequence[RunRow], most: int, width: int) -> list[str]:
        """At most so many lines of at most that width; what does not fit leaves from the right."""
        if self._trouble:
            return [f" {line}" for line in textwrap.wrap(self._trouble, max(width - 2, 1))]
        ordered = sorted(self.gpus, key=lambda gpu: (run_on(gpu, runs) is None, gpu.index))
        if len(ordered) <= most:
            shown, last = ordered, []
        else:
            shown, rest = ordered[: most - 1], ordered[most - 1 :]
            last = [f" + {len(rest)} GPUs, {sum(not gpu.processes for gpu in rest)} free"]
        return [*_fit(self._cells(shown, runs, width), width), *last]

    def _cells(self, gpus: Sequence[Gpu], runs: Sequence[RunRow], width: int) -> list[list[str]]:
        cells = 30 if width >= WIDE else 8
        return [
            [
                f"GPU {gpu.index} {_name(gpu, is_short=width < WIDE)}".rstrip(),
                "-" if gpu.utilisation is None else f"{100 * gpu.utilisation:>3.0f} %",
                _blocks(self._minutes[_key(gpu)], cells),
                memory(gpu),
                "-" if gpu.temperature is None else f"{gpu.temperature} °C",
                _power(gpu),
                _user(gpu, runs),
            ]
            for gpu in gpus
        ]


def memory(gpu: Gpu) -> str:
    """Used and whole memory."""
    return f"{gigabytes(gpu.memory_used):>5}/{gigabytes(gpu.memory_total)} GB"


def gigabytes(size: int | None) -> str:
    """A size without its unit; `-` if it is not known."""
    return "-" if size is None else f"{size / (1 << 30):.1f}"


def run_on(gpu: Gpu, runs: Sequence[RunRow]) -> int | None:
    """The run of ours that computes there."""
    pids = {process.pid for process in gpu.processes or ()}
    return next((run.id for run in runs if run.pid in pids), None)


def _trouble(answer: GpuAnswer | None, heard: float) -> str:
    if answer is None:
        since = f" since {datetime.fromtimestamp(heard).strftime('%H:%M:%S')}" if heard else ""
        return f"GPU  no answer{since}: the NVML helper is silent; runs go on"
    if answer.absent:
        why = printable(answer.error or "").rstrip(".")
        return f"No GPU: {why}. Runs on the CPU go on, others wait."
    if answer.error is not None:
        return f"GPU  {printable(answer.error)}: reboot, or reload the driver"
    return "" if answer.gpus else "No GPU: the driver lists none. Runs on the CPU go on."


def _key(gpu: Gpu) -> str:
    return gpu.uuid or str(gpu.index)


def _name(gpu: Gpu, *, is_short: bool) -> str:
    """The name of a card; short without maker and size of memory, which stands beside it."""
    name = printable(gpu.name or "").removeprefix("NVIDIA ")
    if is_short:
        return _SIZE.split(name.removeprefix("GeForce "))[0][:_SHORT]
    return name[:_LONG]


def _power(gpu: Gpu) -> str:
    if gpu.power is None:
        return "-"
    limit = "" if gpu.power_limit is None else f"/{gpu.power_limit:.0f}"
    return f"{gpu.power:>3.0f}{limit} W"


def _user(gpu: Gpu, runs: Sequence[RunRow]) -> str:
    """Our run, and what others hold there."""
    if gpu.processes is None:
        return "-"
    pids = {run.pid for run in runs}
    run, others = run_on(gpu, runs), [one for one in gpu.processes if one.pid not in pids]
    sizes = [process.memory for process in others]
    known = [size for size in sizes if size is not None]
    parts = [f"run {run}"] if run is not None else []
    if others:
        parts.append(f"other {gigabytes(sum(known))} GB" if len(known) == len(sizes) else "other")
    return ", ".join(parts) or "free"


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


def _fit(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The columns that fit; who is there stays longest, the others leave from the right."""
    if not rows:
        return []
    for last in reversed(range(len(rows[0]))):
        lines = _aligned([[*readings[:last], user] for *readings, user in rows])
        if max(map(cell_len, lines)) <= width:
            break
    return lines


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with columns of one width."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    padded = [[f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)] for row in rows]
    return [f" {'  '.join(row)}".rstrip() for row in padded]
