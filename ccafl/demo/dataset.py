"""Draw whole sets: the demo data set in Market-1501 layout, and captioned pictures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from ccafl.demo.camera import Camera, draw_camera
from ccafl.demo.person import Person, describe, draw_person
from ccafl.demo.picture import take_junk, take_pictures
from ccafl.errors import DatasetError

TRAIN, QUERY, TEST = "bounding_box_train", "query", "bounding_box_test"

CAMERA_STRENGTH = 0.85  # hard across cameras, and still learned in a minute on one core
MAX_IDENTITIES, MAX_CAMERAS = 4_999, 99  # file names hold a pid of 4 digits, a camera of 2

# Spawn keys keep the two kinds of random streams apart, whatever seed either is given.
_DATASET_STREAM, _CAPTION_STREAM = (0,), (1,)


@dataclass(frozen=True, kw_only=True)
class _Shot:
    """A camera identity and the folder of each of its pictures."""

    pid: int
    camid: int
    person: Person
    folders: tuple[str, ...]


def draw_dataset(
    root: Path,
    *,
    seed: int = 0,
    identities: int = 48,
    cameras: int = 5,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Draw a data set of pedestrians in Market-1501 layout, all of it or nothing.

    The same seed gives the same bytes, as long as NumPy and Pillow stay the same. By default
    there are about 1,120 training images of 48 persons, 170 queries of 48 others and 650 further
    test images, among them 40 distractors (pid 0) and 20 junk images (pid -1).

    Args:
        root: folder to create; an empty one is replaced.
        seed: of everything that is drawn, 0 or more.
        identities: persons to train on; as many others are there to test on.
        cameras: of both splits.
        progress: called after each image with the number drawn and the number in all.

    Raises:
        DatasetError: `root` is in use or cannot be written, or a number is out of range.
    """
    _check_numbers(seed, identities, cameras)
    root = root.resolve()
    try:
        _check_unused(root)
        root.parent.mkdir(parents=True, exist_ok=True)
        # A sibling lies on the same file system, so that the last step is one rename.
        with TemporaryDirectory(prefix=f".{root.name}-", dir=root.parent) as aside:
            draft = Path(aside) / root.name
            _draw_into(draft, seed, identities, cameras, progress)
            draft.replace(root)
    except OSError as error:
        raise DatasetError(
            f"The demo data set cannot be written to '{root}' ({error.strerror or error}); "
            "name a folder that you may create, on a disk with 10 MB to spare."
        ) from error


def draw_captioned(
    count: int, *, seed: int = 0, cameras: int = 24, strength: float = 0.6
) -> Iterator[tuple[Image.Image, str]]:
    """Draw pictures of people, each a different person, with their captions.

    Neither the people nor the cameras are those of any data set, whatever the seeds.

    Args:
        count: pictures to draw.
        seed: of everything that is drawn, 0 or more.
        cameras: how many the pictures come from, at random.
        strength: of the cameras, as in `draw_camera`.

    Yields:
        A 64 x 128 picture (width x height) and its caption.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=_CAPTION_STREAM))
    lenses = [draw_camera(rng, strength) for _ in range(cameras)]
    for _ in range(count):
        person = draw_person(rng)
        camera = lenses[rng.integers(cameras)]
        yield next(take_pictures(camera, person, 1, rng)), describe(person)


def _check_numbers(seed: int, identities: int, cameras: int) -> None:
    limits = (
        ("seed", seed, 0, None),
        ("identities", identities, 2, MAX_IDENTITIES),
        ("cameras", cameras, 2, MAX_CAMERAS),
    )
    for name, value, low, high in limits:
        if value < low or (high is not None and value > high):
            allowed = f"{low} or more" if high is None else f"{low} to {high}"
            raise DatasetError(
                f"The demo data set cannot be drawn with {name} {value}; use {allowed}."
            )


def _check_unused(root: Path) -> None:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise DatasetError(
            f"The demo data set cannot be drawn into '{root}', which is in use; "
            "name a new or an empty folder."
        )


def _draw_into(
    root: Path,
    seed: int,
    identities: int,
    cameras: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=_DATASET_STREAM))
    lenses = [draw_camera(rng, CAMERA_STRENGTH) for _ in range(cameras)]
    shots = _plan(rng, identities, cameras)
    for folder in (TRAIN, QUERY, TEST):
        (root / folder).mkdir(parents=True)
    total = sum(len(shot.folders) for shot in shots)
    drawn = 0
    for shot in shots:
        camera = lenses[shot.camid - 1]
        for folder, picture in zip(shot.folders, _take(camera, shot, rng), strict=True):
            drawn += 1
            picture.save(root / folder / _file_name(shot, drawn), quality=camera.quality)
            if progress is not None:
                progress(drawn, total)


def _take(camera: Camera, shot: _Shot, rng: np.random.Generator) -> Iterator[Image.Image]:
    if shot.pid == -1:
        return iter([take_junk(camera, shot.person, rng)])
    return take_pictures(camera, shot.person, len(shot.folders), rng)


def _file_name(shot: _Shot, number: int) -> str:
    pid = "-1" if shot.pid == -1 else f"{shot.pid:04d}"
    return f"{pid}_c{shot.camid}s1_{25 * number + 1:06d}_01.jpg"


def _plan(rng: np.random.Generator, identities: int, cameras: int) -> list[_Shot]:
    """Say who is seen where and how often: first all of training, then all of the test."""
    shots = []
    for pid in range(1, 2 * identities + 1):
        person = draw_person(rng)
        for camid in _choose_cameras(rng, cameras):
            if pid <= identities:
                folders = (TRAIN,) * int(rng.integers(5, 9))
            else:
                folders = (QUERY,) + (TEST,) * int(rng.integers(3, 5))
            shots.append(_Shot(pid=pid, camid=camid, person=person, folders=folders))
    # Market-1501 marks distractors with pid 0 and junk with -1.
    strays = [0] * max(1, identities * 5 // 6) + [-1] * max(1, identities * 5 // 12)
    for pid in strays:
        camid = int(rng.integers(1, cameras + 1))
        shots.append(_Shot(pid=pid, camid=camid, person=draw_person(rng), folders=(TEST,)))
    return shots


def _choose_cameras(rng: np.random.Generator, cameras: int) -> list[int]:
    """Give the cameras that see one person: each with probability .7, at least two."""
    seen = np.flatnonzero(rng.random(cameras) < 0.7)
    if len(seen) < 2:
        seen = np.sort(rng.permutation(cameras)[:2])
    return [int(camera) + 1 for camera in seen]
