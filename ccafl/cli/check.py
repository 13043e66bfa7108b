"""`ccafl check`: what is known of a data folder, and whether it can be trained on."""

from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ccafl.cli.options import ListFormat
from ccafl.cli.output import progress_bar, terminal_width

if TYPE_CHECKING:
    from ccafl.datasets import Dataset, Report
    from ccafl.datasets.check import Step
    from ccafl.tables import Table

SHOWN = 20  # problems that are printed; JSON holds all

LayoutName = Literal[
    "auto", "market1501", "dukemtmc", "msmt17", "msmt17-repacked", "cuhk03-np", "market-like"
]


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Data folder.")],
    fast: Annotated[
        bool, typer.Option("--fast", help="Read names and lists only; open no image.")
    ] = False,
    layout: Annotated[
        LayoutName, typer.Option("--layout", help="Layout of the folder; auto tells by its files.")
    ] = "auto",
    form: ListFormat = "table",
) -> None:
    """Check whether a data folder can be trained on.

    Prints the layout and the rule that chose it, counts beside the published ones, cameras, and
    every unreadable file. Exit codes: 0 it can be used, 2 something is wrong.
    """
    from ccafl.datasets.check import check as steps
    from ccafl.tables import as_json

    with (
        closing(steps(folder, layout=layout, fast=fast)) as working,
        progress_bar("opening images") as progress,
    ):
        report = _last(working, progress)
    if form == "json":
        print(as_json(_as_object(report)), end="")
    else:
        _print(report, fast=fast)
        _say(_verdict(report, layout))
    raise typer.Exit(2 if report.problems else 0)


def _last(steps: "Generator[Step, None, Report]", progress: Callable[[int, int], None]) -> "Report":
    """Work a check off, and give what it ends with."""
    while True:
        try:
            step = next(steps)
        except StopIteration as ended:
            report: Report = ended.value
            return report
        if step.total:
            progress(step.done, step.total)


def _print(report: "Report", *, fast: bool) -> None:
    from ccafl.tables import as_text

    if report.dataset is not None:
        for line in _facts(report, report.dataset):
            _say(line)
        for table in (_split_table(report, report.dataset), _camera_table(report, report.dataset)):
            print()
            print(as_text(table, terminal_width()), end="")
        print()
        _say("No image was opened." if fast else f"Images opened: {report.opened:,}.")
    for warning in report.warnings:
        _say(f"warning: {warning}")
    for problem in report.problems[:SHOWN]:
        _say(f"error: {problem.message}")


def _say(text: str) -> None:
    from ccafl.sentences import printable

    width, line = terminal_width(), printable(text)
    print(fill(line, width, break_long_words=False, break_on_hyphens=False) if width else line)


def _facts(report: "Report", dataset: "Dataset") -> list[str]:
    from ccafl.datasets.layouts import TITLES

    title = " ".join(filter(None, (TITLES[dataset.layout], dataset.version)))
    lines = [
        f"{dataset.name}: {report.root}",
        f"Layout: {title}, because {dataset.rule}.",
    ]
    if dataset.junk or dataset.ghosts:
        lines.append(
            f"Left out: {dataset.junk:,} junk images (person -1), {dataset.ghosts:,} other files "
            "(hidden, or no images)."
        )
    return lines


def _split_table(report: "Report", dataset: "Dataset") -> "Table":
    """Images, persons and cameras of each split, beside the published numbers if there are any."""
    from ccafl.datasets.published import count
    from ccafl.datasets.records import SPLITS
    from ccafl.tables import Table

    published = report.comparison.published if report.comparison else None
    heads, rows = ["Split"], []
    for noun in ("Images", "Persons", "Cameras"):
        heads += [noun, "published"] if published else [noun]
    for split in SPLITS:
        found, row = count(dataset.split(split)), [str(split)]
        for noun in ("images", "persons", "cameras"):
            row.append(f"{getattr(found, noun):,}")
            if published:
                row.append(f"{getattr(published.splits[split], noun):,}")
        rows.append(row)
    return Table(heads, rows)


def _camera_table(report: "Report", dataset: "Dataset") -> "Table":
    """Training images and camera identities of each camera, and their sum."""
    from ccafl.tables import Table

    cameras = _cameras(report, dataset)
    heads = ["Training camera", "Images", "Camera identities"]
    rows = [[str(row["camid"]), f"{row['images']:,}", f"{row['identities']:,}"] for row in cameras]
    sums = (sum(row[noun] for row in cameras) for noun in ("images", "identities"))
    rows.append(["all", *(f"{number:,}" for number in sums)])
    if report.comparison and report.comparison.published.camera_identities:
        heads.append("published")
        total = report.comparison.published.camera_identities
        for row, camera in zip(rows, cameras, strict=False):
            row.append("-" if camera["published"] is None else f"{camera['published']:,}")
        rows[-1].append(f"{total:,}")
    return Table(heads, rows)


def _cameras(report: "Report", dataset: "Dataset") -> list[dict[str, Any]]:
    from ccafl.datasets.published import camera_identities

    printed = report.comparison.published.per_camera if report.comparison else ()
    images = Counter(record.camid for record in dataset.train)
    return [
        {
            "camid": camid,
            "images": images[camid],
            "identities": identities,
            "published": printed[camid - 1] if 0 < camid <= len(printed) else None,
        }
        for camid, identities in camera_identities(dataset.train).items()
    ]


def _verdict(report: "Report", layout: LayoutName) -> str:
    if not report.problems:
        setting = "" if layout == "auto" else f" --set data.layout={layout}"
        return f"It can be used: ccafl run --data {quote(str(report.root))}{setting}"
    hidden = len(report.problems) - SHOWN
    more = f" {hidden:,} more are listed by --format json." if hidden > 0 else ""
    count = f"{len(report.problems):,} thing{'s are' if len(report.problems) > 1 else ' is'} wrong"
    return f"{count}; the data set cannot be used as it is.{more}"


def _as_object(report: "Report") -> dict[str, Any]:
    """The report for programs."""
    dataset = report.dataset
    return {
        "root": str(report.root),
        "usable": not report.problems,
        "opened": report.opened,
        "dataset": None if dataset is None else _dataset_object(report, dataset),
        "problems": [
            {"path": str(problem.path), "message": problem.message} for problem in report.problems
        ],
        "warnings": list(report.warnings),
    }


def _dataset_object(report: "Report", dataset: "Dataset") -> dict[str, Any]:
    from ccafl.datasets.published import count
    from ccafl.datasets.records import SPLITS, unmatched_queries

    published = report.comparison.published if report.comparison else None
    return {
        "name": dataset.name,
        "layout": dataset.layout,
        "version": dataset.version,
        "rule": dataset.rule,
        "splits": {split: asdict(count(dataset.split(split))) for split in SPLITS},
        "cameras": _cameras(report, dataset),
        "junk": dataset.junk,
        "other_files": dataset.ghosts,
        "queries_without_match": unmatched_queries(dataset),
        "published": published and asdict(published),
    }
