"""Learning rates of prompts and encoder."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccafl.schedules import encoder_lr, prompt_lr


def loop_lr(epoch: int, lr_steps: Sequence[int] = (40, 50)) -> float:
    return encoder_lr(epoch, lr=3.5e-4, warmup_epochs=10, warmup_factor=0.01, lr_steps=lr_steps)


@pytest.mark.parametrize(
    ("epoch", "lr"),
    [(1, 7.8e-5), (2, 1.46e-4), (3, 2.14e-4), (4, 2.82e-4), (30, 1.755e-4), (60, 1e-6)],
)
def test_prompt_rate_has_the_values_of_the_authors_code(epoch: int, lr: float) -> None:
    assert prompt_lr(epoch, epochs=60, lr=3.5e-4) == pytest.approx(lr, rel=1e-9)


def test_prompt_cosine_starts_below_its_peak_because_it_counts_from_epoch_zero() -> None:
    fifth = prompt_lr(5, epochs=60, lr=3.5e-4)
    assert fifth == pytest.approx(3.44e-4, rel=1e-3)
    assert fifth < 3.5e-4


@given(st.integers(1, 80), st.floats(1e-6, 1.0))
def test_prompt_rate_scales_with_its_peak(epoch: int, lr: float) -> None:
    reference = prompt_lr(epoch, epochs=80, lr=3.5e-4)
    assert prompt_lr(epoch, epochs=80, lr=lr) == pytest.approx(reference * lr / 3.5e-4)


def test_prompt_rate_without_warmup_is_a_plain_cosine() -> None:
    rates = [prompt_lr(epoch, epochs=10, lr=1.0, warmup_epochs=0) for epoch in range(11)]
    assert rates[0] == 1.0
    assert rates == sorted(rates, reverse=True)
    assert rates[10] == pytest.approx(1 / 350)


@pytest.mark.parametrize(
    ("epoch", "lr"),
    [
        (0, 3.5e-6),
        (1, 3.815e-5),
        (4, 1.421e-4),
        (5, 1.7675e-4),
        (10, 3.5e-4),
        (39, 3.5e-4),
        (40, 3.5e-5),
        (49, 3.5e-5),
        (50, 3.5e-6),
        (79, 3.5e-6),
    ],
)
def test_encoder_rate_has_the_values_of_the_authors_code(epoch: int, lr: float) -> None:
    assert loop_lr(epoch) == pytest.approx(lr, rel=1e-9)


def test_encoder_rate_without_warmup_starts_at_its_peak() -> None:
    assert encoder_lr(0, lr=1.0, warmup_epochs=0, warmup_factor=0.01, lr_steps=()) == 1.0


@given(st.integers(0, 100), st.lists(st.integers(1, 100), max_size=4))
def test_encoder_rate_does_not_depend_on_the_order_of_steps(epoch: int, steps: list[int]) -> None:
    forward = loop_lr(epoch, steps)
    assert forward == loop_lr(epoch, steps[::-1])
    assert 0 < forward <= 3.5e-4
