"""Runs a program on a machine that seems to have one card: `python -m bench.one_card nvitop`.

`nvitop` runs nvitop, `app ARGUMENTS` the app, `gpu` the helper that the app asks. What pynvml
would look up in the driver's library is answered here; the use of the card changes each second.
The process whose number is in the environment variable `ON_CARD` computes there.
"""

import ctypes
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import pynvml

TEXTS = {
    "nvmlDeviceGetName": b"NVIDIA H100 80GB HBM3",
    "nvmlDeviceGetUUID": b"GPU-invented",
    "nvmlErrorString": b"Not Supported",
    "nvmlSystemGetDriverVersion": b"570.0",
}
NUMBERS = {
    "nvmlDeviceGetCount_v2": 1,
    "nvmlDeviceGetEnforcedPowerLimit": 700_000,
    "nvmlDeviceGetPowerManagementLimit": 700_000,
    "nvmlDeviceGetPowerUsage": 512_000,
    "nvmlDeviceGetTemperature": 63,
}
ON_CARD = "ON_CARD"
DONE = ("nvmlInit_v2", "nvmlInitWithFlags", "nvmlShutdown")


def look_up(name: str) -> Callable[..., Any]:
    """A function of the library."""
    return lambda *arguments: _answer(name, arguments)


def _answer(name: str, arguments: tuple[Any, ...]) -> Any:
    last = getattr(arguments[-1], "_obj", None) if arguments else None
    if name in TEXTS:
        for place in arguments:
            if isinstance(place, ctypes.Array):
                place.value = TEXTS[name]
                return 0
        return TEXTS[name]
    if name in DONE:
        return 0
    if name == "nvmlDeviceGetHandleByIndex_v2":
        ctypes.cast(arguments[1], ctypes.POINTER(ctypes.c_void_p))[0] = 1
    elif name in NUMBERS and last is not None:
        last.value = NUMBERS[name]
    elif name.startswith("nvmlDeviceGetMemoryInfo") and last is not None:
        last.total, last.used, last.free = 80 << 30, 61 << 30, 19 << 30
    elif name.startswith("nvmlDeviceGetComputeRunningProcesses") and ON_CARD in os.environ:
        return _list_process(*arguments[1:])
    elif name == "nvmlDeviceGetUtilizationRates" and last is not None:
        last.gpu, last.memory = 40 + int(time.time()) % 50, 5
    else:
        return pynvml.NVML_ERROR_NOT_SUPPORTED
    return 0


def _list_process(count: Any, found: Any) -> int:
    """The one process; whoever asks has to make room for it first."""
    count._obj.value = 1
    if found is None:
        return int(pynvml.NVML_ERROR_INSUFFICIENT_SIZE)
    found[0].pid, found[0].usedGpuMemory = int(os.environ[ON_CARD]), 60 << 30
    return 0


def main() -> None:
    """Answer for the driver, then run what was asked for."""
    what, *arguments = sys.argv[1:]
    if what == "app":
        import tui.gpus
        from tui.app import main as show

        tui.gpus.COMMAND = (sys.executable, "-m", "bench.one_card", "gpu")
        show(arguments)
        return
    pynvml._nvmlGetFunctionPointer = look_up
    pynvml._LoadNvmlLibrary = lambda: None
    if what == "gpu":
        from ccafl.gpu import main as tell

        tell([])
    else:
        from nvitop.cli import main as watch

        sys.argv[1:] = arguments
        watch()


if __name__ == "__main__":
    main()
