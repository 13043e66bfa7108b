"""Pre-train the tiny CLIP on drawn pedestrians and their captions; write the shipped weights.

    python -m bench.tiny_clip [--output FILE] [--seed N]

Takes about four minutes on one core. Neither the people nor the cameras of the pictures occur in
a demo data set, but both come from one renderer: the start that these weights give there says
nothing about real cameras.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from ccafl.datasets import Dataset, Record, scan
from ccafl.demo import draw_captioned, draw_dataset
from ccafl.images import augment, decode, normalise
from ccafl.model import BACKBONES, Encoded, ImageEncoder, build_clip
from ccafl.ranking import Evaluation, evaluate
from ccafl.tokens import caption_tokens

TRAINING_PAIRS, HELD_OUT_PAIRS = 6_000, 500
BATCH, STEPS, PEAK_LR = 96, 1_200, 2e-3
IMAGE_SIZE = (64, 32)  # height, width
CONTEXT = 32  # tokens the text tower reads

# The method compares raw dot products. With norms of 2.2 they stay within about 5; at the scale
# that contrastive training leaves, the text losses outweigh all others.
OUTPUT_NORM = 2.2


class Pairs(NamedTuple):
    """Pictures and their captions, row by row."""

    images: Tensor  # (N, H, W, 3) uint8
    tokens: Tensor  # (N, 32) int64, padded with 0


def main() -> None:
    """Draw, train, rescale, save, and print what the weights are worth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).parents[1] / "ccafl" / "assets" / "tiny_clip.safetensors"
    parser.add_argument("--output", type=Path, default=default)
    parser.add_argument("--seed", type=int, default=0, help="of pictures and training")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)

    start = time.perf_counter()
    pairs = draw_pairs(TRAINING_PAIRS + HELD_OUT_PAIRS, arguments.seed)
    print(f"{len(pairs.images):,} pairs drawn in {time.perf_counter() - start:.0f} s", flush=True)
    training = Pairs(*(part[:TRAINING_PAIRS] for part in pairs))
    held_out = Pairs(*(part[TRAINING_PAIRS:] for part in pairs))
    model = build_clip("tiny", weights="random").to(memory_format=torch.channels_last)
    train(model, training, torch.Generator().manual_seed(arguments.seed))
    rescale(model, held_out)
    save(model, arguments.output)
    print_retrieval(model, held_out)
    print_start(arguments.output)


def draw_pairs(count: int, seed: int) -> Pairs:
    """Draw pictures, shrunk to the network's input, with their captions."""
    images = torch.empty(count, 128, 64, 3, dtype=torch.uint8)
    tokens = torch.zeros(count, CONTEXT, dtype=torch.int64)
    for i, (picture, caption) in enumerate(draw_captioned(count, seed=seed)):
        images[i] = torch.from_numpy(np.array(picture))
        ids = caption_tokens(caption)
        tokens[i, : len(ids)] = torch.tensor(ids)
    return Pairs(shrink(images), tokens)


def shrink(images: Tensor) -> Tensor:
    """Resize (N, h, w, 3) uint8 to `IMAGE_SIZE`, as `ccafl.images.decode` does."""
    planes = images.permute(0, 3, 1, 2)
    small = F.interpolate(planes, size=IMAGE_SIZE, mode="bicubic", antialias=True)
    return small.permute(0, 2, 3, 1).contiguous()


