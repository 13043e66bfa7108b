"""Links camera identities across cameras into groups, from their centroids alone."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Association:
    """Which camera identities are held to be the same person."""

    group: Tensor  # (A,) int64 on the CPU, -1 unlinked, numbered by the lowest member
    linked: int  # camera identities in a group
    groups: int  # groups, each of two or more camera identities
    conflicts: int  # groups that hold two camera identities of one camera


def link_cameras(
    centroid: Tensor, camera: Tensor, *, rate: float, one_per_camera: bool = False
) -> Association:
    """Link the nearest camera identities of different cameras.

    The int(rate * A) nearest pairs of different cameras are visited from near to far. A pair is
    accepted if neither side has a partner in the other's camera yet; a refused one uses up its
    place. Groups are the connected components of the accepted pairs. Equal distances are
    visited in the order of the lower, then the higher index.

    Args:
        centroid: (A, D) float, unit rows.
        camera: (A,) int64, camera of each camera identity.
        rate: pairs visited per camera identity, above 0; at most all cross-camera pairs are.
        one_per_camera: also refuse a pair that would put two camera identities of one camera
            into a group, which a chain of pairs otherwise can.

    Source: the authors' code.
    """
    cameras = camera.cpu().numpy()
    pairs = nearest_pairs(centroid, camera, int(rate * len(cameras)))
    accepted = _accept(pairs, cameras, one_per_camera=one_per_camera)
    group = _components(accepted, len(cameras))
    linked = group >= 0
    member = np.unique(np.stack([group[linked], cameras[linked]]), axis=1, return_counts=True)
    conflicts = np.unique(member[0][0][member[1] > 1]).size
    groups = int(group.max(initial=-1)) + 1
    return Association(torch.from_numpy(group), int(linked.sum()), groups, conflicts)


def audit(group: Tensor, camera: Tensor, pid: Tensor) -> tuple[float, float]:
    """Precision and recall of groups against the true persons, over cross-camera pairs.

    This is the only function of the product that may receive the cross-camera identity of
    training images. Its result is logged and shown; nothing trains on it.

    Args:
        group: (A,) int64, -1 unlinked.
        camera: (A,) int64.
        pid: (A,) int64, the person each camera identity is.

    Returns:
        Of all pairs of different cameras in one group, the share that is one person; of all
        pairs of different cameras that are one person, the share in one group. NaN where there
        is no such pair.
    """
    is_linked = group >= 0
    found = _cross_camera_pairs(camera[is_linked], group[is_linked])
    right = _cross_camera_pairs(camera[is_linked], group[is_linked], pid[is_linked])
    true = _cross_camera_pairs(camera, pid)
    return right / found if found else float("nan"), right / true if true else float("nan")


def nearest_pairs(centroid: Tensor, camera: Tensor, count: int) -> Ints:
    """The `count` nearest pairs of different cameras, nearest first, all pairs if fewer exist.

    Only blocks of one camera against all later ones are scored, and each keeps no more than
    `count` pairs (more only where distances at its cut are equal).

    Returns:
        (P, 2), the lower index of each pair first.
    """
    order = camera.argsort(stable=True)  # (A,)
    rows = centroid[order]
    starts = camera.bincount().cumsum(0).tolist()
    found = []
    for start, stop in zip([0, *starts], starts, strict=False):
        block = squared_distance(rows[start:stop], rows[stop:])  # (n_c, later)
        near, row, column = _nearest_entries(block, count)
        found.append((near, order[start + row], order[stop + column]))
    distance, a, b = (torch.cat(part).cpu().numpy() for part in zip(*found, strict=True))
    low, high = np.minimum(a, b), np.maximum(a, b)
    first = np.lexsort((high, low, distance))[:count]
    return np.stack([low[first], high[first]], axis=1)


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """(len(a), len(b)) squared Euclidean distances between unit rows: 2 - 2 cos."""
    return 2 - 2 * a @ b.T


def _nearest_entries(block: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Value, row and column of the `count` smallest entries, and of those equal to the last."""
    cut: Tensor | float = torch.inf
    if 0 < count < block.numel():
        cut = block.flatten().topk(count, largest=False, sorted=False).values.max()
    row, column = (block <= cut).nonzero(as_tuple=True)
    return block[row, column], row, column


def _accept(pairs: Ints, camera: Ints, *, one_per_camera: bool) -> Ints:
    """The accepted pairs, (P, 2), in the order of visit."""
    partnered: set[tuple[int, int]] = set()  # camera identity, camera it has a partner in
    components = _Components(camera)
    accepted = []
    cameras = camera.tolist()
    for a, b in pairs.tolist():
        sides = {(a, cameras[b]), (b, cameras[a])}
        if sides & partnered or (one_per_camera and not components.join(a, b)):
            continue
        partnered |= sides
        accepted.append((a, b))
    return np.array(accepted, dtype=np.int64).reshape(-1, 2)


class _Components:
    """Connected components that hold at most one camera identity of each camera."""

    def __init__(self, camera: Ints) -> None:
        self.parent = list(range(len(camera)))
        self.cameras = [{value} for value in camera.tolist()]

    def root(self, node: int) -> int:
        while self.parent[node] != node:
            self.parent[node] = node = self.parent[self.parent[node]]
        return node

    def join(self, a: int, b: int) -> bool:
        """Join two components unless they share a camera; whether a and b are in one now."""
        low, high = sorted((self.root(a), self.root(b)))
        if low != high and self.cameras[low].isdisjoint(self.cameras[high]):
            self.parent[high] = low
            self.cameras[low] |= self.cameras[high]
            return True
        return low == high


def _components(pairs: Ints, count: int) -> Ints:
    """(count,) component of each node, numbered by the lowest member; -1 for a lone node."""
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    _, first, inverse, size = np.unique(
        label, return_index=True, return_inverse=True, return_counts=True
    )
    number = np.full(len(first), -1)
    large = np.flatnonzero(size > 1)
    number[large[first[large].argsort()]] = np.arange(len(large))
    return number[inverse].astype(np.int64)


def _cross_camera_pairs(camera: Tensor, *keys: Tensor) -> int:
    """Pairs of rows that agree in every key but not in the camera."""
    return _equal_pairs(torch.stack(keys)) - _equal_pairs(torch.stack([*keys, camera]))


def _equal_pairs(rows: Tensor) -> int:
    size = rows.unique(dim=1, return_counts=True)[1]
    return int((size * (size - 1) // 2).sum())
