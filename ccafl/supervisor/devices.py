"""Which device a run gets: leases are our own truth, NVML tells of everybody else."""

import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ccafl.gpu import Gpu, GpuAnswer, read_gpus
from ccafl.store.claims import Granted, Queued, Waits
from ccafl.supervisor.launch import CPU

FOREIGN_MEMORY = 500 << 20  # bytes; a GPU without our lease and with more in use is somebody's
FRESH_S = 5.0
NOTHING: Mapping[str, Any] = MappingProxyType({})
_ABSENT_S = 60.0  # a machine without a driver is not asked every few seconds


def choose(
    asked: str,
    leases: Mapping[str, int],
    answer: GpuAnswer | None,
    *,
    count: int = 1,
    kept: Mapping[str, int] = NOTHING,
    leaving: Mapping[str, bool] = NOTHING,
) -> Granted | Waits:
    """The devices for a run that asked for `asked`, all of them, or why it waits.

    Args:
        asked: auto, cpu, an index of NVML, or a UUID.
        leases: devices in use, with the run that holds each.
        answer: a fresh answer of NVML, None if there is none.
        count: how many GPUs the run needs.
        kept: GPUs that are kept for an earlier run of the queue, with that run.
        leaving: GPUs whose run has ended and whose memory is not back; True if for long.
    """
    if asked == CPU:
        return _grant_cpu(leases)
    if answer is not None and asked == "auto" and _has_no_gpu(answer):
        return _grant_cpu(leases)
    if answer is None:
        return Waits("the GPU driver (NVML) has not answered yet")
    if answer.error is not None:
        return Waits(f"the GPUs cannot be asked: {answer.error}")
    decisions = [_grant_gpu(gpu, leases, kept, leaving) for gpu in _candidates(asked, answer)]
    granted = [decision.gpu_uuid for decision in decisions if isinstance(decision, Granted)]
    if len(granted) >= count:
        return Granted(",".join(granted[:count]))
    reasons = [decision.reason for decision in decisions if isinstance(decision, Waits)]
    if len(decisions) < count:
        return Waits(_too_few(asked, count, len(decisions)))
    needs = f"it needs {count} GPUs: " if count > 1 else ""
    return Waits(needs + ", ".join(reasons))


class Allocator:
    """Gives devices to the runs of the queue, first run first.

    A run may be overtaken by later ones that fit where it does not, but not for ever: after
    `overtake_s` seconds of waiting for GPUs, those it may use are kept for it.
    """

    def __init__(self, overtake_s: float) -> None:
        self._overtake_s = overtake_s
        self._waits_since: dict[int, float] = {}
        self._before: dict[int, float] = {}
        self._kept: dict[str, int] = {}

    def begin(self) -> None:
        """Begin a pass over the queue; runs that the last pass did not ask for are forgotten."""
        self._before, self._waits_since, self._kept = self._waits_since, {}, {}

    def choose(
        self,
        run: Queued,
        leases: Mapping[str, int],
        answer: GpuAnswer | None,
        leaving: Mapping[str, bool],
        now: float,
    ) -> Granted | Waits:
        """The devices for the next run of the pass; `now` is monotonic time."""
        kept = self._kept
        found = choose(run.gpu, leases, answer, count=run.gpus, kept=kept, leaving=leaving)
        if isinstance(found, Waits) and answer is not None and run.gpu != CPU:
            since = self._waits_since[run.id] = self._before.get(run.id, now)
            if now - since >= self._overtake_s:
                candidates = _candidates(run.gpu, answer)
                if len(candidates) >= run.gpus:
                    self._kept = {gpu.uuid: run.id for gpu in candidates if gpu.uuid} | kept
        return found


def is_used(gpu: Gpu) -> bool:
    """Whether something computes on a card, or holds more memory than an idle one shows.

    False where NVML tells neither.
    """
    return bool(gpu.processes) or (gpu.memory_used or 0) > FOREIGN_MEMORY


class GpuReader:
    """Fresh answers of NVML without ever waiting for it."""

    def __init__(self, read: Callable[[], GpuAnswer] = read_gpus, fresh_s: float = FRESH_S) -> None:
        self._read, self._fresh_s = read, fresh_s
        self._thread: threading.Thread | None = None
        self._answer: GpuAnswer | None = None
        self._asked_at = self._read_at = 0.0

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

    @property
    def asked_at(self) -> float:
        """When the newest answer was asked for, monotonic; what it says is not older."""
        return self._asked_at

    def _ask(self) -> None:
        asked_at = time.monotonic()
        self._answer = self._read()
        self._asked_at, self._read_at = asked_at, time.monotonic()

    def _age(self) -> float:
        return time.monotonic() - self._read_at if self._answer else float("inf")

    def _lifetime(self) -> float:
        return _ABSENT_S if self._answer and self._answer.absent else self._fresh_s


def _has_no_gpu(answer: GpuAnswer) -> bool:
    return answer.absent or (answer.error is None and not answer.gpus)


def _candidates(asked: str, answer: GpuAnswer) -> list[Gpu]:
    return [gpu for gpu in answer.gpus if asked in ("auto", str(gpu.index), gpu.uuid)]


def _too_few(asked: str, count: int, found: int) -> str:
    if count == 1:
        return f"this machine has no GPU {asked}"
    where = "this machine has" if asked == "auto" else f"--gpu {asked} names"
    return f"it needs {count} GPUs, {where} {found}"


def _grant_cpu(leases: Mapping[str, int]) -> Granted | Waits:
    return Waits(f"run {leases[CPU]} holds the CPU") if CPU in leases else Granted(CPU)


def _grant_gpu(
    gpu: Gpu, leases: Mapping[str, int], kept: Mapping[str, int], leaving: Mapping[str, bool]
) -> Granted | Waits:
    if gpu.uuid is None:
        return Waits(f"GPU {gpu.index} does not tell its UUID")
    if gpu.uuid in leases:
        return Waits(_held(gpu, leases[gpu.uuid], leaving.get(gpu.uuid)))
    if is_used(gpu):
        return Waits(f"others use {_memory_used(gpu)}GPU {gpu.index}")
    if gpu.uuid in kept:
        return Waits(f"GPU {gpu.index} is kept for run {kept[gpu.uuid]}, which waits for longer")
    return Granted(gpu.uuid)


def _memory_used(gpu: Gpu) -> str:
    return "" if gpu.memory_used is None else f"{gpu.memory_used / 1e9:.1f} GB of "


def _held(gpu: Gpu, run_id: int, stuck: bool | None) -> str:
    if stuck is None:
        return f"run {run_id} holds GPU {gpu.index}"
    if stuck:
        return f"GPU {gpu.index} is stuck: run {run_id} ended and its memory was not given back"
    return f"run {run_id} has ended and still gives back the memory of GPU {gpu.index}"
