"""What the stages of a run share: model, images, labels, optimisers, sources of chance."""

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ccafl.association import Association
from ccafl.config import STAGES, RunConfig, Stage
from ccafl.datasets import CameraLabels
from ccafl.embedding import embed
from ccafl.images import Images, augment
from ccafl.losses import identity_loss
from ccafl.model import BACKBONES, Classifier, ImageEncoder, Prompts, TextEncoder, build_clip
from ccafl.optimiser import Optimiser
from ccafl.precision import autocast, forward_dtype
from ccafl.sampler import IdentitySampler

_PROMPTS_AT_ONCE = 512
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Progress:
    """One optimiser step of a stage."""

    stage: Stage
    epoch: int  # from 1 inside the stage
    step: int  # from 1 over the whole configured run
    # scalars on the device: `total`, the sum of the others, and each term
    losses: dict[str, Tensor]
    images: int  # images of the step
    lr: float  # of the prompts, or of the encoder
    epoch_end: bool
    association: Association | None = None  # of this epoch, in the inter stage


class Batch(NamedTuple):
    """One training batch."""

    images: Tensor  # (B, 3, H, W) float32, augmented and normalised
    camera_identity: Tensor  # (B,) int64 on the device
    camera_identity_cpu: Indices  # the same for decisions that must not wait for the device


def stage_steps(config: RunConfig, stage: Stage, images: int) -> int:
    """Optimiser steps of a stage on a training set of `images` images."""
    per_epoch = config.train.iterations
    if stage == "prompt":
        per_epoch = math.ceil(images / config.prompt.batch)
    return config.epochs(stage) * per_epoch


def steps_before(config: RunConfig, stage: Stage, images: int) -> int:
    """Optimiser steps of the configured run that lie before a stage."""
    earlier = STAGES[: STAGES.index(stage)]
    return sum(stage_steps(config, before, images) for before in earlier)


