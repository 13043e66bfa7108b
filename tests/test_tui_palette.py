"""The palette: what it offers, and that choosing does it."""

import pytest
from recorded import Recorded, recorded
from tui_screen import LARGE, Screen, opened, serving

import ccafl

__all__ = ["recorded", "serving"]


async def choose(screen: Screen, words: str, found: str) -> None:
    """Open the palette, type words, and take the first entry."""
    await screen.press("colon", *words)
    await screen.sees(found)
    await screen.until(lambda: screen.app.screen.query("CommandList.--visible"), "entries")
    await screen.press("enter")


async def test_it_shows_every_entry_with_its_key(recorded: Recorded) -> None:
    recorded.add()
    async with opened(recorded.home) as screen:
        await screen.sees("○ queued")
        await screen.press("ctrl+p")
        text = await screen.sees("hold the run, or release it", "part of a name")
        line = next(line for line in text.splitlines() if "hold the run" in line)
        assert line.split()[0] == "p"
        assert "Screenshot" not in text
        await screen.press("escape")
        await screen.sees("? keys")


async def test_what_the_key_line_shows_stands_before_keys_that_only_move(
    recorded: Recorded,
) -> None:
    recorded.finished()
    async with opened(recorded.home, size=LARGE) as screen:
        await screen.press("3")
        await screen.sees("1 of 1")
        await screen.press("colon")
        text = await screen.sees("filter the list", "Theme", "j ↓")
        places = [text.index(word) for word in ("filter the list", "Theme", "j ↓")]
        assert places == sorted(places)


async def test_choosing_does_what_the_key_does(recorded: Recorded) -> None:
    run_id = recorded.add()
    async with opened(recorded.home) as screen:
        await screen.sees("○ queued")
        await choose(screen, "hold", "hold the run")
        await screen.sees("‖ held")
    assert recorded.store.run(run_id).hold


async def test_a_number_opens_the_run(recorded: Recorded) -> None:
    run_id = recorded.finished(name="long ago")
    async with opened(recorded.home) as screen:
        await choose(screen, str(run_id), f"open run {run_id}")
        await screen.sees("long ago", f"palette > run {run_id}")


async def test_failed_runs_are_one_choice_away(recorded: Recorded) -> None:
    recorded.finished(name="good one")
    recorded.start(name="bad one")
    recorded.end(2, "failed", "no such file")
    async with opened(recorded.home) as screen:
        await screen.press("3")
        await screen.sees("good one", "bad one")
        await choose(screen, "failed", "Failed runs")
        await screen.misses("good one")
        await screen.sees("bad one", "state:failed")


async def test_about_names_version_and_folders(recorded: Recorded) -> None:
    async with opened(recorded.home) as screen:
        await choose(screen, "about", "About")
        await screen.sees(ccafl.__version__, "runs.db")
        await screen.press("escape")
        await screen.sees("? keys")


@pytest.mark.parametrize("words", ["hold the run", "pause the queue"])
async def test_looking_only_offers_nothing_that_changes_runs(
    recorded: Recorded, words: str
) -> None:
    recorded.add()
    async with opened(recorded.home, read_only=True) as screen:
        await screen.sees("○ queued")
        await screen.press("colon", *words)
        await screen.sees("No matches found")
