"""What is wrong with a data set as a whole: each sentence of the check stands here once."""

from collections import Counter
from collections.abc import Iterator

from ccafl.datasets.files import SUFFIXES, Problem, quote
from ccafl.datasets.layouts import LISTS, TITLES
from ccafl.datasets.published import Comparison
from ccafl.datasets.records import (
    DISTRACTOR_PID,
    SPLITS,
    Dataset,
    Split,
    queries_without_match,
)

MANY_CAMERAS = 100
_ORDINARY_ZERO = ("msmt17", "msmt17-repacked")  # layouts in which pid 0 is a person like others


def problems(dataset: Dataset, comparison: Comparison | None) -> Iterator[Problem]:
    """What forbids training, beyond single files."""
    empty = [split for split in SPLITS if not dataset.split(split)]
    for split in empty:
        yield _no_images(dataset, split)
    if "train" not in empty:
        yield from _too_few_cameras(dataset)
    if not {"query", "gallery"} & set(empty):
        yield from _nothing_to_evaluate(dataset)
    if comparison is not None and comparison.is_whole and comparison.differences:
        yield Problem(
            f"{quote(dataset.root)} has the images of {comparison.published.name}, but "
            f"{'; '.join(comparison.differences)}. Persons or cameras were renumbered: unpack the "
            "archive again.",
            dataset.root,
        )


def warnings(dataset: Dataset, comparison: Comparison | None) -> Iterator[str]:
    """What the reader should know and training can live with."""
    if comparison is not None:
        yield from _doubts(dataset, comparison)
    yield from _some_unmatched(dataset)
    yield from _odd_numbers(dataset)
    yield from _single_images(dataset)


def _place(dataset: Dataset, split: Split) -> str:
    """Folder or list file of a split."""
    return (LISTS if dataset.layout == "msmt17" else SPLITS)[split]


def _no_images(dataset: Dataset, split: Split) -> Problem:
    path = dataset.root / _place(dataset, split)
    if dataset.layout == "msmt17":
        return Problem(f"{quote(path)} names no image that can be used.", path)
    return Problem(
        f"{quote(path)} holds no images of known persons: files named <person>_c<camera>... that "
        f"end in {', '.join(SUFFIXES)} and lie in no further folder. Unpack the data set again, "
        "or pass another folder.",
        path,
    )


def _too_few_cameras(dataset: Dataset) -> Iterator[Problem]:
    cameras = {record.camid for record in dataset.train}
    if len(cameras) < 2:
        yield Problem(
            f"All {len(dataset.train):,} training images of {quote(dataset.root)} are from camera "
            f"{next(iter(cameras))}. Linking people across cameras needs at least two.",
            dataset.root,
        )


def _nothing_to_evaluate(dataset: Dataset) -> Iterator[Problem]:
    if len(queries_without_match(dataset)) == len(dataset.query):
        yield Problem(
            f"No query of {quote(dataset.root)} has an image of the same person from another "
            f"camera in {_place(dataset, 'gallery')}, so nothing can be evaluated. Check the "
            "camera numbers in the file names: each camera needs its own.",
            dataset.root,
        )


def _some_unmatched(dataset: Dataset) -> Iterator[str]:
    unmatched = queries_without_match(dataset)
    if 0 < len(unmatched) < len(dataset.query):
        yield (
            f"{len(unmatched):,} of {len(dataset.query):,} queries have no image of the same "
            f"person from another camera in {_place(dataset, 'gallery')}, the first: "
            f"{quote(unmatched[0].path)}; evaluation leaves them out. Add such images, or correct "
            "the camera numbers in the names."
        )


def _doubts(dataset: Dataset, comparison: Comparison) -> Iterator[str]:
    name = comparison.published.name
    if comparison.differences and not comparison.is_whole:
        yield (
            f"This is nearly {name}, with {'; '.join(comparison.differences)}. It goes by its "
            f"folder's name {dataset.name!r}, and no published results are shown beside it. If it "
            "is meant to be whole, unpack the archive again."
        )
    if comparison.is_whole and comparison.doubts:
        yield (
            f"{name} is printed with other numbers, of which nobody says how they were counted: "
            f"{'; '.join(comparison.doubts)}."
        )


def _odd_numbers(dataset: Dataset) -> Iterator[str]:
    zeros = [r for r in (*dataset.train, *dataset.query) if r.pid == DISTRACTOR_PID]
    if zeros and dataset.layout not in _ORDINARY_ZERO:
        yield (
            "The person number 0 marks strangers in the gallery in the layout "
            f"{TITLES[dataset.layout]}; here {len(zeros):,} of the training and query images have "
            f"it, the first: {quote(zeros[0].path)}, and all are taken for one person."
        )
    cameras = Counter(record.camid for split in SPLITS for record in dataset.split(split))
    if 0 in cameras:
        yield (
            f"Camera 0 occurs (images: {cameras[0]:,}), while the published sets count from 1. "
            "Nothing breaks; check that no digit of the camera was lost."
        )
    if len(cameras) > MANY_CAMERAS:
        yield (
            f"There are {len(cameras):,} cameras. Check that the number after _c is the camera's, "
            "not the frame's."
        )


def _single_images(dataset: Dataset) -> Iterator[str]:
    sizes = Counter((record.camid, record.pid) for record in dataset.train)
    single = sum(size == 1 for size in sizes.values())
    if 2 * single > len(sizes):
        yield (
            f"{single:,} of {len(sizes):,} camera identities have a single training image, which "
            "fills its place in a batch several times. Two and more of each teach far better."
        )
