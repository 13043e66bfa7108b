"""Small data folders in each layout, of empty files: a scan reads names and lists only."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from ccafl.datasets import SPLITS, Record, Report, examine, scan
from ccafl.datasets.published import Count, Published
from ccafl.datasets.records import Split
from ccafl.errors import DatasetError
from ccafl.layout_names import LayoutChoice

Break = Callable[[Path], object]  # does something to a data folder

TRAIN = ("0002_c1s1_000451_03.jpg", "0002_c2s1_000001_00.jpg", "0007_c1s1_000002_00.jpg")
QUERY = ("0009_c1s1_000001_00.jpg",)
GALLERY = ("0009_c2s1_000001_00.jpg",)

MSMT_LISTS = {
    "list_train.txt": "0000/0000_000_01_0303morning_0015_0.jpg 0\n",
    "list_val.txt": "0000/0000_001_14_0303morning_0020_1.jpg 0\n",
    "list_query.txt": "0000/0000_000_02_0113noon_0001_0.jpg 0\n",
    "list_gallery.txt": "0000/0000_001_15_0113noon_0002_0.jpg 0\n",
}
NOBODY = 65_534
VERSIONS = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}


def make_set(
    root: Path,
    train: Iterable[str] = TRAIN,
    query: Iterable[str] = QUERY,
    gallery: Iterable[str] = GALLERY,
) -> Path:
    """Three folders of images."""
    for folder, names in zip(SPLITS.values(), (train, query, gallery), strict=True):
        (root / folder).mkdir(parents=True)
        for name in names:
            (root / folder / name).touch()
    return root


def make_msmt(root: Path, version: str = "V1", lists: Mapping[str, str] = MSMT_LISTS) -> Path:
    """MSMT17 with list files, and the images that `MSMT_LISTS` and `lists` name."""
    root.mkdir(parents=True, exist_ok=True)
    for name, text in {**MSMT_LISTS, **lists}.items():
        folder = root / VERSIONS[version][name not in ("list_train.txt", "list_val.txt")]
        for line in text.splitlines():
            image = folder / line.split()[0]
            image.parent.mkdir(parents=True, exist_ok=True)
            image.touch()
        (root / name).write_text(text)
    return root


def records(*pairs: tuple[int, int]) -> list[Record]:
    """Records of persons and cameras."""
    return [Record(Path(f"{i}.jpg"), pid, camid) for i, (pid, camid) in enumerate(pairs)]


def warned(report: Report, *words: str) -> bool:
    """Whether one warning holds all the words."""
    return any(all(word in warning for word in words) for warning in report.warnings)


def both(*changes: Break) -> Break:
    """One change after the other."""
    return lambda root: [change(root) for change in changes]


def first_problem(root: Path, layout: LayoutChoice = "auto") -> str:
    """The sentence that forbids training, which `scan` raises as well."""
    report = examine(root, layout)
    with pytest.raises(DatasetError) as caught:
        scan(root, layout)
    assert str(caught.value).startswith(report.problems[0].message)
    assert all(problem.message.isprintable() for problem in report.problems)
    assert all(warning.isprintable() for warning in report.warnings)
    return report.problems[0].message


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def as_nobody(work: Callable[[], Report]) -> Report:
    """The report that a user without rights gets; root could read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        return work()
    finally:
        os.seteuid(user)


@pytest.fixture
def published_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world in which the folders that `make_set` and `make_msmt` make are published."""
    splits: dict[Split, Count] = {
        "train": Count(3, 2, 2),
        "query": Count(1, 1, 1),
        "gallery": Count(1, 1, 1),
    }
    toy = Published(name="Toy", layouts=("market1501",), splits=splits, camera_identities=3)
    lists = splits | {"train": Count(2, 1, 2)}
    msmt = Published(name="MSMT17", layouts=("msmt17",), splits=lists)
    monkeypatch.setattr("ccafl.datasets.published.PUBLISHED", (toy, msmt))
