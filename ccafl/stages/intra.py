"""Stage 2: the encoder learns to tell people apart inside each camera."""

from typing import Any, cast

from torch import Tensor

from ccafl.losses import camera_weight, intra_loss, memory_triplet_loss, text_loss, triplet_loss
from ccafl.memory import CameraMemory
from ccafl.model import Encoded
from ccafl.stages.loop import LoopStage
from ccafl.stages.training import Batch

TRIPLET_MARGIN = 0.3  # of every triplet of the method, from the authors' code


class IntraStage(LoopStage):
    """One memory of centroids and instances per camera; hardest positive, hardest negatives."""

    name = "intra"
    memory: CameraMemory

    def begin_epoch(self, x: Tensor) -> None:
        """Rebuild the memories of all cameras."""
        training = self.training
        self.memory = CameraMemory.build(
            x,
            training.camera_identity,
            training.labels.count,
            training.config.intra.instances,
            training.generator,
        )

    def uses_text(self) -> bool:
        """The switch `intra.text`."""
        return self.training.config.intra.text

    def terms(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """The terms of each camera present, summed over cameras."""
        config, x, identity = self.training.config, encoded.embedding, batch.camera_identity
        cameras = self.training.camera_of_identity  # (A,)
        terms = {
            "intra": intra_loss(
                x,
                self.memory.centroid,
                self.memory.instance,
                identity,
                cameras,
                lam=config.intra.lam,
                temperature=config.inter.memory_temperature,
            )
        }
        if config.intra.memory_triplet:
            terms["memory_triplet"] = memory_triplet_loss(
                x, self.memory.centroid, identity, cameras, margin=TRIPLET_MARGIN
            )
        if config.intra.triplet:
            terms["triplet"] = triplet_loss(
                x, identity, margin=TRIPLET_MARGIN, camera=cameras[identity]
            )
        if config.intra.text:
            terms["text"] = self._text_loss(cast(Tensor, encoded.joint), identity)
        return terms

    def update_memory(self, x: Tensor, batch: Batch) -> None:
        """Write the batch into the memories of its cameras."""
        momentum = self.training.config.inter.memory_momentum
        self.memory.update(x, batch.camera_identity, momentum=momentum)

    def memory_state(self) -> dict[str, Any]:
        """Centroids and instances."""
        return self.memory.state_dict()

    def load_memory_state(self, state: dict[str, Any]) -> None:
        """Take centroids and instances back to the device."""
        device = self.training.device
        self.memory = CameraMemory(
            state["centroid"].to(device, copy=True), state["instance"].to(device, copy=True)
        )

    def _text_loss(self, joint: Tensor, identity: Tensor) -> Tensor:
        cameras = self.training.camera_of_identity  # (A,)
        camera = cameras[identity]  # (B,)
        return text_loss(
            joint,
            self.text,
            identity,
            smoothing_classes=self.training.identities_beside[identity],
            allowed=camera[:, None] == cameras,
            weight=camera_weight(camera, joint.dtype),
        )
