"""The history pane: sorting, filtering, labels, comparing."""

from pathlib import Path

import pytest
from recorded import Recorded, evaluation, recorded
from tui_screen import LARGE, SMALL, opened, serving

from tui.filters import parse

__all__ = ["past", "recorded", "serving"]


@pytest.fixture
def past(recorded: Recorded) -> Recorded:
    """Three runs that have ended."""
    recorded.finished(
        evaluation("inter", 6, 234, 0.55), name="without text", tags=("main",), note="a note"
    )
    recorded.finished(
        evaluation("inter", 6, 234, 0.60), name="full method", settings=("run.seed=7",)
    )
    failed = recorded.start(name="broken one", dataset="market1501")
    recorded.end(failed, "failed", "out of luck")
    return recorded


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_ended_runs_stand_newest_first_with_their_results(
    past: Recorded, size: tuple[int, int]
) -> None:
    async with opened(past.home, size=size) as screen:
        await screen.press("3")
        text = await screen.sees(
            "3 runs   sorted by ended", "✗ failed", "✓ finished", "60.0", "55.0"
        )
        assert text.index("broken one") < text.index("full method") < text.index("without text")
        await screen.sees("Run 3 failed before its first step: out of luck.")
        await screen.press("G")
        await screen.sees("tags main   note a note")
        assert ("Rank10" in text) == (size == LARGE)


async def test_s_sorts_and_the_highlight_stays(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("sorted by ended")
        await screen.press("G", "s")
        text = await screen.sees("sorted by mAP")
        assert text.index("full method") < text.index("without text") < text.index("broken one")
        await screen.sees("note a note")


async def test_words_choose_runs(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("3 runs")
        await screen.press("slash")
        await screen.paste("text tag:main")
        await screen.sees("1 run ", "without text")
        await screen.misses("full method")
        await screen.press("enter")
        await screen.press("escape")
        await screen.sees("3 runs")
        for words, name in (
            ("dataset:market1501", "broken one"),
            ("state:failed", "broken one"),
            ("seed:7", "full method"),
            ("note", "without text"),
        ):
            await screen.press("slash")
            await screen.paste(words)
            await screen.sees("1 run ", name)
            await screen.press("escape")
        await screen.press("slash", *"xyz")
        await screen.sees("No ended run matches.")
        await screen.press("escape", "slash")
        await screen.paste("colour:red")
        await screen.sees("no field 'colour'", "3 runs")


async def test_failed_runs_are_resumed(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("r resume")
        await screen.press("r")
        await screen.sees("Run 3 is queued again", "1 Queue 1")
        await screen.press("j")
        await screen.misses("r resume")


async def test_tags_and_note_are_edited_or_left(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("t tags")
        await screen.press("t")
        await screen.sees("tags, separated by spaces")
        await screen.paste("one two")
        await screen.press("enter")
        await screen.paste("[b]why[/b]")
        await screen.press("enter")
        await screen.sees("tags one two   note [b]why[/b]")
        await screen.press("t")
        await screen.paste(" three")
        await screen.press("ctrl+o")
        await screen.sees("tags one three two")
        await screen.press("t")
        await screen.paste(" four")
        await screen.press("escape")
        await screen.misses("separated by spaces")
    assert past.store.run(3).tags == ("one", "three", "two")


async def test_marked_runs_are_compared(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("c compare")
        await screen.press("c")
        await screen.sees("Mark 2 to 6 runs with space")
        await screen.press("j", "space", "space")
        await screen.sees("2 marked")
        await screen.press("c")
        await screen.sees("compare 2 runs", "A     2 full method", "*60.0", "-5.0", "run.seed", "7")
        await screen.press("m")
        await screen.sees("base B run 1", "+5.0")
        await screen.press("b")
        await screen.sees("best on test")
        await screen.press("escape")
        await screen.sees("[3 History 3]")


async def test_runs_on_other_data_are_not_measured_against_each_other(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("3 runs")
        await screen.press("space", "space", "space", "c")
        text = await screen.sees("different data sets: side by side only", "60.0", "inter 6")
        assert "*" not in text


async def test_more_rows_come_when_one_reaches_the_end(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.history_pane.PAGE", 5)
    monkeypatch.setattr("tui.history_pane.FIRST_PAGE", 5)
    for number in range(8):
        run_id = recorded.add(name=f"number {number}")
        recorded.store.cancel(run_id)
    async with opened(recorded.home) as screen:
        await screen.press("3")
        await screen.sees("the first 5 runs")
        await screen.press("G")
        await screen.sees("8 runs")


def test_a_filter_is_taken_apart() -> None:
    words, problem = parse("margin tag:main dataset:msmt17")
    assert words.texts == ("margin",)
    assert words.first("tag") == "main"
    assert not problem
    assert "no field 'map'" in parse("map:5")[1]


def test_the_documentation_lists_every_key() -> None:
    from tui.keys import as_markdown

    page = Path(__file__).parent.parent / "docs" / "tui.md"
    assert as_markdown() in page.read_text(encoding="utf-8")
