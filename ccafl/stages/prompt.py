"""Stage 1: four text tokens per camera identity are learned against the frozen image tower."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ccafl.config import Stage
from ccafl.losses import prompt_losses
from ccafl.schedules import prompt_lr
from ccafl.stages.training import Progress, Training, steps_before


class PromptStage:
    """Contrast images and prompts camera by camera; only the prompts' tokens learn."""

    name: Stage = "prompt"

    def __init__(self, training: Training) -> None:
        self._training = training
        self._config = training.config.prompt
        self._optimiser = training.optimiser(
            training.prompts, self._config.lr, self._config.weight_decay
        )
        self._epoch = 1
        self._position = 0  # images of this epoch already used
        self._order = torch.empty(0, dtype=torch.int64)

    @property
    def ended_epoch(self) -> int | None:
        """The epoch that ended with the last step; None inside an epoch."""
        return None if self._position else self._epoch - 1

    def steps(self) -> Iterator[Progress]:
        """Train, yielding after each optimiser step with the state complete."""
        joint = self._training.embed_images(joint=True)  # (N, E); the image tower is frozen
        step = self._steps_done()
        while self._epoch <= self._config.epochs:
            if self._position == 0:
                self._begin_epoch(len(joint))
            step += 1
            yield self._step(joint, step)

    def state_dict(self) -> dict[str, Any]:
        """The stage's own state and that of the training."""
        return {
            "epoch": self._epoch,
            "position": self._position,
            "order": self._order,
            "optimiser": self._optimiser.state_dict(),
            "training": self._training.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._epoch, self._position = state["epoch"], state["position"]
        self._order = state["order"]
        self._optimiser.load_state_dict(state["optimiser"])
        self._training.load_state_dict(state["training"])

    def _steps_done(self) -> int:
        config, images = self._training.config, len(self._training.images)
        per_epoch = math.ceil(images / self._config.batch)
        done = (self._epoch - 1) * per_epoch + self._position // self._config.batch
        return steps_before(config, self.name, images) + done

    def _begin_epoch(self, images: int) -> None:
        self._order = torch.randperm(images, generator=self._training.generator)
        epochs = self._config.epochs
        # the authors warm up for 5 of 60 epochs; a shorter stage warms up in proportion
        warmup = min(5, math.ceil(epochs / 12))
        self._optimiser.set_lr(
            prompt_lr(self._epoch, epochs=epochs, lr=self._config.lr, warmup_epochs=warmup)
        )

    def _step(self, joint: Tensor, step: int) -> Progress:
        epoch, lr = self._epoch, self._optimiser.lr
        chosen = self._order[self._position : self._position + self._config.batch].numpy()
        losses = self._train(joint, chosen)
        self._position += len(chosen)
        epoch_end = self._position == len(joint)
        if epoch_end:
            self._epoch, self._position = epoch + 1, 0
        return Progress(self.name, epoch, step, losses, len(chosen), lr, epoch_end)

    def _train(
        self, joint: Tensor, chosen: np.ndarray[Any, np.dtype[np.int64]]
    ) -> dict[str, Tensor]:
        training = self._training
        identities = training.labels.camera_identity[chosen]
        distinct, place = np.unique(identities, return_inverse=True)  # a prompt is encoded once
        with training.autocast():
            text = training.text(training.prompts(training.to_device(distinct))).float()
        identity = training.to_device(identities)
        i2t, t2i = prompt_losses(
            joint[training.to_device(chosen)],
            text[training.to_device(place)],
            identity,
            training.camera_of_identity[identity],
        )
        self._optimiser.step(i2t + t2i)
        terms = {"i2t": i2t.detach(), "t2i": t2i.detach()}
        return {"total": terms["i2t"] + terms["t2i"], **terms}
