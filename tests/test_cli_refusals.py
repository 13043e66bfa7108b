"""Broken configs and options: each is refused in one sentence, and nothing is left behind."""

import os
from pathlib import Path

import pytest
from recorded import Recorded
from terminal import Terminal, ccafl, past

from ccafl.gpu import Gpu, GpuAnswer

__all__ = ["ccafl", "past"]

GPU = Gpu(
    index=0,
    uuid="GPU-a",
    name=None,
    memory_used=None,
    memory_total=None,
    utilisation=None,
    temperature=None,
    power=None,
    processes=None,
)

# Settings on the preset smoke, and words that the one sentence must hold.
SETTINGS = [
    ("inter.ical.margn=0.3", "did you mean 'inter.ical.margin'"),
    ("intra.lamda=0.5", "did you mean 'intra.lam'"),
    ("margin=0.3", "did you mean 'inter.ical.margin'"),
    ("trian.p=8", "did you mean 'train.p'"),
    ("completely.elsewhere=1", "there is no setting 'completely'"),
    ("train.p=1.5", "valid integer"),
    ("train.p=true", "valid integer"),
    ("train.p=many", "train.p cannot be 'many'"),
    ("train.p=", "train.p cannot be ''"),
    ('train.p="16"', "valid integer"),
    ("train.p=[16]", "valid integer"),
    ("intra.text=1", "valid boolean"),
    ("data.root=3", "valid string"),
    ("train.lr=nan", "finite"),
    ("train.lr=inf", "train.lr cannot be inf"),
    ("train.lr=-inf", "train.lr cannot be -inf"),
    ("train.lr=-0.1", "greater than 0"),
    ("train.lr=0", "greater than 0"),
    ("train.lr=1e300", "less than or equal to 1000000"),
    ("train.p=0", "greater than or equal to 1"),
    ("train.p=-16", "greater than or equal to 1"),
    ("train.iterations=99999999999999999999", "less than or equal to 1000000"),
    ("run.seed=4294967296", "less than 4294967296"),
    ("run.threads=5000", "less than or equal to 1024"),
    ("train.erase=1.2", "less than or equal to 1"),
    ("train.erase_area=[0.4, 0.1]", "smaller first"),
    ("train.lr_steps=[50, 40]", "ascend"),
    ("train.k=64", "Raise intra.instances"),
    ("model.backbone=vit", "'RN50-quickgelu' or 'tiny'"),
    ("model.image_size=[100, 64]", "multiple of 16"),
    ("model.image_size=[64]", "model.image_size"),
    ("model.weights=openai", "Use 'shipped' with tiny"),
    ("model.weights=/no/such/file.pt", "there is no such file"),
    ("model.weights={tmp}", "there is no such file"),
    ("prompt.n_ctx=7", "4, 5 or 6"),
    ("run.gpus=2", "only one GPU per run"),
    ('run.stages=["inter", "prompt"]', "in this order"),
    ("run.stages=[]", "run.stages is []"),
    ('run.stages=["prompt", "inter"]', "in this order"),
    ("inter.ical.window=[2, 8]", "Move the window"),
    ("inter.ical.window=[6, 99]", "Move the window"),
    ("inter.ical.window=[8, 6]", "Move the window"),
    ("inter.ical.window=6", "inter.ical.window cannot be 6"),
    ("inter.text_from=99", "inter.text=false"),
    ("train=3", "is a section"),
    ("train.p", "is not KEY=VALUE"),
    ("=3", "is not KEY=VALUE"),
    ("", "is not KEY=VALUE"),
    ("  =3", "is not KEY=VALUE"),
    ("train..p=3", "there is no setting"),
    (".p=3", "there is no setting"),
    ("data.layout=mars", "data.layout cannot be 'mars'"),
]

# Contents of a config file.
FILES = [
    (b"train = [", "is not TOML"),
    (b"[train]\np = 8\np = 9\n", "is not TOML"),
    (b"[train]\np = 08\n", "is not TOML"),
    (b"\xff\xfe[train]", "is not UTF-8 text"),
    (b"\0\0\0", "is not TOML"),
    (b"[trian]\np = 8\n", "did you mean 'train.p'"),
    (b"p = 8\n", "did you mean"),
    (b"train = 8\n", "is a section"),
    (b"[train]\nlr = nan\n", "broken.toml: train.lr cannot be nan"),
    (b"[train.lr]\nvalue = 1\n", "train.lr cannot be"),
    (b"[[train]]\np = 8\n", "is a section"),
]

