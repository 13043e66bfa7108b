"""Presets, settings and the stored config."""

import dataclasses
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ccafl.config import RunConfig, flatten, for_looking, from_json, keys, to_json
from ccafl.errors import ConfigError
from ccafl.presets import CPU_PRESETS, PRESETS, read_toml, resolve, split_values, to_toml

ROOT = Path(__file__).parent.parent

# The authors' code, per data set: Market-1501, DukeMTMC-reID, MSMT17. Windows end excluded.
FROM_CODE = {
    "prompt.n_ctx": (5, 6, 5),
    "prompt.epochs": (60, 60, 60),
    "prompt.batch": (64, 64, 64),
    "prompt.lr": (3.5e-4, 3.5e-4, 3.5e-4),
    "prompt.weight_decay": (1e-4, 1e-4, 1e-4),
    "train.p": (16, 16, 32),
    "train.k": (8, 8, 8),
    "train.iterations": (200, 200, 200),
    "train.lr": (3.5e-4, 3.5e-4, 3.5e-4),
    "train.classifier_lr": (3.5e-4, 3.5e-4, 3.5e-4),
    "train.weight_decay": (5e-4, 5e-4, 5e-4),
    "train.warmup_epochs": (10, 10, 10),
    "train.warmup_factor": (0.01, 0.01, 0.01),
    "train.lr_steps": ([40, 50], [40, 50], [40, 50]),
    "train.pad": (10, 10, 10),
    "train.erase": (0.5, 0.5, 0.5),
    "train.erase_area": ([0.02, 0.4], [0.02, 0.4], [0.02, 0.4]),
    "run.seed": (1, 1, 1),
    "model.image_size": ([256, 128], [256, 128], [256, 128]),
    "model.bn_batch": (64, 64, 64),
    "intra.epochs": (5, 5, 5),
    "intra.lam": (0.6, 0.6, 0.0),
    "intra.instances": (32, 32, 32),
    "inter.epochs": (75, 75, 75),
    "inter.text_from": (10, 40, 40),
    "inter.memory_temperature": (0.05, 0.05, 0.05),
    "inter.memory_momentum": (0.1, 0.1, 0.1),
    "inter.association.rate": (1.7, 1.5, 1.3),
    "inter.association.one_per_camera": (False, False, False),
    "inter.ical.window": ([40, 50], [40, 60], [40, 60]),
    "inter.ical.margin": (0.7, 0.3, 0.5),
    "inter.ical.epsilon": (0.8, 0.8, 0.8),
    "inter.ical.tau": (0.2, 0.2, 0.2),
    "inter.ical.scale": (16.0, 16.0, 16.0),
    "inter.ical.weight": (1.0, 1.0, 1.0),
}
SWITCHED_ON = (
    "intra.memory_triplet",
    "intra.triplet",
    "intra.text",
    "inter.triplet",
    "inter.text",
    "inter.ical.enabled",
)

# A setting that is refused, and words its one sentence must hold.
WRONG = [
    ("inter.ical.margn=0.3", "did you mean 'inter.ical.margin'"),
    ("intra.lamda=0.5", "did you mean 'intra.lam'"),
    ("margin=0.3", "did you mean 'inter.ical.margin'"),
    ("trian.p=8", "did you mean 'train.p'"),
    ("model.backbone=vit", "'RN50-quickgelu' or 'tiny'"),
    ("prompt.n_ctx=7", "4, 5 or 6"),
    ("train.p=0", "greater than or equal to 1"),
    ("train.p=1.5", "valid integer"),
    ("train.p=true", "valid integer"),
    ("train.p=many", "train.p cannot be 'many'"),
    ("train.lr=nan", "finite"),
    ("train.lr=inf", "train.lr cannot be inf"),
    ("train.lr=-0.1", "greater than 0"),
    ("train.erase=1.2", "less than or equal to 1"),
    ("train.erase_area=[0.4, 0.1]", "smaller first"),
    ("train.lr_steps=[50, 40]", "ascend"),
    ("train.k=64", "intra.instances 32"),
    ("train.p=8,16", "several values"),
    ("train=3", "is a section"),
    ("train.p", "not KEY=VALUE"),
    ("=3", "not KEY=VALUE"),
    ("intra.text=1", "valid boolean"),
    ("data.root=3", "valid string"),
    ("run.seed=-1", "greater than or equal to 0"),
    ("run.hours=true", "valid number"),
    ("run.gpus=2", "only one GPU per run"),
    ('run.stages=["inter", "prompt"]', "in this order"),
    ("model.image_size=[100, 64]", "multiple of 16"),
    ("model.weights=shipped", "Use 'shipped' with tiny"),
    ("inter.ical.window=[2, 8]", "Move the window"),
    ("inter.ical.window=40", "inter.ical.window cannot be 40"),
    ("inter.text_from=99", "inter.text=false"),
]


@pytest.mark.parametrize(("column", "preset"), enumerate(("market1501", "dukemtmc", "msmt17")))
def test_presets_hold_the_values_of_the_authors_code(column: int, preset: str) -> None:
    values = flatten(resolve(preset))
    assert {key: values[key] for key in FROM_CODE} == {
        key: columns[column] for key, columns in FROM_CODE.items()
    }
    assert all(values[key] is True for key in SWITCHED_ON)
    assert values["run.stages"] == ["prompt", "intra", "inter"]


def test_the_default_preset_is_markets_but_for_prompt_position_and_association_rate() -> None:
    market, default = flatten(resolve("market1501")), flatten(resolve("default"))
    differing = {key: default[key] for key in default if default[key] != market[key]}
    assert differing == {"prompt.n_ctx": 4, "inter.association.rate": 1.5}


