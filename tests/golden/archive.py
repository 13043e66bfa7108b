"""One file of reference numbers, with a record of what a check did with each array."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Array = NDArray[Any]
PRECISIONS = {"f32": torch.float32, "f64": torch.float64}


class Archive:
    """Arrays by key; every key has to be read, compared or left out.

    `reasons` says why keys of a pattern may be left out; leaving out another key is an error.
    """

    def __init__(
        self,
        path: Path,
        reasons: Mapping[str, str],
        *,
        device: torch.device | None = None,
        precisions: Sequence[str] = tuple(PRECISIONS),
    ) -> None:
        self.reasons, self.device, self._precisions = reasons, device, precisions
        with np.load(path, allow_pickle=False) as stored:
            self.arrays: dict[str, Array] = {key: stored[key] for key in stored.files}
        self.read: set[str] = set()
        self.compared: set[str] = set()
        self.left_out: set[str] = set()
        self.failures: list[str] = []

    @property
    def cases(self) -> list[str]:
        """What stands before the first dot of a key."""
        return sorted({key.split(".", 1)[0] for key in self.arrays if "." in key})

    def keys(self, prefix: str) -> list[str]:
        return [key for key in self.arrays if key.startswith(prefix)]

    def array(self, key: str) -> Array:
        self.read.add(key)
        return self.arrays[key]

    def tensor(self, key: str, dtype: torch.dtype | None = None) -> Tensor:
        return torch.from_numpy(self.array(key).copy()).to(self.device, dtype)

    def leaf(self, key: str, dtype: torch.dtype) -> Tensor:
        """An input that gathers gradient."""
        return self.tensor(key, dtype).requires_grad_()

    def number(self, key: str) -> float:
        return float(self.array(key))

    def precisions(self) -> Iterator[tuple[str, torch.dtype]]:
        yield from ((name, PRECISIONS[name]) for name in self._precisions)

    def compare(
        self,
        key: str,
        actual: ArrayLike | Tensor | None,
        *,
        rtol: float | None = None,
        atol: float | None = None,
        view: Callable[[Array], Array] = lambda array: array,
    ) -> None:
        """Note a failure unless the stored array is met; nothing to do where none is stored.

        No gradient (None) never meets an array.
        `view` is applied to both sides. Tolerances not given are those of the folder's README.
        """
        if key not in self.arrays:
            return
        self.compared.add(key)
        if actual is None:
            self.failures.append(f"{key}: the product has no such value")
            return
        got = actual.detach().cpu().numpy() if isinstance(actual, Tensor) else np.asarray(actual)
        stored, got = view(self.arrays[key]), view(got)
        if stored.shape != got.shape:
            self.failures.append(f"{key}: shape {got.shape}, stored {stored.shape}")
            return
        usual = _tolerance(key, stored)
        rtol, atol = (usual[0] if rtol is None else rtol), (usual[1] if atol is None else atol)
        if not np.allclose(got, stored, rtol=rtol, atol=atol, equal_nan=True):
            worst = np.nanmax(np.abs(got - stored), initial=0.0)
            self.failures.append(f"{key}: differs by up to {worst:.3g} (rtol {rtol}, atol {atol})")

    def leave_out(self, key: str) -> None:
        if not any(fnmatch(key, pattern) for pattern in self.reasons):
            self.failures.append(f"{key}: left out without a reason in the table")
        self.left_out |= {key} & set(self.arrays)

    def unknown(self) -> set[str]:
        """Keys that no check knows."""
        return set(self.arrays) - self.read - self.compared - self.left_out


def _tolerance(key: str, stored: Array) -> tuple[float, float]:
    """Relative and absolute tolerance of the folder's README for one array."""
    if stored.dtype.kind in "iub":
        return 0.0, 0.0
    if not key.endswith("_f32") and stored.dtype != np.float32:
        return 1e-7, 1e-9
    if key.rpartition(".")[2].startswith("grad_"):
        return 0.0, 1e-5 * max(1.0, float(np.nanmax(np.abs(stored), initial=0.0)))
    return 1e-4, 1e-5
