from copy import deepcopy

import pytest
import torch
from torch import nn

from ccafl.errors import ConfigError
from ccafl.optimiser import Optimiser
from ccafl.precision import forward_dtype

CPU = torch.device("cpu")


def optimiser(module: nn.Module, lr: float = 0.1, weight_decay: float = 0.0) -> Optimiser:
    return Optimiser(
        module.named_parameters(), lr=lr, weight_decay=weight_decay, device=CPU, scale_loss=False
    )


def test_biases_learn_at_twice_the_rate() -> None:
    module = nn.Linear(1, 1)
    nn.init.zeros_(module.weight)
    nn.init.zeros_(module.bias)
    optimiser(module).step(module(torch.ones(1, 1)).sum())
    assert module.weight.item() == pytest.approx(-0.1)
    assert module.bias.item() == pytest.approx(-0.2)


def test_a_parameter_the_loss_does_not_reach_does_not_even_decay() -> None:
    used, idle = nn.Linear(2, 1), nn.Linear(2, 1)
    before = idle.weight.detach().clone()
    steps = optimiser(nn.ModuleList([used, idle]), weight_decay=0.5)
    for _ in range(3):
        steps.step(used(torch.ones(1, 2)).sum())
    assert torch.equal(idle.weight, before)


def test_a_frozen_parameter_is_left_out() -> None:
    module = nn.Linear(1, 1)
    module.bias.requires_grad_(False)
    before = module.bias.detach().clone()
    optimiser(module, weight_decay=0.5).step(module(torch.ones(1, 1)).sum())
    assert torch.equal(module.bias, before)


def test_a_new_rate_keeps_the_proportion_of_biases() -> None:
    module = nn.Linear(1, 1)
    nn.init.zeros_(module.bias)
    steps = optimiser(module)
    steps.set_lr(0.01)
    steps.step(module(torch.ones(1, 1)).sum())
    assert module.bias.item() == pytest.approx(-0.02)
    assert steps.lr == 0.01


def test_a_restored_optimiser_takes_the_same_steps() -> None:
    torch.manual_seed(0)
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    first, second = optimiser(one), optimiser(other)
    first.step(one(torch.ones(1, 3)).pow(2).sum())
    other.load_state_dict(one.state_dict())
    second.load_state_dict(deepcopy(first.state_dict()))
    for module, steps in ((one, first), (other, second)):
        steps.step(module(torch.ones(1, 3)).pow(2).sum())
    assert torch.equal(one.weight, other.weight)


def test_a_cpu_trains_in_fp32_and_refuses_fp16() -> None:
    assert forward_dtype("auto", CPU) == torch.float32
    assert forward_dtype("bf16", CPU) == torch.bfloat16
    with pytest.raises(ConfigError, match="needs a GPU"):
        forward_dtype("fp16", CPU)
