"""A real run of the smoke preset that loses worker and supervisor three times."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from killing import Training
from workers import assert_same_weights

SETTINGS = ("model.weights=random", "train.iterations=5", "prompt.epochs=4")


@pytest.fixture
def trainings(tmp_path: Path, drawn_set: Path) -> Iterator[tuple[Training, Training]]:
    """The same run in two state folders."""
    settings = (*SETTINGS, f"data.root={drawn_set}")
    both = [Training(tmp_path / name, "smoke", settings) for name in ("quiet", "killed")]
    yield both[0], both[1]
    for training in both:
        training.stop()


def test_fault_06_a_training_killed_three_times_ends_with_the_same_bits(
    trainings: tuple[Training, Training],
) -> None:
    quiet, killed = trainings
    assert quiet.finish().state == "finished"
    stages = [row[1] for row in quiet.losses()]
    moments = [stages.index(stage) + 3 for stage in ("prompt", "intra", "inter")]
    assert killed.finish(moments).state == "finished"
    assert killed.losses() == quiet.losses()
    assert_same_weights(killed.folder, quiet.folder)
