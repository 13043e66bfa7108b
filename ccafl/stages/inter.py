"""Stage 3: camera identities are linked across cameras, and the camera is unlearned."""

from typing import Any, cast

import numpy as np
from torch import Tensor

from ccafl.association import Association, link_cameras
from ccafl.losses import adversarial_loss, cosine_logits, inter_loss, text_loss, triplet_loss
from ccafl.memory import GroupMemory, label_centroid, label_mean
from ccafl.model import Encoded
from ccafl.stages.intra import TRIPLET_MARGIN
from ccafl.stages.loop import LoopStage
from ccafl.stages.training import Batch, Training


class InterStage(LoopStage):
    """One memory of groups, found anew each epoch; in the ICAL window the adversarial term."""

    name = "inter"

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        self._association: Association | None = None
        self._group = training.camera_of_identity  # (A,) on the device, -1 unlinked
        self._group_text = self.text  # (G, E)
        self.memory = GroupMemory(self.text.new_empty(0, training.encoder.embedding_size))

    @property
    def association(self) -> Association | None:
        """How camera identities are linked in this epoch."""
        return self._association

    def begin_epoch(self, x: Tensor) -> None:
        """Link camera identities by their mean embeddings and build the groups' memory."""
        training, config = self.training, self.training.config.inter.association
        centroid = label_centroid(x, training.camera_identity, training.labels.count)  # (A, D)
        association = link_cameras(
            centroid,
            training.camera_of_identity,
            rate=config.rate,
            one_per_camera=config.one_per_camera,
        )
        self._take(association)
        if association.groups:  # else the epoch trains the classifier only
            image_group = self._group[training.camera_identity]  # (N,)
            self.memory = GroupMemory.build(x, image_group, association.groups)

    def uses_text(self) -> bool:
        """Whether text is on and its first loop epoch has come."""
        inter = self.training.config.inter
        return inter.text and self.loop_epoch >= inter.text_from

    def terms(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """The terms over the linked images of the batch; none if no image is linked."""
        rows = self._linked_rows(batch)
        if rows is None:
            return {}
        inter = self.training.config.inter
        x, identity = encoded.embedding[rows], batch.camera_identity[rows]
        group = self._group[identity]
        terms = {
            "inter": inter_loss(
                x, self.memory.centroid, group, temperature=inter.memory_temperature
            )
        }
        if inter.triplet:
            terms["triplet"] = triplet_loss(x, group, margin=TRIPLET_MARGIN)
        if self.uses_text():
            terms["text"] = text_loss(
                cast(Tensor, encoded.joint)[rows],
                self._group_text,
                group,
                smoothing_classes=len(self._group_text),
            )
        first, end = inter.ical.window
        if inter.ical.enabled and first <= self.loop_epoch < end:
            terms["ical"] = self._adversarial_loss(x, identity)
        return terms

    def update_memory(self, x: Tensor, batch: Batch) -> None:
        """Let each group of the batch take up its hardest image."""
        rows = self._linked_rows(batch)
        assert rows is not None, "a batch with terms has linked images"
        self.memory.update(
            x[rows],
            self._group[batch.camera_identity[rows]],
            momentum=self.training.config.inter.memory_momentum,
        )

    def memory_state(self) -> dict[str, Any]:
        """The groups and their centroids."""
        association = self._association
        assert association is not None, "an epoch in progress has linked its camera identities"
        return {
            "group": association.group,
            "conflicts": association.conflicts,
            "centroid": self.memory.centroid,
        }

    def load_memory_state(self, state: dict[str, Any]) -> None:
        """Take groups and centroids back."""
        group = state["group"]
        linked, groups = int((group >= 0).sum()), int(group.max()) + 1
        self._take(Association(group, linked, groups, state["conflicts"]))
        self.memory = GroupMemory(state["centroid"].to(self.training.device, copy=True))

    def _take(self, association: Association) -> None:
        self._association = association
        self._group = association.group.to(self.training.device)
        if association.groups:
            self._group_text = label_mean(
                self.text,
                self._group,
                association.groups,
                weight=self.training.images_of_identity.to(self.text.dtype),
            )

    def _linked_rows(self, batch: Batch) -> Tensor | None:
        """Positions (L,) of the linked images of a batch, found without asking the device."""
        assert self._association is not None, "begin_epoch has linked the camera identities"
        group = self._association.group.numpy()  # (A,)
        rows = np.flatnonzero(group[batch.camera_identity_cpu] >= 0)
        return self.training.to_device(rows) if len(rows) else None

    def _adversarial_loss(self, x: Tensor, identity: Tensor) -> Tensor:
        ical, training = self.training.config.inter.ical, self.training
        # the classifier is the opponent here: it gets no gradient from the term it fools
        cosine = cosine_logits(x, training.classifier.weight.detach())
        loss = adversarial_loss(
            cosine,
            identity,
            self._group,
            training.camera_of_identity,
            margin=ical.margin,
            epsilon=ical.epsilon,
            tau=ical.tau,
            scale=ical.scale,
        )
        return ical.weight * loss
