"""Memories: how they start, what an update changes, and that it follows the rule row by row."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from ccafl.memory import CameraMemory, GroupMemory, label_centroid, label_mean

MOMENTUM = 0.1


def unit(*shape: int, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(*shape, generator=draw, dtype=torch.float64), dim=-1)


def camera_memory(count: int, instances: int) -> CameraMemory:
    return CameraMemory(unit(count, 6), unit(count, instances, 6, seed=1))


# --- label means


def test_label_mean_leaves_out_minus_one_and_keeps_lengths() -> None:
    features = torch.tensor([[2.0, 0.0], [4.0, 2.0], [9.0, 9.0], [0.0, 5.0]])
    mean = label_mean(features, torch.tensor([1, 1, -1, 0]), 2)
    assert mean.tolist() == [[0.0, 5.0], [3.0, 1.0]]


def test_label_mean_weighs_identities_by_their_images() -> None:
    identity, text = torch.tensor([0, 0, 0, 1, 2, 2]), unit(3, 4)
    group = torch.tensor([0, 0, 1])
    by_image = label_mean(text[identity], group[identity], 2)
    images = torch.bincount(identity).double()
    torch.testing.assert_close(label_mean(text, group, 2, weight=images), by_image)


def test_label_centroid_is_the_unit_vector_along_the_mean_of_rows_of_any_length() -> None:
    features = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    centroid = label_centroid(features, torch.tensor([0, 0]), 1)
    torch.testing.assert_close(centroid, torch.tensor([[3.0, 1.0]]) / 10**0.5)


def test_a_label_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="label 1 of 3 has no row"):
        label_mean(torch.ones(2, 2), torch.tensor([0, 2]), 3)


# --- camera memory


def test_a_camera_memory_starts_with_means_and_instances_of_each_identity() -> None:
    x, identity = unit(30, 5), torch.arange(30) % 4
    memory = CameraMemory.build(x, identity, 4, 50, torch.Generator().manual_seed(0))
    torch.testing.assert_close(memory.centroid, label_centroid(x, identity, 4))
    for a in range(4):
        drawn = {tuple(row) for row in memory.instance[a].tolist()}
        assert drawn == {tuple(row) for row in x[identity == a].tolist()}


def test_instances_are_drawn_from_the_generator_alone() -> None:
    x, identity = unit(30, 5), torch.arange(30) % 4
    build = partial(CameraMemory.build, x, identity, 4, 3)
    first, second = (build(torch.Generator().manual_seed(5)).instance for _ in range(2))
    torch.manual_seed(99)
    other = build(torch.Generator().manual_seed(6)).instance
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_camera_update_by_hand() -> None:
    memory = CameraMemory(torch.eye(2), torch.zeros(2, 3, 2))
    x = torch.tensor([[0.0, 1.0], [0.6, 0.8]])
    memory.update(x, torch.tensor([0, 0]), momentum=0.5)
    expected = torch.tensor([0.5 + 0.15, 0.45])
    torch.testing.assert_close(memory.centroid[0], expected / expected.norm())
    assert memory.centroid[1].tolist() == [0.0, 1.0]
    torch.testing.assert_close(memory.instance[0], torch.cat([x, torch.zeros(1, 2)]))
    assert memory.instance[1].abs().max() == 0


def test_eight_rows_write_the_first_eight_instances_and_no_other() -> None:
    memory = camera_memory(3, 32)
    before = memory.instance.clone()
    memory.update(unit(8, 6, seed=2), torch.full((8,), 1), momentum=MOMENTUM)
    changed = (memory.instance != before).any(2).nonzero().tolist()
    assert changed == [[1, slot] for slot in range(8)]


def slow_camera_update(memory: CameraMemory, x: Tensor, identity: Tensor) -> None:
    for a in identity.unique().tolist():
        rows = [x[i] for i in range(len(x)) if identity[i] == a]
        for slot, row in enumerate(rows):
            memory.instance[a, slot] = row
        mixed = MOMENTUM * memory.centroid[a] + (1 - MOMENTUM) * torch.stack(rows).mean(0)
        memory.centroid[a] = mixed / mixed.norm()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_camera_update_equals_the_rule_applied_identity_by_identity(labels: list[int]) -> None:
    fast, slow = camera_memory(5, 12), camera_memory(5, 12)
    x, identity = unit(len(labels), 6, seed=3), torch.tensor(labels)
    fast.update(x, identity, momentum=MOMENTUM)
    slow_camera_update(slow, x, identity)
    torch.testing.assert_close(fast.centroid, slow.centroid)
    assert torch.equal(fast.instance, slow.instance)


def test_more_rows_of_an_identity_than_instances_are_an_error() -> None:
    with pytest.raises(IndexError):
        camera_memory(2, 3).update(unit(4, 6), torch.zeros(4, dtype=torch.long), momentum=0.1)


# --- group memory


def test_a_group_memory_starts_from_the_images_of_linked_identities() -> None:
    x, group = unit(6, 4), torch.tensor([0, -1, 1, 0, -1, 0])
    memory = GroupMemory.build(x, group, 2)
    torch.testing.assert_close(memory.centroid[0], normalize(x[[0, 3, 5]].mean(0), dim=0))
    torch.testing.assert_close(memory.centroid[1], x[2])


def slow_group_update(memory: GroupMemory, x: Tensor, group: Tensor) -> None:
    for g in group.unique().tolist():
        rows = [i for i in range(len(x)) if group[i] == g]
        hardest = rows[int(np.argmin([float(x[i] @ memory.centroid[g]) for i in rows]))]
        mixed = MOMENTUM * memory.centroid[g] + (1 - MOMENTUM) * x[hardest]
        memory.centroid[g] = mixed / mixed.norm()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_group_update_equals_the_rule_applied_group_by_group(labels: list[int]) -> None:
    fast, slow = GroupMemory(unit(5, 6)), GroupMemory(unit(5, 6))
    x, group = unit(len(labels), 6, seed=4), torch.tensor(labels)
    fast.update(x, group, momentum=MOMENTUM)
    slow_group_update(slow, x, group)
    torch.testing.assert_close(fast.centroid, slow.centroid)


@pytest.mark.parametrize("first", [0.8, -0.8])
def test_the_first_of_equally_hard_rows_updates_the_group(first: float) -> None:
    memory = GroupMemory(torch.tensor([[1.0, 0.0]]))
    x = torch.tensor([[1.0, 0.0], [0.6, first], [0.6, -first]])  # equal cosines, other directions
    memory.update(x, torch.zeros(3, dtype=torch.long), momentum=0.0)
    torch.testing.assert_close(memory.centroid[0], x[1])


# --- both


def test_an_update_leaves_no_graph_and_keeps_memories_free_of_gradient() -> None:
    camera, group = camera_memory(2, 3), GroupMemory(unit(2, 6))
    x = unit(2, 6, seed=5).requires_grad_()
    camera.update(x, torch.tensor([0, 1]), momentum=MOMENTUM)
    group.update(x, torch.tensor([0, 1]), momentum=MOMENTUM)
    parts = (camera.centroid, camera.instance, group.centroid)
    assert not any(part.requires_grad for part in parts)
