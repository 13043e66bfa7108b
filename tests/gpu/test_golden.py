"""The reference numbers of tests/test_golden.py again, computed on a GPU in float32."""

from pathlib import Path

import pytest
import torch
from golden.archive import Archive
from test_golden import CHECKS, LEFT_OUT

WITHOUT_TENSORS = {"11_lr_schedules", "15_labels"}


@pytest.mark.usefixtures("as_in_a_worker")
@pytest.mark.filterwarnings("ignore:.*deterministic")
@pytest.mark.parametrize("name", sorted(set(CHECKS) - WITHOUT_TENSORS))
def test_the_gpu_meets_the_reference_numbers(name: str, golden: Path) -> None:
    device = torch.device("cuda", 0)
    reasons = LEFT_OUT.get(name, {})
    archive = Archive(golden / f"{name}.npz", reasons, device=device, precisions=("f32",))
    with device:  # what a check makes for itself lies there as well
        CHECKS[name](archive)
    assert archive.failures == []
    assert archive.compared
