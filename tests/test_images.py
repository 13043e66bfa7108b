import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ccafl import images as module
from ccafl.errors import DatasetError
from ccafl.images import MEAN, STD, Images, augment, decode, normalise

CPU = torch.device("cpu")


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def batch(count: int = 6, height: int = 24, width: int = 12) -> Tensor:
    return torch.from_numpy(np.stack([noise(height, width, seed) for seed in range(count)]))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def plain(images: Tensor, seed: int = 0, *, pad: int = 0, erase: float = 0.0) -> Tensor:
    return augment(images, pad=pad, erase=erase, erase_area=(0.02, 0.4), generator=generator(seed))


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def test_an_image_of_the_wanted_size_keeps_its_pixels(tmp_path: Path) -> None:
    pixels = noise(24, 12)
    np.testing.assert_array_equal(decode(save(tmp_path / "a.png", pixels), (24, 12)), pixels)


def test_a_resize_equals_the_horizontal_pass_first_of_the_published_results(
    tmp_path: Path,
) -> None:
    tall = noise(372, 94)
    found = decode(save(tmp_path / "tall.png", tall), (256, 128))
    across = Image.fromarray(tall).resize((128, 372), Image.Resampling.BICUBIC)
    down = np.asarray(across.resize((128, 256), Image.Resampling.BICUBIC))
    assert np.abs(found.astype(int) - down).max() <= 2


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGBA", "P"])
def test_every_colour_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode in ("L", "CMYK") else "a.png")
    Image.fromarray(noise(20, 10)).convert(mode).save(path)
    assert decode(path, (24, 12)).shape == (24, 12, 3)


@pytest.mark.parametrize("content", [b"", b"no image at all", None])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = save(tmp_path / "cut.jpg", noise(64, 32))
    path.write_bytes(path.read_bytes()[:900] if content is None else content)
    with pytest.raises(DatasetError, match=r"cut\.jpg' cannot be read as an image"):
        decode(path, (24, 12))


def test_images_that_do_not_fit_in_memory_are_decoded_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [save(tmp_path / f"{i}.png", noise(24, 12, i)) for i in range(3)]
    kept, streamed = Images(paths, (24, 12)), Images(paths, (24, 12))
    kept.decode_all(lambda done, total: None)
    monkeypatch.setattr(module, "free_memory", lambda: 100)
    streamed.decode_all(lambda done, total: None)
    wanted = np.array([2, 0])
    assert torch.equal(streamed.batch(wanted, CPU), kept.batch(wanted, CPU))
    paths[0].unlink()
    with pytest.raises(DatasetError):
        streamed.batch(wanted, CPU)


def test_decoding_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    paths = [save(tmp_path / f"{i}.png", noise(24, 12, i)) for i in range(2)]
    Images(paths, (24, 12)).decode_all(lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_no_more_threads_decode_than_the_process_has_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    before = set(threading.enumerate())
    images = Images([save(tmp_path / f"{i}.png", noise(64, 32, i)) for i in range(8)], (24, 12))
    images.decode_all(lambda done, total: None)
    assert len(set(threading.enumerate()) - before) == 1


def test_normalisation_is_imagenets() -> None:
    images = batch(1)
    found = normalise(images)
    expected = (images[0, 3, 5] / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    torch.testing.assert_close(found[0, :, 3, 5], expected)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_without_pad_and_erasing_an_image_is_itself_or_its_mirror() -> None:
    images = batch(64)
    found, straight, mirrored = plain(images), normalise(images), normalise(images.flip(2))
    is_straight = (found == straight).flatten(1).all(1)
    is_mirrored = (found == mirrored).flatten(1).all(1)
    assert (is_straight | is_mirrored).all()
    assert 16 < is_mirrored.sum() < 48


def test_a_shift_moves_the_image_and_shows_the_black_border() -> None:
    images = torch.full((200, 24, 12, 3), 255, dtype=torch.uint8)
    black = normalise(torch.zeros(1, 1, 1, 3, dtype=torch.uint8))[0, 0, 0, 0]
    dark = plain(images, pad=3)[:, 0] == black  # (B, H, W)
    rows = dark.all(2).sum(1)
    assert set(rows.tolist()) == {0, 1, 2, 3}
    assert set(dark.all(1).sum(1).tolist()) == {0, 1, 2, 3}


def test_erasing_fills_rectangles_of_the_wanted_area_with_the_mean() -> None:
    images = torch.zeros(300, 64, 32, 3, dtype=torch.uint8)
    found = plain(images, erase=0.5)
    hole = (found == torch.tensor(MEAN).view(1, 3, 1, 1)).all(1)  # (B, H, W)
    share = hole.flatten(1).float().mean(1)
    erased = share > 0
    assert 110 < erased.sum() < 190
    assert 0.01 < share[erased].min() < 0.06
    assert 0.25 < share[erased].max() < 0.45


def test_an_erased_part_is_one_rectangle() -> None:
    images = torch.zeros(50, 64, 32, 3, dtype=torch.uint8)
    hole = (plain(images, erase=1.0)[:, 0] == MEAN[0]).float()
    rows, columns = hole.amax(2).sum(1), hole.amax(1).sum(1)
    torch.testing.assert_close(hole.sum((1, 2)), rows * columns)


def test_the_generator_alone_decides() -> None:
    images = batch(8)
    assert torch.equal(plain(images, 3, pad=3, erase=0.5), plain(images, 3, pad=3, erase=0.5))
    assert not torch.equal(plain(images, 3, pad=3), plain(images, 4, pad=3))
