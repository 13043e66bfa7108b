"""Published counts, and the name a data folder goes by."""

from pathlib import Path

import pytest
from data_folders import TRAIN, make_msmt, make_set, published_toy, records, warned

from ccafl.datasets import SPLITS, Record, examine, scan
from ccafl.datasets.layouts import TITLES
from ccafl.datasets.published import PUBLISHED, Published, camera_identities, compare
from ccafl.datasets.records import Split
from ccafl.errors import DatasetError

__all__ = ["published_toy"]


def published_split(
    published: Published, split: Split, identities: dict[int, int] | None = None
) -> list[Record]:
    """Records with the published images, persons and cameras of a split."""
    count = published.splits[split]
    cameras = identities or dict.fromkeys(range(1, count.cameras + 1), count.persons)
    pairs, start = [], 0
    for camid, persons in cameras.items():
        pairs += [((start + pid) % count.persons, camid) for pid in range(persons)]
        start += persons
    size = max(count.images, len(pairs))
    return records(*(pairs * (size // len(pairs) + 1))[: count.images])


def market(**identities: int) -> dict[Split, list[Record]]:
    """Market-1501 by its counts; `c1=651` gives another number of camera identities."""
    published = PUBLISHED[0]
    cameras = dict(enumerate(published.per_camera, start=1))
    cameras |= {int(name[1:]): number for name, number in identities.items()}
    return {
        "train": published_split(published, "train", cameras),
        "query": published_split(published, "query"),
        "gallery": published_split(published, "gallery"),
    }


def test_the_published_numbers_agree_with_each_other() -> None:
    sums = {p.name: sum(p.per_camera) for p in PUBLISHED if p.per_camera}
    assert sums == {"Market-1501": 3_262, "DukeMTMC-reID": 2_196}
    assert {p.name: p.camera_identities for p in PUBLISHED}["MSMT17"] == 4_821
    assert all(p.splits["train"].cameras == len(p.per_camera) for p in PUBLISHED if p.per_camera)


def test_camera_identities_are_counted_by_camera() -> None:
    found = camera_identities(records((1, 4), (2, 4), (1, 4), (1, 2)))
    assert list(found.items()) == [(2, 1), (4, 2)]


def test_equal_counts_are_the_published_data_set() -> None:
    found = compare("market1501", market())
    assert found is not None
    assert (found.published.name, found.is_whole) == ("Market-1501", True)
    assert found.differences == found.doubts == ()


def test_the_sum_of_camera_identities_is_checked_strictly() -> None:
    found = compare("market1501", market(c1=651))
    assert found is not None
    assert found.is_whole
    assert found.differences[0] == "3,261 instead of 3,262 camera identities"
    assert found.differences[1].startswith("camera by camera 651, 541, 694")


def test_single_cameras_of_duke_are_a_doubt_and_no_difference() -> None:
    published = next(p for p in PUBLISHED if p.name == "DukeMTMC-reID")
    moved = {1: 405, 2: 377, 3: 201, 4: 165, 5: 218, 6: 348, 7: 217, 8: 265}
    splits = {split: published_split(published, split) for split in SPLITS}
    found = compare("dukemtmc", splits | {"train": published_split(published, "train", moved)})
    assert found is not None
    assert found.differences == ()
    assert found.doubts[0].startswith("camera by camera 405, 377, 201")


def test_the_camera_identities_of_msmt17_are_a_doubt_alone() -> None:
    published = next(p for p in PUBLISHED if p.name == "MSMT17")
    splits = {split: published_split(published, split) for split in SPLITS}
    found = compare("msmt17", splits)
    assert found is not None
    assert found.differences == ()
    assert found.doubts == ("15,615 instead of 4,821 camera identities",)


def test_a_set_that_lacks_some_images_is_compared_with_the_nearest() -> None:
    published = next(p for p in PUBLISHED if p.name == "CUHK03-NP-labeled")
    splits = {split: published_split(published, split) for split in SPLITS}
    splits["train"].pop()
    found = compare("cuhk03-np", splits)
    assert found is not None
    assert (found.published.name, found.is_whole) == ("CUHK03-NP-labeled", False)
    assert found.differences == ("7,367 instead of 7,368 train images",)


def test_own_data_are_compared_with_nothing(drawn_set: Path) -> None:
    assert examine(drawn_set).comparison is None
    assert compare("market-like", {split: records((1, 1), (1, 2)) for split in SPLITS}) is None


def test_a_set_with_other_counts_is_named_after_its_folder(tmp_path: Path) -> None:
    assert scan(make_set(tmp_path / "Market-1501-small")).name == "Market-1501-small"


def test_the_published_name_is_given_when_every_count_agrees(
    tmp_path: Path, published_toy: None
) -> None:
    assert scan(make_set(tmp_path)).name == "Toy"


def test_a_set_with_renumbered_people_is_refused(tmp_path: Path, published_toy: None) -> None:
    names = ("0002_c1s1_1.jpg", "0003_c2s1_2.jpg", "0003_c2s1_3.jpg")
    with pytest.raises(DatasetError, match="images of Toy, but 2 instead of 3 camera identities"):
        scan(make_set(tmp_path, train=names))


def test_a_set_that_is_nearly_published_goes_by_its_folder(
    tmp_path: Path, published_toy: None
) -> None:
    report = examine(make_set(tmp_path / "mine", train=(*TRAIN, "0008_c1s1_000002_00.jpg")))
    assert report.usable().name == "mine"
    assert warned(report, "nearly Toy, with 4 instead of 3 train images; 3 instead of 2 train")


@pytest.mark.parametrize(("version", "name"), [("V1", "MSMT17"), ("V2", "MSMT17-V2")])
def test_blurred_faces_are_another_data_set(
    tmp_path: Path, published_toy: None, version: str, name: str
) -> None:
    assert scan(make_msmt(tmp_path, version)).name == name


def test_the_docs_show_every_layout_and_every_published_number() -> None:
    page = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
    numbers = {p.camera_identities for p in PUBLISHED} - {None}
    for published in PUBLISHED:
        for count in published.splits.values():
            numbers |= {count.images, count.persons}
    assert [number for number in numbers if f"{number:,}" not in page] == []
    assert [layout for layout in TITLES if f"| `{layout}` |" not in page] == []
