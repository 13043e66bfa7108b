"""Which layout a data folder has, and what its names look like.

A folder is either MSMT17 as published, with list files, or holds three folders of images named
`<pid>_c<camid>...`. Of the latter, the names tell which data set it is.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ccafl.datasets.files import quote
from ccafl.datasets.records import SPLITS, Split
from ccafl.errors import DatasetError
from ccafl.layout_names import Layout, LayoutChoice

LISTS: dict[Split, str] = {
    "train": "list_train.txt",
    "query": "list_query.txt",
    "gallery": "list_gallery.txt",
}
TITLES: dict[Layout, str] = {
    "market1501": "Market-1501",
    "dukemtmc": "DukeMTMC-reID",
    "msmt17": "MSMT17 with list files",
    "msmt17-repacked": "MSMT17 re-packed",
    "cuhk03-np": "CUHK03-NP",
    "market-like": "Market-like",
}
MOST_CAMERAS_BUT_MSMT17 = 8
_NAMES: tuple[tuple[Layout, str, re.Pattern[str]], ...] = (
    ("market1501", "<person>_c<camera>s<sequence>_", re.compile(r"-?[0-9]+_c[0-9]+s[0-9]+_")),
    ("dukemtmc", "<person>_c<camera>_f<frame>", re.compile(r"-?[0-9]+_c[0-9]+_f[0-9]+")),
)
_LOOKED_AT = 200  # entries of a folder in which a data set below it is looked for


def has_lists(root: Path, asked: LayoutChoice) -> bool:
    """Whether a data folder is to be read by MSMT17's list files, else by three folders.

    Raises:
        DatasetError: neither is there, or both are and none is asked for.
    """
    lists = [name for name in LISTS.values() if (root / name).exists()]
    missing = [name for name in SPLITS.values() if not (root / name).is_dir()]
    if asked == "msmt17" and not lists:
        raise DatasetError(
            f"{quote(root)} holds no {', '.join(LISTS.values())}, which the layout msmt17 is read "
            f"by{_hint(root)}."
        )
    if asked != "auto":
        return asked == "msmt17" or not _require(root, missing)
    if lists and not missing:
        raise DatasetError(
            f"{quote(root)} holds {', '.join(lists)} of MSMT17 as published and the folders "
            f"{', '.join(SPLITS.values())} as well. Name the one to read: layout msmt17 for the "
            "lists, msmt17-repacked or market-like for the folders."
        )
    return bool(lists) or not _require(root, missing)


def choose(names: Sequence[str], camids: set[int]) -> tuple[Layout, str]:
    """The layout of three folders, and the rule that chose it.

    Args:
        names: of all images in the training split.
        camids: of all three splits.
    """
    kind, share = Counter(map(kind_of, names)).most_common(1)[0] if names else (None, 0)
    for layout, form, _ in _NAMES:
        if kind == layout:
            return layout, f"{share:,} of {len(names):,} training images are named {form}"
    cameras = f"{len(camids):,} camera{'s' * (len(camids) != 1)}"
    if names and len(camids) == 2 and all(name.lower().endswith(".png") for name in names):
        return "cuhk03-np", "all training images are .png and there are two cameras"
    if len(camids) > MOST_CAMERAS_BUT_MSMT17:
        return "msmt17-repacked", f"there are {cameras}, more than {MOST_CAMERAS_BUT_MSMT17}"
    return "market-like", f"the names are <person>_c<camera>..., of {cameras}"


def kind_of(name: str) -> Layout | None:
    """The layout whose names look like this one, if they look like none other's."""
    return next((layout for layout, _, pattern in _NAMES if pattern.match(name)), None)


def title_of(kind: Layout | None) -> str:
    """Words for what `kind_of` gives."""
    return TITLES[kind] if kind else "another data set"


def _require(root: Path, missing: Sequence[str]) -> bool:
    """True; refuses a folder that lacks some of the three.

    Raises:
        DatasetError: the message names what is missing, and where the data set is if it is near.
    """
    if missing:
        raise DatasetError(
            f"{quote(root)} does not contain {', '.join(missing)}{_hint(root)}. Expected the "
            f"folders {', '.join(SPLITS.values())}, or MSMT17's list files."
        )
    return True


def _hint(root: Path) -> str:
    """Where the data set is, when the folder above or below it was given."""
    if is_data_folder(root.parent):
        return f"; it is a part of {quote(root.parent)}: pass that folder"
    below = list(_data_folders_below(root))
    if len(below) == 1:
        return f"; {quote(below[0])} does: pass that folder"
    if below:
        return f"; pass one of the folders below it that do: {', '.join(map(quote, below))}"
    return ""


def is_data_folder(folder: Path) -> bool:
    """Whether a folder looks as if it held a data set."""
    names = (SPLITS["train"], LISTS["train"])
    return any(os.path.exists(folder / name) for name in names)  # noqa: PTH110  # never raises


def _data_folders_below(root: Path) -> Iterator[Path]:
    for folder in _folders_in(root):
        if is_data_folder(folder):
            yield folder
        else:
            yield from filter(is_data_folder, _folders_in(folder))


def _folders_in(folder: Path) -> Iterable[Path]:
    found: list[Path] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for _, entry in zip(range(_LOOKED_AT), entries, strict=False):
            if entry.is_dir():
                found.append(Path(entry.path))
    return sorted(found)
