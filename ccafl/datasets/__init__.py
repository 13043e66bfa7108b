"""A data folder as records, the labels intra-camera supervision allows, and its check.

Everything is sorted, so that labels are the same on every machine. No image is opened but by
`check`.
"""

from pathlib import Path

from ccafl.datasets.files import Problem
from ccafl.datasets.records import (
    SPLITS,
    CameraLabels,
    Dataset,
    Record,
    camera_labels,
    identity_pids,
    unmatched_queries,
)
from ccafl.datasets.report import Report, data_root, examine
from ccafl.layout_names import LayoutChoice

__all__ = [
    "SPLITS",
    "CameraLabels",
    "Dataset",
    "Problem",
    "Record",
    "Report",
    "camera_labels",
    "data_root",
    "examine",
    "identity_pids",
    "scan",
    "unmatched_queries",
]


def scan(root: Path, layout: LayoutChoice = "auto") -> Dataset:
    """Read the names or the lists of a data folder; opens no image.

    Args:
        root: folder in one of the layouts of docs/data.md.
        layout: that the folder has; `auto` tells by its files.

    Raises:
        DatasetError: the folder cannot be used for training and evaluation; the first problem.
    """
    return examine(root, layout).usable()
