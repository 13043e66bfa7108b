"""What the check of a data folder has found, as sentences and tables, for commands and the app."""

from collections import Counter
from shlex import quote
from typing import Any

from ccafl.datasets import SPLITS, Dataset, Report
from ccafl.datasets.layouts import TITLES
from ccafl.datasets.published import Count, camera_identities, count
from ccafl.layout_names import LayoutChoice
from ccafl.tables import Table

NOUNS = ("images", "persons", "cameras")


def facts(report: Report, dataset: Dataset) -> list[str]:
    """What the folder was taken for, and what of it is left out."""
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


def split_table(report: Report, dataset: Dataset) -> Table:
    """Images, persons and cameras of each split, beside the published numbers if there are any."""
    published = report.comparison.published if report.comparison else None
    heads = ["Split"]
    for noun in NOUNS:
        heads += ["found", f"{noun.capitalize()}\nexpected"] if published else [noun.capitalize()]
    heads += ["agrees"] * (published is not None)
    rows = []
    for split in SPLITS:
        found, row = count(dataset.split(split)), [str(split)]
        expected = published.splits[split] if published else None
        for noun in NOUNS:
            row.append(f"{getattr(found, noun):,}")
            if expected:
                row.append(f"{getattr(expected, noun):,}")
        rows.append([*row, _mark(found, expected)] if expected else row)
    return Table(heads, rows)


def _mark(found: Count, expected: Count) -> str:
    """`✓`, or `✗` and how many images there are too few or too many, or what else differs."""
    surplus = found.images - expected.images
    if surplus:
        return f"✗ {abs(surplus):,} {'more' if surplus > 0 else 'fewer'}"
    others = (noun for noun in NOUNS if getattr(found, noun) != getattr(expected, noun))
    other = next(others, "")
    return f"✗ {other}" if other else "✓"


def camera_table(report: Report, dataset: Dataset) -> Table:
    """Images and camera identities of each camera in the training split, and their sum."""
    found = cameras(report, dataset)
    heads = ["Camera", "Images", "Camera\nidentities"]
    rows = [[str(row["camid"]), f"{row['images']:,}", f"{row['identities']:,}"] for row in found]
    sums = (sum(row[noun] for row in found) for noun in ("images", "identities"))
    rows.append(["train", *(f"{number:,}" for number in sums)])
    if report.comparison and report.comparison.published.camera_identities:
        heads.append("expected")
        total = report.comparison.published.camera_identities
        for row, camera in zip(rows, found, strict=False):
            row.append("-" if camera["published"] is None else f"{camera['published']:,}")
        rows[-1].append(f"{total:,}")
    return Table(heads, rows)


def cameras(report: Report, dataset: Dataset) -> list[dict[str, Any]]:
    """Number, training images and camera identities of each camera, and what is published."""
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


def verdict(report: Report, layout: LayoutChoice = "auto") -> str:
    """Whether the data can be used, and the command that does."""
    if not report.problems:
        setting = "" if layout == "auto" else f" --set data.layout={layout}"
        return f"It can be used: ccafl run --data {quote(str(report.root))}{setting}"
    wrong = f"{len(report.problems):,} thing{'s are' if len(report.problems) > 1 else ' is'} wrong"
    return f"{wrong}; the data set cannot be used as it is."
