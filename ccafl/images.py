"""Images from the disk to the device: decoded once to uint8, augmented in batches."""

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ccafl.datasets.check import DAMAGE, FORMATS
from ccafl.errors import DatasetError
from ccafl.limits import cpu_cores, free_memory

Pixels = NDArray[np.uint8]
Progress = Callable[[int, int], None]  # images done, images in all

# ImageNet's, as in the authors' code; CLIP's own differ
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
_ERASE_TRIES = 100
_ASPECT = (0.3, 1 / 0.3)
_MEMORY_SHARE = 0.5


def go_on() -> None:
    """A check that stops nothing."""


class Images:
    """N images of one split, resized to (H, W), in memory once `decode_all` has run.

    When they would fill more than half of the memory that is free, they are decoded each time
    they are asked for instead, with the same pixels. Whoever goes through all of them calls
    `check` now and then; what it raises stops the work.
    """

    def __init__(
        self, paths: Sequence[Path], size: tuple[int, int], check: Callable[[], None] = go_on
    ) -> None:
        self.check = check
        self._paths = tuple(paths)
        self._size = size
        self._pixels: Pixels | None = None
        self._pool = ThreadPoolExecutor(min(16, cpu_cores()))

    def __len__(self) -> int:
        return len(self._paths)

    def decode_all(self, progress: Progress) -> None:
        """Decode every image now.

        Raises:
            DatasetError: an image cannot be read; the message names it.
        """
        shape = (len(self), *self._size, 3)
        keep = int(np.prod(shape)) <= _MEMORY_SHARE * free_memory()
        pixels = np.empty(shape if keep else (0,), dtype=np.uint8)
        for index, image in enumerate(self._pool.map(self._decode, self._paths)):
            if keep:
                pixels[index] = image
            self.check()
            progress(index + 1, len(self))
        self._pixels = pixels if keep else None

    def batch(self, indices: NDArray[np.int64], device: torch.device) -> Tensor:
        """Images (B, H, W, 3), uint8, on the device; the copy does not wait for the device."""
        if self._pixels is not None:
            pixels = self._pixels[indices]
        else:
            paths = [self._paths[index] for index in indices]
            pixels = np.stack(list(self._pool.map(self._decode, paths)))
        images = torch.from_numpy(pixels)
        if device.type == "cuda":
            images = images.pin_memory()
        return images.to(device, non_blocking=True)

    def _decode(self, path: Path) -> Pixels:
        return decode(path, self._size)


def decode(path: Path, size: tuple[int, int]) -> Pixels:
    """One image as (H, W, 3) uint8, bicubic with antialiasing.

    Raises:
        DatasetError: the file is missing, cut or no image.
    """
    try:
        with Image.open(path, formats=FORMATS) as file:
            pixels = np.array(file.convert("RGB"))
    except (*DAMAGE, Image.DecompressionBombError) as error:
        raise DatasetError(
            f"{str(path)!r} cannot be read as an image ({error}). Unpack the data set again, or "
            "remove the file."
        ) from error
    if pixels.shape[:2] == size:
        return pixels
    # torch's resize and not Pillow's: versions of Pillow differ by up to 15 grey levels
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None]  # (1, 3, h, w)
    resized = F.interpolate(image, size=size, mode="bicubic", antialias=True)
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())


def normalise(images: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) to float32 (B, 3, H, W) with ImageNet's mean and deviation.

    The memory order stays NHWC, which is what torch calls channels_last.
    """
    mean, std = _mean_and_std(images.device)
    return ((images.float() / 255 - mean) / std).permute(0, 3, 1, 2)


@functools.cache
def _mean_and_std(device: torch.device) -> tuple[Tensor, Tensor]:
    """ImageNet's, made once for a device, because the copy of a list of numbers waits for it."""
    return torch.tensor(MEAN, device=device), torch.tensor(STD, device=device)


def augment(
    images: Tensor,
    *,
    pad: int,
    erase: float,
    erase_area: tuple[float, float],
    generator: torch.Generator,
) -> Tensor:
    """Flip, shift and erase a batch, each image by itself.

    Args:
        images: (B, H, W, 3) uint8.
        pad: black border in pixels, from which an image of the old size is cut at random.
        erase: probability that a rectangle is erased.
        erase_area: its share of the image, from and to, in [0, 1].
        generator: on the device of the images; the only source of chance.

    Returns:
        (B, 3, H, W) float32, normalised.

    Source: the authors' training transforms; flip p 0.5, aspect of the rectangle 0.3 to 3.33. As
        there, the rectangle is filled with ImageNet's mean *after* normalisation, an off-grey.
    """
    images = _shift(_flip(images, generator), pad, generator)
    fill = _mean_and_std(images.device)[0].view(1, 3, 1, 1)
    hole = _rectangles(images.shape, erase, erase_area, generator)  # (B, 1, H, W)
    return torch.where(hole, fill, normalise(images))


def _flip(images: Tensor, generator: torch.Generator) -> Tensor:
    flipped = _uniform(len(images), generator) < 0.5
    return torch.where(flipped.view(-1, 1, 1, 1), images.flip(2), images)


def _shift(images: Tensor, pad: int, generator: torch.Generator) -> Tensor:
    count, height, width, _ = images.shape
    offsets = torch.randint(-pad, pad + 1, (2, count, 1), generator=generator, device=images.device)
    rows = torch.arange(height, device=images.device) + offsets[0]  # (B, H)
    columns = torch.arange(width, device=images.device) + offsets[1]  # (B, W)
    inside = _within(rows, height).unsqueeze(2) & _within(columns, width).unsqueeze(1)  # (B, H, W)
    batch = torch.arange(count, device=images.device).view(-1, 1, 1)
    moved = images[
        batch, rows.clamp(0, height - 1).unsqueeze(2), columns.clamp(0, width - 1).unsqueeze(1)
    ]
    return moved * inside.unsqueeze(3)


def _within(positions: Tensor, size: int) -> Tensor:
    return (positions >= 0) & (positions < size)


def _rectangles(
    shape: torch.Size, erase: float, area: tuple[float, float], generator: torch.Generator
) -> Tensor:
    """Mask (B, 1, H, W) of the rectangles; the first of a hundred tries that fits is taken."""
    count, height, width, _ = shape
    draw = (count, _ERASE_TRIES)
    share = area[0] + (area[1] - area[0]) * _uniform(draw, generator)
    aspect = _ASPECT[0] + (_ASPECT[1] - _ASPECT[0]) * _uniform(draw, generator)
    rows = (share * height * width * aspect).sqrt().round()  # (B, tries)
    columns = (share * height * width / aspect).sqrt().round()
    fits = (rows < height) & (columns < width)
    first = fits.int().argmax(1, keepdim=True)  # (B, 1)
    tall, wide = rows.gather(1, first), columns.gather(1, first)  # (B, 1)
    chance, vertical, horizontal = _uniform((3, count, 1), generator)
    chosen = (chance < erase) & fits.gather(1, first)
    top = (vertical * (height - tall + 1)).floor()
    left = (horizontal * (width - wide + 1)).floor()
    y = torch.arange(height, device=generator.device)
    x = torch.arange(width, device=generator.device)
    in_rows = (y >= top) & (y < top + tall) & chosen  # (B, H)
    in_columns = (x >= left) & (x < left + wide)  # (B, W)
    hole: Tensor = in_rows.unsqueeze(2) & in_columns.unsqueeze(1)
    return hole.unsqueeze(1)


def _uniform(shape: int | tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)
