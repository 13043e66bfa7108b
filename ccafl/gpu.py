"""What NVML says about the GPUs, as JSON lines; nothing else knows NVML.

`python -m ccafl.gpu` prints a line per second until its stdin closes or its parent is gone;
`--once` prints one. NVML may hang in the driver, so those who need an answer run this module as a
child and stop waiting after a while.
"""

import argparse
import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pynvml

_PERIOD_S = 1.0
_AHEAD_S = 0.05  # the app draws at whole seconds what it knows then
# NVML's library or its driver is not there, which is how a machine without a GPU answers
_ABSENT = (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED)


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuProcess:
    """A process that computes on a GPU; `memory` is bytes, None where NVML does not tell."""

    pid: int
    memory: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """Readings of one GPU; a field that the card or driver does not offer is None.

    Memory is bytes, utilisation is a share in [0, 1], temperature is degrees Celsius, power is
    watts, and so is the limit that the driver enforces. `index` is NVML's (PCI order), which
    CUDA's may differ from; the UUID is the name.
    """

    index: int
    uuid: str | None
    name: str | None
    memory_used: int | None
    memory_total: int | None
    utilisation: float | None
    temperature: int | None
    power: float | None
    power_limit: float | None = None
    processes: tuple[GpuProcess, ...] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuAnswer:
    """All GPUs, or why there is no answer; `absent` when the machine has no NVIDIA driver."""

    gpus: tuple[Gpu, ...] = ()
    error: str | None = None
    absent: bool = False


def read_gpus(timeout_s: float = 5.0, command: Sequence[str] | None = None) -> GpuAnswer:
    """Ask NVML in a child process and give up after `timeout_s` seconds; never raises for NVML.

    A child that hangs in the driver cannot even be killed, so it is left behind.
    """
    child = subprocess.Popen(
        command or [sys.executable, "-m", "ccafl.gpu", "--once"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        output, _ = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=0.5)
        return GpuAnswer(error=f"NVML did not answer within {timeout_s:g} s")
    return parse_line(output)


def parse_line(line: str) -> GpuAnswer:
    """The answer that a line of the helper holds."""
    try:
        values = json.loads(line)
        if "error" in values:
            return GpuAnswer(error=str(values["error"]), absent=bool(values["absent"]))
        return GpuAnswer(gpus=tuple(_parse_gpu(gpu) for gpu in values["gpus"]))
    except (ValueError, TypeError, KeyError) as error:
        return GpuAnswer(error=f"the NVML helper broke off: {error}")


def to_line(answer: GpuAnswer) -> str:
    """The JSON line of an answer."""
    if answer.error is not None:
        return json.dumps({"error": answer.error, "absent": answer.absent})
    return json.dumps({"gpus": [asdict(gpu) for gpu in answer.gpus]})


def ask(nvml: Any = pynvml) -> GpuAnswer:
    """Readings of all GPUs in this process; `nvml` stands for pynvml, which is untyped."""
    try:
        count = _count(nvml)
    except pynvml.NVMLError as error:
        return GpuAnswer(error=str(error), absent=error.value in _ABSENT)
    return GpuAnswer(gpus=tuple(_read_gpu(nvml, index) for index in range(count)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print readings as JSON lines."""
    parser = argparse.ArgumentParser(prog="python -m ccafl.gpu", description=__doc__)
    parser.add_argument("--once", action="store_true", help="print one line")
    once, parent = parser.parse_args(arguments).once, os.getppid()
    try:
        _say(ask())
        while not once and _wait(parent):
            _say(ask())
    except BrokenPipeError:
        # the reader is gone; the interpreter would complain again when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(answer: GpuAnswer) -> None:
    sys.stdout.write(to_line(answer) + "\n")
    sys.stdout.flush()


def _wait(parent: int) -> bool:
    """Wait until shortly before the next whole second; False when nobody listens any more."""
    rest_s = _PERIOD_S - (time.monotonic() + _AHEAD_S) % _PERIOD_S
    readable, _, _ = select.select([sys.stdin], [], [], rest_s)
    if readable and not os.read(sys.stdin.fileno(), 4096):
        return False
    return os.getppid() == parent


def _count(nvml: Any) -> int:
    try:
        return int(nvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        _try(nvml.nvmlShutdown)  # a session from before the driver was replaced stays broken
        nvml.nvmlInit()
        return int(nvml.nvmlDeviceGetCount())


def _read_gpu(nvml: Any, index: int) -> Gpu:
    """Each field is asked for alone: cards, drivers and MIG differ in what they offer."""
    gpu = _try(lambda: nvml.nvmlDeviceGetHandleByIndex(index))
    memory = _try(lambda: nvml.nvmlDeviceGetMemoryInfo(gpu, version=pynvml.nvmlMemory_v2))
    if memory is None:  # an older driver; its "used" includes what the driver keeps for itself
        memory = _try(lambda: nvml.nvmlDeviceGetMemoryInfo(gpu))
    utilisation = _try(lambda: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu)
    power = _try(lambda: nvml.nvmlDeviceGetPowerUsage(gpu))
    limit = _try(lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(gpu))
    processes = _try(lambda: nvml.nvmlDeviceGetComputeRunningProcesses(gpu))
    return Gpu(
        index=index,
        uuid=_try(lambda: nvml.nvmlDeviceGetUUID(gpu)),
        name=_try(lambda: nvml.nvmlDeviceGetName(gpu)),
        memory_used=None if memory is None else memory.used,
        memory_total=None if memory is None else memory.total,
        utilisation=None if utilisation is None else utilisation / 100,
        temperature=_try(lambda: nvml.nvmlDeviceGetTemperature(gpu, pynvml.NVML_TEMPERATURE_GPU)),
        power=None if power is None else power / 1000,
        power_limit=None if limit is None else limit / 1000,
        processes=None
        if processes is None
        else tuple(GpuProcess(pid=found.pid, memory=found.usedGpuMemory) for found in processes),
    )


def _try(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (pynvml.NVMLError, pynvml.NVMLLibraryMismatchError):  # the second: an older driver
        return None


def _parse_gpu(values: dict[str, Any]) -> Gpu:
    processes = values.pop("processes")
    found = None if processes is None else tuple(GpuProcess(**process) for process in processes)
    return Gpu(**values, processes=found)


if __name__ == "__main__":
    main()
