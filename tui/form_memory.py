"""GPU memory: what a run needs by an earlier one, and which GPU has it free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.strip import gigabytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ccafl.gpu import Gpu

_ROUGH = 10 << 30  # bytes from which on a need is told in whole GB


def memory_text(needed: int, asked: str, gpus: Sequence[Gpu]) -> str:
    """`needs about 24 GB, GPU 1 has 79.2`: what is free on the GPU asked for, or on the emptiest.

    Args:
        needed: bytes.
        asked: `auto`, an index or a UUID.
        gpus: as NVML told them last.
    """
    told = f"needs about {gigabytes(needed) if needed < _ROUGH else round(needed / (1 << 30))} GB"
    room = [
        (gpu.memory_total - gpu.memory_used, gpu.memory_total, gpu.index)
        for gpu in gpus
        if gpu.memory_total is not None and gpu.memory_used is not None
        if asked in ("auto", str(gpu.index), gpu.uuid)
    ]
    if not room:
        return told
    free, _, index = max(room)
    largest = max(total for _, total, _ in room)
    if largest < needed:
        return f"{told}, more than the {gigabytes(largest)} of {_which(asked, index)}"
    if free < needed and asked == "auto":
        return f"{told}, none has it now"
    return f"{told}, GPU {index} has {gigabytes(free)}"


def _which(asked: str, index: int) -> str:
    return "any GPU" if asked == "auto" else f"GPU {index}"
