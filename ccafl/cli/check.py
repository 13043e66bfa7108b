"""`ccafl check`: what is known of a data folder, and whether it can be trained on."""

from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ccafl.cli.options import ListFormat
from ccafl.cli.output import progress_bar, terminal_width
from ccafl.layout_names import LayoutChoice

if TYPE_CHECKING:
    from ccafl.datasets import Dataset, Report

SHOWN = 20  # problems that are printed; JSON holds all


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Data folder.")],
    fast: Annotated[
        bool, typer.Option("--fast", help="Read names and lists only; open no image.")
    ] = False,
    layout: Annotated[
        LayoutChoice,
        typer.Option("--layout", help="Layout of the folder; auto tells by its files."),
    ] = "auto",
    form: ListFormat = "table",
) -> None:
    """Check whether a data folder can be trained on.

    Prints the layout and the rule that chose it, counts beside the published ones, cameras, and
    every unreadable file. Exit codes: 0 it can be used, 2 something is wrong.
    """
    from ccafl.datasets.check import check as steps
    from ccafl.datasets.check import work_off
    from ccafl.tables import as_json

    with progress_bar() as tell:
        report = work_off(steps(folder, layout=layout, fast=fast), tell)
    if form == "json":
        print(as_json(_as_object(report)), end="")
    else:
        _print(report, fast=fast)
        _say(_verdict(report, layout))
    raise typer.Exit(2 if report.problems else 0)


def _print(report: "Report", *, fast: bool) -> None:
    from ccafl.check_text import camera_table, facts, split_table
    from ccafl.tables import as_text

    if report.dataset is not None:
        for line in facts(report, report.dataset):
            _say(line)
        for table in (split_table(report, report.dataset), camera_table(report, report.dataset)):
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


def _verdict(report: "Report", layout: LayoutChoice) -> str:
    from ccafl.check_text import verdict

    hidden = len(report.problems) - SHOWN
    more = f" {hidden:,} more are listed by --format json." if hidden > 0 else ""
    return f"{verdict(report, layout)}{more}"


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
    from ccafl.check_text import cameras
    from ccafl.datasets.published import count
    from ccafl.datasets.records import SPLITS, unmatched_queries

    published = report.comparison.published if report.comparison else None
    return {
        "name": dataset.name,
        "layout": dataset.layout,
        "version": dataset.version,
        "rule": dataset.rule,
        "splits": {split: asdict(count(dataset.split(split))) for split in SPLITS},
        "cameras": cameras(report, dataset),
        "junk": dataset.junk,
        "other_files": dataset.ghosts,
        "queries_without_match": unmatched_queries(dataset),
        "published": published and asdict(published),
    }
