"""MSMT17 as published: list files that name each image, and two folders of images.

A line of a list is `<path below the folder> <pid>`. The person comes from the list, the camera
from the third field of the file name, `0000/0000_000_01_0303morning_0015_0.jpg`. Names are taken
from the list and never rebuilt: copies differ in their suffix, or carry `_ex` before it.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ccafl.datasets.files import FILE, Problem, contents, no_image, quote, unreadable
from ccafl.datasets.layouts import LISTS
from ccafl.datasets.records import SPLITS, Reading, Record, Split, numbered
from ccafl.errors import DatasetError

VALIDATION = "list_val.txt"  # trained on as well: the published 32,621 images are both lists
# folders of the training and the test images of each version; V2 has the faces blurred
VERSIONS = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}
_LINE = re.compile(r"(\S(?:.*\S)?)[ \t]+(-?[0-9]{1,20})\s*")
_CAMERA = re.compile(r"[0-9]{1,20}")
_EXCERPT = 80  # characters of a bad line that a message repeats


@dataclass(frozen=True, slots=True)
class _Line:
    """What a line of a list says, and where it stands."""

    where: str
    image: str  # a path of names alone, as 0000/0000_000_01_0303morning_0015_0.jpg
    pid: int


def read_lists(root: Path, rule: str) -> Reading:
    """Read the list files below a folder; at least one is there.

    Raises:
        DatasetError: the folders of images are missing, or those of both versions are there.
    """
    version = _version(root)
    train, test = (root / folder for folder in VERSIONS[version])
    problems: list[Problem] = []
    warnings: list[str] = []
    folders: dict[str, dict[str, str]] = {}
    records: dict[Split, list[Record]] = {}
    for split in SPLITS:
        lines = _lines(root / LISTS[split], problems)
        if split == "train":
            lines += _validation_lines(root, problems, warnings)
        _check_persons(lines, warnings)
        base = train if split == "train" else test
        records[split] = _records(base, lines, folders, problems)
    names = (name for found in folders.values() for name in found)
    ghosts = sum(name.startswith(".") for name in names)
    return Reading("msmt17", rule, version, records, ghosts, problems, warnings)


def _version(root: Path) -> str:
    found = {
        version: [name for name in names if (root / name).is_dir()]
        for version, names in VERSIONS.items()
    }
    complete = [version for version, names in VERSIONS.items() if found[version] == [*names]]
    if len(complete) == 1:
        return complete[0]
    if complete:
        raise DatasetError(
            f"{quote(root)} holds the images of MSMT17 V1 and V2 at once. Move one of "
            f"{' and '.join('/'.join(names) for names in VERSIONS.values())} to a folder of its "
            "own, with the list files."
        )
    there = ", ".join(name for names in found.values() for name in names) or "none of them"
    raise DatasetError(
        f"{quote(root)} holds list files, but of the folders train and test (V1) or mask_train_v2 "
        f"and mask_test_v2 (V2) there is {there}. Unpack the data set again."
    )


def _validation_lines(root: Path, problems: list[Problem], warnings: list[str]) -> list[_Line]:
    file = root / VALIDATION
    if os.path.lexists(file):
        return _lines(file, problems)
    warnings.append(
        f"{quote(file)} is not there: training uses {LISTS['train']} alone; the 32,621 images of "
        "the published split are both lists together."
    )
    return []


def _lines(file: Path, problems: list[Problem]) -> list[_Line]:
    """The lines of a list that read well; the others are added to the problems."""
    found = []
    for number, text in enumerate(_text(file, problems).split("\n"), start=1):
        if not text.strip():
            continue
        line = _line(f"Line {number:,} of {quote(file)}", text)
        if isinstance(line, _Line):
            found.append(line)
        else:
            problems.append(Problem(line, file))
    return found


def _text(file: Path, problems: list[Problem]) -> str:
    """The text of a list, empty when there is none to be had."""
    if not file.is_file():  # a named pipe would be waited for
        what = "is no file" if os.path.lexists(file) else "is not there"
        problems.append(
            Problem(f"{quote(file)} {what}. Unpack the list files of MSMT17 again.", file)
        )
        return ""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        problems.append(Problem(str(unreadable(file, error)), file))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problems.append(
            Problem(f"{quote(file)} is no UTF-8 text (line {line:,}). Save it as UTF-8.", file)
        )
    return ""


def _line(where: str, text: str) -> _Line | str:
    match = _LINE.fullmatch(text)
    if match is None or "\0" in text:
        return f"{where} is {text[:_EXCERPT]!r}, not an image's path and a person's number."
    image = os.path.normpath(match[1])
    if image.startswith(("/", "../")):
        return (
            f"{where} names {match[1][:_EXCERPT]!r}, which leaves the data folder. Give the path "
            "below the folder of images."
        )
    return _Line(where, image, int(match[2]))


def _check_persons(lines: Sequence[_Line], warnings: list[str]) -> None:
    """Warn of persons that are not those of the folders, as in a list somebody has changed."""
    strays = [
        line
        for line in lines
        if (folder := line.image.split("/")[0]).isdecimal() and int(folder) != line.pid
    ]
    if strays:
        warnings.append(
            f"The person differs from the image's folder in {len(strays):,} of {len(lines):,} list "
            f"lines, the first: {strays[0].where}. The list's number is used."
        )


def _records(
    base: Path,
    lines: Iterable[_Line],
    folders: dict[str, dict[str, str]],
    problems: list[Problem],
) -> list[Record]:
    """The images of a split, sorted by path.

    Args:
        base: folder that the paths of the lines begin at.
        lines: of the lists.
        folders: what lies in the folders seen so far; it is added to.
        problems: what is wrong with an image is added to them.
    """
    records: dict[str, Record] = {}
    for line in lines:
        path = f"{base}/{line.image}"  # text and not Path: MSMT17 has 126,441 images
        found = _record(path, line, folders)
        if path in records:
            message = f"{line.where} names {path!r} again. Remove one of the lines."
            found = Problem(message, Path(path))
        if isinstance(found, Record):
            records[path] = found
        else:
            problems.append(found)
    return [records[path] for path in sorted(records)]


def _record(path: str, line: _Line, folders: dict[str, dict[str, str]]) -> Record | Problem:
    folder, _, name = path.rpartition("/")
    if folder not in folders:
        folders[folder] = contents(Path(folder)) if os.path.isdir(folder) else {}  # noqa: PTH112
    kind = folders[folder].get(name)
    if kind is None:
        return Problem(
            f"{line.where} names {path!r}, which is not there. Unpack the data set again, or "
            "remove the line.",
            Path(path),
        )
    if kind != FILE:
        return no_image(Path(path), kind)
    fields = name.split("_")
    camera = fields[2] if len(fields) > 2 else ""
    if not _CAMERA.fullmatch(camera):
        return Problem(
            f"{path!r} has no camera as the third field of its name, as in "
            "0000_000_01_0303morning_0015_0.jpg. Rename it, here and in the list.",
            Path(path),
        )
    return numbered(Path(path), line.pid, int(camera))
