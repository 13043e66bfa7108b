"""When the device of an ended run is free again: its processes are gone and its memory is back."""

import logging
from collections.abc import Sequence

from ccafl.gpu import GpuAnswer
from ccafl.store import Store, claims
from ccafl.store.claims import OldLease
from ccafl.supervisor import process
from ccafl.supervisor.devices import is_used
from ccafl.supervisor.launch import CPU

logger = logging.getLogger(__name__)


class GiveBack:
    """Releases old leases, and marks those that stay for too long."""

    def __init__(self, store: Store, patience_s: float) -> None:
        self._store, self._patience_s = store, patience_s
        self._seen: dict[str, float] = {}  # when the lease was first seen to be old
        self._since: dict[str, float] = {}  # from when on it should have been free

    def __call__(
        self,
        leases: Sequence[OldLease],
        answer: GpuAnswer | None,
        *,
        asked_at: float,
        now: float,
    ) -> None:
        """Look at every old lease.

        Args:
            leases: of runs that have ended.
            answer: of NVML, None without a fresh one.
            asked_at: when it was asked for, monotonic. One from before the end of a run says
                nothing about the memory that the run has left.
            now: monotonic.
        """
        first_seen = {lease.gpu_uuid: self._seen.get(lease.gpu_uuid, now) for lease in leases}
        self._since = {uuid: self._since.get(uuid, seen) for uuid, seen in first_seen.items()}
        self._seen = first_seen
        for lease in leases:
            is_later = asked_at >= self._seen[lease.gpu_uuid]
            free = _is_free(lease, answer if is_later else None)
            if free:
                with self._store.writing() as connection:
                    claims.release(connection, lease.gpu_uuid)
            elif free is None:
                self._since[lease.gpu_uuid] = now  # nobody knows, so nothing is said
            elif not lease.stuck and now - self._since[lease.gpu_uuid] >= self._patience_s:
                logger.warning("run %d: %s is stuck", lease.run_id, lease.gpu_uuid)
                with self._store.writing() as connection:
                    claims.mark_stuck(connection, lease.gpu_uuid)


def _is_free(lease: OldLease, answer: GpuAnswer | None) -> bool | None:
    """Whether the device can be used again; None while NVML does not tell."""
    if process.members(lease.token):
        return False
    if lease.gpu_uuid == CPU:
        return True
    if answer is None or (answer.error is not None and not answer.absent):
        return None
    # a GPU that NVML does not list any more is given to nobody, so its lease is of no use
    return not any(gpu.uuid == lease.gpu_uuid and is_used(gpu) for gpu in answer.gpus)
