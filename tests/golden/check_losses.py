"""Files 01 and 04 to 07: the losses without memory."""

import numpy as np
import torch
from torch import Tensor

from ccafl import losses
from golden.archive import Archive, Array


def supcon(archive: Archive) -> None:
    for case in archive.cases:
        for suffix, dtype in archive.precisions():
            if f"{case}.image" in archive.arrays:
                _prompts(archive, case, suffix, dtype)
            else:
                _contrast(archive, case, suffix, dtype)


def _prompts(archive: Archive, case: str, suffix: str, dtype: torch.dtype) -> None:
    image, text = (archive.leaf(f"{case}.{name}", dtype) for name in ("image", "text"))
    label, camera = (archive.tensor(f"{case}.{name}") for name in ("label", "cam"))
    i2t, t2i = losses.prompt_losses(image, text, label, camera)
    (i2t + t2i).backward()
    archive.compare(f"{case}.loss_{suffix}", i2t + t2i, rtol=1e-5 if suffix == "f32" else None)
    archive.compare(f"{case}.grad_image_{suffix}", image.grad)
    archive.compare(f"{case}.grad_text_{suffix}", text.grad)
    per_camera = torch.full((2, int(archive.number(f"{case}.num_cams"))), torch.nan, dtype=dtype)
    for c in camera.unique():
        rows = camera == c
        per_camera[:, c] = torch.stack(
            losses.prompt_losses(image[rows], text[rows], label[rows], camera[rows])
        ).detach()
    archive.compare(f"{case}.loss_i2t_per_cam_{suffix}", per_camera[0])
    archive.compare(f"{case}.loss_t2i_per_cam_{suffix}", per_camera[1])


def _contrast(archive: Archive, case: str, suffix: str, dtype: torch.dtype) -> None:
    anchor, contrast = (archive.leaf(f"{case}.{name}", dtype) for name in ("anchor", "contrast"))
    label, other = (archive.tensor(f"{case}.{name}_label") for name in ("anchor", "contrast"))
    loss = losses.contrast_loss(anchor, contrast, label, other)
    loss.backward()
    archive.compare(f"{case}.loss_{suffix}", loss, rtol=1e-5 if suffix == "f32" else None)
    archive.compare(f"{case}.grad_anchor_{suffix}", anchor.grad)
    archive.compare(f"{case}.grad_contrast_{suffix}", contrast.grad)


def triplet(archive: Archive) -> None:
    margin = archive.number("margin")
    for case in archive.cases:
        for suffix, dtype in archive.precisions():
            x, label = archive.leaf(f"{case}.inputs", dtype), archive.tensor(f"{case}.labels")
            other, other_label = x, label
            if f"{case}.memory" in archive.arrays:
                order = archive.tensor(f"{case}.memory_labels").argsort()
                other = archive.tensor(f"{case}.memory", dtype)[order]
                other_label = archive.tensor(f"{case}.memory_labels")[order]
                own, one_camera = torch.searchsorted(other_label, label), torch.zeros(len(order))
                loss = losses.memory_triplet_loss(x, other, own, one_camera, margin=margin)
            else:
                loss = losses.triplet_loss(x, label, margin=margin)
            loss.backward()
            same = label[:, None] == other_label
            far, near = losses.hardest_distances(x, other, same, ~same)
            archive.compare(f"{case}.loss_{suffix}", loss, atol=1e-6 if suffix == "f64" else None)
            view = _Sum(np.unique(archive.array(f"{case}.inputs"), axis=0, return_inverse=True)[1])
            archive.compare(f"{case}.grad_inputs_{suffix}", x.grad, view=view)
            self_distance = None if suffix == "f64" else 1e-3
            archive.compare(f"{case}.hard_pos_{suffix}", far, atol=self_distance)
            if same.all():
                archive.leave_out(f"{case}.hard_neg_{suffix}")
            else:
                archive.compare(f"{case}.hard_neg_{suffix}", near)


class _Sum:
    """Adds the gradients of equal inputs: a tie may send them to any of these."""

    def __init__(self, place: Array) -> None:
        self.place = place

    def __call__(self, gradient: Array) -> Array:
        total = np.zeros((self.place.max() + 1, gradient.shape[1]), dtype=gradient.dtype)
        np.add.at(total, self.place, gradient)
        return total


