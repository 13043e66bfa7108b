"""How long a run will take, by earlier runs that resemble it."""

import pytest
from recorded import Recorded, epoch, recorded
from sqlalchemy import text

from ccafl.config import RunConfig
from ccafl.estimates import estimate
from ccafl.presets import resolve

__all__ = ["recorded"]

AS_BEFORE = "as run 1 took"


def config(*settings: str) -> RunConfig:
    return resolve("smoke", settings=settings)


def full_run(recorded: Recorded, **words: str) -> int:
    """All 8, 3 and 6 epochs: prompt 5 minutes each, intra 10, inter two hours."""
    lengths = {"prompt": (8, 18, 300.0), "intra": (3, 10, 600.0), "inter": (6, 10, 7200.0)}
    told, step = [], 0
    for stage, (epochs, steps, seconds) in lengths.items():
        for number in range(1, epochs + 1):
            step += steps
            told.append(epoch(stage, number, step, seconds=seconds))
    return recorded.finished(*told, **words)


def test_a_run_like_an_earlier_one_takes_as_long(recorded: Recorded) -> None:
    full_run(recorded)
    found = estimate(recorded.store, config(), "demo-0")
    assert found is not None
    assert found.source_run_id == 1
    assert [stage.seconds for stage in found.stages] == [2400, 1800, 43200]
    assert found.seconds == 47400
    assert found.gpu_memory == 1 << 30
    assert found.sentence() == f"prompt 40 m + intra 30 m + inter 12 h 0 m, {AS_BEFORE}"


def test_other_numbers_of_steps_are_scaled_and_said_to_be_about(recorded: Recorded) -> None:
    full_run(recorded)
    longer = config("train.iterations=20", "prompt.epochs=4")
    found = estimate(recorded.store, longer, "demo-0")
    assert found is not None
    scaled = "prompt about 20 m + intra about 1 h 0 m + inter about 24 h"
    assert found.sentence() == f"{scaled}, {AS_BEFORE}"


def test_a_run_that_still_trains_tells_its_pace(recorded: Recorded) -> None:
    recorded.tell(recorded.start(), epoch("inter", 1, 184, seconds=60.0))
    found = estimate(recorded.store, config('run.stages=["inter"]'), "demo-0")
    assert found is not None
    assert found.sentence() == f"inter about 6 m, {AS_BEFORE}"


def test_the_newest_run_that_trained_all_stages_is_taken(recorded: Recorded) -> None:
    full_run(recorded)
    full_run(recorded)
    recorded.finished(epoch("inter", 1, 184, seconds=1.0))
    found = estimate(recorded.store, config(), "demo-0")
    assert found is not None
    assert found.source_run_id == 2


@pytest.mark.parametrize(
    ("settings", "dataset", "gpu"),
    [
        ((), "Market-1501", "auto"),
        ((), "demo-0", "cpu"),
        (("train.p=32",), "demo-0", "auto"),
        (("train.k=2",), "demo-0", "auto"),
        (("model.image_size=[128, 64]",), "demo-0", "auto"),
        (("model.backbone=RN50-quickgelu", "model.weights=random"), "demo-0", "auto"),
    ],
)
def test_nothing_is_told_from_runs_that_do_not_resemble(
    recorded: Recorded, settings: tuple[str, ...], dataset: str, gpu: str
) -> None:
    full_run(recorded)
    assert estimate(recorded.store, config(), "demo-0") is not None
    assert estimate(recorded.store, config(*settings), dataset, gpu) is None


def test_a_run_on_the_cpu_tells_nothing_of_gpu_memory(recorded: Recorded) -> None:
    full_run(recorded, gpu="cpu")
    with recorded.store.writing() as connection:
        connection.execute(text("UPDATE attempt SET gpu_uuid = 'cpu'"))
    found = estimate(recorded.store, config(), "demo-0", "cpu")
    assert found is not None
    assert found.gpu_memory is None
