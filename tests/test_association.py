"""Linking camera identities: the rule in its plain form, ties, limits, and the audit."""

import inspect
import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from ccafl import association
from ccafl.association import audit, link_cameras, nearest_pairs


def centroids(count: int, *, width: int = 5, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, width, generator=draw, dtype=torch.float64))


def on_circle(*degrees: float) -> Tensor:
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def slow_groups(
    centroid: Tensor, camera: list[int], rate: float, *, one_per_camera: bool
) -> list[int]:
    """The rule as it is written: sort all pairs, accept one by one, merge lists."""
    nodes = range(len(camera))
    crossing = [(a, b) for a, b in combinations(nodes, 2) if camera[a] != camera[b]]
    crossing.sort(key=lambda pair: (float(2 - 2 * centroid[pair[0]] @ centroid[pair[1]]), pair))
    component = [{a} for a in nodes]
    partner: set[tuple[int, int]] = set()
    for a, b in crossing[: int(rate * len(camera))]:
        if (a, camera[b]) in partner or (b, camera[a]) in partner:
            continue
        merged = component[a] | component[b]
        if one_per_camera and len({camera[i] for i in merged}) < len(merged):
            continue
        partner |= {(a, camera[b]), (b, camera[a])}
        for i in merged:
            component[i] = merged
    lowest = sorted({min(c) for c in component if len(c) > 1})
    return [lowest.index(min(c)) if len(c) > 1 else -1 for c in component]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=24),
    st.floats(0.1, 3.0),
    st.booleans(),
    st.integers(0, 1000),
)
def test_groups_equal_those_of_the_rule_applied_pair_by_pair(
    cameras: list[int], rate: float, one_per_camera: bool, seed: int
) -> None:
    centroid, camera = centroids(len(cameras), seed=seed), torch.tensor(cameras)
    found = link_cameras(centroid, camera, rate=rate, one_per_camera=one_per_camera)
    slow = slow_groups(centroid, cameras, rate, one_per_camera=one_per_camera)
    assert found.group.tolist() == slow
    assert found.groups == max(slow, default=-1) + 1
    assert found.linked == sum(g >= 0 for g in slow)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=14),
    st.integers(0, 12),
)
def test_equal_distances_are_visited_in_the_order_of_indices(
    rows: list[tuple[int, int]], count: int
) -> None:
    directions = torch.eye(3, dtype=torch.float64)
    camera = torch.tensor([c for c, _ in rows])
    centroid = directions[[d for _, d in rows]]  # all distances are 0 or 2
    crossing = [(a, b) for a, b in combinations(range(len(rows)), 2) if rows[a][0] != rows[b][0]]
    crossing.sort(key=lambda pair: (rows[pair[0]][1] != rows[pair[1]][1], pair))
    found = nearest_pairs(centroid, camera, count)
    assert [tuple(pair) for pair in found.tolist()] == crossing[:count]


def test_three_cameras_on_a_circle_by_hand() -> None:
    # pairs by distance: (0, 2) 5 degrees, (2, 4) 10, (0, 4) 15, (1, 3) 20
    centroid = on_circle(0, 90, 5, 110, 15)
    found = link_cameras(centroid, torch.tensor([0, 0, 1, 1, 2]), rate=0.8)
    assert found.group.tolist() == [0, 1, 0, 1, 0]
    assert (found.linked, found.groups, found.conflicts) == (5, 2, 0)


def test_a_refused_pair_uses_up_its_place() -> None:
    # (0, 1) is accepted, (0, 2) refused: 0 has a partner in camera 1; (2, 3) is the third
    centroid, camera = on_circle(0, 1, 3, 40), torch.tensor([0, 1, 1, 0])
    one, two, three = (link_cameras(centroid, camera, rate=r).group for r in (0.25, 0.5, 0.75))
    assert one.tolist() == two.tolist() == [0, 0, -1, -1]
    assert three.tolist() == [0, 0, 1, 1]


def test_a_chain_may_join_two_of_one_camera_unless_asked_not_to() -> None:
    # 0 and 3 share camera 0; the chain 0-1-2-3 goes through cameras 1 and 2
    centroid, camera = on_circle(0, 10, 19, 27), torch.tensor([0, 1, 2, 0])
    chain = link_cameras(centroid, camera, rate=0.75)
    assert (chain.group.tolist(), chain.conflicts) == ([0, 0, 0, 0], 1)
    strict = link_cameras(centroid, camera, rate=0.75, one_per_camera=True)
    assert (strict.group.tolist(), strict.conflicts) == ([-1, 0, 0, 0], 0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=30), st.integers(0, 1000))
