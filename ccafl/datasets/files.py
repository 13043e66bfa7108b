"""What lies in a folder of images, told apart without opening anything.

Only regular files count as images: opening a named pipe would wait for ever.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from ccafl.errors import DatasetError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
FILE, FOLDER = "a file", "a folder"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that forbids training: a sentence or two, and the file or folder it is about."""

    message: str
    path: Path


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder of images: their names in order, and what else is there."""

    folder: Path
    images: tuple[str, ...]
    ghosts: int
    problems: tuple[Problem, ...]


def quote(path: Path) -> str:
    """A path between quotes, with every character that could steer a terminal escaped."""
    return repr(str(path))


def contents(folder: Path) -> dict[str, str]:
    """Every name in a folder, in order, with the words for what it is (`FILE`, `FOLDER`, ...).

    Raises:
        DatasetError: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            found = {entry.name: _kind(entry) for entry in entries}
    except OSError as error:
        raise unreadable(folder, error) from error
    return dict(sorted(found.items()))


def list_images(folder: Path) -> Listing:
    """The images of a folder by name.

    Archives unpacked on a Mac leave `._NAME` beside each image, Windows leaves Thumbs.db: such
    ghosts are counted and skipped.

    Raises:
        DatasetError: the folder cannot be read.
    """
    found = contents(folder)
    named = {name: kind for name, kind in found.items() if is_image_name(name)}
    faulty = [(folder / name, kind) for name, kind in named.items() if kind != FILE]
    return Listing(
        folder=folder,
        images=tuple(name for name, kind in named.items() if kind == FILE),
        ghosts=len(found) - len(named),
        problems=tuple(no_image(path, kind) for path, kind in faulty),
    )


def is_image_name(name: str) -> bool:
    """Whether a name is not hidden and ends as images do, in capitals or not."""
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


def no_image(path: Path, kind: str) -> Problem:
    """The problem of something other than a file that is named like an image."""
    return Problem(
        f"{quote(path)} is {kind}, no image file. Remove it, or unpack the data set again.", path
    )


def unreadable(path: Path, error: OSError) -> DatasetError:
    """The error for a path that the system does not let us read."""
    return DatasetError(
        f"{quote(path)} cannot be read: {error.strerror or error}. Check its owner and mode."
    )


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_file():
            return FILE
        if entry.is_dir():
            return FOLDER
    except OSError as error:  # a loop of links, or a link into a folder that is closed to us
        return f"a link that cannot be followed ({error.strerror})"
    return "a link to no file" if entry.is_symlink() else "a pipe, socket or device"
