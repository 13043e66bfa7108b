"""Training pays: on drawn pedestrians each stage ends with a better ranking than the one before."""

import pytest
from workers import FORKED, ended, work

from ccafl import config as schema
from ccafl import events, presets
from ccafl.demo import draw_dataset
from ccafl.events import read_events
from ccafl.paths import Home


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """mAP at the end of each stage of the smoke preset, seed 0."""
    folder = tmp_path_factory.mktemp("learning")
    draw_dataset(folder / "data")
    run = Home(folder / "home").run(1)
    run.root.mkdir(parents=True)
    config = presets.resolve("smoke", settings=[f"data.root={folder / 'data'}"])
    run.config.write_text(schema.to_json(config))
    told = ["--home", str(folder / "home"), "--attempt", "1", "--device", "cpu", "1"]
    process = FORKED.Process(target=work, args=(told, run.console))
    process.start()
    assert ended(process) == 0, run.console.read_text()
    found = [line.event for line in read_events(run.events(1), 0, limit=1 << 24).lines]
    return {e.stage: e.mean_ap for e in found if isinstance(e, events.Evaluation)}


def test_each_stage_improves_on_the_one_before(scores: dict[str, float]) -> None:
    assert scores["prompt"] < scores["intra"] < scores["inter"]


def test_the_shipped_weights_see_more_than_chance(scores: dict[str, float]) -> None:
    chance = 0.025  # of a random order of this set
    assert scores["prompt"] > 4 * chance
