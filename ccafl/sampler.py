"""Batches of P camera identities with K images each."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Indices = NDArray[np.int64]


class IdentitySampler:
    """Endless batches over the images, uniform over camera identities.

    One pass shuffles all camera identities and takes K images of each; batches are consecutive
    runs of P*K images, the last of a pass may be shorter. Which identities meet in a batch knows
    nothing of cameras. Everything is decided on the CPU, so that a device is never waited for.

    Source: the authors' code.
    """

    def __init__(
        self, camera_identity: Indices, *, p: int, k: int, generator: torch.Generator
    ) -> None:
        """Sort the images by camera identity.

        Args:
            camera_identity: (N,) camera identity of each image, each of 0..A-1 at least once.
            p: camera identities per batch.
            k: images of each; an identity with fewer than K is repeated.
            generator: on the CPU.
        """
        order = np.argsort(camera_identity, kind="stable")
        counts = np.bincount(camera_identity)
        self._images = np.split(order, counts.cumsum()[:-1])
        self._batch = p * k
        self._k = k
        self._generator = generator
        self._pass: Indices = np.empty(0, dtype=np.int64)
        self._position = 0

    def next(self) -> Indices:
        """Image indices of the next batch, (P*K,) or fewer at the end of a pass."""
        if self._position >= len(self._pass):
            self._pass, self._position = self._new_pass(), 0
        start, self._position = self._position, self._position + self._batch
        return self._pass[start : self._position]

    def state_dict(self) -> dict[str, Any]:
        """The current pass and the place in it; the generator is saved by its owner."""
        return {"pass": torch.from_numpy(self._pass), "position": self._position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._pass, self._position = state["pass"].numpy(), state["position"]

    def _new_pass(self) -> Indices:
        identities = torch.randperm(len(self._images), generator=self._generator).tolist()
        return np.concatenate([self._draw(self._images[identity]) for identity in identities])

    def _draw(self, images: Indices) -> Indices:
        repeats = 1 if len(images) >= self._k else self._k
        order = torch.randperm(len(images) * repeats, generator=self._generator)[: self._k]
        chosen: Indices = images[order.numpy() % len(images)]
        return chosen
