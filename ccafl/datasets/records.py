"""Images as records, and the labels that intra-camera supervision allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ccafl.datasets.files import Problem, quote
from ccafl.layout_names import Layout

JUNK_PID = -1
DISTRACTOR_PID = 0  # of the test images; an ordinary person in MSMT17
MAX_NUMBER = 999_999_999  # of a person or a camera; far above any, far below what a tensor holds

Split = Literal["train", "query", "gallery"]
SPLITS: dict[Split, str] = {  # each with its folder of images
    "train": "bounding_box_train",
    "query": "query",
    "gallery": "bounding_box_test",
}
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Record:
    """One image with the person and camera number the data set gives it."""

    path: Path
    pid: int
    camid: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What the names or lists of a data folder tell, before anything is judged."""

    layout: Layout
    rule: str
    version: str
    records: dict[Split, list[Record]]  # sorted by path, junk included
    ghosts: int
    problems: list[Problem]
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Dataset:
    """The images of a data folder: sorted, without junk and without ghosts of archives.

    Person numbers of the training split and of the test splits have nothing to do with each
    other: those of MSMT17 start at 0 in both.
    """

    name: str  # the published one when every count agrees, else the folder's
    root: Path
    layout: Layout
    rule: str  # which rule chose the layout; completes "Market-1501 layout: ..."
    version: str  # V1 or V2 of MSMT17 with list files, else empty
    train: tuple[Record, ...]
    query: tuple[Record, ...]
    gallery: tuple[Record, ...]
    junk: int  # images of pid -1, left out
    ghosts: int  # files that are no images of the set: hidden files, notes, thumbnails

    def split(self, name: Split) -> tuple[Record, ...]:
        """The records of a split by its name."""
        return {"train": self.train, "query": self.query, "gallery": self.gallery}[name]

    def summary(self) -> str:
        """One line of counts for logs and screens."""
        labels = camera_labels(self.train)
        form = " ".join(filter(None, (self.layout, self.version)))
        return (
            f"{self.name}: {len(self.train):,} training images, {labels.count:,} camera "
            f"identities in {labels.cameras} cameras; {len(self.query):,} queries, "
            f"{len(self.gallery):,} gallery images ({self.junk:,} junk left out); layout {form}"
        )


@dataclass(frozen=True, slots=True)
class CameraLabels:
    """What intra-camera supervision knows of N training images: A camera identities in C cameras.

    A camera identity is one person in one camera. They are numbered camera by camera, inside a
    camera in the order of the person numbers. Nothing here tells which camera identities of
    different cameras are the same person.
    """

    camera: Labels  # (N,) 0..C-1, camera numbers of the training images in ascending order
    camera_identity: Labels  # (N,) 0..A-1
    camera_of_identity: Labels  # (A,) 0..C-1, ascending

    @property
    def count(self) -> int:
        """A, the number of camera identities."""
        return len(self.camera_of_identity)

    @property
    def cameras(self) -> int:
        """C, the number of training cameras."""
        return int(self.camera_of_identity[-1]) + 1


def camera_labels(records: Sequence[Record]) -> CameraLabels:
    """The labels of training records, in their order."""
    camids = sorted({record.camid for record in records})
    camera_of = {camid: index for index, camid in enumerate(camids)}
    pairs = sorted({(camera_of[record.camid], record.pid) for record in records})
    identity_of = {pair: index for index, pair in enumerate(pairs)}
    camera = np.array([camera_of[record.camid] for record in records], dtype=np.int64)
    identity = [identity_of[camera_of[record.camid], record.pid] for record in records]
    return CameraLabels(
        camera=camera,
        camera_identity=np.array(identity, dtype=np.int64),
        camera_of_identity=np.array([pair[0] for pair in pairs], dtype=np.int64),
    )


def identity_pids(records: Sequence[Record]) -> Labels:
    """The person of each camera identity (A,), for `association.audit` and nothing else.

    This is what intra-camera supervision does not know; it must never reach a loss, a sampler or
    the association.
    """
    pairs = sorted({(record.camid, record.pid) for record in records})
    return np.array([pid for _, pid in pairs], dtype=np.int64)


def numbered(path: Path, pid: int, camid: int) -> Record | Problem:
    """The record of an image, or why its numbers cannot be used."""
    if max(pid, camid) > MAX_NUMBER:
        return Problem(
            f"{quote(path)} has a person or camera number above {MAX_NUMBER:,}. Renumber it.", path
        )
    if pid < JUNK_PID:
        return Problem(
            f"{quote(path)} has the person number {pid}; below 0 there is only {JUNK_PID}, which "
            "marks junk. Renumber it.",
            path,
        )
    return Record(path, pid, camid)


def unmatched_queries(dataset: Dataset) -> int:
    """Queries whose person no other camera of the gallery has seen; evaluation leaves them out."""
    return len(queries_without_match(dataset))


def queries_without_match(dataset: Dataset) -> list[Record]:
    """The records that `unmatched_queries` counts."""
    seen: dict[int, set[int]] = {}
    for record in dataset.gallery:
        seen.setdefault(record.pid, set()).add(record.camid)
    return [query for query in dataset.query if not seen.get(query.pid, set()) - {query.camid}]
