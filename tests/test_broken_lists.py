"""Lists of MSMT17 that cannot be used: a sentence for each, and nothing that steers a terminal."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from data_folders import (
    MSMT_LISTS,
    Break,
    as_nobody,
    both,
    first_problem,
    make_msmt,
    open_folder,
)

from ccafl.datasets import examine

__all__ = ["open_folder"]

IMAGE = "0000/0000_000_01_0303morning_0015_0.jpg"


def lists(**texts: str) -> Break:
    """Other texts of list files; the images that they name are not made."""

    def change(root: Path) -> None:
        for name, text in texts.items():
            (root / f"list_{name}.txt").write_text(text)

    return change


def listed(image: str, person: str = "0") -> Break:
    """A training list of one image, which is made if it lies in the data folder."""

    def change(root: Path) -> None:
        path = root / "train" / image
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch()
        lists(train=f"{image} {person}\n")(root)

    return change


def instead(name: str, make: Callable[[Path], object]) -> Break:
    """Something else in the place of a file."""

    def change(root: Path) -> None:
        (root / name).unlink()
        make(root / name)

    return change


LISTS: dict[str, tuple[Break, str]] = {
    "a missing list": (lambda root: (root / "list_query.txt").unlink(), "query.txt' is not there"),
    "an empty list": (lists(gallery=""), "list_gallery.txt' names no image that can be used"),
    "a folder for a list": (instead("list_query.txt", Path.mkdir), "query.txt' is no file"),
    "a pipe for a list": (instead("list_query.txt", os.mkfifo), "query.txt' is no file"),
    "a link to nothing for the val list": (
        instead("list_val.txt", lambda path: path.symlink_to("gone")),
        "list_val.txt' is no file",
    ),
    "a list of bytes that are no text": (
        lambda root: (root / "list_query.txt").write_bytes(b"0000/a.jpg 0\n\xff\xfe 1\n"),
        "list_query.txt' is no UTF-8 text (line 2)",
    ),
    "a list of zeros": (
        lambda root: (root / "list_query.txt").write_bytes(bytes(50)),
        r"is '\x00\x00",
    ),
    "a line without person": (lists(query=f"\n{IMAGE}\n"), f"is '{IMAGE}', not an image's path"),
    "a line with words for a person": (lists(query=f"{IMAGE} bob\n"), "not an image's path"),
    "a person of very many digits": (lists(query=f"{IMAGE} {'9' * 5000}\n"), "not an image's"),
    "a person too large": (listed(IMAGE, "1234567890"), "number above 999,999,999"),
    "a negative person": (listed(IMAGE, "-3"), "has the person number -3"),
    "a NUL in a path": (lists(query="0000/a\0b.jpg 0\n"), r"'0000/a\x00b.jpg 0', not an image"),
    "an escape byte in a line": (lists(query="\x1b[2J\n"), r"is '\x1b[2J', not"),
    "a path that leaves the folder": (
        listed("../../0000_000_01_a.jpg"),
        "names '../../0000_000_01_a.jpg', which leaves the data folder",
    ),
    "a path that leaves it by a detour": (listed("0000/../../../x_0_01_a.jpg"), "leaves the data"),
    "an absolute path": (lists(train="/etc/passwd 0\n"), "'/etc/passwd', which leaves the data"),
    "an image that is not there": (
        lists(query="0000/gone_0_01_a.jpg 0\n"),
        "/test/0000/gone_0_01_a.jpg', which is not there",
    ),
    "a path that is too long": (lists(query=f"{'x' * 5000}.jpg 0\n"), "which is not there"),
    "an image named twice": (
        lists(train=MSMT_LISTS["list_train.txt"] * 2),
        "_0015_0.jpg' again. Remove one of the lines",
    ),
    "an image named twice in other words": (
        lists(train=f"{IMAGE} 0\n./0000//{IMAGE[5:]} 0\n"),
        f"{IMAGE}' again",
    ),
    "an image of both training lists": (
        lists(val=MSMT_LISTS["list_train.txt"]),
        "list_val.txt' names",
    ),
    "a folder like an image": (
        both(lambda root: (root / "train" / "0_0_01.jpg").mkdir(), listed("0_0_01.jpg")),
        "0_0_01.jpg' is a folder, no image file",
    ),
    "a pipe like an image": (
        both(lambda root: os.mkfifo(root / "train" / "0_0_01.jpg"), listed("0_0_01.jpg")),
        "is a pipe, socket or device",
    ),
    "a name without camera": (listed("0000/0000_000.jpg"), "no camera as the third field"),
    "a camera of letters": (listed("0000/0000_000_xx_a.jpg"), "no camera as the third field"),
    "lists without images": (
        lambda root: (root / "test").rename(root / "elsewhere"),
        "of the folders train and test (V1) or mask_train_v2 and mask_test_v2 (V2) there is train",
    ),
    "both versions": (lambda root: make_msmt(root, "V2"), "images of MSMT17 V1 and V2 at once"),
    "training of one version, test of the other": (
        lambda root: (root / "test").rename(root / "mask_test_v2"),
        "there is train, mask_test_v2",
    ),
    "one camera": (
        lists(train=MSMT_LISTS["list_train.txt"], val=""),
        "All 1 training images of",
    ),
    "no query with a match": (
        lists(gallery=MSMT_LISTS["list_query.txt"]),
        "in list_gallery.txt, so nothing can be evaluated",
    ),
}


@pytest.mark.parametrize("case", LISTS)
def test_broken_lists_give_a_sentence(tmp_path: Path, case: str) -> None:
    change, words = LISTS[case]
    change(make_msmt(tmp_path / "msmt"))
    assert words in first_problem(tmp_path / "msmt")


def test_a_list_without_the_right_to_read_gives_a_sentence(open_folder: Path) -> None:
    root = make_msmt(open_folder / "msmt")
    (root / "list_query.txt").chmod(0)
    problem = as_nobody(lambda: examine(root)).problems[0]
    assert "list_query.txt' cannot be read: Permission denied" in problem.message
