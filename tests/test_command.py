"""The command that would queue a run once more."""

import shlex

import pytest
from recorded import Recorded, recorded

from ccafl.command import command
from ccafl.paths import Home
from ccafl.presets import resolve

__all__ = ["recorded"]


@pytest.fixture(autouse=True)
def usual_home(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCAFL_HOME", str(recorded.home.root))


def test_a_command_holds_what_the_preset_does_not_say(recorded: Recorded) -> None:
    source = recorded.add()
    run_id = recorded.add(
        settings=('run.stages=["inter"]', "run.seed=7", "train.lr_steps=[3, 5]"),
        name="it's mine; rm -rf $HOME",
        note="two\nlines",
        tags=("main", "ical"),
        gpu="cpu",
        source=source,
    )
    words = shlex.split(command(recorded.store.run(run_id), recorded.home))
    assert words[:3] == ["ccafl", "queue", "add"]
    options = list(zip(words[3::2], words[4::2], strict=True))
    assert options == [
        ("--preset", "smoke"),
        ("--data", "/sets/demo-0"),
        ("--gpu", "cpu"),
        ("--name", "it's mine; rm -rf $HOME"),
        ("--note", "two\nlines"),
        ("--tag", "ical"),
        ("--tag", "main"),
        ("--from", "1"),
        ("--set", "run.seed=7"),
        ("--stages", "inter"),
        ("--set", "train.lr_steps=[3, 5]"),
    ]
    settings = [value for name, value in options if name == "--set"]
    assert resolve("smoke", settings=settings).train.lr_steps == (3, 5)


def test_another_state_folder_is_named(recorded: Recorded) -> None:
    run = recorded.store.run(recorded.add())
    assert "--home" not in command(run, recorded.home)
    assert command(run, Home(recorded.home.root / "other")).endswith("/recorded/other")
