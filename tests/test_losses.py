"""Every loss against a value worked out by hand, a loop written from its equation, invariants."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ccafl import losses

TEMPERATURE = 0.05
ICAL = {"margin": 0.7, "epsilon": 0.8, "tau": 0.2, "scale": 16.0}
Loss = Callable[[Tensor], Tensor]


@dataclass
class Batch:
    """Twelve rows of six camera identities in three cameras; camera 2 has one identity."""

    x: Tensor
    own: Tensor
    centroid: Tensor
    instance: Tensor
    text: Tensor
    camera_of_identity: Tensor
    group: Tensor

    @property
    def camera(self) -> Tensor:
        return self.camera_of_identity[self.own]


@pytest.fixture
def batch() -> Batch:
    draw = torch.Generator().manual_seed(7)
    normal = partial(torch.randn, generator=draw, dtype=torch.float64)
    return Batch(
        x=normalize(normal(12, 8)),
        own=torch.tensor([0, 0, 3, 1, 4, 5, 5, 2, 3, 0, 1, 4]),
        centroid=normalize(normal(6, 8)),
        instance=normalize(normal(6, 4, 8), dim=2),
        text=normal(6, 8),
        camera_of_identity=torch.tensor([0, 0, 0, 1, 1, 2]),
        group=torch.tensor([0, 0, -1, -1, 0, 0]),  # 0 and 1 are of one camera
    )


def value_and_gradient(loss: Loss, x: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.clone().requires_grad_()
    value = loss(leaf)
    value.backward()
    assert leaf.grad is not None
    return value.detach(), leaf.grad


def assert_same(loss: Loss, slow: Loss, x: Tensor) -> None:
    value, gradient = value_and_gradient(loss, x)
    slow_value, slow_gradient = value_and_gradient(slow, x)
    torch.testing.assert_close(value, slow_value)
    torch.testing.assert_close(gradient, slow_gradient)


def over_cameras(camera: Tensor, row_loss: Callable[[int], Tensor]) -> Tensor:
    """Sum over cameras of the mean of `row_loss` over that camera's rows."""
    total = torch.zeros((), dtype=torch.float64)
    for c in camera.unique().tolist():
        rows = [row_loss(i) for i in range(len(camera)) if camera[i] == c]
        total = total + torch.stack(rows).mean()
    return total


# --- weights and prompts


def test_camera_weights_turn_a_sum_over_rows_into_a_sum_of_camera_means() -> None:
    weight = losses.camera_weight(torch.tensor([4, 1, 4, 4, 1, 0]), torch.float64)
    third, half = 1 / 3, 1 / 2
    assert weight.tolist() == pytest.approx([third, half, third, third, half, 1.0])


def slow_prompt(anchor: Tensor, contrast: Tensor, own: Tensor, camera: Tensor) -> Tensor:
    def row(i: int) -> Tensor:
        inside = [j for j in range(len(own)) if camera[j] == camera[i]]
        total = torch.stack([(anchor[i] * contrast[j]).sum().exp() for j in inside]).sum().log()
        positive = [j for j in inside if own[j] == own[i]]
        shares = [(anchor[i] * contrast[p]).sum() - total for p in positive]
        return -torch.stack(shares).mean()

    return over_cameras(camera, row)


def test_prompt_losses_equal_a_loop_over_cameras_and_rows(batch: Batch) -> None:
    def both(image: Tensor, text: Tensor) -> Tensor:
        return sum(losses.prompt_losses(image, text, batch.own, batch.camera), torch.tensor(0.0))

    def slow(image: Tensor, text: Tensor) -> Tensor:
        return slow_prompt(image, text, batch.own, batch.camera) + slow_prompt(
            text, image, batch.own, batch.camera
        )

    text = batch.text[batch.own]
    assert_same(lambda t: both(batch.x, t), lambda t: slow(batch.x, t), text)
    assert_same(lambda x: both(x, text), lambda x: slow(x, text), batch.x)


