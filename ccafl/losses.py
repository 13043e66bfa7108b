"""Every loss of the method as a pure function: tensors and numbers in, one scalar out.

Sums "over cameras" are weighted sums over rows (`camera_weight`), and classes that do not
count for a row are masked, so no function loops over cameras or waits for the device. That is
also why values are picked by masks, not by `gather`, `scatter` or `max`: where torch is told to
be deterministic, their backward passes on CUDA copy from the host and wait.
All work in the dtype they are given; training passes float32, outside autocast.
The equations stand in docs/method.md.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize


def prompt_losses(
    image: Tensor, text: Tensor, camera_identity: Tensor, camera: Tensor
) -> tuple[Tensor, Tensor]:
    """Contrast images with their prompts inside each camera, in both directions.

    Args:
        image: (B, E) float, joint embeddings of images, not normalised.
        text: (B, E) float, text embedding of each row's camera identity, not normalised.
        camera_identity: (B,) int64.
        camera: (B,) int64, camera of each row.

    Returns:
        i2t and t2i, each the sum over cameras of the mean over that camera's rows. A camera
        with one row adds exactly 0.

    Source: Tan et al. 2024 (arXiv 2409.19563), L_i2t and L_t2i; as in the authors' code.
    """
    same_camera = camera[:, None] == camera  # (B, B)
    weight = camera_weight(camera, image.dtype)
    labels = (camera_identity, camera_identity)
    i2t = contrast_loss(image, text, *labels, mask=same_camera, weight=weight)
    t2i = contrast_loss(text, image, *labels, mask=same_camera, weight=weight)
    return i2t, t2i


def contrast_loss(
    anchor: Tensor,
    contrast: Tensor,
    anchor_label: Tensor,
    contrast_label: Tensor,
    *,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """Supervised contrast of dot products at temperature 1: every row of the same label is right.

    Args:
        anchor: (B, E) float, not normalised.
        contrast: (M, E) float, not normalised.
        anchor_label: (B,) int64.
        contrast_label: (M,) int64.
        mask: (B, M) bool, the contrasts an anchor may see; all of them if None.
        weight: (B,) float, weight of each row; the mean if None.

    Returns:
        Scalar. An anchor without a contrast of its label makes it NaN.
    """
    similarity = anchor @ contrast.T  # (B, M)
    positive = anchor_label[:, None] == contrast_label  # (B, M)
    seen = similarity
    if mask is not None:
        positive = positive & mask
        seen = similarity.masked_fill(~mask, -math.inf)
    log_share = similarity - seen.logsumexp(1, keepdim=True)
    target = positive.to(similarity.dtype)
    target = target / target.sum(1, keepdim=True)
    return _reduce(-(target * log_share).sum(1), weight)


def intra_loss(
    x: Tensor,
    centroid: Tensor,
    instance: Tensor,
    camera_identity: Tensor,
    camera_of_identity: Tensor,
    *,
    lam: float,
    temperature: float,
) -> Tensor:
    """Classify embeddings among the camera identities of their own camera (L_intra).

    Args:
        x: (B, D) float, unit rows. Gradient flows here only; memories carry none.
        centroid: (A, D) float, unit rows.
        instance: (A, I, D) float, unit rows.
        camera_identity: (B,) int64, own camera identity of each row.
        camera_of_identity: (A,) int64.
        lam: share of the centroid half, in [0, 1]; at 0 and 1 the other half is not computed.
        temperature: divides the cosines, above 0.

    Returns:
        Scalar, sum over cameras of the mean over that camera's rows.

    Source: Tan et al. 2024 (arXiv 2409.19563), L_intra; as in the authors' code.
    """
    if lam == 1.0:
        return centroid_loss(
            x, centroid, camera_identity, camera_of_identity, temperature=temperature
        )
    hard = instance_loss(x, instance, camera_identity, camera_of_identity, temperature=temperature)
    if lam == 0.0:
        return hard
    mean = centroid_loss(x, centroid, camera_identity, camera_of_identity, temperature=temperature)
    return lam * mean + (1 - lam) * hard


def centroid_loss(
    x: Tensor,
    centroid: Tensor,
    camera_identity: Tensor,
    camera_of_identity: Tensor,
    *,
    temperature: float,
) -> Tensor:
    """The centroid half of `intra_loss`: cross-entropy over the centroids of the own camera."""
    similarity = x @ centroid.detach().T  # (B, A)
    return _camera_cross_entropy(similarity / temperature, camera_identity, camera_of_identity)


def instance_loss(
    x: Tensor,
    instance: Tensor,
    camera_identity: Tensor,
    camera_of_identity: Tensor,
    *,
    temperature: float,
) -> Tensor:
    """The instance half of `intra_loss`: the least similar own, the most similar other instance."""
    similarity = torch.einsum("bd,aid->bai", x, instance.detach())  # (B, A, I)
    own = _own(camera_identity, len(instance))  # (B, A)
    with torch.no_grad():
        chosen = torch.where(own, similarity.argmin(2), similarity.argmax(2))  # (B, A)
        others = chosen[:, :, None] != torch.arange(instance.shape[1], device=x.device)
    hardest = similarity.masked_fill(others, 0.0).sum(2)  # (B, A)
    return _camera_cross_entropy(hardest / temperature, camera_identity, camera_of_identity)


def memory_triplet_loss(
    x: Tensor,
    centroid: Tensor,
    camera_identity: Tensor,
    camera_of_identity: Tensor,
    *,
    margin: float,
) -> Tensor:
    """Pull embeddings to their centroid, away from the nearest other one of the same camera.

    Args:
        x: (B, D) float, unit rows. Gradient flows here only.
        centroid: (A, D) float, unit rows, as they were before this step's update.
        camera_identity: (B,) int64, own camera identity of each row.
        camera_of_identity: (A,) int64.
        margin: Euclidean distance by which the other centroid has to be farther.

    Returns:
        Scalar, sum over cameras of the mean over that camera's rows. A camera with one camera
        identity adds 0.

    Source: the authors' code.
    """
    own = _own(camera_identity, centroid.shape[0])  # (B, A)
    camera = camera_of_identity[camera_identity]  # (B,)
    other = (camera[:, None] == camera_of_identity) & ~own
    far, near = hardest_distances(x, centroid.detach(), own, other)
    return _reduce((far - near + margin).relu(), camera_weight(camera, x.dtype))


def triplet_loss(
    x: Tensor, label: Tensor, *, margin: float, camera: Tensor | None = None
) -> Tensor:
    """Batch-hard triplets: the farthest row of the label against the nearest of another.

    Args:
        x: (B, D) float.
        label: (B,) int64, camera identity or group.
        margin: Euclidean distance by which the other row has to be farther.
        camera: (B,) int64; if given, rows of other cameras do not count.

    Returns:
        Scalar: the mean over rows, or with `camera` the sum over cameras of the mean over
        that camera's rows. A row counts among its own positives; a row without a negative
        adds 0, without gradient.

    Source: the authors' code.
    """
    positive = label[:, None] == label  # (B, B)
    negative = ~positive
    weight = None
    if camera is not None:
        same_camera = camera[:, None] == camera
        positive, negative = positive & same_camera, negative & same_camera
        weight = camera_weight(camera, x.dtype)
    far, near = hardest_distances(x, x, positive, negative)
    return _reduce((far - near + margin).relu(), weight)


def hardest_distances(
    x: Tensor, other: Tensor, positive: Tensor, negative: Tensor
) -> tuple[Tensor, Tensor]:
    """Euclidean distance of each row to its farthest positive and its nearest negative.

    The rows are chosen by one matrix product without gradient, then measured by their
    difference. So equal rows are exactly 1e-6 apart with zero gradient, which the product's
    rounding would spoil, and only B pairs carry gradient.

    Args:
        x: (B, D) float.
        other: (M, D) float.
        positive: (B, M) bool, at least one per row.
        negative: (B, M) bool.

    Returns:
        Two (B,) tensors; the second is infinite, without gradient, where a row has no negative.
        Gradient of a tie goes to one of the tied rows.
    """
    with torch.no_grad():
        squared = other.square().sum(1) - 2 * x @ other.T  # (B, M), short of |x|^2
        farthest = squared.masked_fill(~positive, -math.inf).argmax(1)  # (B,)
        nearest = squared.masked_fill(~negative, math.inf).argmin(1)
    far, near = _distance(x, other[farthest]), _distance(x, other[nearest])
    return far, near.masked_fill(~negative.any(1), math.inf)


def text_loss(
    joint: Tensor,
    text: Tensor,
    target: Tensor,
    *,
    smoothing_classes: int | Tensor,
    epsilon: float = 0.1,
    allowed: Tensor | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """Classify joint embeddings among fixed texts, with smoothed labels.

    The target of a row is (1 - epsilon) on its own text plus epsilon / S on every allowed one.

    Args:
        joint: (B, E) float, joint embeddings of images, not normalised. Gradient flows here
            only.
        text: (K, E) float, text of each camera identity or group, not normalised.
        target: (B,) int64 in 0..K-1, an allowed text.
        smoothing_classes: S, one number or (B,) int64 for a number per row. The product passes
            the number of allowed texts, so that the target sums to 1; the authors' code keeps
            4,821 in the inter stage.
        epsilon: smoothed share of the target, in [0, 1].
        allowed: (B, K) bool, the texts a row chooses from (its camera's); all if None.
        weight: (B,) float, weight of each row; the mean if None.

    Returns:
        Scalar.

    Source: Tan et al. 2024 (arXiv 2409.19563), L_i2tce; as in the authors' code otherwise.
    """
    logits = joint @ text.detach().T  # (B, K)
    if allowed is None:
        allowed = torch.ones_like(logits, dtype=torch.bool)
    log_total = logits.masked_fill(~allowed, -math.inf).logsumexp(1, keepdim=True)  # (B, 1)
    log_share = logits - log_total
    own = log_share.masked_fill(~_own(target, len(text)), 0.0).sum(1)  # (B,)
    every = log_share.masked_fill(~allowed, 0.0).sum(1)
    return _reduce(-(1 - epsilon) * own - epsilon * every / smoothing_classes, weight)


def inter_loss(x: Tensor, centroid: Tensor, group: Tensor, *, temperature: float) -> Tensor:
    """Classify embeddings among the group centroids (L_inter).

    Args:
        x: (B, D) float, unit rows of linked images. Gradient flows here only.
        centroid: (G, D) float, unit rows.
        group: (B,) int64 in 0..G-1; unlinked images are left out by the caller.
        temperature: divides the cosines, above 0.

    Returns:
        Scalar, mean over the batch.

    Source: Tan et al. 2024 (arXiv 2409.19563), L_inter; as in the authors' code.
    """
    return cross_entropy(x @ centroid.detach().T / temperature, group)


def identity_loss(
    x: Tensor, weight: Tensor, camera_identity: Tensor, *, scale: float = 16.0
) -> Tensor:
    """Train the classifier over all camera identities (L_GID).

    Args:
        x: (B, D) float, unit rows; training passes them detached.
        weight: (A, D) float, one row per camera identity, of any length.
        camera_identity: (B,) int64.
        scale: multiplies the cosines.

    Returns:
        Scalar, mean over the batch.

    Source: Tan et al. 2024 (arXiv 2409.19563), L_GID; as in the authors' code.
    """
    return cross_entropy(scale * cosine_logits(x, weight), camera_identity)


def cosine_logits(x: Tensor, weight: Tensor) -> Tensor:
    """(B, A) cosines between unit rows `x` (B, D) and classifier rows `weight` (A, D)."""
    return x @ normalize(weight).T


def adversarial_loss(
    cosine: Tensor,
    camera_identity: Tensor,
    group: Tensor,
    camera: Tensor,
    *,
    margin: float,
    epsilon: float,
    tau: float,
    scale: float,
) -> Tensor:
    """Penalise an embedding for revealing its camera (L_ICAL).

    Right answers are the own camera identity and the members of its group in other cameras.
    The own cosine is lowered by an angle, the other identities of the own camera are raised;
    each right answer competes with all wrong ones.

    Args:
        cosine: (B, A) float in [-1, 1], image against each camera identity. Gradient flows
            here only: compute it from the detached classifier. Values at or beyond +-1 are
            clipped and get no gradient.
        camera_identity: (B,) int64, own camera identity of each image.
        group: (A,) int64, group of each camera identity, -1 if unlinked.
        camera: (A,) int64, camera of each camera identity.
        margin: additive angle in radians.
        epsilon: share of the target spread over all right answers, in [0, 1].
        tau: by how much the other identities of the own camera are raised.
        scale: multiplies the cosines.

    Returns:
        Scalar, mean over the batch.

    Source: Tan et al. 2024 (arXiv 2409.19563), L_ICAL; as in the authors' code, with the sum
    of exponentials in its overflow-free form and a finite slope at +-1.
    """
    own = _own(camera_identity, cosine.shape[1])  # (B, A)
    same_camera = camera[camera_identity][:, None] == camera
    own_group = group[camera_identity][:, None]  # (B, 1)
    positive = own | ((own_group == group) & (own_group >= 0) & ~same_camera)
    logits = scale * _camera_margin(cosine, own, same_camera, margin=margin, tau=tau)
    wrong = logits.masked_fill(positive, -math.inf).logsumexp(1, keepdim=True)  # (B, 1)
    log_share = logits - torch.logaddexp(logits, wrong)  # (B, A)
    share = positive.to(cosine.dtype)
    target = epsilon * share / share.sum(1, keepdim=True) + (1 - epsilon) * own.to(cosine.dtype)
    return -(target * log_share).sum(1).mean()


def camera_weight(camera: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """(B,) weights 1 / number of rows of the same camera: sum over rows = sum of camera means."""
    return 1 / (camera[:, None] == camera).sum(1).to(dtype)


def _camera_margin(
    cosine: Tensor, own: Tensor, same_camera: Tensor, *, margin: float, tau: float
) -> Tensor:
    """(B, A) cosines after clipping, with the own one lowered and its camera's others raised."""
    inside = cosine.abs() < 1
    clipped = torch.where(inside, cosine, cosine.detach().clamp(-1, 1))
    # 0 stands in for clipped values, whose root has an infinite slope.
    safe = torch.where(inside & own, cosine, 0.0)
    sine = torch.where(inside, ((1 - safe) * (1 + safe)).sqrt(), 0.0)
    turned = clipped * math.cos(margin) - sine * math.sin(margin)
    beyond = clipped - margin * math.sin(math.pi - margin)
    lowered = torch.where(clipped > math.cos(math.pi - margin), turned, beyond)
    raised = torch.where(same_camera, (1 + tau) * clipped + tau, clipped)
    return torch.where(own, lowered, raised)


def _camera_cross_entropy(
    logits: Tensor, camera_identity: Tensor, camera_of_identity: Tensor
) -> Tensor:
    """Cross-entropy over the identities of each row's camera, summed over cameras of means."""
    camera = camera_of_identity[camera_identity]  # (B,)
    foreign = camera[:, None] != camera_of_identity  # (B, A)
    row = cross_entropy(logits.masked_fill(foreign, -math.inf), camera_identity, reduction="none")
    return _reduce(row, camera_weight(camera, logits.dtype))


def _own(camera_identity: Tensor, count: int) -> Tensor:
    """(B, A) bool, true at each row's own camera identity."""
    return camera_identity[:, None] == torch.arange(count, device=camera_identity.device)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distance row by row; at most 1e-6 apart has no gradient."""
    return (a - b).square().sum(1).clamp(min=1e-12).sqrt()


def _reduce(row: Tensor, weight: Tensor | None) -> Tensor:
    return row.mean() if weight is None else (row * weight).sum()