def train(model: CLIP, pairs: Pairs, generator: torch.Generator) -> None:
    """Train both towers with the symmetric InfoNCE loss, its scale learnt too."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=PEAK_LR)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_LR, total_steps=STEPS)
    start = time.perf_counter()
    model.train()
    for step in range(1, STEPS + 1):
        rows = torch.randint(len(pairs.images), (BATCH,), generator=generator)
        images = augment(
            pairs.images[rows], pad=3, erase=0.0, erase_area=(0.02, 0.25), generator=generator
        )
        loss = contrast(model, images, pairs.tokens[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            seconds, scale = time.perf_counter() - start, model.logit_scale.exp()
            print(f"step {step}: loss {loss:.3f}, scale {scale:.1f}, {seconds:.0f} s", flush=True)


def contrast(model: CLIP, images: Tensor, tokens: Tensor) -> Tensor:
    """Symmetric InfoNCE of a batch of (B, 3, H, W) images and (B, 32) captions."""
    image = model.encode_image(images, normalize=True)  # (B, E)
    text = model.encode_text(tokens, normalize=True)
    logits = model.logit_scale.exp() * image @ text.T  # (B, B)
    own = torch.arange(len(logits))
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


@torch.no_grad()
def rescale(model: CLIP, pairs: Pairs) -> None:
    """Scale the last layer of each tower so that its mean output norm is `OUTPUT_NORM`."""
    image, text = encode(model, pairs)
    pool = model.visual.attnpool
    for norm, weights in (
        (image.norm(dim=1).mean(), (pool.c_proj.weight, pool.c_proj.bias)),
        (text.norm(dim=1).mean(), (model.text_projection,)),
    ):
        for weight in weights:
            weight.mul_(OUTPUT_NORM / norm)


@torch.no_grad()
def encode(model: CLIP, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Give the (N, E) outputs of both towers, not normalised."""
    model.eval()
    return model.encode_image(normalise(pairs.images)), model.encode_text(pairs.tokens)


def save(model: CLIP, path: Path) -> None:
    """Write the weights in half precision and read them back into the model."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in model.state_dict().items()
    }
    save_file(state, path)
    path.chmod(0o644)  # safetensors makes it private, but it is shipped
    model.load_state_dict(state)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def print_retrieval(model: CLIP, pairs: Pairs) -> None:
    """Print how often a picture finds its own caption among the held-out ones."""
    image, text = encode(model, pairs)
    print(f"mean norms: image {image.norm(dim=1).mean():.2f}, text {text.norm(dim=1).mean():.2f}")
    cosine = F.normalize(image) @ F.normalize(text).T  # (N, N)
    rank = (cosine > cosine.diagonal()[:, None]).sum(1) + 1
    r1, r10 = ((rank <= k).float().mean() * 100 for k in (1, 10))
    print(f"held-out captions of {len(rank)} pictures: R1 {r1:.1f} %, R10 {r10:.1f} %")


def print_start(weights: Path) -> None:
    """Print what the untrained embedding is worth on the demo data sets of seeds 0 to 2."""
    visual = build_clip("tiny", weights=str(weights)).visual
    grid = BACKBONES["tiny"].grid
    encoder = ImageEncoder(visual, grid=grid, image_size=IMAGE_SIZE, bn_batch=64).eval()
    for seed in range(3):
        with TemporaryDirectory() as folder:
            draw_dataset(Path(folder), seed=seed)
            start = evaluate_start(encoder, scan(Path(folder)))
        print(f"demo seed {seed}: mAP {start.mean_ap:.1%}, Rank-1 {start.rank1:.1%}", flush=True)


def evaluate_start(encoder: ImageEncoder, dataset: Dataset) -> Evaluation:
    """Rank the gallery of a data set by the embedding as it is."""
    query, gallery = dataset.query, dataset.gallery
    return evaluate(
        embed(encoder, query),
        embed(encoder, gallery),
        query_pid=torch.tensor([record.pid for record in query]),
        query_camid=torch.tensor([record.camid for record in query]),
        gallery_pid=torch.tensor([record.pid for record in gallery]),
        gallery_camid=torch.tensor([record.camid for record in gallery]),
    )


@torch.no_grad()
def embed(encoder: ImageEncoder, records: Sequence[Record]) -> Tensor:
    """Give the (N, D) unit embeddings of images."""
    pixels = np.stack([decode(record.path, IMAGE_SIZE) for record in records])
    encoded: Encoded = encoder(normalise(torch.from_numpy(pixels)), project=False)
    return encoded.embedding


if __name__ == "__main__":
    main()
