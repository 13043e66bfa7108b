"""Which number format the forward pass uses.

Similarities, losses, memories and evaluation are float32 whatever this says.
"""

from contextlib import AbstractContextManager

import torch

from ccafl.errors import ConfigError

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def forward_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The format for `model.precision` on a device.

    Args:
        precision: "auto" takes bf16 on a GPU that has it, else fp16; on a CPU fp32.
        device: where the run trains.

    Raises:
        ConfigError: fp16 on a CPU.
    """
    if precision == "fp16" and device.type == "cpu":
        raise ConfigError("model.precision is 'fp16', which needs a GPU. Use 'auto' or 'bf16'.")
    if precision != "auto":
        return _DTYPES[precision]
    if device.type == "cpu":
        return torch.float32
    # older cards emulate bf16, slowly; torch counts that as support unless asked not to
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_bf16 else torch.float16


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Run the forward pass in `dtype`; float32 means no autocast."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
