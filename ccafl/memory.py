"""The memories that embeddings are compared with, and the label means they start from.

A memory changes in `update` alone. The stage calls it after the optimiser step with the
embeddings of that step's forward pass, so losses always see the memory as it was before.
Every write of an update is either to distinct rows or repeats identical values, so the
result does not depend on the order in which a device writes.
"""

from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import normalize


class CameraMemory:
    """Centroid and instances of every camera identity, all cameras together.

    centroid: (A, D) float, unit rows, ordered by camera identity.
    instance: (A, I, D) float, unit rows.
    """

    def __init__(self, centroid: Tensor, instance: Tensor) -> None:
        self.centroid = centroid
        self.instance = instance

    @classmethod
    def build(
        cls,
        x: Tensor,
        camera_identity: Tensor,
        count: int,
        instances: int,
        generator: torch.Generator,
    ) -> Self:
        """Start from the normalised means and `instances` draws with replacement per identity.

        Args:
            x: (N, D) float, unit embeddings of all training images.
            camera_identity: (N,) int64 in 0..count-1, each at least once.
            count: number of camera identities A.
            instances: instances per camera identity I.
            generator: on the CPU, so that the draws are the same on every device.
        """
        centroid = label_centroid(x, camera_identity, count)
        images = torch.bincount(camera_identity, minlength=count)  # (A,)
        by_identity = camera_identity.argsort(stable=True)  # (N,)
        first = images.cumsum(0) - images
        # float64, because a float32 draw times n can round up to n.
        draw = torch.rand(count, instances, generator=generator, dtype=torch.float64)
        offset = (draw.to(x.device) * images[:, None]).long()  # (A, I)
        return cls(centroid, x[by_identity[first[:, None] + offset]])

    @torch.no_grad()
    def update(self, x: Tensor, camera_identity: Tensor, *, momentum: float) -> None:
        """Write a batch into the memory.

        An identity's rows replace its first instances in batch order, the others stay; its
        centroid becomes the normalised mix of itself and the mean of those rows.

        Args:
            x: (B, D) float, unit embeddings of the step's forward pass.
            camera_identity: (B,) int64, none more than I times.
            momentum: share of the old centroid, in [0, 1].

        Source: the authors' code, which does this inside the backward pass.
        """
        same = camera_identity[:, None] == camera_identity  # (B, B)
        slot = same.tril(-1).sum(1)  # (B,), earlier rows of the same identity
        self.instance[camera_identity, slot] = x
        share = same.to(x.dtype)
        mean = share @ x / share.sum(1, keepdim=True)  # (B, D)
        mixed = _mix(self.centroid[camera_identity], mean, momentum)
        self.centroid[camera_identity] = mixed[_first(same)]

    def state_dict(self) -> dict[str, Tensor]:
        """Both tensors, as they are kept."""
        return {"centroid": self.centroid, "instance": self.instance}


class GroupMemory:
    """Centroid of every group of linked camera identities.

    centroid: (G, D) float, unit rows.
    """

    def __init__(self, centroid: Tensor) -> None:
        self.centroid = centroid

    @classmethod
    def build(cls, x: Tensor, group: Tensor, count: int) -> Self:
        """Start from the normalised mean of all images of a group.

        Args:
            x: (N, D) float, unit embeddings of all training images.
            group: (N,) int64 in -1..count-1, each group at least once; -1 takes no part.
            count: number of groups G.
        """
        return cls(label_centroid(x, group, count))

    @torch.no_grad()
    def update(self, x: Tensor, group: Tensor, *, momentum: float) -> None:
        """Mix the hardest row of each group of the batch into its centroid.

        The hardest is the row least similar to the centroid, the first in batch order on a tie.

        Args:
            x: (B, D) float, unit embeddings of the step's forward pass, linked images only.
            group: (B,) int64 in 0..G-1.
            momentum: share of the old centroid, in [0, 1].

        Source: the authors' code, which does this inside the backward pass.
        """
        old = self.centroid[group]  # (B, D)
        similarity = (x * old).sum(1)  # (B,)
        other = group[:, None] != group  # (B, B)
        in_group = similarity.expand(len(x), -1).masked_fill(other, torch.inf)
        hardest = _first(in_group == in_group.amin(1, keepdim=True))  # (B,)
        self.centroid[group] = _mix(old, x[hardest], momentum)


def label_centroid(features: Tensor, label: Tensor, count: int) -> Tensor:
    """(count, D) unit rows: the normalised `label_mean`."""
    return normalize(label_mean(features, label, count))


def label_mean(
    features: Tensor, label: Tensor, count: int, *, weight: Tensor | None = None
) -> Tensor:
    """Mean of the rows of each label, not normalised.

    Args:
        features: (N, D) float.
        label: (N,) int64 in -1..count-1; -1 takes no part.
        count: number of labels.
        weight: (N,) float above 0, weight of each row; equal if None.

    Returns:
        (count, D), in the dtype of `features`.

    Raises:
        ValueError: a label has no row.
    """
    if weight is None:
        weight = features.new_ones(len(features))
    place = label + 1  # row 0 collects -1
    total = features.new_zeros(count + 1, features.shape[1])
    total.index_add_(0, place, features * weight[:, None])
    mass = features.new_zeros(count + 1).index_add_(0, place, weight.to(features.dtype))
    empty = (mass[1:] == 0).nonzero()
    if len(empty):
        raise ValueError(f"label {int(empty[0])} of {count} has no row")
    return total[1:] / mass[1:, None]


def _mix(old: Tensor, new: Tensor, momentum: float) -> Tensor:
    return normalize(momentum * old + (1 - momentum) * new)


def _first(mask: Tensor) -> Tensor:
    """(B,) index of the first true column of each row."""
    column = torch.arange(mask.shape[1], device=mask.device)
    return torch.where(mask, column, mask.shape[1]).amin(1)
