"""The history pane: sorting, filtering, labels, comparing."""

from pathlib import Path

import pytest
from recorded import Recorded, evaluation, recorded
from tui_screen import LARGE, SMALL, Screen, opened, serving

from tui.lists import RunTable

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


async def test_ended_runs_stand_newest_first_with_their_results(past: Recorded) -> None:
    async with opened(past.home, size=SMALL) as screen:
        await screen.press("3")
        text = await screen.sees("3 of 3   sort ended v", "60.0", "55.0", "Took")
        assert text.index("broken one") < text.index("full method") < text.index("without text")
        await screen.sees("3 ✗ failed", "failed before its first step", ": out of luck.")
        await screen.press("G")
        await screen.sees(
            "1 ✓ finished   took 1 m   tags main   note a note", "last 55.0 at inter 6"
        )


async def test_a_name_keeps_its_room_beside_all_columns(recorded: Recorded) -> None:
    recorded.finished(name="sixteen-letters-", dataset="Market-1501")
    async with opened(recorded.home, size=SMALL) as screen:
        await screen.press("3")
        await screen.sees("sixteen-letters-", "Market-1501", "Bkb", "mINP", "Ended", "Took")


async def test_a_large_screen_shows_all_columns_and_beside_them_the_run(
    recorded: Recorded,
) -> None:
    note = "the one of table 2, with the margin of the code"
    recorded.finished(
        evaluation("inter", 3, 204, 0.7),
        evaluation("inter", 6, 234, 0.6),
        dataset="Market-1501",
        name="method",
        tags=("main", "ical"),
        note=note,
        settings=("run.seed=7", "inter.association.one_per_camera=true"),
    )
    async with opened(recorded.home, size=LARGE) as screen:
        await screen.press("3")
        text = await screen.sees("differs from preset smoke")
        cells = [line.split("│") for line in text.splitlines() if "│" in line]
        beside = [line[1].strip() for line in cells]
        heads = "ID Name Dataset Bkb mAP R-1 R-5 R-10 mINP Ended Took Seed Tags Note"
        assert cells[0][0].split() == heads.split()
        assert cells[1][0].split()[4:9] == ["tiny", "60.0", "70.0", "80.0", "82.0"]
        assert beside[:3] == ["1 method", "Market-1501", "✓ finished"]
        assert "inter 3    *70.0 80.0 35.0" in beside
        assert "inter 6     60.0 70.0 30.0" in beside
        assert "published   90.1 96.1    -" in beside
        assert f"tags ical main note {note} " in " ".join(beside)
        assert "run.seed = 7" in beside
        setting = beside.index("inter.as…on.one_per_camera")
        assert beside[setting + 1] == "= true"


async def test_what_has_no_room_beside_the_list_is_counted_or_cut(recorded: Recorded) -> None:
    settings = [f"train.{name}=7" for name in ("p", "k", "iterations", "warmup_epochs", "pad")]
    recorded.finished(name="many", settings=tuple(settings), note="word " * 63 + "end")
    recorded.finished(name="long", note="word " * 200)
    async with opened(recorded.home, size=(110, 30)) as screen:
        await screen.press("3")
        text = await screen.sees("2 long", "│ …")
        assert text.splitlines()[-2].endswith("│ …")
        await screen.press("j")
        text = await screen.sees("1 many", "word end", "train.p = 7", "│ and 2 more")
        assert text.splitlines()[-2].endswith("│ and 2 more")


async def test_the_run_stands_beside_the_list_or_in_lines_below_it(past: Recorded) -> None:
    async with opened(past.home, size=(110, 30)) as screen:
        await screen.press("3")
        text = await screen.sees("│ 3 broken one", "✗ failed before its first", "Seed")
        assert "3 ✗ failed" not in text
        await screen.pilot.resize_terminal(119, 29)
        text = await screen.sees("3 ✗ failed   took 1 m   tags -", "Rank-10", "Note")
        assert "│" not in text
        await screen.press("G")
        await screen.sees("1 ✓ finished   took 1 m   tags main")
        await screen.pilot.resize_terminal(200, 40)
        await screen.sees("State", "✗ failed", "Rank-10", "│ 1 without text")


async def test_the_list_keeps_its_place_whatever_is_said_of_a_run(recorded: Recorded) -> None:
    long = recorded.start(name="long story")
    recorded.end(long, "failed", "one reason after the other, " * 20)
    recorded.finished(name="short story", note="n" * 300)
    async with opened(recorded.home, size=SMALL) as screen:
        await screen.press("3")
        text = await screen.sees("2 ✓ finished", "nnn…", "finished without an evaluation")
        before = text.splitlines().index("─" * 80, 4)
        await screen.press("j")
        text = await screen.sees("1 ✗ failed", "one reason", "…   r resume, from the")
        assert text.splitlines().index("─" * 80, 4) == before


