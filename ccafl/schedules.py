"""Learning rate of each epoch, for the prompts and for the encoder.

Source: the authors' code; its reference numbers are those of lr 3.5e-4.
"""

import math
from collections.abc import Sequence

REFERENCE_LR = 3.5e-4  # the rate that PROMPT_START and PROMPT_FLOOR belong to
PROMPT_START = 1e-5  # where the prompts' warm-up begins
PROMPT_FLOOR = 1e-6  # what the cosine falls to


def prompt_lr(epoch: int, *, epochs: int, lr: float, warmup_epochs: int = 5) -> float:
    """Learning rate of the prompts: a line up during warm-up, then a cosine down to a floor.

    Args:
        epoch: stage epoch, from 1; 0 is the rate before the first.
        epochs: epochs of the prompt stage. The last one runs at the floor.
        lr: peak rate. Start and floor keep their proportion to it.
        warmup_epochs: the cosine is in force from this epoch on. It counts from epoch 0, so
            warm-up covers its beginning and does not shift it.
    """
    start, floor = (value * lr / REFERENCE_LR for value in (PROMPT_START, PROMPT_FLOOR))
    if epoch < warmup_epochs:
        return start + epoch * (lr - start) / warmup_epochs
    return floor + 0.5 * (lr - floor) * (1 + math.cos(math.pi * epoch / epochs))


def encoder_lr(
    loop_epoch: int,
    *,
    lr: float,
    warmup_epochs: int,
    warmup_factor: float,
    lr_steps: Sequence[int],
) -> float:
    """Learning rate of the encoder: a line up from a share of `lr`, then tenfold drops.

    Args:
        loop_epoch: from 0, over the intra and inter stages together.
        lr: rate between warm-up and the first step.
        warmup_epochs: length of the warm-up; 0 for none.
        warmup_factor: share of `lr` in epoch 0, in [0, 1].
        lr_steps: loop epochs from which the rate is ten times lower than before.
    """
    factor = 1.0
    if loop_epoch < warmup_epochs:
        factor = warmup_factor + (1 - warmup_factor) * loop_epoch / warmup_epochs
    passed = sum(loop_epoch >= step for step in lr_steps)
    return lr * factor * 0.1**passed
