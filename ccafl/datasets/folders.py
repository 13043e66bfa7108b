"""Data sets of three folders whose images are named `<pid>_c<camid>...`."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ccafl.datasets.files import Problem, list_images, quote
from ccafl.datasets.layouts import choose, kind_of, title_of
from ccafl.datasets.records import SPLITS, Reading, Record, Split, numbered
from ccafl.layout_names import Layout, LayoutChoice

_NAME = re.compile(r"(-?[0-9]+)_c([0-9]+)")  # one or more digits: MSMT17 has 15 cameras
_TOLD_BY_NAMES = ("market1501", "dukemtmc")


def read_folders(root: Path, asked: LayoutChoice) -> Reading:
    """Read the names in the three folders, which are there.

    Raises:
        DatasetError: a folder cannot be read.
    """
    problems: list[Problem] = []
    records: dict[Split, list[Record]] = {}
    ghosts = 0
    for split in SPLITS:
        listing = list_images(root / SPLITS[split])
        ghosts += listing.ghosts
        problems += listing.problems
        records[split] = _records(listing.folder, listing.images, problems)
    names = {split: [record.path.name for record in records[split]] for split in SPLITS}
    camids = {record.camid for split in SPLITS for record in records[split]}
    layout, rule = choose(names["train"], camids)
    if asked != "auto":
        layout, rule = asked, "it was asked for"
    warnings: list[str] = []
    if asked == "auto" or asked in _TOLD_BY_NAMES:
        found = (_stranger(root / SPLITS[split], names[split], asked) for split in SPLITS)
        problems += filter(None, found)
        warnings += _differing_splits(names)
    return Reading(layout, rule, "", records, ghosts, problems, warnings)


def _records(folder: Path, names: Sequence[str], problems: list[Problem]) -> list[Record]:
    """The records of a split; what is wrong with a name is added to the problems."""
    records = []
    for name in names:
        found = _record(folder / name)
        if isinstance(found, Record):
            records.append(found)
        else:
            problems.append(found)
    return records


def _record(path: Path) -> Record | Problem:
    match = _NAME.match(path.name)
    if match is None:
        return Problem(
            f"{quote(path)} is not named <person>_c<camera>..., such as "
            "0002_c1s1_000451_03.jpg. Rename the file or move it out of the folder.",
            path,
        )
    return numbered(path, pid=int(match[1]), camid=int(match[2]))


def _stranger(folder: Path, names: Sequence[str], asked: LayoutChoice) -> Problem | None:
    """A split that holds names of two data sets, in which two people may have one number."""
    expected = _usual(names) if asked == "auto" else asked
    other = next((name for name in names if kind_of(name) != expected), None)
    if other is None:
        return None
    kinds = Counter(map(kind_of, names))
    return Problem(
        f"{quote(folder)} holds {kinds[expected]:,} images named as in {title_of(expected)} and "
        f"{kinds[kind_of(other)]:,} named as in {title_of(kind_of(other))}, such as {other!r}: "
        "two people may share a number. Move the files that do not belong there, or choose the "
        "layout market-like to take all as they are.",
        folder / other,
    )


def _differing_splits(names: dict[Split, list[str]]) -> list[str]:
    kinds = {split: _usual(names[split]) for split in SPLITS if names[split]}
    if len(set(kinds.values())) < 2:
        return []
    found = ", ".join(f"{SPLITS[split]} as in {title_of(kind)}" for split, kind in kinds.items())
    return [f"The images seem to be of different data sets; they are named: {found}."]


def _usual(names: Sequence[str]) -> Layout | None:
    kinds = Counter(map(kind_of, names)).most_common(1)
    return kinds[0][0] if kinds else None
