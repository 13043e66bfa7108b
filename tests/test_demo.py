import hashlib
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ccafl.demo import dataset, draw_captioned, draw_dataset
from ccafl.demo.camera import draw_camera, record
from ccafl.demo.figure import draw_figure
from ccafl.demo.pen import HEIGHT, VIEWS, WIDTH, Pose, View
from ccafl.demo.person import Person, draw_person
from ccafl.errors import DatasetError

FOLDERS = ("bounding_box_train", "query", "bounding_box_test")
NAME = re.compile(r"(-1|\d{4})_c(\d+)s\d_\d{6}_\d{2}\.jpg")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn") / "demo"
    draw_dataset(root, identities=4, cameras=3)
    return root


def labels(folder: Path) -> list[tuple[int, int]]:
    """Pid and camera of each image, from names that must be Market-1501's."""
    matches = [NAME.fullmatch(path.name) for path in sorted(folder.iterdir())]
    return [(int(match[1]), int(match[2])) for match in matches if match]


def digest(root: Path) -> str:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    parts = [path.relative_to(root).as_posix().encode() + path.read_bytes() for path in files]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_the_same_seed_gives_the_same_bytes(drawn: Path, tmp_path: Path) -> None:
    draw_dataset(tmp_path / "again", seed=0, identities=4, cameras=3)
    assert digest(tmp_path / "again") == digest(drawn)


def test_another_seed_gives_other_bytes(drawn: Path, tmp_path: Path) -> None:
    draw_dataset(tmp_path / "other", seed=1, identities=4, cameras=3)
    assert digest(tmp_path / "other") != digest(drawn)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_is_a_picture_named_as_in_market_1501(drawn: Path, folder: str) -> None:
    paths = sorted((drawn / folder).iterdir())
    assert len(labels(drawn / folder)) == len(paths) > 0
    with Image.open(paths[0]) as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (64, 128))


def test_each_training_camera_identity_has_five_to_eight_images(drawn: Path) -> None:
    counts = Counter(labels(drawn / "bounding_box_train"))
    assert set(counts.values()) <= {5, 6, 7, 8}
    assert len({pid for pid, _ in counts}) == 4


def test_every_person_is_seen_by_two_cameras_or_more(drawn: Path) -> None:
    for folder in ("bounding_box_train", "query"):
        cameras = Counter(pid for pid, _ in set(labels(drawn / folder)))
        assert min(cameras.values()) >= 2


def test_no_test_person_is_trained_on(drawn: Path) -> None:
    training, query, test = ({pid for pid, _ in labels(drawn / folder)} for folder in FOLDERS)
    assert not training & (query | test)
    assert test - query == {0, -1}


def test_every_test_camera_identity_has_one_query(drawn: Path) -> None:
    queries = labels(drawn / "query")
    persons = {label for label in labels(drawn / "bounding_box_test") if label[0] > 0}
    assert len(queries) == len(set(queries))
    assert set(queries) == persons


def test_every_query_has_a_match_in_another_camera(drawn: Path) -> None:
    gallery = labels(drawn / "bounding_box_test")
    for pid, camid in labels(drawn / "query"):
        assert any(pid == other and camid != seen_by for other, seen_by in gallery)


def test_the_gallery_holds_distractors_and_junk(drawn: Path) -> None:
    counts = Counter(pid for pid, _ in labels(drawn / "bounding_box_test"))
    assert (counts[0], counts[-1]) == (3, 1)


def test_progress_counts_every_image_once(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    root = tmp_path / "demo"
    draw_dataset(
        root, identities=2, cameras=2, progress=lambda done, total: calls.append((done, total))
    )
    total = len(list(root.rglob("*.jpg")))
    assert calls == [(i + 1, total) for i in range(total)]


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DatasetError, match="in use"):
        draw_dataset(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("mine")
    for root in (tmp_path / "demo", tmp_path / "demo" / "below"):
        with pytest.raises(DatasetError, match=str(root)):
            draw_dataset(root)
    assert (tmp_path / "demo").read_text() == "mine"


def test_an_empty_folder_is_filled_and_missing_parents_are_made(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for root in (tmp_path / "empty", tmp_path / "new" / "demo"):
        draw_dataset(root, identities=2, cameras=2)
        assert {path.name for path in root.iterdir()} == set(FOLDERS)


@pytest.mark.parametrize(
    ("name", "value"),
    [("identities", 1), ("identities", 5_000), ("cameras", 1), ("cameras", 100), ("seed", -1)],
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, name: str, value: int) -> None:
    with pytest.raises(DatasetError, match=f"{name} {value}"):
        draw_dataset(tmp_path / "demo", **{name: value})  # type: ignore[arg-type]  # progress too
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_nothing_is_left_after_a_failure_in_the_middle(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    def stop_at_ten(drawn: int, total: int) -> None:
        if drawn == 10:
            raise failure

    with pytest.raises(failure):
        draw_dataset(tmp_path / "demo", identities=2, cameras=2, progress=stop_at_ten)
    assert not any(tmp_path.iterdir())


def test_captioned_people_are_never_those_of_a_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people: list[Person] = []

    def draw_and_note(rng: np.random.Generator) -> Person:
        people.append(draw_person(rng))
        return people[-1]

    monkeypatch.setattr(dataset, "draw_person", draw_and_note)
    for seed in range(3):
        draw_dataset(tmp_path / str(seed), seed=seed, identities=2, cameras=2)
        list(draw_captioned(10, seed=seed, cameras=2))
    assert len(set(people)) == len(people) > 30


def test_captioned_pictures_repeat_with_their_seed() -> None:
    first, again, other = (
        [(picture.tobytes(), text) for picture, text in draw_captioned(3, seed=seed, cameras=2)]
        for seed in (5, 5, 6)
    )
    assert first == again
    assert not set(first) & set(other)


def test_a_faithful_camera_records_the_drawn_colour() -> None:
    rng = np.random.default_rng(0)
    camera = draw_camera(rng, strength=0.0)
    canvas = Image.new("RGB", (WIDTH, HEIGHT), (40, 120, 200))
    pixels = np.mean([np.asarray(record(camera, canvas, rng)) for _ in range(50)], axis=0)
    assert np.allclose(pixels, (40, 120, 200), rtol=0.06)


@pytest.mark.parametrize("view", VIEWS)
def test_a_figure_stands_on_its_feet_inside_the_canvas(view: View) -> None:
    canvas = Image.new("RGB", (WIDTH, HEIGHT), (1, 2, 3))
    pose = Pose(view=view, phase=0.7, is_mirrored=False, feet=(64, 238), scale=2, tilt=0, pitch=0)
    draw_figure(canvas, draw_person(np.random.default_rng(1)), pose)
    drawn_rows, drawn_columns = np.nonzero(np.any(np.asarray(canvas) != (1, 2, 3), axis=2))
    assert 10 < drawn_rows.min() < 60
    assert 225 < drawn_rows.max() < 245
    assert 0 < drawn_columns.min() < 64 < drawn_columns.max() < WIDTH - 1
