"""Adam with what low precision needs: one loss scaler for the whole run, saved with it."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

BIAS_LR = 2.0  # biases learn at twice the rate, from the authors' code


class Optimiser:
    """One Adam optimiser and its own scaler, which does something in fp16 only."""

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        *,
        lr: float,
        weight_decay: float,
        device: torch.device,
        scale_loss: bool,
    ) -> None:
        """Take named parameters; those that need no gradient are left out.

        Args:
            parameters: names containing "bias" get twice the rate.
            lr: initial rate.
            weight_decay: on every parameter, normalisation included, as in the authors' code.
            device: of the parameters.
            scale_loss: whether gradients are fp16 and need scaling.
        """
        trained = [(name, value) for name, value in parameters if value.requires_grad]
        plain = [value for name, value in trained if "bias" not in name]
        biases = [value for name, value in trained if "bias" in name]
        groups = [
            {"params": values, "lr": lr * factor, "factor": factor}
            for values, factor in ((plain, 1.0), (biases, BIAS_LR))
            if values
        ]
        self._adam = torch.optim.Adam(groups, lr=lr, weight_decay=weight_decay, fused=True)
        self._scaler = torch.amp.GradScaler(device.type, enabled=scale_loss)
        self.lr = lr

    def set_lr(self, lr: float) -> None:
        """Set the rate, biases in proportion."""
        self.lr = lr
        for group in self._adam.param_groups:
            group["lr"] = lr * group["factor"]

    def step(self, loss: Tensor) -> None:
        """One step on a scalar loss; a parameter it does not reach is left alone altogether."""
        self._adam.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.step(self._adam)
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """State of Adam and of the scaler."""
        return {"adam": self._adam.state_dict(), "scaler": self._scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._adam.load_state_dict(state["adam"])
        for parameter, moments in self._adam.state.items():
            for name, value in moments.items():
                if value.shape == parameter.shape:
                    # the fused kernel pairs values by their place in memory: a moment that came
                    # back in another memory order (channels_last) would meet the wrong weights
                    moments[name] = torch.empty_like(parameter).copy_(value)
        self._scaler.load_state_dict(state["scaler"])
