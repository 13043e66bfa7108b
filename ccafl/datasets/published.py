"""Published counts of the data sets, and how far a folder agrees with them.

A folder goes by a published name only when every count agrees, so that published results are
shown only beside runs on the same images.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ccafl.datasets.records import Record, Split
from ccafl.layout_names import Layout


@dataclass(frozen=True, slots=True)
class Count:
    """Images, persons and cameras of one split."""

    images: int
    persons: int
    cameras: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What is printed of a data set."""

    name: str
    layouts: tuple[Layout, ...]
    splits: dict[Split, Count]
    camera_identities: int | None = None  # of the training split; None where nobody prints it
    per_camera: tuple[int, ...] = ()  # the same for cameras 1, 2, ...
    is_sum_sure: bool = True
    are_cameras_sure: bool = True


def _splits(
    cameras: int, train: tuple[int, int], query: tuple[int, int], gallery: tuple[int, int]
) -> dict[Split, Count]:
    """Counts from images and persons of each split."""
    return {
        "train": Count(*train, cameras),
        "query": Count(*query, cameras),
        "gallery": Count(*gallery, cameras),
    }


# Split sizes: the loaders of five public code bases and their printouts agree. The camera
# identities are constants of the authors' code; those of Market's cameras are printed by two
# more code bases.
PUBLISHED = (
    Published(
        name="Market-1501",
        layouts=("market1501",),
        splits=_splits(6, train=(12_936, 751), query=(3_368, 750), gallery=(15_913, 751)),
        camera_identities=3_262,
        per_camera=(652, 541, 694, 241, 576, 558),
    ),
    Published(
        name="DukeMTMC-reID",
        layouts=("dukemtmc",),
        splits=_splits(8, train=(16_522, 702), query=(2_228, 702), gallery=(17_661, 1_110)),
        camera_identities=2_196,
        # printed for DukeMTMC-VideoReID, which has the same people and cameras
        per_camera=(404, 378, 201, 165, 218, 348, 217, 265),
        are_cameras_sure=False,
    ),
    Published(
        name="MSMT17",
        layouts=("msmt17", "msmt17-repacked"),
        splits=_splits(15, train=(32_621, 1_041), query=(11_659, 3_060), gallery=(82_161, 3_060)),
        camera_identities=4_821,
        is_sum_sure=False,  # one source, and nobody says of which list files
    ),
    Published(
        name="CUHK03-NP-detected",
        layouts=("cuhk03-np",),
        splits=_splits(2, train=(7_365, 767), query=(1_400, 700), gallery=(5_332, 700)),
    ),
    Published(
        name="CUHK03-NP-labeled",
        layouts=("cuhk03-np",),
        splits=_splits(2, train=(7_368, 767), query=(1_400, 700), gallery=(5_328, 700)),
    ),
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A folder beside the published data set that it is, or nearly is."""

    published: Published
    is_whole: bool  # every split has the published number of images
    differences: tuple[str, ...]  # in counts that are sure
    doubts: tuple[str, ...]  # in counts that may be printed wrong


def count(records: Sequence[Record]) -> Count:
    """Images, persons and cameras of records without junk."""
    return Count(
        images=len(records),
        persons=len({record.pid for record in records}),
        cameras=len({record.camid for record in records}),
    )


def camera_identities(records: Sequence[Record]) -> dict[int, int]:
    """Camera identities of each camera number, in the order of the cameras."""
    pairs = {(record.camid, record.pid) for record in records}
    return dict(sorted(Counter(camid for camid, _ in pairs).items()))


def compare(layout: Layout, splits: Mapping[Split, Sequence[Record]]) -> Comparison | None:
    """A folder beside the published data set that it is meant to be; None for other data.

    It is meant to be one when the images of each split are as many, or when it has the layout
    and between half and twice the images.
    """
    counts = {split: count(records) for split, records in splits.items()}
    whole = [published for published in PUBLISHED if _missing(published, counts) == 0]
    near = [
        published
        for published in PUBLISHED
        if layout in published.layouts and _is_near(published, counts)
    ]
    chosen = min(whole or near, key=lambda published: _missing(published, counts), default=None)
    if chosen is None:
        return None
    identities = camera_identities(splits["train"])
    return Comparison(
        published=chosen,
        is_whole=bool(whole),
        differences=(
            *_count_differences(chosen, counts),
            *_identity_differences(chosen, identities, are_sure=True),
        ),
        doubts=tuple(_identity_differences(chosen, identities, are_sure=False)),
    )


def _missing(published: Published, counts: Mapping[Split, Count]) -> int:
    """By how many images the splits differ from the published ones."""
    return sum(abs(published.splits[split].images - counts[split].images) for split in counts)


def _is_near(published: Published, counts: Mapping[Split, Count]) -> bool:
    return all(
        published.splits[split].images / 2 <= counts[split].images
        and counts[split].images <= published.splits[split].images * 2
        for split in counts
    )


def _count_differences(published: Published, counts: Mapping[Split, Count]) -> Iterator[str]:
    for split, found in counts.items():
        printed = published.splits[split]
        if found.images != printed.images:
            yield f"{found.images:,} instead of {printed.images:,} {split} images"
        if found.persons != printed.persons:
            yield f"{found.persons:,} instead of {printed.persons:,} {split} persons"
    if counts["train"].cameras != published.splits["train"].cameras:
        yield (
            f"{counts['train'].cameras} instead of {published.splits['train'].cameras} "
            "training cameras"
        )


def _identity_differences(
    published: Published, found: Mapping[int, int], *, are_sure: bool
) -> Iterator[str]:
    total = sum(found.values())
    if published.camera_identities is None:
        return
    if total != published.camera_identities and are_sure == published.is_sum_sure:
        yield f"{total:,} instead of {published.camera_identities:,} camera identities"
    cameras = tuple(found.get(camid, 0) for camid in range(1, len(published.per_camera) + 1))
    if cameras != published.per_camera and are_sure == published.are_cameras_sure:
        yield f"camera by camera {_row(cameras)} instead of {_row(published.per_camera)}"


def _row(numbers: Sequence[int]) -> str:
    return ", ".join(f"{number:,}" for number in numbers)
