"""Files 02, 03, 13 and 16: memories, their starting means and a whole training step."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ccafl import losses
from ccafl.config import RunConfig
from ccafl.memory import CameraMemory, GroupMemory, label_centroid, label_mean
from ccafl.presets import resolve
from golden.archive import Archive

# what one step on a camera memory gives, as the files name it
STEP = ("loss_centroid", "loss_instance", "grad_inputs", "grad_centroid", "grad_instance")


def camera_memory(archive: Archive) -> None:
    numbers = {name: archive.number(name) for name in ("temp", "momentum", "loss_weight")}
    for case in archive.cases:
        for suffix, dtype in archive.precisions():
            memory = _stored_memory(archive, case, dtype)
            inputs, targets = (archive.tensor(f"{case}.{name}") for name in ("inputs", "targets"))
            inputs = inputs.to(dtype).reshape(-1, *inputs.shape[-2:])  # (steps, B, D)
            steps = [
                _camera_step(memory, x, y, numbers)
                for x, y in zip(inputs, targets.reshape(len(inputs), -1), strict=True)
            ]
            for name, values in zip(STEP, zip(*steps, strict=True), strict=True):
                stacked = torch.stack(values) if targets.ndim == 2 else values[0]
                archive.compare(f"{case}.{name}_{suffix}", stacked)
            atol = 1e-12 if suffix == "f64" else None
            archive.compare(f"{case}.memory_after_{suffix}", _rows(memory), atol=atol)


def _stored_memory(archive: Archive, case: str, dtype: torch.dtype) -> CameraMemory:
    blocks = 1 + int(archive.number(f"{case}.num_instances"))
    count = int(archive.number(f"{case}.num_ids"))
    rows = archive.tensor(f"{case}.memory", dtype).reshape(blocks, count, -1)
    return CameraMemory(rows[0].clone(), rows[1:].transpose(0, 1).contiguous())


def _rows(memory: CameraMemory) -> Tensor:
    """The memory as the files lay it out: centroids, then one block per instance number."""
    return torch.cat([memory.centroid, memory.instance.transpose(0, 1).flatten(0, 1)])


def _camera_step(
    memory: CameraMemory, inputs: Tensor, own: Tensor, numbers: dict[str, float]
) -> tuple[Tensor, ...]:
    inputs = inputs.clone().requires_grad_()
    x = normalize(inputs)
    one_camera = torch.zeros(len(memory.centroid), dtype=torch.long)
    temperature = numbers["temp"]
    centroid = losses.centroid_loss(x, memory.centroid, own, one_camera, temperature=temperature)
    instance = losses.instance_loss(x, memory.instance, own, one_camera, temperature=temperature)
    total = losses.intra_loss(
        x,
        memory.centroid,
        memory.instance,
        own,
        one_camera,
        lam=numbers["loss_weight"],
        temperature=temperature,
    )
    gradients = [
        torch.autograd.grad(loss, inputs, retain_graph=True)[0]
        for loss in (total, centroid, instance)
    ]
    memory.update(x, own, momentum=numbers["momentum"])
    return (centroid.detach(), instance.detach(), *gradients)


def group_memory(archive: Archive) -> None:
    temperature, momentum = archive.number("temp"), archive.number("momentum")
    for case in archive.cases:
        for suffix, dtype in archive.precisions():
            memory = GroupMemory(archive.tensor(f"{case}.memory", dtype))
            inputs = archive.tensor(f"{case}.inputs", dtype)
            targets = archive.tensor(f"{case}.targets")
            loss, gradient = [], []
            for rows, group in zip(
                inputs.reshape(-1, *inputs.shape[-2:]),
                targets.reshape(-1, targets.shape[-1]),
                strict=True,
            ):
                leaf = rows.clone().requires_grad_()
                x = normalize(leaf)
                loss.append(losses.inter_loss(x, memory.centroid, group, temperature=temperature))
                gradient.append(torch.autograd.grad(loss[-1], leaf)[0])
                memory.update(x, group, momentum=momentum)
            shape = targets.shape[:-1]
            archive.compare(f"{case}.loss_{suffix}", torch.stack(loss).reshape(shape))
            archive.compare(
                f"{case}.grad_inputs_{suffix}", torch.stack(gradient).reshape(inputs.shape)
            )
            archive.compare(f"{case}.memory_after_{suffix}", memory.centroid)


def centroids(archive: Archive) -> None:
    for case in archive.cases:
        label = archive.tensor(f"{case}.labels")
        count = int(label.max()) + 1
        for suffix, dtype in archive.precisions():
            features = archive.tensor(f"{case}.features", dtype)
            archive.compare(f"{case}.mean_{suffix}", label_mean(features, label, count))
            archive.compare(f"{case}.memory_{suffix}", label_centroid(features, label, count))


def training_step(archive: Archive) -> None:
    for case in archive.cases:
        config = resolve(str(archive.array(f"{case}.dataset")))
        is_intra = archive.number(f"{case}.epoch") < config.intra.epochs
        if not is_intra:
            archive.leave_out(f"{case}.text_loss_intra")
        for suffix, dtype in archive.precisions():
            step = _Step(archive, case, suffix, dtype, config)
            step.train_classifier()
            step.compare_encoder_loss(step.intra() if is_intra else step.inter())
            if suffix == "f64" and is_intra:
                step.compare_camera_memory()
            elif suffix == "f64":
                step.compare_group_memory()


class _Step:
    """One iteration of the loop from stored embeddings, in the product's order."""

    def __init__(
        self, archive: Archive, case: str, suffix: str, dtype: torch.dtype, config: RunConfig
    ) -> None:
        self.archive, self.case, self.suffix, self.dtype = archive, case, suffix, dtype
        self.config = config
        self.epoch = int(archive.number(f"{case}.epoch"))
        self.raw, self.joint = archive.leaf("raw_features", dtype), archive.leaf("proj", dtype)
        self.x = normalize(self.raw)
        self.own, self.camera = archive.tensor("global_label"), archive.tensor("cam")
        self.identities = archive.tensor("ids_per_cam")  # (C,)
        self.camera_of_identity = torch.arange(len(self.identities)).repeat_interleave(
            self.identities
        )
        first = self.identities.cumsum(0) - self.identities
        archive.compare("intra_label", self.own - first[self.camera])
        self.weight = archive.leaf("classifier_weight", dtype)
        self.memory = self.stored_camera_memory()
        self.group_of_identity = archive.tensor("class_cluster")
        self.group_memory = GroupMemory(archive.tensor("cluster_memory", dtype))

    def stored_camera_memory(self) -> CameraMemory:
        parts = []
        for c, count in enumerate(self.identities.tolist()):
            rows = self.archive.tensor(f"cam_memory{c}", self.dtype)
            parts.append(rows.reshape(1 + int(self.archive.number("num_instances")), count, -1))
        rows = torch.cat(parts, dim=1)  # (1 + I, A, D)
        return CameraMemory(rows[0].clone(), rows[1:].transpose(0, 1).contiguous())

    def train_classifier(self) -> None:
        loss = losses.identity_loss(self.x.detach(), self.weight, self.own)
        (gradient,) = torch.autograd.grad(loss, self.weight)
        self.weight = self.weight.detach() - self.archive.number("classifier_lr") * gradient
        self.compare("classifier_loss", loss)
        self.compare("classifier_weight_after", self.weight)

    def intra(self) -> Tensor:
        of_camera = (self.own, self.camera_of_identity)
        loss = losses.intra_loss(
            self.x,
            self.memory.centroid,
            self.memory.instance,
            *of_camera,
            lam=self.config.intra.lam,
            temperature=self.config.inter.memory_temperature,
        )
        loss = loss + losses.memory_triplet_loss(
            self.x, self.memory.centroid, *of_camera, margin=0.3
        )
        loss = loss + losses.triplet_loss(self.x, self.own, margin=0.3, camera=self.camera)
        if self.archive.number(f"{self.case}.text_loss_intra"):
            loss = loss + losses.text_loss(
                self.joint,
                self.archive.tensor("class_text", self.dtype),
                self.own,
                smoothing_classes=self.identities[self.camera],
                allowed=self.camera[:, None] == self.camera_of_identity,
                weight=losses.camera_weight(self.camera, self.dtype),
            )
        return loss

    def inter(self) -> Tensor:
        group = self.group_of_identity[self.own]
        linked = group >= 0
        x, group, inter = self.x[linked], group[linked], self.config.inter
        loss = losses.inter_loss(
            x, self.group_memory.centroid, group, temperature=inter.memory_temperature
        )
        loss = loss + losses.triplet_loss(x, group, margin=0.3)
        if self.epoch >= inter.text_from:
            text = self.archive.tensor("cluster_text", self.dtype)
            loss = loss + losses.text_loss(self.joint[linked], text, group, smoothing_classes=4821)
        ical = inter.ical
        if ical.window[0] <= self.epoch < ical.window[1]:
            loss = loss + losses.adversarial_loss(
                losses.cosine_logits(x, self.weight),
                self.own[linked],
                self.group_of_identity,
                self.camera_of_identity,
                margin=ical.margin,
                epsilon=ical.epsilon,
                tau=ical.tau,
                scale=ical.scale,
            )
        return loss

    def compare_encoder_loss(self, loss: Tensor) -> None:
        loss.backward()
        self.compare("loss", loss, atol=1e-6 if self.suffix == "f64" else None)
        self.compare("grad_raw_features", self.raw.grad)
        is_stored = f"{self.case}.grad_proj_{self.suffix}" in self.archive.arrays
        if is_stored != (self.joint.grad is not None):
            self.archive.failures.append(f"{self.case}: gradient of proj stored: {is_stored}")
        elif self.joint.grad is not None:
            self.compare("grad_proj", self.joint.grad)

    def compare_camera_memory(self) -> None:
        before = self.stored_camera_memory()
        self.memory.update(self.x, self.own, momentum=self.config.inter.memory_momentum)
        for c in range(len(self.identities)):
            of_camera = self.camera_of_identity == c
            self.compare(f"cam_memory{c}_after", self.memory.centroid[of_camera], atol=1e-12)
            old, new = (
                _rows(CameraMemory(memory.centroid[of_camera], memory.instance[of_camera]))
                for memory in (before, self.memory)
            )
            changed = np.flatnonzero((old != new).any(1).numpy())
            self.archive.compare(f"{self.case}.cam_memory{c}_changed_rows", changed)

    def compare_group_memory(self) -> None:
        group = self.group_of_identity[self.own]
        momentum = self.config.inter.memory_momentum
        self.group_memory.update(self.x[group >= 0], group[group >= 0], momentum=momentum)
        self.compare("cluster_memory_after", self.group_memory.centroid, atol=1e-12)

    def compare(self, name: str, actual: Tensor | None, *, atol: float | None = None) -> None:
        self.archive.compare(f"{self.case}.{name}_{self.suffix}", actual, atol=atol)