class Training:
    """Model and data of one run; each stage changes the part it trains."""

    def __init__(
        self, config: RunConfig, images: Images, labels: CameraLabels, device: torch.device
    ) -> None:
        """Build the model on the device.

        Args:
            config: the run's config.
            images: the N training images.
            labels: their camera identities; all that is known about who they show.
            device: where everything is computed.

        Raises:
            CheckpointError: the CLIP weights cannot be read.
            ConfigError: the precision does not exist on the device.
        """
        self.config, self.images, self.labels, self.device = config, images, labels, device
        self.dtype = forward_dtype(config.model.precision, device)
        torch.manual_seed(config.run.seed)  # only `weights = "random"` draws from it
        self.generator = torch.Generator().manual_seed(config.run.seed)
        self.device_generator = torch.Generator(device).manual_seed(config.run.seed)
        self._build_model()
        self._build_optimisers()
        self.sampler = IdentitySampler(
            labels.camera_identity, p=config.train.p, k=config.train.k, generator=self.generator
        )
        self.camera_identity = torch.from_numpy(labels.camera_identity).to(device)  # (N,)
        self.camera_of_identity = torch.from_numpy(labels.camera_of_identity).to(device)  # (A,)
        self.images_of_identity = self.camera_identity.bincount()  # (A,)
        # (A,) camera identities in the camera of each, itself included
        self.identities_beside = self.camera_of_identity.bincount()[self.camera_of_identity]

    def _build_model(self) -> None:
        model, count = self.config.model, self.labels.count
        clip = build_clip(model.backbone, weights=model.weights)
        self.encoder = ImageEncoder(
            clip.visual,
            grid=BACKBONES[model.backbone].grid,
            image_size=model.image_size,
            bn_batch=model.bn_batch,
        )
        self.text = TextEncoder(clip)
        self.prompts = Prompts(
            self.text,
            model.backbone,
            count=count,
            n_ctx=self.config.prompt.n_ctx,
            generator=self.generator,
        )
        self.classifier = Classifier(count, self.encoder.embedding_size, generator=self.generator)
        self.encoder.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
        for part in (self.text, self.prompts, self.classifier):
            part.to(self.device)

    def _build_optimisers(self) -> None:
        train = self.config.train
        self.encoder_optimiser = self.optimiser(self.encoder, train.lr, train.weight_decay)
        self.classifier_optimiser = self.optimiser(
            self.classifier, train.classifier_lr, train.weight_decay
        )

    def optimiser(self, module: torch.nn.Module, lr: float, weight_decay: float) -> Optimiser:
        """An optimiser for what a module trains."""
        return Optimiser(
            module.named_parameters(),
            lr=lr,
            weight_decay=weight_decay,
            device=self.device,
            scale_loss=self.dtype == torch.float16,
        )

    def steps_until(self, stage: Stage) -> int:
        """Steps of the configured run up to the end of a stage."""
        count = len(self.images)
        return steps_before(self.config, stage, count) + stage_steps(self.config, stage, count)

    def autocast(self) -> AbstractContextManager[object]:
        """Context of a forward pass in training."""
        return autocast(self.device, self.dtype)

    def embed_images(self, *, joint: bool = False) -> Tensor:
        """Embeddings (N, D) of the training images, or joint embeddings (N, E)."""
        return embed(self.encoder, self.images, self.device, joint=joint, autocast=self.autocast)

    @torch.no_grad()
    def encode_prompts(self) -> Tensor:
        """Text (A, E) of every camera identity, float32, not normalised."""
        identities = torch.arange(self.labels.count, device=self.device)
        parts = []
        for chosen in identities.split(_PROMPTS_AT_ONCE):
            with self.autocast():
                parts.append(self.text(self.prompts(chosen)))
        return torch.cat(parts).float()

    def next_batch(self) -> Batch:
        """The next P x K images, augmented."""
        train = self.config.train
        indices = self.sampler.next()
        identities = self.labels.camera_identity[indices]
        images = augment(
            self.images.batch(indices, self.device),
            pad=train.pad,
            erase=train.erase,
            erase_area=train.erase_area,
            generator=self.device_generator,
        )
        return Batch(images, self.to_device(identities), identities)

    def train_classifier(self, x: Tensor, camera_identity: Tensor) -> Tensor:
        """One step of the classifier on embeddings that pass no gradient on; gives L_GID."""
        loss = identity_loss(x.detach(), self.classifier.weight, camera_identity)
        self.classifier_optimiser.step(loss)
        return loss.detach()

    def to_device(self, values: Indices) -> Tensor:
        """Copy integers to the device without waiting for it."""
        tensor = torch.from_numpy(values)
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    def state_dict(self) -> dict[str, Any]:
        """All that training changes; the frozen text tower comes from the weights again."""
        return {
            "encoder": self.encoder.state_dict(),
            "prompts": self.prompts.state_dict(),
            "classifier": self.classifier.state_dict(),
            "encoder_optimiser": self.encoder_optimiser.state_dict(),
            "classifier_optimiser": self.classifier_optimiser.state_dict(),
            "sampler": self.sampler.state_dict(),
            "generator": self.generator.get_state(),
            "device_generator": self.device_generator.get_state(),
        }

    def prompt_state(self) -> dict[str, Any]:
        """What the prompt stage leaves behind: the learned tokens, and where chance stands."""
        return {"prompts": self.prompts.state_dict(), "generator": self.generator.get_state()}

    def load_prompt_state(self, state: dict[str, Any]) -> None:
        """Go on as after the prompt stage that `prompt_state` was taken from."""
        self.prompts.load_state_dict(state["prompts"])
        self.generator.set_state(state["generator"])

    def reseed(self) -> None:
        """Let the run's own seed decide what comes, after a state was taken from another run."""
        self.generator.manual_seed(self.config.run.seed)
        self.device_generator.manual_seed(self.config.run.seed)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        for name in (
            "encoder",
            "prompts",
            "classifier",
            "encoder_optimiser",
            "classifier_optimiser",
            "sampler",
        ):
            getattr(self, name).load_state_dict(state[name])
        self.generator.set_state(state["generator"])
        self.device_generator.set_state(state["device_generator"])
