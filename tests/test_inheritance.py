"""What runs take from earlier runs: learned prompts, and the state at the end of intra."""

import json
from pathlib import Path

import pytest
from workers import Worker, assert_same_weights, losses, work, written

from ccafl import events, prompt_cache
from ccafl.events import read_result
from ccafl.paths import Home, RunFolder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def first(home: Path, drawn_set: Path) -> RunFolder:
    """Run 1 of the state folder: all stages, nothing to take."""
    worker = Worker(home, drawn_set)
    assert worker.run() == 0, worker.folder.console.read_text()
    return worker.folder


def evaluated(folder: RunFolder) -> list[events.Evaluation]:
    return [event for event in written(folder) if isinstance(event, events.Evaluation)]


def failure(folder: RunFolder) -> str:
    result = read_result(folder.result)
    assert result is not None
    assert result.error is not None
    return result.error.message


def test_prompts_learned_once_are_used_again_with_the_same_bits(
    home: Path, drawn_set: Path, first: RunFolder
) -> None:
    worker = Worker(home, drawn_set, run_id=2)
    assert worker.run() == 0
    assert losses(worker.folder) == [loss for loss in losses(first) if loss.stage != "prompt"]
    assert_same_weights(worker.folder, first)
    texts = [event.text for event in written(worker.folder) if isinstance(event, events.Activity)]
    assert "prompt stage taken from run 1" in texts


def test_the_untouched_tower_is_evaluated_also_when_its_prompts_are_taken(
    home: Path, drawn_set: Path, first: RunFolder
) -> None:
    worker = Worker(home, drawn_set, run_id=3)
    assert worker.run() == 0
    taken, trained = evaluated(worker.folder)[0], evaluated(first)[0]
    assert (taken.stage, taken.epoch, taken.step) == ("prompt", trained.epoch, trained.step)
    assert taken.mean_ap == trained.mean_ap


@pytest.mark.parametrize("setting", ["run.seed=5", "prompt.n_ctx=5", "prompt.lr=0.004"])
def test_other_settings_learn_their_own_prompts(
    home: Path, drawn_set: Path, first: RunFolder, setting: str
) -> None:
    run_id = 10 + len(setting)
    worker = Worker(home, drawn_set, setting, "run.stages=['prompt']", run_id=run_id)
    assert worker.run() == 0
    assert {loss.stage for loss in losses(worker.folder)} == {"prompt"}


def test_a_damaged_cache_entry_is_learned_again(tmp_path: Path, drawn_set: Path) -> None:
    only_prompt = "run.stages=['prompt']"
    assert Worker(tmp_path, drawn_set, only_prompt).run() == 0
    (entry,) = Home(tmp_path).prompts.iterdir()
    (entry / "tensors.safetensors").write_bytes(b"cut")
    again = Worker(tmp_path, drawn_set, only_prompt, run_id=2)
    assert again.run() == 0
    assert losses(again.folder)
    assert json.loads((entry / "state.json").read_text())["format"] == 1


def without_prompt_cache(arguments: list[str], console: Path) -> None:
    """A worker that breaks if it reads the images a second time to ask for learned prompts."""
    vars(prompt_cache)["_file_digest"] = None
    work(arguments, console)


def test_inter_goes_on_from_the_end_of_another_runs_intra_with_the_same_bits(
    home: Path, drawn_set: Path, first: RunFolder
) -> None:
    worker = Worker(home, drawn_set, "run.stages=['inter']", run_id=4, source=1)
    assert worker.run(target=without_prompt_cache) == 0
    assert losses(worker.folder) == [loss for loss in losses(first) if loss.stage == "inter"]
    assert_same_weights(worker.folder, first)
    assert evaluated(worker.folder)[0].stage == "intra"


def test_another_seed_takes_another_way_from_the_same_intra(
    home: Path, drawn_set: Path, first: RunFolder
) -> None:
    settings = ("run.stages=['inter']", "run.seed=9")
    worker = Worker(home, drawn_set, *settings, run_id=5, source=1)
    assert worker.run() == 0
    assert losses(worker.folder)[0] != next(loss for loss in losses(first) if loss.stage == "inter")


def test_intra_starts_from_the_prompts_of_another_run(
    home: Path, drawn_set: Path, first: RunFolder
) -> None:
    worker = Worker(home, drawn_set, "run.stages=['intra']", run_id=6, source=1)
    assert worker.run() == 0
    assert {loss.stage for loss in losses(worker.folder)} == {"intra"}
    assert worker.folder.prompts.read_bytes() == first.prompts.read_bytes()


def test_intra_alone_uses_the_cache_and_says_so_when_it_is_empty(
    home: Path, drawn_set: Path, first: RunFolder, tmp_path: Path
) -> None:
    assert Worker(home, drawn_set, "run.stages=['intra']", run_id=7).run() == 0
    lonely = Worker(tmp_path, drawn_set, "run.stages=['intra']")
    assert lonely.run() == 1
    assert "No earlier run has learned prompts" in failure(lonely.folder)


def test_intra_without_text_needs_no_prompts(tmp_path: Path, drawn_set: Path) -> None:
    worker = Worker(tmp_path, drawn_set, "run.stages=['intra']", "intra.text=false")
    assert worker.run() == 0
    assert "text" not in losses(worker.folder)[0].loss


def test_a_source_that_lost_its_files_is_told_in_a_sentence(
    tmp_path: Path, drawn_set: Path
) -> None:
    worker = Worker(tmp_path, drawn_set, "run.stages=['inter']", run_id=2, source=1)
    assert worker.run() == 1
    assert "is damaged" in failure(worker.folder)