def test_demo_and_smoke_run_the_tiny_model_on_one_thread() -> None:
    assert CPU_PRESETS == ("demo", "smoke")
    for preset in CPU_PRESETS:
        config = resolve(preset)
        assert (config.model.backbone, config.model.weights) == ("tiny", "shipped")
        assert (config.run.threads, config.run.seed) == (1, 0)
        assert config.inter.ical.window[1] <= config.loop_epochs


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_printed_as_toml_is_the_same_config_again(preset: str, tmp_path: Path) -> None:
    file = tmp_path / "preset.toml"
    file.write_text(to_toml(resolve(preset)), encoding="utf-8")
    assert resolve(files=[file]) == resolve(preset)


@pytest.mark.parametrize("preset", PRESETS)
def test_printed_toml_explains_every_setting(preset: str) -> None:
    text = to_toml(resolve(preset))
    settings = [line for line in text.splitlines() if " = " in line]
    assert len(settings) == len(keys())
    assert all("  # " in line for line in settings)
    assert tomllib.loads(text)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_config_stored_as_json_comes_back_equal_with_every_field(preset: str) -> None:
    config = resolve(preset, settings=["run.name=naïve ✓", "inter.ical.margin=0.3"])
    text = to_json(config)
    assert from_json(text) == config
    assert json.loads(text)["inter"]["ical"]["margin"] == 0.3
    assert set(flatten(config)) == set(keys())


@pytest.mark.parametrize(("setting", "words"), WRONG)
def test_a_wrong_setting_gives_one_sentence_and_exit_2(setting: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("market1501", settings=[setting])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_unknown_preset_names_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'market1501'"):
        resolve("market")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"train = [", "is not TOML"), (b"\xff", "not UTF-8"), (b"[trian]\np = 8\n", "trian")],
)
def test_an_unusable_config_file_is_named(content: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        resolve(files=[file])
    assert "mine.toml" in str(caught.value)


def test_a_missing_or_unreadable_config_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no config file .*absent\.toml"):
        read_toml(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(tmp_path)


def test_a_config_file_without_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="'/dev/zero' is larger than 1 MiB"):
        read_toml(Path("/dev/zero"))


def test_later_files_and_settings_win(tmp_path: Path) -> None:
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text("[train]\np = 4\nk = 4\n[inter.ical]\nmargin = 0.1\n", encoding="utf-8")
    second.write_text("[train]\np = 6\n", encoding="utf-8")
    config = resolve("market1501", [first, second], ["inter.ical.margin=0.2"])
    assert (config.train.p, config.train.k, config.inter.ical.margin) == (6, 4, 0.2)
    assert config.prompt.n_ctx == 5


def test_a_wrong_value_names_the_file_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[train]\np = 0\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.toml: train\.p cannot be 0"):
        resolve(files=[file])


def test_text_that_is_no_toml_is_taken_as_text() -> None:
    assert resolve(settings=["run.name=two words"]).run.name == "two words"
    assert resolve(settings=['run.name="quoted, with comma"']).run.name == "quoted, with comma"


def test_commas_inside_brackets_and_quotes_do_not_separate_values() -> None:
    assert split_values("[1, 2], 'a,b', 3") == ["[1, 2]", "'a,b'", "3"]


def test_a_config_is_frozen_and_checked_again_when_changed() -> None:
    config = resolve()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.train.p = 3  # type: ignore[misc]  # the assignment is what is tested
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        dataclasses.replace(config.train, p=0)


def test_a_config_of_another_version_says_so() -> None:
    stored = json.loads(to_json(RunConfig())) | {"unheard": 1}
    with pytest.raises(ConfigError, match="another version"):
        from_json(json.dumps(stored))


def test_a_config_of_another_version_can_be_looked_at() -> None:
    stored = json.loads(to_json(resolve("smoke"))) | {"unheard": {"of": 1}, "eval": 3}
    stored["run"]["stages"] = ["intra", "distil", "distil"]
    stored["train"] |= {"gone": 1, "iterations": 7, "p": "many"}
    del stored["inter"]["ical"]["window"]  # whose default does not fit the epochs of the preset
    text = json.dumps(stored)
    with pytest.raises(ConfigError):
        from_json(text)
    found = for_looking(text)
    assert found.run.stages == ("prompt", "intra", "inter")
    assert (found.train.iterations, found.train.p, found.eval.every) == (7, 16, 10)
    assert (found.intra, found.inter.ical.window) == (resolve("smoke").intra, (40, 50))


@pytest.mark.parametrize("text", ["", "[]", "1", '{"train": NaN'])
def test_what_is_no_config_cannot_be_looked_at(text: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        for_looking(text)


def test_ical_outside_its_safe_range_is_cautioned_and_inside_it_is_not() -> None:
    assert all(not resolve(preset).cautions() for preset in ("market1501", "dukemtmc", "demo"))
    found = resolve(settings=["inter.ical.window=[20, 50]", "inter.ical.weight=2"]).cautions()
    assert ["more than two epochs" in found[0], "above 1" in found[1]] == [True, True]


def test_loop_epochs_run_on_from_intra_to_inter() -> None:
    config = resolve("market1501")
    assert [config.loop_epoch("intra", 1), config.loop_epoch("intra", 5)] == [0, 4]
    assert [config.loop_epoch("inter", 1), config.loop_epoch("inter", 75)] == [5, 79]


def test_the_page_of_settings_is_what_its_generator_prints() -> None:
    script = ROOT / "docs" / "build_config.py"
    printed = subprocess.run(
        [sys.executable, str(script)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert printed.stdout == (ROOT / "docs" / "config.md").read_text(encoding="utf-8")


def test_the_page_of_settings_holds_every_key() -> None:
    text = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    assert all(f"| `{key}` |" in text for key in keys())
