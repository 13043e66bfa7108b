"""The loop that intra and inter share: batches, classifier, encoder, memory, in this order."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from ccafl.association import Association
from ccafl.config import Stage
from ccafl.model import Encoded
from ccafl.schedules import encoder_lr
from ccafl.stages.training import Batch, Progress, Training, steps_before


class LoopStage(ABC):
    """Epochs of `train.iterations` steps. What an epoch starts from and what is lost: children.

    Each step: the classifier learns from embeddings that pass no gradient on (L_GID); then the
    encoder learns from the stage's terms, which see the *updated* classifier and the memory as it
    was; then the memory takes up the embeddings of this step.
    """

    name: Stage

    def __init__(self, training: Training) -> None:
        self.training = training
        self.text = training.encode_prompts()  # (A, E), fixed from here on
        self._epoch = 1
        self._iteration = 0  # steps of this epoch already done

    @property
    def loop_epoch(self) -> int:
        """Epoch from 0 over intra and inter together."""
        return self.training.config.loop_epoch(self.name, self._epoch)

    @property
    def ended_epoch(self) -> int | None:
        """The epoch that ended with the last step; None inside an epoch."""
        return None if self._iteration else self._epoch - 1

    @property
    def association(self) -> Association | None:
        """How camera identities are linked in this epoch; only inter links them."""
        return None

    @abstractmethod
    def begin_epoch(self, x: Tensor) -> None:
        """Build the memory of an epoch from embeddings (N, D) of all training images."""

    @abstractmethod
    def uses_text(self) -> bool:
        """Whether this epoch has a term on the joint embedding."""

    @abstractmethod
    def terms(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """The weighted terms of the encoder's loss; none if the batch has nothing to teach it."""

    @abstractmethod
    def update_memory(self, x: Tensor, batch: Batch) -> None:
        """Let the memory take up embeddings (B, D) that pass no gradient on."""

    @abstractmethod
    def memory_state(self) -> dict[str, Any]:
        """What `begin_epoch` built, as it is now."""

    @abstractmethod
    def load_memory_state(self, state: dict[str, Any]) -> None:
        """Take back what `memory_state` gave."""

    def steps(self) -> Iterator[Progress]:
        """Train, yielding after each optimiser step with the state complete."""
        config = self.training.config
        before = steps_before(config, self.name, len(self.training.images))
        step = before + (self._epoch - 1) * config.train.iterations + self._iteration
        self.training.encoder.train()
        while self._epoch <= config.epochs(self.name):
            if self._iteration == 0:
                self.begin_epoch(self.training.embed_images())
            self._set_lr()
            step += 1
            yield self._step(step)

    def state_dict(self) -> dict[str, Any]:
        """The stage's own state and that of the training.

        Between epochs there is no memory to save: the next epoch builds its own.
        """
        return {
            "epoch": self._epoch,
            "iteration": self._iteration,
            "memory": self.memory_state() if self._iteration else {},
            "training": self.training.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._epoch, self._iteration = state["epoch"], state["iteration"]
        self.training.load_state_dict(state["training"])
        self.text = self.training.encode_prompts()
        if self._iteration:
            self.load_memory_state(state["memory"])

    def _step(self, step: int) -> Progress:
        training, epoch = self.training, self._epoch
        batch = training.next_batch()
        with training.autocast():
            encoded: Encoded = training.encoder(batch.images, project=self.uses_text())
        gid = training.train_classifier(encoded.embedding, batch.camera_identity)
        terms = self.terms(encoded, batch)
        if terms:
            training.encoder_optimiser.step(sum(terms.values(), start=gid.new_zeros(())))
            self.update_memory(encoded.embedding.detach(), batch)
        losses = {"gid": gid, **{name: term.detach() for name, term in terms.items()}}
        losses["total"] = sum(losses.values(), start=gid.new_zeros(()))
        association, lr = self.association, training.encoder_optimiser.lr
        self._iteration += 1
        epoch_end = self._iteration == training.config.train.iterations
        if epoch_end:
            self._epoch, self._iteration = epoch + 1, 0
        return Progress(
            self.name, epoch, step, losses, len(batch.images), lr, epoch_end, association
        )

    def _set_lr(self) -> None:
        train = self.training.config.train
        self.training.encoder_optimiser.set_lr(
            encoder_lr(
                self.loop_epoch,
                lr=train.lr,
                warmup_epochs=train.warmup_epochs,
                warmup_factor=train.warmup_factor,
                lr_steps=train.lr_steps,
            )
        )