async def test_s_sorts_and_the_highlight_stays(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("sort ended v")
        await screen.press("G", "s")
        text = await screen.sees("sort mAP v")
        assert text.index("full method") < text.index("without text") < text.index("broken one")
        await screen.press("S")
        await screen.sees("sort mAP ^", "note a note")
        await screen.until(
            lambda: ordered(screen.text, "without text", "full method", "broken one"),
            "sorted the other way round",
        )


async def test_a_click_on_a_head_sorts_and_a_second_one_turns_round(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("3 of 3")
        await click(screen, "Name")
        await screen.sees("sort name ^")
        await click(screen, "Name")
        await screen.sees("sort name v")
        await click(screen, "Bkb")  # has no order
        await click(screen, "Rank-1")
        await screen.sees("sort Rank-1 v")
        await screen.pilot.resize_terminal(*LARGE)
        await screen.sees("R-10")
        await click(screen, "R-10")
        await screen.sees("sort Rank-10 v")


async def test_a_double_click_opens_a_run(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("3 ✗ failed")
        await click(screen, "without text")
        await screen.sees("1 ✓ finished")
        await click(screen, "full method", times=2)
        await screen.sees("3 History > run 2")


async def test_b_shows_and_sorts_by_the_best_evaluations(recorded: Recorded) -> None:
    recorded.finished(evaluation("inter", 3, 204, 0.71), evaluation("inter", 6, 234, 0.5))
    async with opened(recorded.home) as screen:
        await screen.press("3")
        await screen.sees("50.0")
        await screen.press("b")
        await screen.sees("71.0", "best on test   sort ended v")
        await screen.press("slash")
        await screen.paste("map>70")
        await screen.sees("1 of 1")


async def test_words_choose_runs(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("3 of 3")
        await screen.press("slash")
        await screen.paste("text tag:main")
        await screen.sees("1 of 3", "without text")
        await screen.misses("full method")
        await screen.press("enter", "escape")
        await screen.sees("3 of 3")
        for words, name in (("dataset:market", "broken one"), ("map>55", "full method")):
            await screen.press("slash")
            await screen.paste(words)
            await screen.sees("1 of 3", name)
            await screen.press("escape")
        await screen.press("slash", *"xyz")
        await screen.sees("No ended run matches.")


async def test_a_word_that_says_nothing_yet_leaves_the_list_as_it_is(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("3 of 3")
        await screen.press("slash")
        await screen.paste("full")
        await screen.sees("1 of 3")
        await screen.paste(" map>")
        text = await screen.sees("'map>' needs a number, such as map>55.", "/ full map>")
        assert "full method" in text
        recorded_later = past.finished(name="full again")
        await screen.sees(f"{recorded_later} full again", "needs a number")  # stays up to date
        await screen.press("5")
        await screen.sees("1 of 4", "full method")
        await screen.misses("needs a number")


async def test_filter_and_order_are_as_they_were_left(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("3 of 3")
        await screen.press("s", "S", "slash", *"text", "enter")
        await screen.sees("1 of 3   sort mAP ^")
        await screen.press("q")
    async with opened(past.home) as screen:
        await screen.sees("/ text", "1 of 3   sort mAP ^", "without text")
        await screen.press("escape")
        await screen.sees("3 of 3")


async def test_failed_runs_are_resumed(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("r resume, from the start")
        await screen.press("r")
        await screen.sees("Run 3 is queued again", "1 Queue 1")
        await screen.press("j")
        await screen.misses("r resume")


async def test_tags_and_note_are_edited_or_left(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("3 of 3")
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


async def test_marks_are_counted_and_too_few_are_not_compared(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("c compare")
        await screen.press("space", "c")
        await screen.sees("Mark 2 to 6 runs with space", "1 marked   3 of 3")
        await screen.press("escape")
        await screen.misses("marked")


async def test_runs_that_two_filters_find_are_compared(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3", "slash", *"full")
        await screen.sees("1 of 3")
        await screen.press("enter", "space", "slash", "ctrl+u", *"text")
        await screen.sees("1 marked   1 of 3", "without text")
        await screen.press("enter", "space", "c")
        await screen.sees("compare 2 runs", "A 1 without text", "B 2 full method")


async def test_a_mark_goes_with_its_run(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("3 of 3", "✗ failed")
        await screen.press("space")
        await screen.sees("1 marked")
        await screen.press("r")
        await screen.sees("2 of 2")
        await screen.misses("marked")


async def test_more_rows_come_when_one_reaches_the_end(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.history_pane.PAGE", 20)
    for number in range(50):
        recorded.store.cancel(recorded.add(name=f"number {number}"))
    async with opened(recorded.home) as screen:
        await screen.press("3")
        await screen.sees("number 49", "50 of 50")
        table = screen.app.screen.query_one("#history-table", RunTable)
        assert len(table.runs) == 20
        await screen.press("G")
        await screen.until(lambda: len(table.runs) == 40, "the cursor brought more")
        table.scroll_end(animate=False)
        await screen.until(lambda: len(table.runs) == 50, "scrolling brought more")


async def test_columns_leave_from_the_right_where_there_is_no_room(past: Recorded) -> None:
    async with opened(past.home, size=(60, 16)) as screen:
        await screen.press("3")
        text = await screen.sees("full method", "R-1")
        assert "Took" not in text


def test_the_documentation_lists_every_key() -> None:
    from tui.keys import as_markdown

    page = Path(__file__).parent.parent / "docs" / "tui.md"
    assert as_markdown() in page.read_text(encoding="utf-8")


def ordered(text: str, *words: str) -> bool:
    """Whether the words stand below each other in this order."""
    places = [text.find(word) for word in words]
    return -1 not in places and places == sorted(places)


async def click(screen: Screen, word: str, times: int = 1) -> None:
    """Click on a word."""
    lines = screen.text.splitlines()
    row = next(index for index, line in enumerate(lines) if word in line)
    await screen.pilot.click(offset=(lines[row].index(word), row), times=times)
