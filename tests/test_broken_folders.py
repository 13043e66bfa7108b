"""Data folders that cannot be used: a sentence for each, and nothing that steers a terminal."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from data_folders import (
    GALLERY,
    TRAIN,
    Break,
    as_nobody,
    both,
    first_problem,
    make_msmt,
    make_set,
    open_folder,
    warned,
)

from ccafl.datasets import examine, scan

__all__ = ["open_folder"]

TRAINING, NAME = "bounding_box_train", "0008_c1s1_000009_00.jpg"


def adding(name: str, folder: str = TRAINING) -> Break:
    """One more file in a split."""
    return lambda root: (root / folder / name).touch()


def named_like_an_image(make: Callable[[Path], object]) -> Break:
    """Something else that is named like an image."""
    return lambda root: make(root / TRAINING / NAME)


def holding(folder: str, *names: str) -> Break:
    """A split that holds these files alone."""

    def change(root: Path) -> None:
        for path in (root / folder).iterdir():
            path.unlink()
        for name in names:
            (root / folder / name).touch()

    return change


def without(folder: str) -> Break:
    """No such folder."""

    def change(root: Path) -> None:
        holding(folder)(root)
        (root / folder).rmdir()

    return change


def nested(root: Path) -> None:
    """Images in a folder per person, as torchvision's ImageFolder has them."""
    holding(TRAINING)(root)
    (root / TRAINING / "0002").mkdir()
    (root / TRAINING / "0002" / TRAIN[0]).touch()


# What is done to a good folder of three, and words of the sentence it gives.
FOLDERS: dict[str, tuple[Break, str]] = {
    "a missing split": (without("query"), "does not contain query."),
    "a file for a split": (both(without("query"), adding("query", "")), "not contain query"),
    "two missing splits": (both(without("query"), without(TRAINING)), f"{TRAINING}, query"),
    "an empty split": (holding("query"), "/query' holds no images of known persons"),
    "junk alone in the gallery": (
        holding("bounding_box_test", "-1_c2s1_000001_00.jpg"),
        "bounding_box_test' holds no images",
    ),
    "junk alone in training": (holding(TRAINING, "-1_c2s1_1.jpg"), "train' holds no images"),
    "notes alone": (holding(TRAINING, "README.txt"), "end in .jpg, .jpeg, .png"),
    "another kind of image": (holding(TRAINING, "0002_c1s1_1.tif"), "end in .jpg, .jpeg"),
    "images in further folders": (nested, "lie in no further folder"),
    "one camera": (
        holding(TRAINING, "0002_c7s1_1.jpg", "0003_c7s1_2.jpg"),
        "All 2 training images of",
    ),
    "no query with a match": (
        holding("bounding_box_test", "0009_c1s1_000002_00.jpg"),
        "in bounding_box_test, so nothing can be evaluated",
    ),
    "a query of a stranger": (holding("query", "0077_c1s1_1.jpg"), "No query of"),
    "another kind of name": (adding("cat.jpg"), "cat.jpg' is not named <person>_c<camera>"),
    "a name without camera": (adding("0002_s1_000451.jpg"), "is not named"),
    "a name without camera number": (adding("0002_cs1_000451.jpg"), "is not named"),
    "a camera in capitals": (adding("0002_C1S1_000451.jpg"), "is not named"),
    "digits of another script": (adding("٠٠٠٢_c١s1_1.jpg"), "is not named"),
    "a large person": (adding("1234567890_c1s1_1.jpg"), "number above 999,999,999"),
    "a large camera": (adding("1_c99999999999999999999s1_1.jpg"), "number above 999,999,999"),
    "very many digits": (adding(f"{'9' * 230}_c1s1_1.jpg"), "number above 999,999,999"),
    "a negative person": (adding("-2_c1s1_1.jpg"), "person number -2; below 0 there is only -1"),
    "a folder like an image": (named_like_an_image(Path.mkdir), f"{NAME}' is a folder, no image"),
    "a pipe like an image": (named_like_an_image(os.mkfifo), "is a pipe, socket or device"),
    "a link to nothing": (
        named_like_an_image(lambda path: path.symlink_to("gone")),
        "is a link to no file",
    ),
    "a loop of links": (
        named_like_an_image(lambda path: path.symlink_to(path)),
        "is a link that cannot be followed",
    ),
    "a link to a folder": (named_like_an_image(lambda path: path.symlink_to(".")), "is a folder"),
    "a link to a device": (
        named_like_an_image(lambda path: path.symlink_to("/dev/zero")),
        "is a link to no file",
    ),
    "two data sets in one split": (
        adding("0002_c2_f0046182.jpg"),
        "holds 3 images named as in Market-1501 and 1 named as in DukeMTMC-reID, such as "
        "'0002_c2_f0046182.jpg'",
    ),
    "own images among published ones": (adding("0002_c2_mine.jpg"), "as in another data set"),
    "list files as well": (make_msmt, "layout msmt17 for the lists, msmt17-repacked or"),
    "an escape byte in a name": (adding("\x1b[31mred.jpg"), r"\x1b[31mred.jpg' is not named"),
    "a newline in a name": (adding("a\nb.jpg"), r"a\nb.jpg' is not named"),
    "a bell in a name": (adding("-7_c1s1_\x07.jpg"), r"\x07.jpg' has the person number -7"),
    "a mark that reverses text": (adding("\u202egpj.jpg"), r"\u202egpj.jpg' is not named"),
    "a name that is no UTF-8": (adding(os.fsdecode(b"\xff\xfe.jpg")), r"\udcff\udcfe.jpg'"),
    "an escape byte in another's name": (
        both(adding("0002_c2_f1\x1b]0;x\x07.jpg"), adding("0002_c2_f2.jpg")),
        r"such as '0002_c2_f1\x1b]0;x\x07.jpg'",
    ),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_a_broken_folder_gives_a_sentence(tmp_path: Path, case: str) -> None:
    change, words = FOLDERS[case]
    change(make_set(tmp_path))
    assert words in first_problem(tmp_path)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nowhere", "nowhere' is no folder. Pass the folder that contains bounding_box_train"),
        ("market.zip", "market.zip' is a file. Pass the folder"),
        ("market.zip/market", "is no folder"),
        ("a\0b", r"a\x00b' is no folder"),
        ("\x1b[31m", r"\x1b[31m' is no folder"),
        ("x" * 300, "cannot be read: File name too long"),
        ("gone", "gone' is no folder"),
        ("loop", "loop' is no folder"),
        ("empty", "empty' does not contain bounding_box_train, query, bounding_box_test. Expected"),
        ("parent", "parent/market' does: pass that folder"),
        ("parent/market/query", "parent/market': pass that folder"),
    ],
)
def test_a_wrong_path_gives_a_sentence(tmp_path: Path, given: str, words: str) -> None:
    make_set(tmp_path / "parent" / "market")
    (tmp_path / "empty").mkdir()
    (tmp_path / "market.zip").touch()
    (tmp_path / "gone").symlink_to("nothing")
    (tmp_path / "loop").symlink_to("loop")
    assert words in first_problem(tmp_path / given)