OPTIONS = [
    (("--preset", "smok"), "did you mean 'smoke'"),
    (("--preset", ""), "There is no preset ''"),
    (("--preset", "market1501"), "No data folder is given"),
    (("--data", "/no/where"), "is no folder"),
    (("--data", "{tmp}/broken.toml"), "is a file"),
    (("--data", "{tmp}"), "does not contain bounding_box_train"),
    (("--data", "/" + "n" * 5000), "cannot be read"),
    (("--config", "/no/file.toml"), "There is no config file"),
    (("--config", "{tmp}"), "cannot be read"),
    (("--config", "{tmp}/*.nothing"), "config file"),
    (("--gpu", "x"), "names no device"),
    (("--gpu", ""), "names no device"),
    (("--gpu", "-1"), "names no device"),
    (("--gpu", "1"), "there is no such GPU here; there is 0 (GPU-a)"),
    (("--gpu", "GPU-b"), "there is no such GPU here"),
    (("--name", "n" * 5000), "longer than 4,096"),
    (("--stages", "prompt,inter"), "neighbours of prompt, intra, inter"),
    (("--stages", "inter,intra"), "neighbours of prompt, intra, inter"),
    (("--stages", "intra,intra"), "neighbours of prompt, intra, inter"),
    (("--stages", "warm-up"), "there is no stage 'warm-up'"),
    (("--stages", ""), "there is no stage ''"),
    (("--stages", "prompt,"), "there is no stage ''"),
    (("--stages", "inter"), "--from"),
    (("--stages", "intra"), "learned prompts"),
    (("--stages", "inter", "--from", "7"), "There is no run 7"),
]


@pytest.fixture(autouse=True)
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with one GPU."""
    monkeypatch.setattr("ccafl.orders.order.read_gpus", lambda: GpuAnswer(gpus=(GPU,)))


def refuse(ccafl: Terminal, data: Path, *arguments: str | Path, words: str) -> None:
    """Check that a run and a queued run are refused, in one sentence, and nothing is left."""
    given = () if {"--data", "market1501"} & set(map(str, arguments)) else ("--data", data)
    for command in (("run",), ("queue", "add")):
        answer = ccafl(*command, "--preset", "smoke", *given, *arguments)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.startswith("error: ")
        assert answer.err.count("\n") == 1
        assert words in answer.err
        assert not ccafl.home.exists()


@pytest.mark.parametrize(("setting", "words"), SETTINGS)
def test_a_broken_setting_is_refused(
    ccafl: Terminal, drawn_set: Path, tmp_path: Path, setting: str, words: str
) -> None:
    refuse(ccafl, drawn_set, "--set", setting.format(tmp=tmp_path), words=words)


@pytest.mark.parametrize(("content", "words"), FILES)
def test_a_broken_config_file_is_refused(
    ccafl: Terminal, drawn_set: Path, tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    refuse(ccafl, drawn_set, "--config", file, words=words)


def test_a_data_folder_of_a_config_file_is_checked(ccafl: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.toml"
    file.write_text('[data]\nroot = "/no/where"\n', encoding="utf-8")
    answer = ccafl("run", "--preset", "smoke", "--config", file)
    assert answer.code == 2
    assert "is no folder" in answer.err
    assert not ccafl.home.exists()


def test_one_run_takes_one_value(ccafl: Terminal, drawn_set: Path) -> None:
    answer = ccafl("run", "--preset", "smoke", "--data", drawn_set, "--set", "train.p=8,16")
    assert answer.code == 2
    assert "several values" in answer.err
    assert not ccafl.home.exists()


@pytest.mark.parametrize(("arguments", "words"), OPTIONS)
def test_a_broken_option_is_refused(
    ccafl: Terminal, drawn_set: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "broken.toml").write_bytes(b"")
    filled = [argument.replace("{tmp}", str(tmp_path)) for argument in arguments]
    refuse(ccafl, drawn_set, *filled, words=words)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_config_file_is_refused(
    ccafl: Terminal, drawn_set: Path, tmp_path: Path
) -> None:
    file = tmp_path / "closed.toml"
    file.touch(mode=0)
    refuse(ccafl, drawn_set, "--config", file, words="Permission denied")


def test_weights_that_cannot_be_fetched_are_refused(
    ccafl: Terminal, drawn_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    answer = ccafl("run", "--preset", "market1501", "--data", drawn_set)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "cannot be fetched" in answer.err
    assert not ccafl.home.exists()


def test_one_broken_run_of_a_sweep_stops_all_of_them(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    answer = ccafl("queue", "add", "--preset", "smoke", "--data", drawn_set, "--set", "train.p=8,0")
    assert answer.code == 2
    assert "train.p cannot be 0" in answer.err
    assert past.store.runs() == []
    assert not past.home.runs.exists()


def test_what_is_refused_leaves_no_row_in_a_queue_that_exists(
    ccafl: Terminal, past: Recorded, drawn_set: Path
) -> None:
    first = past.add()
    for arguments in (("--set", "train.p=0"), ("--stages", "inter"), ("--gpu", "9")):
        assert ccafl("run", "--preset", "smoke", "--data", drawn_set, *arguments).code == 2
    assert [run.id for run in past.store.runs()] == [first]
    assert [path.name for path in past.home.runs.iterdir()] == [str(first)]


@pytest.mark.parametrize("command", ["queue", "history", "doctor"])
def test_a_state_folder_of_an_unknown_user_is_refused(
    ccafl: Terminal, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("CCAFL_HOME", "~nobody-of-that-name/runs")
    answer = ccafl(command)
    assert answer.code == 2
    assert "names the home of an unknown user" in answer.err
