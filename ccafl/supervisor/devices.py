"""Which device a run gets: leases are our own truth, NVML tells of everybody else."""

import threading
import time
from collections.abc import Callable, Mapping

from ccafl.gpu import Gpu, GpuAnswer, read_gpus
from ccafl.store.claims import Granted, Waits
from ccafl.supervisor.launch import CPU

FOREIGN_MEMORY = 500 << 20  # bytes; a GPU without our lease and with more in use is somebody's
_FRESH_S = 5.0
_ABSENT_S = 60.0  # a machine without a driver is not asked every few seconds


def choose(asked: str, leases: Mapping[str, int], answer: GpuAnswer | None) -> Granted | Waits:
    """The device for a run that asked for `asked`, or why it waits.

    Args:
        asked: auto, cpu, an index of NVML, or a UUID.
        leases: devices in use, with the run that holds each.
        answer: a fresh answer of NVML, None if there is none.
    """
    if asked == CPU:
        return _grant_cpu(leases)
    if answer is not None and asked == "auto" and _has_no_gpu(answer):
        return _grant_cpu(leases)
    return _choose_gpu(asked, leases, answer)


class GpuReader:
    """Fresh answers of NVML without ever waiting for it."""

    def __init__(self, read: Callable[[], GpuAnswer] = read_gpus) -> None:
        self._read = read
        self._thread: threading.Thread | None = None
        self._answer: GpuAnswer | None = None
        self._read_at = 0.0

    def answer(self) -> GpuAnswer | None:
        """The newest answer, None if it is old."""
        return self._answer if self._age() < self._lifetime() else None

    def refresh(self) -> bool:
        """Ask again in the background when the answer ages; True if one has arrived since."""
        if self._thread is not None and self._thread.is_alive():
            return False
        arrived, self._thread = self._thread is not None, None
        if self._age() > self._lifetime() / 2:
            self._thread = threading.Thread(target=self._ask, daemon=True)
            self._thread.start()
        return arrived

    def _ask(self) -> None:
        self._answer = self._read()
        self._read_at = time.monotonic()

    def _age(self) -> float:
        return time.monotonic() - self._read_at if self._answer else float("inf")

    def _lifetime(self) -> float:
        return _ABSENT_S if self._answer and self._answer.absent else _FRESH_S


def _has_no_gpu(answer: GpuAnswer) -> bool:
    return answer.absent or (answer.error is None and not answer.gpus)


def _choose_gpu(asked: str, leases: Mapping[str, int], answer: GpuAnswer | None) -> Granted | Waits:
    if answer is None:
        return Waits("the GPU driver (NVML) has not answered yet")
    if answer.error is not None:
        return Waits(f"the GPUs cannot be asked: {answer.error}")
    candidates = [gpu for gpu in answer.gpus if asked in ("auto", str(gpu.index), gpu.uuid)]
    decisions = [_grant_gpu(gpu, leases) for gpu in candidates]
    granted = [decision for decision in decisions if isinstance(decision, Granted)]
    if granted:
        return granted[0]
    reasons = [decision.reason for decision in decisions if isinstance(decision, Waits)]
    return Waits(", ".join(reasons) or f"this machine has no GPU {asked}")


def _grant_cpu(leases: Mapping[str, int]) -> Granted | Waits:
    return Waits(f"run {leases[CPU]} holds the CPU") if CPU in leases else Granted(CPU)


def _grant_gpu(gpu: Gpu, leases: Mapping[str, int]) -> Granted | Waits:
    if gpu.uuid is None:
        return Waits(f"GPU {gpu.index} does not tell its UUID")
    if gpu.uuid in leases:
        return Waits(f"run {leases[gpu.uuid]} holds GPU {gpu.index}")
    if gpu.memory_used is not None and gpu.memory_used > FOREIGN_MEMORY:
        return Waits(f"others use {gpu.memory_used / 1e9:.1f} GB of GPU {gpu.index}")
    return Granted(gpu.uuid)