def test_a_camera_with_one_row_adds_nothing_to_the_prompt_losses() -> None:
    image, text = torch.randn(1, 3), torch.randn(1, 3)
    i2t, t2i = losses.prompt_losses(image, text, torch.tensor([2]), torch.tensor([1]))
    assert (i2t.item(), t2i.item()) == (0.0, 0.0)


def test_images_of_one_identity_cannot_tell_their_equal_texts_apart() -> None:
    image, text = torch.randn(3, 4), torch.ones(3, 4)
    one = torch.zeros(3, dtype=torch.long)
    i2t, _ = losses.prompt_losses(image, text, one, one)
    assert i2t.item() == pytest.approx(math.log(3), rel=1e-5)


def test_contrasts_outside_the_mask_are_neither_right_nor_wrong() -> None:
    draw = torch.Generator().manual_seed(2)
    anchor, contrast = (torch.randn(n, 3, generator=draw) for n in (2, 4))
    label, other = torch.tensor([0, 1]), torch.tensor([0, 1, 0, 1])
    seen = torch.tensor([True, True, False, False])
    masked = losses.contrast_loss(anchor, contrast, label, other, mask=seen.expand(2, -1))
    torch.testing.assert_close(
        masked, losses.contrast_loss(anchor, contrast[seen], label, other[seen])
    )


def test_contrast_without_a_positive_is_not_a_number() -> None:
    label = torch.tensor([0, 1])
    loss = losses.contrast_loss(torch.ones(2, 3), torch.ones(2, 3), label, torch.tensor([1, 1]))
    assert loss.isnan()


# --- camera memory


def test_centroid_loss_of_two_orthogonal_centroids_by_hand() -> None:
    x = torch.tensor([[1.0, 0.0]])
    own, camera = torch.tensor([0]), torch.tensor([0, 0, 1])
    centroid = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    loss = losses.centroid_loss(x, centroid, own, camera, temperature=0.5)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)))


def test_instance_loss_compares_the_worst_own_with_the_best_other_by_hand() -> None:
    x = torch.tensor([[1.0, 0.0]])
    instance = torch.tensor([[[1.0, 0.0], [0.6, 0.8]], [[0.0, 1.0], [0.8, 0.6]]])
    own, camera = torch.tensor([0]), torch.tensor([0, 0])
    loss = losses.instance_loss(x, instance, own, camera, temperature=1.0)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(0.8 - 0.6)))


def slow_intra(batch: Batch, x: Tensor, lam: float) -> Tensor:
    def row(i: int) -> Tensor:
        own = int(batch.own[i])
        inside = [a for a in range(6) if batch.camera_of_identity[a] == batch.camera[i]]
        centroid = [x[i] @ batch.centroid[a] for a in inside]
        hard = []
        for a in inside:
            similarity = batch.instance[a] @ x[i]
            hard.append(similarity.min() if a == own else similarity.max())
        halves = []
        for logits in (torch.stack(centroid), torch.stack(hard)):
            halves.append(-(logits / TEMPERATURE).log_softmax(0)[inside.index(own)])
        return lam * halves[0] + (1 - lam) * halves[1]

    return over_cameras(batch.camera, row)


@pytest.mark.parametrize("lam", [0.0, 0.6, 1.0])
def test_intra_loss_equals_a_loop_over_cameras_and_rows(batch: Batch, lam: float) -> None:
    def loss(x: Tensor) -> Tensor:
        return losses.intra_loss(
            x,
            batch.centroid,
            batch.instance,
            batch.own,
            batch.camera_of_identity,
            lam=lam,
            temperature=TEMPERATURE,
        )

    assert_same(loss, lambda x: slow_intra(batch, x, lam), batch.x)


@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_the_unused_half_of_the_memory_is_not_looked_at(batch: Batch, lam: float) -> None:
    broken = torch.full((1,), torch.nan)
    loss = losses.intra_loss(
        batch.x,
        batch.centroid if lam == 1.0 else broken,
        batch.instance if lam == 0.0 else broken,
        batch.own,
        batch.camera_of_identity,
        lam=lam,
        temperature=TEMPERATURE,
    )
    assert loss.isfinite()