def test_the_home_of_an_unknown_user_gives_a_sentence() -> None:
    assert "unknown user" in first_problem(Path("~nobody-has-this-name/market"))


def test_the_right_folder_is_found_two_floors_below(tmp_path: Path) -> None:
    make_msmt(tmp_path / "data" / "msmt")
    assert "data/msmt' does: pass that folder" in first_problem(tmp_path)


def test_a_layout_that_does_not_fit_gives_a_sentence(tmp_path: Path) -> None:
    make_set(tmp_path)
    assert "0 images named as in DukeMTMC-reID and 3 named as" in first_problem(
        tmp_path, "dukemtmc"
    )
    assert "holds no list_train.txt" in first_problem(tmp_path, "msmt17")
    make_msmt(tmp_path / "lists")
    assert "does not contain" in first_problem(tmp_path / "lists", "market1501")


def test_every_broken_file_is_named(tmp_path: Path) -> None:
    names = ("cat.jpg", "dog.jpg", "-2_c1s1_1.jpg")
    found = examine(make_set(tmp_path, train=(*TRAIN, *names))).problems
    assert {problem.path.name for problem in found} == set(names)


@pytest.mark.parametrize("closed", ["", TRAINING])
def test_a_folder_without_the_right_to_read_gives_a_sentence(
    open_folder: Path, closed: str
) -> None:
    root = make_set(open_folder / "market")
    (root / closed).chmod(0)
    (problem,) = as_nobody(lambda: examine(root)).problems
    (root / closed).chmod(0o755)
    assert "cannot be read: Permission denied" in problem.message


# --- odd, and allowed ------------------------------------------------------------------------


def test_the_folder_may_be_a_link_with_a_slash_behind(tmp_path: Path) -> None:
    make_set(tmp_path / "market")
    (tmp_path / "link").symlink_to("market")
    assert scan(Path(f"{tmp_path}/link/")).name == "market"


def test_the_folder_may_be_below_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(make_set(tmp_path / "home" / "market").parent))
    assert scan(Path("~/market")).root == tmp_path / "home" / "market"


def test_the_folder_may_be_given_relative_to_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_set(tmp_path))
    assert scan(Path()).root == tmp_path


def test_images_and_splits_may_be_links(tmp_path: Path) -> None:
    make_set(tmp_path / "real")
    root = make_set(tmp_path / "links", train=TRAIN[:1])
    for name in TRAIN[1:]:
        (root / TRAINING / name).symlink_to(tmp_path / "real" / TRAINING / name)
    (root / "query").rename(tmp_path / "query")
    (root / "query").symlink_to(tmp_path / "query")
    assert len(scan(root).train) == 3


def test_a_folder_of_bytes_that_are_no_text_has_a_name_that_is_text(tmp_path: Path) -> None:
    root = make_set(tmp_path / os.fsdecode(b"m\xff"))
    assert scan(root).name == r"m\udcff"


def test_camera_0_is_warned_about(tmp_path: Path) -> None:
    report = examine(make_set(tmp_path, gallery=(*GALLERY, "0009_c0s1_000001_00.jpg")))
    assert report.problems == ()
    assert warned(report, "Camera 0 occurs (images: 1)")


def test_frame_numbers_taken_for_cameras_are_warned_about(tmp_path: Path) -> None:
    train = [f"0002_c{camid}s1_1.jpg" for camid in range(1, 102)]
    assert warned(examine(make_set(tmp_path, train=train)), "There are 101 cameras")


def test_single_images_of_most_camera_identities_are_warned_about(tmp_path: Path) -> None:
    report = examine(make_set(tmp_path, train=(*TRAIN, "0007_c1s1_000003_00.jpg")))
    assert warned(report, "2 of 3 camera identities have a single training image")
