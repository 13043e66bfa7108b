"""Encodes a whole split: the embedding of every image, or its joint embedding."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from ccafl.images import Images, normalise
from ccafl.model import ImageEncoder

BATCH = 256  # images encoded at a time

Context = Callable[[], AbstractContextManager[object]]


@torch.no_grad()
def embed(
    encoder: ImageEncoder,
    images: Images,
    device: torch.device,
    *,
    joint: bool = False,
    autocast: Context = nullcontext,
    limit: int | None = None,
) -> Tensor:
    """Encode images with test transforms, in evaluation mode; the encoder's mode is restored.

    Args:
        encoder: on the device.
        images: N images of the encoder's size; their check may stop the work between batches.
        device: where the result stays.
        joint: take the joint embedding instead of the embedding that is compared.
        autocast: makes the context of the forward pass; float32 if left out.
        limit: encode the first images only.

    Returns:
        (N, D) float32 unit rows, or (N, E) joint embeddings, not normalised.
    """
    training = encoder.training
    encoder.eval()
    count = len(images) if limit is None else min(limit, len(images))
    rows: Tensor | None = None
    for start in range(0, count, BATCH):
        images.check()
        indices = np.arange(start, min(start + BATCH, count))
        batch = normalise(images.batch(indices, device))
        with autocast():
            encoded = encoder(batch, project=joint)
        chosen = encoded.joint if joint else encoded.embedding
        if rows is None:
            rows = chosen.new_empty(count, chosen.shape[1])
        rows[start : start + len(batch)] = chosen
    encoder.train(training)
    assert rows is not None, "a scan refuses empty splits"
    return rows