def test_a_camera_with_one_identity_adds_nothing_to_the_intra_loss(batch: Batch) -> None:
    lonely = batch.own == 5
    value, gradient = value_and_gradient(
        lambda x: losses.intra_loss(
            x,
            batch.centroid,
            batch.instance,
            batch.own[lonely],
            batch.camera_of_identity,
            lam=0.6,
            temperature=TEMPERATURE,
        ),
        batch.x[lonely],
    )
    assert value == 0
    assert gradient.abs().max() == 0


# --- triplets


def distance(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().sum().clamp(min=1e-12).sqrt()


def slow_triplet(x: Tensor, label: Tensor, camera: Tensor, margin: float) -> Tensor:
    def row(i: int) -> Tensor:
        inside = [j for j in range(len(x)) if camera[j] == camera[i]]
        far = torch.stack([distance(x[i], x[j]) for j in inside if label[j] == label[i]]).max()
        near = [distance(x[i], x[j]) for j in inside if label[j] != label[i]]
        if not near:
            return x[i].sum() * 0
        return (far - torch.stack(near).min() + margin).relu()

    return over_cameras(camera, row)


def test_triplet_loss_on_a_line_by_hand() -> None:
    x = torch.tensor([[0.0], [1.0], [3.0]])
    loss = losses.triplet_loss(x, torch.tensor([0, 0, 1]), margin=2.0)
    # farthest own 1, 1, itself; nearest other 3, 2, 2
    assert loss.item() == pytest.approx((0 + 1 + 0) / 3, abs=1e-5)


def test_triplet_loss_in_the_batch_equals_a_loop(batch: Batch) -> None:
    everywhere = torch.zeros_like(batch.own)
    assert_same(
        lambda x: losses.triplet_loss(x, batch.own, margin=0.3),
        lambda x: slow_triplet(x, batch.own, everywhere, 0.3),
        batch.x,
    )


def test_triplet_loss_inside_cameras_equals_a_loop(batch: Batch) -> None:
    label = torch.tensor([0, 0, 0, 1, 1, 0, 0, 2, 0, 0, 1, 1])  # numbered inside each camera
    assert_same(
        lambda x: losses.triplet_loss(x, label, margin=0.3, camera=batch.camera),
        lambda x: slow_triplet(x, label, batch.camera, 0.3),
        batch.x,
    )


def test_a_singleton_with_an_active_hinge_is_pushed_from_its_nearest_neighbour() -> None:
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=torch.float64)
    value, gradient = value_and_gradient(
        lambda x: losses.triplet_loss(x, torch.tensor([0, 1]), margin=6.0), x
    )
    assert value.item() == pytest.approx(6 - 5 + 1e-6, abs=1e-12)  # itself 1e-6 away
    torch.testing.assert_close(gradient[0], torch.tensor([0.6, 0.8], dtype=torch.float64))


def test_equal_rows_have_finite_zero_gradient_in_single_precision() -> None:
    x = normalize(torch.randn(1, 64, generator=torch.Generator().manual_seed(3))).repeat(4, 1)
    _, gradient = value_and_gradient(
        lambda x: losses.triplet_loss(x, torch.tensor([0, 0, 1, 1]), margin=0.3), x
    )
    assert gradient.abs().max() == 0


def test_rows_without_a_negative_add_nothing_to_the_triplet_loss(batch: Batch) -> None:
    same = torch.zeros_like(batch.own)
    value, gradient = value_and_gradient(
        lambda x: losses.triplet_loss(x, same, margin=0.3), batch.x
    )
    assert value == 0
    assert gradient.abs().max() == 0


def slow_memory_triplet(batch: Batch, x: Tensor, margin: float) -> Tensor:
    def row(i: int) -> Tensor:
        others = [
            a
            for a in range(len(batch.centroid))
            if a != batch.own[i] and batch.camera_of_identity[a] == batch.camera[i]
        ]
        if not others:
            return x[i].sum() * 0
        near = torch.stack([distance(x[i], batch.centroid[a]) for a in others]).min()
        return (distance(x[i], batch.centroid[batch.own[i]]) - near + margin).relu()

    return over_cameras(batch.camera, row)


