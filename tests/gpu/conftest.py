"""Skips every test of this folder where torch finds no CUDA device."""

import os
from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def gpu() -> str:
    """UUID of the first GPU, as NVML and `--device` name it."""
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU: torch finds no CUDA device")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as a worker sets it
    return f"GPU-{torch.cuda.get_device_properties(0).uuid}"


@pytest.fixture
def as_in_a_worker() -> Iterator[None]:
    """Torch set up in this process as a worker sets it up, and back again."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.allow_tf32 = before
