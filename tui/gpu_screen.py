"""Every GPU with every process that NVML shows there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from ccafl.sentences import printable
from tui.frame import Line, Opened
from tui.messages import GpusRead, Owner, QueueRead
from tui.strip import gigabytes, memory
from tui.texts import Lines

if TYPE_CHECKING:
    from textual.message import Message
    from textual.widget import Widget

    from ccafl.gpu import Gpu, GpuProcess
    from ccafl.store import RunRow

UNNAMED = 1 << 30  # bytes in use that no process accounts for before it is said


class GpuScreen(Opened):
    """One page, renewed with each answer."""

    path = "GPU use"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy", "copy", tooltip="copy this page")]

    def body(self) -> Iterator[Widget]:
        """The page."""
        with Lines(id="gpu-page"):
            yield Line("gpu-text")

    def on_mount(self) -> None:
        """What is known already."""
        self.query_one(Lines).focus()
        self._show()

    def action_copy(self) -> None:
        """Copy the page, such as for whoever has left a process behind."""
        self.app.copy(self.app.signs.gpu_page(), "GPU use")

    def take(self, message: Message) -> None:
        """Show the newest answer, and whose runs these are."""
        if isinstance(message, GpusRead | QueueRead):
            self._show()

    def _show(self) -> None:
        self.query_one("#gpu-text", Line).show(self.app.signs.gpu_page())


def gpu_page(gpus: Sequence[Gpu], owners: Mapping[int, Owner], runs: Sequence[RunRow]) -> str:
    """A head per GPU, a line per process."""
    ours = {run.pid: f"run {run.id} {printable(run.name)}" for run in runs if run.pid}
    lines: list[str] = []
    for gpu in gpus:
        use = "-" if gpu.utilisation is None else f"{100 * gpu.utilisation:.0f} %"
        name = printable(gpu.name or "")
        lines.append(f" GPU {gpu.index} {name}   {use}   {memory(gpu).strip()}")
        lines += [_line(process, owners, ours) for process in gpu.processes or ()] or [_none(gpu)]
        lines.append("")
    return "\n".join(lines)


def _line(process: GpuProcess, owners: Mapping[int, Owner], ours: Mapping[int, str]) -> str:
    owner = owners.get(process.pid)
    user = printable(owner.user) if owner else "-"
    command = printable(owner.command) if owner else "not visible from here"
    what = ours.get(process.pid, command or "-")
    return f"   {process.pid:>8}  {user:<12}{gigabytes(process.memory):>6} GB  {what}"


def _none(gpu: Gpu) -> str:
    if gpu.processes is None:
        return "   this driver names no processes"
    if (gpu.memory_used or 0) > UNNAMED:
        return "   no process names: NVML shows none from here, as in a container; memory is in use"
    return "   free"
