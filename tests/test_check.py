"""The check of a data folder: every image opened, step by step; and `ccafl check`."""

import io
import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import pytest
from data_folders import (
    TRAIN,
    Break,
    as_nobody,
    make_msmt,
    make_set,
    open_folder,
    published_toy,
    warned,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from terminal import Terminal, ccafl
from test_broken_folders import FOLDERS
from test_broken_lists import LISTS

from ccafl.check_text import split_table
from ccafl.datasets import Report, examine
from ccafl.datasets.check import Step, check
from ccafl.datasets.published import Count, Published
from ccafl.datasets.records import Split

__all__ = ["ccafl", "open_folder", "published_toy"]

TERMINAL = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
FIRST = Path("bounding_box_train") / TRAIN[0]
ONE = Count(1, 1, 1)


def picture(form: str = "JPEG", mode: str = "RGB", size: tuple[int, int] = (8, 16)) -> bytes:
    """A noisy picture as the bytes of a file."""
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    text = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert("I").convert(mode) if mode == "I;16" else image.convert(mode)).save(text, form)
    return text.getvalue()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A small folder of real images."""
    more = ("0002_c1s1_000452_03.jpg", "0007_c1s1_000003_00.jpg")
    root = make_set(tmp_path / "mine", train=(*TRAIN, *more))
    for path in root.glob("*/*"):
        path.write_bytes(picture())
    return root


def checked(root: Path, *, fast: bool = False) -> tuple[Report, list[Step]]:
    """The report of a check, and its steps."""
    return rest(check(root, fast=fast))


def rest(working: Generator[Step, None, Report]) -> tuple[Report, list[Step]]:
    """The report of a check that has begun, and its further steps."""
    steps = []
    while True:
        try:
            steps.append(next(working))
        except StopIteration as ended:
            return ended.value, steps


def blank(width: int, height: int) -> bytes:
    """A picture of equal pixels, small as a file however many they are."""
    text = io.BytesIO()
    Image.new("1", (width, height)).save(text, "PNG")
    return text.getvalue()


# What the first training image is replaced by, and words of the sentence it gives.
IMAGES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty (0 bytes). Unpack the data set again"),
    "words": (lambda: b"not found\n", "is no JPEG, PNG, BMP, WEBP image"),
    "noise": (lambda: bytes(range(256)) * 9, "is no JPEG, PNG, BMP, WEBP image"),
    "another kind of image": (lambda: picture("GIF"), "is no JPEG, PNG, BMP, WEBP image"),
    "a program": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no JPEG"),
    "a cut JPEG": (lambda: picture()[:-60], "is cut or damaged (image file is truncated"),
    "a JPEG without its end": (lambda: picture()[:-2], "is cut or damaged"),
    "the head of a JPEG": (lambda: picture()[:200], "is cut or damaged"),
    "a cut PNG": (lambda: picture("PNG")[:-60], "is cut or damaged"),
    "a cut WebP": (lambda: picture("WEBP")[:-20], "_03.jpg' is "),
    "a cut BMP": (lambda: picture("BMP")[:-20], "is cut or damaged"),
    "a PNG with a flipped byte": (
        lambda: picture("PNG")[:60] + b"\0\0\0\0" + picture("PNG")[64:],
        "is cut or damaged",
    ),
    "a large picture": (lambda: blank(6_000, 6_000), "has more than 33,554,432 pixels"),
    "a bomb": (lambda: blank(10_000, 10_000), "too many for a picture of a person"),
    "a larger bomb": (lambda: blank(20_000, 10_000), "too many for a picture of a person"),
}


@pytest.mark.parametrize("case", IMAGES)
def test_a_broken_image_is_named(images: Path, case: str) -> None:
    content, words = IMAGES[case]
    (images / FIRST).write_bytes(content())
    report, _ = checked(images)
    (problem,) = report.problems
    assert problem.path == images / FIRST
    assert str(images / FIRST) in problem.message
    assert words in problem.message


def test_an_image_that_vanishes_meanwhile_is_named(images: Path) -> None:
    working = check(images)
    next(working)
    next(working)
    (images / FIRST).unlink()
    report = rest(working)[0]
    assert "cannot be read: No such file" in report.problems[0].message


def test_an_image_without_the_right_to_read_is_named(open_folder: Path, images: Path) -> None:
    checked(images)  # Pillow loads its decoders while it may
    root = images.rename(open_folder / "mine")
    (root / FIRST).chmod(0)
    (problem,) = as_nobody(lambda: checked(root)[0]).problems
    assert problem.path == root / FIRST
    assert "cannot be read: Permission denied" in problem.message


@pytest.mark.parametrize(
    ("mode", "form", "words"),
    [
        ("L", "JPEG", "grey: 2 of 7 images"),
        ("CMYK", "JPEG", "in the colours of print: 2 of 7"),
        ("RGBA", "PNG", "with transparency, which is dropped: 2 of 7"),
        ("P", "PNG", "in the colours of a palette: 2 of 7"),
        ("I;16", "PNG", "grey of 16 bits, of which values above 255 are cut: 2 of 7"),
        ("1", "PNG", "black and white: 2 of 7"),
    ],
)
def test_images_that_are_not_rgb_are_counted_in_one_warning(
    images: Path, mode: str, form: str, words: str
) -> None:
    for name in TRAIN[:2]:
        (images / FIRST).with_name(name).write_bytes(picture(form, mode))
    report, _ = checked(images)
    assert report.problems == ()
    assert warned(report, f"Not RGB but {words}", f"{TRAIN[0]}'. They are converted")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    form=st.sampled_from(("JPEG", "PNG", "BMP", "WEBP")),
    changes=st.lists(
        st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=8)), max_size=4
    ),
)
def test_no_damage_breaks_the_check(
    images: Path, form: str, changes: list[tuple[int, bytes]]
) -> None:
    content = bytearray(picture(form))
    for place, piece in changes:
        start = place % len(content)
        content[start : start + len(piece)] = piece
    (images / FIRST).write_bytes(content)
    report, _ = checked(images)
    assert all(problem.path == images / FIRST for problem in report.problems)


# --- steps -----------------------------------------------------------------------------------


def test_steps_count_the_images_and_end_in_the_report(images: Path) -> None:
    report, steps = checked(images)
    assert steps == [
        Step("reading names", 0, 0),
        Step("opening images", 0, 7),
        Step("opening images", 7, 7),
    ]
    assert (report.opened, report.problems, report.warnings) == (7, (), ())


def test_a_fast_check_opens_no_image(images: Path) -> None:
    (images / FIRST).write_bytes(b"")
    report, steps = checked(images, fast=True)
    assert steps == [Step("reading names", 0, 0)]
    assert (report.opened, report.problems) == (0, ())


def test_images_are_opened_even_when_a_name_is_wrong(images: Path) -> None:
    (images / FIRST).write_bytes(b"")
    (images / "query" / "cat.jpg").touch()
    report, _ = checked(images)
    assert [problem.path.name for problem in report.problems] == ["cat.jpg", TRAIN[0]]


def test_junk_is_not_opened(images: Path) -> None:
    (images / "bounding_box_test" / "-1_c1s1_1.jpg").touch()
    assert checked(images)[0].problems == ()


def working_check(images: Path) -> Generator[Step, None, Report]:
    """A check that has opened some of many images."""
    train = images / "bounding_box_train"
    for index in range(150):
        os.link(images / FIRST, train / f"0002_c1s1_9{index:05}_00.jpg")
    working = check(images)
    while next(working).done == 0:
        pass
    return working


def test_a_check_that_is_stopped_leaves_no_thread(images: Path) -> None:
    before = set(threading.enumerate())
    working = working_check(images)
    assert set(threading.enumerate()) > before
    working.close()
    assert set(threading.enumerate()) == before


def test_no_more_threads_work_than_the_process_has_cores(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    before = set(threading.enumerate())
    working = working_check(images)
    assert len(set(threading.enumerate()) - before) == 1
    working.close()


def test_listed_images_are_opened(tmp_path: Path) -> None:
    report, steps = checked(make_msmt(tmp_path))
    assert steps[-1].total == 4
    assert all("is empty" in problem.message for problem in report.problems)


# --- the command -----------------------------------------------------------------------------


def test_a_good_folder_ends_in_0_and_the_command_that_trains(ccafl: Terminal, images: Path) -> None:
    answer = ccafl("check", images)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == f"mine: {images}"
    assert lines[1].startswith("Layout: Market-1501, because 5 of 5 training images are named")
    assert lines[-2:] == ["Images opened: 7.", f"It can be used: ccafl run --data {images}"]


def test_camera_identities_are_listed_by_camera(ccafl: Terminal, images: Path) -> None:
    rows = [line.split() for line in ccafl("check", images, "--fast").out.splitlines()]
    assert rows[rows.index(["train", "5", "2", "2"]) + 6 :][:3] == [
        ["1", "4", "2"],
        ["2", "1", "1"],
        ["train", "5", "3"],
    ]
    assert ["No", "image", "was", "opened."] in rows


def test_a_bad_folder_ends_in_2_with_what_is_wrong(ccafl: Terminal, images: Path) -> None:
    (images / FIRST).write_bytes(b"")
    answer = ccafl("check", images)
    assert answer.code == 2
    assert answer.out.splitlines()[-2:] == [
        f"error: '{images / FIRST}' is empty (0 bytes). Unpack the data set again, or remove the "
        "file.",
        "1 thing is wrong; the data set cannot be used as it is.",
    ]
    assert ccafl("check", "--fast", images).code == 0


def test_a_layout_that_was_asked_for_stands_in_the_command_that_trains(
    ccafl: Terminal, images: Path
) -> None:
    out = ccafl("check", images, "--fast", "--layout", "market-like").out
    assert "Layout: Market-like, because it was asked for." in out
    assert out.endswith(f"--data {shlex.quote(str(images))} --set data.layout=market-like\n")


def test_an_unknown_layout_is_refused(ccafl: Terminal, images: Path) -> None:
    answer = ccafl("check", images, "--layout", "market")
    assert (answer.code, answer.out) == (2, "")
    assert "'market1501'" in answer.err


def test_published_numbers_stand_beside_those_found(
    ccafl: Terminal, tmp_path: Path, published_toy: None
) -> None:
    out = ccafl("check", make_set(tmp_path / "mine"), "--fast").out
    assert out.startswith("Toy: ")
    rows = [line.split() for line in out.splitlines()]
    assert "Split found expected found expected found expected agrees".split() in rows
    assert "train 3 3 2 2 2 2 ✓".split() in rows
    assert "train 3 3 3".split() in rows  # the sum of the cameras


@pytest.mark.parametrize(
    ("expected", "mark"),
    [
        (Count(5, 2, 2), "✗ 2 fewer"),
        (Count(2, 2, 2), "✗ 1 more"),
        (Count(3, 4, 2), "✗ persons"),
        (Count(3, 2, 2), "✓"),
    ],
)
def test_a_split_that_differs_says_by_how_many_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: Count, mark: str
) -> None:
    splits: dict[Split, Count] = {"train": expected, **dict.fromkeys(("query", "gallery"), ONE)}
    known = Published(name="Toy", layouts=("market1501",), splits=splits)
    monkeypatch.setattr("ccafl.datasets.published.PUBLISHED", (known,))
    report = examine(make_set(tmp_path / "mine"))
    assert report.dataset is not None
    rows = split_table(report, report.dataset).rows
    assert [row[-1] for row in rows] == [mark, "✓", "✓"]


def test_json_holds_the_whole_report(ccafl: Terminal, images: Path) -> None:
    for index in range(30):
        (images / "query" / f"cat {index}.jpg").touch()
    answer = ccafl("check", images, "--format", "json")
    found = json.loads(answer.out)
    assert (answer.code, found["usable"], found["opened"]) == (2, False, 7)
    assert len(found["problems"]) == 30
    assert found["problems"][0]["path"] == str(images / "query" / "cat 0.jpg")
    assert found["dataset"]["layout"] == "market1501"
    assert found["dataset"]["splits"]["train"] == {"images": 5, "persons": 2, "cameras": 2}
    assert found["dataset"]["cameras"][0] == {
        "camid": 1,
        "images": 4,
        "identities": 2,
        "published": None,
    }


def test_a_table_shows_twenty_problems_and_counts_the_rest(ccafl: Terminal, images: Path) -> None:
    for index in range(30):
        (images / "query" / f"cat {index}.jpg").touch()
    out = ccafl("check", images, "--fast").out
    assert out.count("error: ") == 20
    assert "30 things are wrong" in out
    assert "10 more are listed by --format json." in out


@pytest.mark.parametrize(
    ("make", "change"),
    [(make_set, change) for change, _ in FOLDERS.values()]
    + [(make_msmt, change) for change, _ in LISTS.values()],
)
def test_nothing_broken_steers_the_terminal(
    ccafl: Terminal, tmp_path: Path, make: Callable[[Path], Path], change: Break
) -> None:
    root = make(tmp_path / "\x1b[31mred")
    change(root)
    for form in ("table", "json"):
        answer = ccafl("check", root, "--format", form)
        assert (answer.code, answer.err) == (2, "")
        assert all(line.isprintable() for line in answer.out.splitlines())
        assert "Traceback" not in answer.out


def test_no_folder_is_a_result_as_well(ccafl: Terminal, tmp_path: Path) -> None:
    answer = ccafl("check", tmp_path / "none")
    assert answer.code == 2
    assert "is no folder" in answer.out
    found = json.loads(ccafl("check", tmp_path / "none", "--format", "json").out)
    assert found["dataset"] is None


def test_ctrl_c_ends_the_check(
    ccafl: Terminal, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Image, "open", interrupted)
    assert ccafl("check", images).code == 130


def test_a_run_is_refused_and_warned_in_the_words_of_the_check(
    ccafl: Terminal, images: Path
) -> None:
    (images / "query" / "cat.jpg").touch()
    (line,) = (x for x in ccafl("check", images, "--fast").out.splitlines() if x[:6] == "error:")
    answer = ccafl("run", "--preset", "smoke", "--data", images)
    assert (answer.code, answer.err) == (2, f"{line}\n")


def test_a_bar_is_drawn_on_a_terminal(images: Path) -> None:
    ours, theirs = os.openpty()
    program = "from ccafl.cli import main; main()"
    command = [sys.executable, "-c", program, "check", str(images)]
    subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, env=TERMINAL, check=True)
    drawn = os.read(ours, 1 << 16).decode()
    os.close(ours)
    os.close(theirs)
    assert "opening images" in drawn
    assert "7/7" in drawn
