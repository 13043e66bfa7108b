"""What is known of a data folder: its data set, beside the published one, and what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ccafl.datasets import judge
from ccafl.datasets.files import FILE, FOLDER, Problem, quote, unreadable
from ccafl.datasets.folders import read_folders
from ccafl.datasets.layouts import has_lists
from ccafl.datasets.lists import read_lists
from ccafl.datasets.published import Comparison, compare
from ccafl.datasets.records import JUNK_PID, SPLITS, Dataset, Reading, Record
from ccafl.errors import DatasetError
from ccafl.layout_names import LayoutChoice


@dataclass(frozen=True, slots=True)
class Report:
    """What a check has found: facts, problems that forbid training, warnings."""

    root: Path
    dataset: Dataset | None  # None when nothing could be read
    comparison: Comparison | None  # None for data that nobody has published
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    opened: int = 0  # images that were opened

    def usable(self) -> Dataset:
        """The data set, if it can be trained and evaluated on.

        Raises:
            DatasetError: it cannot; the message is the first problem, and where the others are.
        """
        if len(self.problems) > 1:
            raise DatasetError(
                f"{self.problems[0].message} {len(self.problems):,} things are wrong; "
                f"`ccafl check {quote(self.root)}` lists them."
            )
        if self.problems:
            raise DatasetError(self.problems[0].message)
        assert self.dataset is not None, "a report without a data set has a problem"
        return self.dataset

    def with_images(self, problems: list[Problem], warnings: list[str], opened: int) -> "Report":
        """The report with what opening the images has found."""
        return replace(
            self,
            problems=(*self.problems, *problems),
            warnings=(*self.warnings, *warnings),
            opened=opened,
        )


def examine(root: Path, layout: LayoutChoice = "auto") -> Report:
    """Read the names or the lists of a data folder, and judge them; opens no image.

    Args:
        root: the data folder; `~` is understood.
        layout: that the folder has; `auto` tells by its files.
    """
    try:
        root = data_root(root)
        if has_lists(root, layout):
            rule = "it was asked for" if layout != "auto" else "there are list files"
            reading = read_lists(root, rule)
        else:
            reading = read_folders(root, layout)
    except DatasetError as error:
        return Report(root, None, None, (Problem(str(error), root),), ())
    except OSError as error:  # a folder that may not be entered
        return Report(root, None, None, (Problem(str(unreadable(root, error)), root),), ())
    return _judge(root, reading)


def data_root(path: Path) -> Path:
    """The data folder that a path names, absolute, `~` expanded.

    Raises:
        DatasetError: it is no folder, or may not be read.
    """
    try:
        root = path.expanduser().absolute()
        kind = FOLDER if root.is_dir() else FILE if root.exists() else "no folder"
    except RuntimeError as error:
        raise DatasetError(f"{quote(path)} names the home of an unknown user.") from error
    except OSError as error:  # a name that is too long, a folder above it that is closed
        raise unreadable(path, error) from error
    if kind != FOLDER:
        raise DatasetError(
            f"{quote(root)} is {kind}. Pass the folder that contains "
            f"{', '.join(SPLITS.values())}, or MSMT17's list files."
        )
    return root


def _judge(root: Path, reading: Reading) -> Report:
    splits = {split: _known(reading.records[split]) for split in SPLITS}
    comparison = compare(reading.layout, splits)
    dataset = Dataset(
        name=_name(root, reading.version, comparison),
        root=root,
        layout=reading.layout,
        rule=reading.rule,
        version=reading.version,
        train=splits["train"],
        query=splits["query"],
        gallery=splits["gallery"],
        junk=sum(len(reading.records[split]) - len(splits[split]) for split in SPLITS),
        ghosts=reading.ghosts,
    )
    return Report(
        root=root,
        dataset=dataset,
        comparison=comparison,
        problems=(*reading.problems, *judge.problems(dataset, comparison)),
        warnings=(*reading.warnings, *judge.warnings(dataset, comparison)),
    )


def _known(records: Sequence[Record]) -> tuple[Record, ...]:
    return tuple(record for record in records if record.pid != JUNK_PID)


def _name(root: Path, version: str, comparison: Comparison | None) -> str:
    """The published name when every count agrees, else the folder's.

    V2 of MSMT17 is not what published results were measured on, so its name says so.
    """
    if comparison is not None and comparison.is_whole and not comparison.differences:
        return comparison.published.name + ("-V2" if version == "V2" else "")
    name = root.resolve().name or str(root)
    return name.encode(errors="backslashreplace").decode()  # a name of bytes that are no UTF-8