def label_smooth(archive: Archive) -> None:
    epsilon = archive.number("epsilon")
    for case in archive.cases:
        for suffix, dtype in archive.precisions():
            proj, text = archive.leaf(f"{case}.proj", dtype), archive.tensor(f"{case}.text", dtype)
            loss = losses.text_loss(
                proj,
                text,
                archive.tensor(f"{case}.targets"),
                smoothing_classes=int(archive.number(f"{case}.smoothing_classes")),
                epsilon=epsilon,
            )
            loss.backward()
            archive.compare(f"{case}.loss_{suffix}", loss)
            archive.compare(f"{case}.grad_proj_{suffix}", proj.grad)
            archive.compare(f"{case}.logits_{suffix}", proj @ text.T)


def classifier(archive: Archive) -> None:
    scale = archive.number("scale")
    assert archive.number("margin") == 0.0  # the product's classifier has none
    for case in archive.cases:
        for suffix, dtype in archive.precisions():
            x, weight = (archive.leaf(f"{case}.{name}", dtype) for name in ("inputs", "weight"))
            loss = losses.identity_loss(x, weight, archive.tensor(f"{case}.targets"), scale=scale)
            loss.backward()
            archive.compare(f"{case}.loss_{suffix}", loss)
            archive.compare(f"{case}.logits_{suffix}", losses.cosine_logits(x, weight))
            archive.compare(f"{case}.grad_weight_{suffix}", weight.grad)
            archive.compare(f"{case}.grad_inputs_{suffix}", x.grad)


def adversarial(archive: Archive) -> None:
    numbers = {name: archive.number(name) for name in ("scale", "tau")}
    for case in archive.cases:
        for name in ("margin", "epsilon"):
            numbers[name] = archive.number(f"{case}.{name}")
        has_classes = f"{case}.class_cluster" in archive.arrays
        if has_classes:
            _masks_follow_from_labels(archive, case)
        for suffix, dtype in archive.precisions():
            cosine = archive.leaf(f"{case}.logits", dtype)
            whole = _whole if has_classes else _row_by_row
            loss = whole(archive, case, cosine, numbers)
            loss.backward()
            archive.compare(f"{case}.loss_{suffix}", loss)
            archive.compare(f"{case}.grad_logits_{suffix}", cosine.grad)


def _whole(archive: Archive, case: str, cosine: Tensor, numbers: dict[str, float]) -> Tensor:
    own, group, camera = (
        archive.tensor(f"{case}.{name}") for name in ("targets", "class_cluster", "class_cam")
    )
    return losses.adversarial_loss(cosine, own, group, camera, **numbers)


def _row_by_row(archive: Archive, case: str, cosine: Tensor, numbers: dict[str, float]) -> Tensor:
    """Cases that store masks alone, which no one labelling of the classes gives."""
    target = archive.tensor(f"{case}.targets")
    group = archive.tensor(f"{case}.adv_mask").long() - 1  # positives are group 0, others -1
    camera = 1 - archive.tensor(f"{case}.pos_cam_mask").long()  # own camera is 0
    rows = [
        losses.adversarial_loss(cosine[i, None], target[i, None], group[i], camera[i], **numbers)
        for i in range(len(target))
    ]
    return torch.stack(rows).mean()


def _masks_follow_from_labels(archive: Archive, case: str) -> None:
    """The stored masks say nothing that targets, class_cam and class_cluster do not."""
    own, camera, cluster = (
        archive.array(f"{case}.{name}") for name in ("targets", "class_cam", "class_cluster")
    )
    cameras, clusters = (
        np.arange(len(archive.array(f"{case}.{name}_to_class")))[:, None]
        for name in ("cam", "cluster")
    )
    same_camera = camera[own][:, None] == camera
    in_group = (cluster[own][:, None] == cluster) & ~same_camera & (cluster[own] >= 0)[:, None]
    is_own = own[:, None] == np.arange(len(camera))
    archive.compare(f"{case}.cams", camera[own])
    archive.compare(f"{case}.clusters", cluster[own])
    archive.compare(f"{case}.cam_to_class", (cameras == camera).astype(np.uint8))
    archive.compare(f"{case}.cluster_to_class", (clusters == cluster).astype(np.uint8))
    archive.compare(f"{case}.pos_cam_mask", same_camera.astype(np.uint8))
    archive.compare(f"{case}.adv_mask", (in_group | is_own).astype(np.uint8))