def memory_triplet(batch: Batch, x: Tensor) -> Tensor:
    return losses.memory_triplet_loss(
        x, batch.centroid, batch.own, batch.camera_of_identity, margin=0.3
    )


def test_memory_triplet_loss_equals_a_loop(batch: Batch) -> None:
    assert_same(
        lambda x: memory_triplet(batch, x),
        lambda x: slow_memory_triplet(batch, x, 0.3),
        batch.x,
    )


# --- texts


def test_text_loss_with_two_texts_by_hand() -> None:
    joint, text = torch.tensor([[1.0]]), torch.tensor([[2.0], [0.0]])
    loss = losses.text_loss(joint, text, torch.tensor([0]), smoothing_classes=4, epsilon=0.2)
    log_total = math.log(math.exp(2) + 1)
    expected = -(0.8 + 0.05) * (2 - log_total) - 0.05 * (0 - log_total)
    assert loss.item() == pytest.approx(expected)


def test_text_loss_with_all_classes_is_the_usual_smoothed_cross_entropy(batch: Batch) -> None:
    loss = losses.text_loss(batch.x, batch.text, batch.own, smoothing_classes=6)
    usual = torch.nn.functional.cross_entropy(
        batch.x @ batch.text.T, batch.own, label_smoothing=0.1
    )
    torch.testing.assert_close(loss, usual)


def test_text_loss_inside_cameras_equals_a_loop(batch: Batch) -> None:
    size = torch.tensor([3, 2, 1])

    def loss(joint: Tensor) -> Tensor:
        return losses.text_loss(
            joint,
            batch.text,
            batch.own,
            smoothing_classes=size[batch.camera],
            allowed=batch.camera[:, None] == batch.camera_of_identity,
            weight=losses.camera_weight(batch.camera, torch.float64),
        )

    def slow(joint: Tensor) -> Tensor:
        def row(i: int) -> Tensor:
            inside = [a for a in range(6) if batch.camera_of_identity[a] == batch.camera[i]]
            log_share = torch.stack([joint[i] @ batch.text[a] for a in inside]).log_softmax(0)
            target = torch.full((len(inside),), 0.1 / len(inside), dtype=torch.float64)
            target[inside.index(int(batch.own[i]))] += 0.9
            return -(target * log_share).sum()

        return over_cameras(batch.camera, row)

    assert_same(loss, slow, batch.x)


# --- classifier, groups


