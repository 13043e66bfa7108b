"""The datasets screen: which folders are known, and what the check of one of them finds."""

import shutil
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from recorded import Recorded, recorded
from tui_screen import LARGE, SMALL, opened, serving

from ccafl.datasets import Report, examine
from ccafl.datasets.check import Step

__all__ = ["recorded", "serving"]


@pytest.fixture
def broken(drawn_set: Path, tmp_path: Path) -> Path:
    """A drawn set with two images that cannot be read."""
    root = tmp_path / "[red]set[b]"
    shutil.copytree(drawn_set, root)
    for path in list((root / "query").iterdir())[:2]:
        path.write_bytes(b"")
    return root


async def test_a_folder_of_earlier_runs_is_chosen_and_checked(
    recorded: Recorded, drawn_set: Path
) -> None:
    recorded.finished(settings=(f"data.root={drawn_set}",), dataset="small")
    recorded.finished(settings=(f"data.root={drawn_set}", "run.seed=2"), dataset="small")
    recorded.finished(settings=(f"data.root={recorded.home.demo(0)}",))  # drawn, needs no check
    async with opened(recorded.home) as screen:
        await screen.press("v")
        text = await screen.sees(f"{drawn_set}   small", "Type the data folder")
        assert text.count("small   small") == 1
        assert "cache/demo" not in text
        await screen.press("enter", "down", "enter")
        await screen.sees("datasets > small", "Split", "train", "query", "gallery", "Persons")
        await screen.sees("Images opened:", "✓ It can be used: ccafl run --data")
        await screen.press("escape")
        await screen.sees("Type the data folder")
        await screen.press("escape")
        await screen.sees("[1 Queue 0]")


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_cameras_stand_beside_the_splits_or_behind_tab(
    recorded: Recorded, drawn_set: Path, size: tuple[int, int]
) -> None:
    async with opened(recorded.home, size=size) as screen:
        await screen.press("v")
        await screen.paste(str(drawn_set))
        await screen.press("enter")
        text = await screen.sees("Split", "It can be used")
        if size == LARGE:
            assert "identities" in text
            return
        assert "identities" not in text
        await screen.press("tab")
        await screen.sees("identities")
        await screen.misses("Split")
        await screen.press("tab")
        await screen.sees("Split")


async def test_broken_images_are_listed_and_copied(
    recorded: Recorded, broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[tuple[str, str]] = []
    monkeypatch.setattr("tui.program.CcaflApp.copy", lambda app, *what: copied.append(what))
    async with opened(recorded.home) as screen:
        await screen.press("v")
        await screen.paste(str(broken))
        await screen.press("enter")
        await screen.sees("datasets > [red]set[b]", "✗ 2 things are wrong", "error: 'query/")
        await screen.sees("is empty (0 bytes)", "y copy")
        await screen.press("y")
    ((text, what),) = copied
    assert what == "2 problems"
    assert [str(broken) in line for line in text.splitlines()] == [True, True]


async def test_a_folder_that_is_not_there_is_a_sentence(recorded: Recorded) -> None:
    async with opened(recorded.home, size=LARGE) as screen:
        await screen.press("v", "enter", "slash", *"no1", "enter")  # there is no list to go to
        await screen.sees(
            "datasets > no1", "'/no1' is no folder", "Nothing is known of its cameras"
        )
        await screen.pilot.resize_terminal(*SMALL)
        await screen.sees("is no folder", "y copy")
        await screen.misses("tab cameras")


async def test_what_breaks_a_check_is_said(
    recorded: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(root: Path, **words: Any) -> None:
        raise TypeError("no such layout")

    monkeypatch.setattr("ccafl.datasets.check.check", check)
    async with opened(recorded.home) as screen:
        await screen.press("v")
        await screen.paste(str(drawn_set))
        await screen.press("enter")
        await screen.sees("TypeError: no such layout", "The check broke off.   esc back")


async def test_leaving_stops_the_check(
    recorded: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def check(root: Path, **words: Any) -> Generator[Step, None, Report]:
        try:
            for done in range(10_000):
                yield Step("opening images", done, 10_000)
                time.sleep(0.005)
        finally:
            ended.set()
        return examine(root)

    monkeypatch.setattr("ccafl.datasets.check.check", check)
    async with opened(recorded.home) as screen:
        await screen.press("v")
        await screen.paste(str(drawn_set))
        await screen.press("enter")
        await screen.sees("opening images ░", "of 10,000", "esc stop")
        await screen.press("escape")
        await screen.sees("Type the data folder")
        await screen.until(ended.is_set, "the check has ended")