def test_one_per_camera_leaves_no_conflict(cameras: list[int], seed: int) -> None:
    centroid, camera = centroids(len(cameras), seed=seed), torch.tensor(cameras)
    found = link_cameras(centroid, camera, rate=2.0, one_per_camera=True)
    assert found.conflicts == 0
    for g in range(found.groups):
        members = camera[found.group == g]
        assert len(members.unique()) == len(members) >= 2


def test_a_rate_above_all_cross_camera_pairs_visits_them_all() -> None:
    centroid, camera = centroids(4), torch.tensor([0, 0, 1, 1])
    assert len(nearest_pairs(centroid, camera, 400)) == 4
    assert link_cameras(centroid, camera, rate=100.0).linked == 4


@pytest.mark.parametrize(("cameras", "rate"), [([0, 0, 0], 1.0), ([0, 1, 2], 0.1)])
def test_nothing_to_link_leaves_every_identity_unlinked(cameras: list[int], rate: float) -> None:
    found = link_cameras(centroids(3), torch.tensor(cameras), rate=rate)
    assert found.group.tolist() == [-1, -1, -1]
    assert (found.linked, found.groups, found.conflicts) == (0, 0, 0)


def test_cameras_in_any_order_give_the_same_partition() -> None:
    centroid, camera = centroids(30), torch.arange(30) % 4
    order = torch.randperm(30, generator=torch.Generator().manual_seed(2))
    group = link_cameras(centroid, camera, rate=1.5).group[order]
    moved = link_cameras(centroid[order], camera[order], rate=1.5).group
    linked = group >= 0
    assert torch.equal(linked, moved >= 0)
    same, same_moved = (g[linked][:, None] == g[linked] for g in (group, moved))
    assert torch.equal(same, same_moved)


def test_single_and_double_precision_link_alike() -> None:
    centroid, camera = centroids(60, width=16), torch.arange(60) % 5
    double = link_cameras(centroid, camera, rate=1.5)
    single = link_cameras(centroid.float(), camera, rate=1.5)
    assert torch.equal(double.group, single.group)


# --- audit


def slow_audit(group: list[int], camera: list[int], pid: list[int]) -> tuple[float, float]:
    pairs = [(a, b) for a, b in combinations(range(len(pid)), 2) if camera[a] != camera[b]]
    together = {(a, b) for a, b in pairs if group[a] == group[b] >= 0}
    true = {(a, b) for a, b in pairs if pid[a] == pid[b]}
    right = len(together & true)
    return (
        right / len(together) if together else math.nan,
        right / len(true) if true else math.nan,
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-1, 3), st.integers(0, 2), st.integers(0, 3)),
        min_size=1,
        max_size=15,
    )
)
def test_audit_equals_counting_pairs(rows: list[tuple[int, int, int]]) -> None:
    group, camera, pid = (list(column) for column in zip(*rows, strict=True))
    found = audit(torch.tensor(group), torch.tensor(camera), torch.tensor(pid))
    assert found == pytest.approx(slow_audit(group, camera, pid), nan_ok=True)


def test_audit_by_hand() -> None:
    group = torch.tensor([0, 0, 0, 1, 1, -1])
    camera = torch.tensor([0, 1, 2, 0, 1, 2])
    pid = torch.tensor([7, 7, 8, 8, 9, 9])
    # together: (0,1) right, (0,2), (1,2), (3,4) wrong; true: (0,1), (2,3), (4,5)
    assert audit(group, camera, pid) == (1 / 4, 1 / 3)


def test_audit_is_undefined_without_pairs() -> None:
    alone = torch.tensor([-1, -1])
    precision, recall = audit(alone, torch.tensor([0, 1]), torch.tensor([1, 2]))
    assert math.isnan(precision)
    assert math.isnan(recall)


def test_only_the_audit_takes_the_true_persons() -> None:
    functions = inspect.getmembers(association, inspect.isfunction)
    takers = {name for name, f in functions if "pid" in inspect.signature(f).parameters}
    assert takers == {"audit"}