def test_classifier_normalises_its_rows_only() -> None:
    x, weight = torch.tensor([[2.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    assert losses.cosine_logits(x, weight).item() == pytest.approx(2 * 0.6)


def test_identity_loss_equals_a_loop(batch: Batch) -> None:
    weight = 3 * batch.text

    def slow(x: Tensor) -> Tensor:
        rows = []
        for i in range(len(x)):
            logits = torch.stack([16 * (x[i] @ w) / w.norm() for w in weight])
            rows.append(-logits.log_softmax(0)[batch.own[i]])
        return torch.stack(rows).mean()

    assert_same(lambda x: losses.identity_loss(x, weight, batch.own), slow, batch.x)


def test_inter_loss_equals_a_loop_and_a_value_by_hand(batch: Batch) -> None:
    group, centroid = torch.tensor([0, 2, 1, 1]), batch.centroid[:3]

    def slow(x: Tensor) -> Tensor:
        rows = []
        for i in range(4):
            logits = torch.stack([x[i] @ c / TEMPERATURE for c in centroid])
            rows.append(-logits.log_softmax(0)[group[i]])
        return torch.stack(rows).mean()

    loss = partial(losses.inter_loss, centroid=centroid, group=group, temperature=TEMPERATURE)
    assert_same(loss, slow, batch.x[:4])
    value = losses.inter_loss(torch.eye(2), torch.eye(2), torch.tensor([0, 1]), temperature=1.0)
    assert value.item() == pytest.approx(math.log(1 + math.exp(-1)))


# --- adversarial loss


def ical(batch: Batch, cosine: Tensor) -> Tensor:
    return losses.adversarial_loss(cosine, batch.own, batch.group, batch.camera_of_identity, **ICAL)


def slow_ical(batch: Batch, cosine: Tensor) -> Tensor:
    margin, epsilon, tau, scale = ICAL.values()
    rows = []
    for i in range(len(cosine)):
        own, camera = int(batch.own[i]), int(batch.camera[i])
        positive, logits = [own], []
        for a in range(6):
            u = (
                cosine[i, a].clamp(-1, 1)
                if cosine[i, a].abs() < 1
                else cosine[i, a].sign().detach()
            )
            in_camera = batch.camera_of_identity[a] == camera
            if a == own and u > math.cos(math.pi - margin):
                u = torch.cos(torch.arccos(u) + margin)
            elif a == own:
                u = u - margin * math.sin(math.pi - margin)
            elif in_camera:
                u = (1 + tau) * u + tau
            elif batch.group[a] == batch.group[own] >= 0:
                positive.append(a)
            logits.append(scale * u)
        wrong = [logits[a].exp() for a in range(6) if a not in positive]
        for p in positive:
            share = logits[p].exp() / (logits[p].exp() + torch.stack(wrong).sum())
            weight = epsilon / len(positive) + (1 - epsilon) * (p == own)
            rows.append(-weight * share.log())
    return torch.stack(rows).sum() / len(cosine)


def cosines(batch: Batch) -> Tensor:
    return (batch.x @ normalize(batch.text).T).detach()


def test_adversarial_loss_equals_a_loop(batch: Batch) -> None:
    assert_same(lambda u: ical(batch, u), lambda u: slow_ical(batch, u), cosines(batch))


@pytest.mark.parametrize("own", [-0.95, -1.2, 1.3, 1.0, -1.0])
def test_adversarial_loss_has_its_fallback_and_clips_the_own_cosine(
    batch: Batch, own: float
) -> None:
    cosine = cosines(batch).scatter(1, batch.own[:, None], own)
    _, gradient = value_and_gradient(lambda u: ical(batch, u), cosine)
    if abs(own) == 1:  # the slope of the loop's arccos is infinite here
        torch.testing.assert_close(ical(batch, cosine), slow_ical(batch, cosine))
    else:
        assert_same(lambda u: ical(batch, u), lambda u: slow_ical(batch, u), cosine)
    at_own = gradient.gather(1, batch.own[:, None])
    assert gradient.isfinite().all()
    assert (at_own == 0).all() == (abs(own) >= 1)


def test_adversarial_loss_of_two_identities_by_hand() -> None:
    cosine, own = torch.tensor([[0.5, 0.5]], dtype=torch.float64), torch.tensor([0])
    group, camera = torch.tensor([-1, -1]), torch.tensor([0, 0])
    loss = losses.adversarial_loss(cosine, own, group, camera, **ICAL)
    lowered, raised = math.cos(math.acos(0.5) + 0.7), 1.2 * 0.5 + 0.2
    assert loss.item() == pytest.approx(math.log(1 + math.exp(16 * (raised - lowered))))


def test_unlinked_identities_are_not_taken_for_one_group(batch: Batch) -> None:
    batch.group = torch.full_like(batch.group, -1)
    lonely = torch.arange(6)
    assert ical(batch, cosines(batch)) == losses.adversarial_loss(
        cosines(batch), batch.own, lonely, batch.camera_of_identity, **ICAL
    )


def test_adversarial_loss_without_any_wrong_identity_is_zero() -> None:
    cosine = torch.tensor([[0.3, 0.1]])
    value, gradient = value_and_gradient(
        lambda u: losses.adversarial_loss(
            u, torch.tensor([0]), torch.tensor([0, 0]), torch.tensor([0, 1]), **ICAL
        ),
        cosine,
    )
    assert value == 0
    assert gradient.abs().max() == 0


def test_adversarial_loss_does_not_overflow_at_large_scales(batch: Batch) -> None:
    numbers = ICAL | {"scale": 1e4}
    value, gradient = value_and_gradient(
        lambda u: losses.adversarial_loss(
            u, batch.own, batch.group, batch.camera_of_identity, **numbers
        ),
        cosines(batch).float(),
    )
    assert value.isfinite()
    assert gradient.isfinite().all()


# --- invariants


def every_loss(batch: Batch, x: Tensor) -> dict[str, Tensor]:
    """All losses of embeddings, for one batch."""
    of_camera = (batch.own, batch.camera_of_identity)
    text = batch.text[batch.own]
    i2t, t2i = losses.prompt_losses(x, text, batch.own, batch.camera)
    return {
        "i2t": i2t,
        "t2i": t2i,
        "intra": losses.intra_loss(
            x, batch.centroid, batch.instance, *of_camera, lam=0.6, temperature=TEMPERATURE
        ),
        "memory_triplet": memory_triplet(batch, x),
        "triplet": losses.triplet_loss(x, batch.own, margin=0.3, camera=batch.camera),
        "text": losses.text_loss(x, batch.text, batch.own, smoothing_classes=6),
        "inter": losses.inter_loss(x, batch.centroid, batch.own, temperature=TEMPERATURE),
        "gid": losses.identity_loss(x, batch.text, batch.own),
        "ical": ical(batch, losses.cosine_logits(x, batch.text.detach())),
    }


NAMES = ("i2t", "t2i", "intra", "memory_triplet", "triplet", "text", "inter", "gid", "ical")


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_rows_does_not_matter(batch: Batch, name: str) -> None:
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    value, gradient = value_and_gradient(lambda x: every_loss(batch, x)[name], batch.x)
    batch.own = batch.own[order]
    again, moved = value_and_gradient(lambda x: every_loss(batch, x)[name], batch.x[order])
    torch.testing.assert_close(again, value)
    torch.testing.assert_close(moved, gradient[order])


@pytest.mark.parametrize("name", NAMES)
def test_the_numbering_of_camera_identities_does_not_matter(batch: Batch, name: str) -> None:
    value = every_loss(batch, batch.x)[name]
    order = torch.tensor([4, 2, 0, 5, 1, 3])
    batch.own = order.argsort()[batch.own]
    for part in ("centroid", "instance", "text", "camera_of_identity", "group"):
        setattr(batch, part, getattr(batch, part)[order])
    torch.testing.assert_close(every_loss(batch, batch.x)[name], value)


@pytest.mark.parametrize("name", ["intra", "memory_triplet", "inter", "text"])
def test_no_gradient_reaches_memories_or_fixed_texts(batch: Batch, name: str) -> None:
    kept = [part.requires_grad_() for part in (batch.centroid, batch.instance, batch.text)]
    _, gradient = value_and_gradient(lambda x: every_loss(batch, x)[name], batch.x)
    assert gradient.abs().max() > 0
    assert [part.grad for part in kept] == [None, None, None]


def test_no_gradient_of_the_adversarial_loss_reaches_a_detached_classifier(batch: Batch) -> None:
    weight = batch.text.requires_grad_()
    value_and_gradient(lambda x: every_loss(batch, x)["ical"], batch.x)
    assert weight.grad is None


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_keeps_the_precision_of_its_inputs(batch: Batch, name: str) -> None:
    double = every_loss(batch, batch.x)[name]
    for part in ("centroid", "instance", "text"):
        setattr(batch, part, getattr(batch, part).float())
    single = every_loss(batch, batch.x.float())[name]
    assert (double.dtype, single.dtype) == (torch.float64, torch.float32)
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_has_the_gradient_of_its_value(batch: Batch, name: str) -> None:
    leaf = batch.x.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: every_loss(batch, x)[name], (leaf,))
