"""Several runs from one `ccafl queue add`."""

import json
from pathlib import Path

import pytest
from recorded import Recorded
from terminal import Terminal, ccafl, past

from ccafl.datasets import Report, examine
from ccafl.errors import ConfigError
from ccafl.orders.sweeps import variants

__all__ = ["ccafl", "past"]

SMOKE = ("queue", "add", "--preset", "smoke")


def settings(past: Recorded, *keys: str) -> list[list[object]]:
    """The values of some keys in every waiting run, in order."""
    found = []
    for run in past.store.runs(("queued",)):
        config = json.loads(run.config)
        values: list[object] = []
        for key in keys:
            inner = config
            for part in key.split("."):
                inner = inner[part]
            values.append(inner)
        found.append(values)
    return found


def test_values_separated_by_commas_add_a_run_each(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    answer = ccafl(
        *SMOKE, "--data", drawn_set, "--set", "inter.ical.margin=0.3,0.5,0.7", "--tag", "t"
    )
    assert (answer.code, answer.out) == (0, "1\n2\n3\n")
    assert settings(past, "inter.ical.margin") == [[0.3], [0.5], [0.7]]
    runs = past.store.runs()
    assert [run.name for run in runs] == [f"smoke margin={m}" for m in (0.3, 0.5, 0.7)]
    assert {run.tags for run in runs} == {("t",)}


def test_several_keys_add_their_product_with_the_last_one_changing_fastest(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    swept = ("--set", "train.p=8,16", "--set", "run.seed=1,2", "--set", "eval.every=2")
    answer = ccafl(*SMOKE, "--data", drawn_set, *swept, "--name", "grid")
    assert settings(past, "train.p", "run.seed", "eval.every") == [
        [8, 1, 2],
        [8, 2, 2],
        [16, 1, 2],
        [16, 2, 2],
    ]
    assert past.store.run(2).name == "grid p=8 seed=2"
    assert "train.p  run.seed\n      8         1\n" in answer.err


def test_files_and_patterns_add_a_run_each(
    ccafl: Terminal, past: Recorded, drawn_set: Path, tmp_path: Path
) -> None:
    for name, value in (("low", 0.1), ("high", 0.9)):
        text = f"[inter.ical]\nmargin = {value}\n"
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    seeds = ("--set", "run.seed=1,2")
    answer = ccafl(*SMOKE, "--data", drawn_set, "--config", tmp_path / "*.toml", *seeds)
    assert answer.code == 0
    assert settings(past, "inter.ical.margin", "run.seed") == [
        [0.9, 1],
        [0.9, 2],
        [0.1, 1],
        [0.1, 2],
    ]
    assert past.store.run(1).name == "smoke seed=1 high"


def test_files_are_layers_of_one_run_for_run(
    ccafl: Terminal, past: Recorded, drawn_set: Path, tmp_path: Path
) -> None:
    files: list[str | Path] = []
    for name, value in (("a", 0.1), ("b", 0.9)):
        file = tmp_path / f"{name}.toml"
        file.write_text(f"[inter.ical]\nmargin = {value}\n", encoding="utf-8")
        files += ["--config", file]
    assert ccafl("run", "--preset", "smoke", "--detach", "--data", drawn_set, *files).code == 0
    assert settings(past, "inter.ical.margin") == [[0.9]]


def test_a_list_in_brackets_is_one_value(ccafl: Terminal, past: Recorded, drawn_set: Path) -> None:
    ccafl(*SMOKE, "--data", drawn_set, "--set", "train.lr_steps=[5, 7],[6]")
    assert settings(past, "train.lr_steps") == [[[5, 7]], [[6]]]


def test_a_hundred_runs_are_added_by_one_command_and_one_scan(
    ccafl: Terminal, past: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans = []

    def count(root: Path, layout: str) -> Report:
        scans.append(root)
        return examine(root, layout)  # type: ignore[arg-type]  # one of the layouts

    monkeypatch.setattr("ccafl.orders.order.examine", count)
    swept = ("--set", f"run.seed={','.join(map(str, range(50)))}", "--set", "train.p=8,16")
    answer = ccafl(*SMOKE, "--data", drawn_set, *swept, "--yes")
    assert answer.out.split() == [str(number) for number in range(1, 101)]
    assert len(scans) == 1


def test_more_than_twenty_runs_need_a_yes_where_nobody_can_be_asked(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    def seeds(count: int) -> tuple[str, str]:
        return "--set", f"run.seed={','.join(map(str, range(count)))}"

    answer = ccafl(*SMOKE, "--data", drawn_set, *seeds(21))
    assert (answer.code, answer.out) == (2, "")
    assert "Pass --yes to add 21 runs" in answer.err
    assert past.store.runs() == []
    assert ccafl(*SMOKE, "--data", drawn_set, *seeds(20)).code == 0


def test_a_sweep_may_begin_from_another_run(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    first = past.add(settings=(f"data.root={drawn_set}",))
    swept = ("--set", "inter.ical.margin=0.3,0.5")
    assert ccafl("queue", "add", "--stages", "inter", "--from", str(first), *swept).code == 0
    assert [run.source for run in past.store.runs()] == [None, first, first]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["train.p=8,"], "a value is missing"),
        (["train.p=8,8"], "stands there twice"),
        (["train.p=8,16", "train.p=1,2"], "several values of train.p twice"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(given: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        variants([], given)


@pytest.mark.parametrize("folder", ["nowhere", "~nobody-at-all"])
def test_a_pattern_that_matches_nothing_is_refused(folder: str) -> None:
    with pytest.raises(ConfigError, match="No config file matches"):
        variants([Path(folder, "*.toml")], [])


def test_labels_are_as_short_as_they_can_be() -> None:
    (first, *_) = variants([], ["intra.epochs=1,2", "inter.epochs=3,4", "run.seed=5,6"])
    assert first.label == "intra.epochs=1 inter.epochs=3 seed=5"
    files = [Path("a/x.toml"), Path("b/x.toml"), Path("b/y.toml"), Path("b/y.toml")]
    assert [variant.label for variant in variants(files, [])] == ["a/x.toml", "b/x.toml", "y"]


def test_one_file_and_plain_values_are_one_run_without_a_label() -> None:
    (only,) = variants([Path("a.toml")], ["train.p=8", "run.name=a b"])
    assert (only.files, only.settings) == ((Path("a.toml"),), ("train.p=8", "run.name=a b"))
    assert only.label == ""
