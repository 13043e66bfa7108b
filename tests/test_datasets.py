"""Records and labels, and each layout of a data folder by a small set of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from data_folders import GALLERY, MSMT_LISTS, TRAIN, make_msmt, make_set, records, warned

from ccafl.datasets import (
    Record,
    camera_labels,
    examine,
    identity_pids,
    scan,
    unmatched_queries,
)
from ccafl.datasets.layouts import TITLES
from ccafl.errors import DatasetError
from ccafl.layout_names import Layout

DUKE = ("0001_c2_f0046182.jpg", "0001_c5_f0051341.jpg")
CUHK = ("0001_c1_1.png", "0001_c2_6.png")
REPACKED = tuple(f"0000_c{camid}_{camid:04}.jpg" for camid in range(1, 16))
OWN = ("12_c1_a.jpg", "12_c3_b.jpg")


def numbers(found: Sequence[Record]) -> list[tuple[int, int]]:
    return [(record.pid, record.camid) for record in found]


# --- records and labels ----------------------------------------------------------------------


def test_person_and_camera_are_read_from_the_name(tmp_path: Path) -> None:
    dataset = scan(make_set(tmp_path, train=(*TRAIN, "0003_c14s2_000451_03.jpg")))
    assert numbers(dataset.train) == [(2, 1), (2, 2), (3, 14), (7, 1)]


def test_records_are_sorted_by_name(tmp_path: Path) -> None:
    dataset = scan(make_set(tmp_path, train=reversed(TRAIN)))
    assert [record.path.name for record in dataset.train] == sorted(TRAIN)


def test_junk_is_dropped_and_distractors_are_kept(tmp_path: Path) -> None:
    gallery = ("-1_c2s1_000001_00.jpg", "0000_c2s1_000001_00.jpg", *GALLERY)
    dataset = scan(make_set(tmp_path, gallery=gallery))
    assert [record.pid for record in dataset.gallery] == [0, 9]
    assert dataset.junk == 1


def test_ghosts_of_archives_are_skipped_and_counted(tmp_path: Path) -> None:
    root = make_set(tmp_path, train=(*TRAIN, f"._{TRAIN[0]}", ".DS_Store", "Thumbs.db", ".jpg"))
    (root / "query" / "__MACOSX").mkdir()
    assert len(scan(root).train) == 3
    assert scan(root).ghosts == 5


def test_suffixes_may_be_in_capitals(tmp_path: Path) -> None:
    names = [f"0002_c{i}s1_{i}.{suffix}" for i, suffix in enumerate(("JPG", "Jpeg", "PNG"))]
    assert len(scan(make_set(tmp_path, train=names)).train) == 3


def test_camera_identities_are_numbered_camera_by_camera() -> None:
    labels = camera_labels(records((5, 9), (2, 3), (5, 3), (2, 9), (5, 9)))
    assert labels.camera.tolist() == [1, 0, 0, 1, 1]
    assert labels.camera_identity.tolist() == [3, 0, 1, 2, 3]
    assert labels.camera_of_identity.tolist() == [0, 0, 1, 1]
    assert (labels.count, labels.cameras) == (4, 2)


def test_the_person_of_each_camera_identity_is_found_for_the_audit() -> None:
    assert identity_pids(records((5, 9), (2, 3), (5, 3), (2, 9))).tolist() == [2, 5, 2, 5]


def test_labels_do_not_depend_on_which_persons_cameras_share() -> None:
    shared = camera_labels(records((5, 9), (2, 3), (5, 3), (2, 9)))
    independent = camera_labels(records((905, 9), (302, 3), (305, 3), (902, 9)))
    np.testing.assert_array_equal(shared.camera, independent.camera)
    np.testing.assert_array_equal(shared.camera_identity, independent.camera_identity)


def test_queries_without_a_match_in_another_camera_are_counted_and_the_first_is_named(
    tmp_path: Path,
) -> None:
    query = ("0009_c1s1_000001_00.jpg", "0009_c2s1_000001_00.jpg", "0011_c1s1_000001_00.jpg")
    report = examine(make_set(tmp_path, query=query))
    assert unmatched_queries(report.usable()) == 2
    assert warned(report, "2 of 3 queries", "0009_c2s1_000001_00.jpg'; evaluation leaves them out")


def test_the_summary_is_one_line_of_counts(tmp_path: Path) -> None:
    assert scan(make_set(tmp_path / "mine")).summary() == (
        "mine: 3 training images, 3 camera identities in 2 cameras; 1 queries, 1 gallery images "
        "(0 junk left out); layout market1501"
    )


# --- layouts of three folders ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "layout", "rule"),
    [
        (TRAIN, "market1501", "3 of 3 training images are named <person>_c<camera>s<sequence>_"),
        (DUKE, "dukemtmc", "2 of 2 training images are named <person>_c<camera>_f<frame>"),
        (CUHK, "cuhk03-np", "all training images are .png and there are two cameras"),
        (REPACKED, "msmt17-repacked", "there are 15 cameras, more than 8"),
        (OWN, "market-like", "the names are <person>_c<camera>..., of 2 cameras"),
        ((*CUHK, "0001_c3_1.png"), "market-like", "of 3 cameras"),
        (REPACKED[:8], "market-like", "of 8 cameras"),
    ],
)
def test_names_tell_the_layout(
    tmp_path: Path, names: Sequence[str], layout: str, rule: str
) -> None:
    dataset = scan(make_set(tmp_path, train=names, query=names[:1], gallery=names[1:]))
    assert dataset.layout == layout
    assert rule in dataset.rule


@pytest.mark.parametrize("layout", [name for name in TITLES if name != "msmt17"])
def test_a_layout_that_is_asked_for_is_taken(tmp_path: Path, layout: Layout) -> None:
    names = {"dukemtmc": DUKE, "market1501": TRAIN}.get(layout, OWN)
    root = make_set(tmp_path, train=names, query=names[:1], gallery=names[1:])
    dataset = scan(root, layout)
    assert (dataset.layout, dataset.rule) == (layout, "it was asked for")


def test_every_layout_has_a_title() -> None:
    assert tuple(TITLES) == get_args(Layout)


def test_cameras_of_two_digits_are_read_in_the_re_packed_layout(tmp_path: Path) -> None:
    dataset = scan(make_set(tmp_path, train=REPACKED, query=REPACKED[:1], gallery=REPACKED))
    assert sorted(record.camid for record in dataset.train) == list(range(1, 16))


def test_both_kinds_of_boxes_of_cuhk03_are_asked_about(tmp_path: Path) -> None:
    for kind in ("detected", "labeled"):
        make_set(tmp_path / "cuhk03-np" / kind, train=CUHK, query=CUHK[:1], gallery=CUHK[1:])
    for root in (tmp_path, tmp_path / "cuhk03-np"):
        with pytest.raises(DatasetError, match=r"pass one of .*/detected', '.*/labeled'"):
            scan(root)
    assert scan(tmp_path / "cuhk03-np" / "detected").layout == "cuhk03-np"


def test_person_0_is_warned_about_where_it_marks_strangers(tmp_path: Path) -> None:
    names = ("0000_c1s1_000001_00.jpg", *TRAIN)
    report = examine(make_set(tmp_path, train=names))
    assert warned(report, "here 1 of the training and query images", "0000_c1s1_000001_00.jpg")


def test_person_0_of_msmt17_is_an_ordinary_person(tmp_path: Path) -> None:
    repacked = make_set(tmp_path / "r", train=REPACKED, query=REPACKED[:1], gallery=REPACKED)
    for root in (repacked, make_msmt(tmp_path / "lists")):
        report = examine(root)
        assert {record.pid for record in report.usable().train} == {0}
        assert not warned(report, "number 0")


def test_test_images_of_another_data_set_are_warned_about(tmp_path: Path) -> None:
    report = examine(make_set(tmp_path, train=DUKE))
    assert warned(report, "bounding_box_train as in DukeMTMC-reID, query as in Market-1501")


# --- MSMT17 with list files ------------------------------------------------------------------


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_list_files_tell_msmt17_and_its_version(tmp_path: Path, version: str) -> None:
    dataset = scan(make_msmt(tmp_path, version))
    assert (dataset.layout, dataset.version) == ("msmt17", version)
    assert dataset.rule == "there are list files"
    assert dataset.summary().endswith(f"layout msmt17 {version}")


def test_training_takes_the_train_and_the_val_list(tmp_path: Path) -> None:
    dataset = scan(make_msmt(tmp_path))
    assert numbers(dataset.train) == [(0, 1), (0, 14)]
    assert numbers(dataset.query + dataset.gallery) == [(0, 2), (0, 15)]


def test_without_a_val_list_training_takes_the_other_and_says_so(tmp_path: Path) -> None:
    both = MSMT_LISTS["list_train.txt"] + MSMT_LISTS["list_val.txt"]
    (make_msmt(tmp_path, lists={"list_train.txt": both}) / "list_val.txt").unlink()
    report = examine(tmp_path)
    assert len(report.usable().train) == 2
    assert warned(report, "list_val.txt' is not there")


def test_names_come_from_the_list_and_are_never_rebuilt(tmp_path: Path) -> None:
    lists = {
        "list_train.txt": "0000/0000_000_01_0303morning_0015_0_ex.jpg 0\n"
        "0001/0001_000_02_0303morning_0015_0.jpeg 1\n"
    }
    found = scan(make_msmt(tmp_path, lists=lists)).train
    assert [record.path.name[-7:] for record in found] == ["_ex.jpg", "0_1.jpg", "_0.jpeg"]


def test_the_person_comes_from_the_list_and_a_folder_that_differs_is_warned_about(
    tmp_path: Path,
) -> None:
    lists = {"list_train.txt": "0000/0000_000_01_0303morning_0015_0.jpg 7\n"}
    report = examine(make_msmt(tmp_path, lists=lists))
    assert numbers(report.usable().train) == [(7, 1), (0, 14)]
    assert warned(report, "in 1 of 2 list lines, the first: Line 1 of", "list_train.txt'")


def test_lists_may_have_windows_line_ends_a_mark_and_empty_lines(tmp_path: Path) -> None:
    make_msmt(tmp_path)
    text = MSMT_LISTS["list_query.txt"].replace("\n", "\r\n\r\n")
    (tmp_path / "list_query.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert numbers(scan(tmp_path).query) == [(0, 2)]


def test_the_repacked_folders_can_be_asked_for_beside_lists(tmp_path: Path) -> None:
    make_set(make_msmt(tmp_path), train=REPACKED, query=REPACKED[:1], gallery=REPACKED)
    assert len(scan(tmp_path, "msmt17").train) == 2
    assert len(scan(tmp_path, "msmt17-repacked").train) == 15


def test_ghosts_beside_listed_images_are_counted(tmp_path: Path) -> None:
    (make_msmt(tmp_path) / "train" / "0000" / "._0000.jpg").touch()
    assert scan(tmp_path).ghosts == 1
