"""The log of a run: following, moving, finding."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest
from recorded import Recorded, recorded
from tui_screen import Screen, opened, serving, training

from tui.following import KEPT
from tui.log_view import LogView
from tui.program import CcaflApp
from tui.text_log import TextLog

__all__ = ["recorded", "serving", "training"]

TOP = 5  # the row of the screen that holds the first line of the log
MANY = 12_000


async def open_log(screen: Screen, recorded: Recorded, run_id: int, lines: Sequence[str]) -> Path:
    """Open Live on a log that holds these lines."""
    path = recorded.home.run(run_id).console
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    await screen.press("2")
    await screen.sees("[Losses]", "at work")
    await screen.press("tab")
    await screen.sees("[Log]", f"{len(lines):,} lines")
    return path


async def find(screen: Screen, words: str) -> None:
    await screen.press("slash")
    await screen.paste(words)
    await screen.press("enter")


def first(screen: Screen) -> str:
    return " ".join(screen.text.splitlines()[TOP].split()[:2])  # without the scroll bar


def has_read(screen: Screen, length: str) -> bool:
    return length in screen.app.query_one(LogView).head


async def test_the_log_is_scrolled_and_followed(recorded: Recorded, training: int) -> None:
    log = recorded.home.run(training).console
    log.write_text("".join(f"line {number}\n" for number in range(1, 101)), encoding="utf-8")
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("all terms")
        await screen.press("tab")
        await screen.sees("line 100")

        def is_first(line: str) -> bool:
            return first(screen) == line

        bottom = first(screen)
        for keys, line in (
            *(("g", "line 1"), ("j", "line 2"), ("end", bottom), ("home", "line 1")),
            *(("down", "line 2"), ("up", "line 1"), ("G", bottom), ("k", "line 82")),
            *(("g", "line 1"), ("pagedown", "line 10"), ("pageup", "line 1")),
            *(("ctrl+d", "line 10"), ("ctrl+u", "line 1")),
        ):
            await screen.press(keys)
            await screen.until(partial(is_first, line), f"{line} is first after {keys}")
        with log.open("a") as file:
            file.write("line 101\n")
        await screen.until(partial(has_read, screen, "101 lines"), "it is read")
        assert first(screen) == "line 1"
        await screen.press("u")
        await screen.sees("GPU use")
        with log.open("a") as file:
            file.write("line 102\n")
        await screen.press("escape")  # what is below is read anew, and stays where it was
        await screen.until(partial(has_read, screen, "102 lines"), "it is read anew")
        assert first(screen) == "line 1"
        await screen.press("f")
        await screen.sees("line 101", "line 102")


async def test_a_long_log_opens_at_its_end_and_gives_older_lines_on_scrolling_up(
    recorded: Recorded, training: int
) -> None:
    async with opened(recorded.home) as screen:
        lines = [f"line {number}" for number in range(1, MANY + 1)]
        path = await open_log(screen, recorded, training, lines)
        await screen.sees("following   12,000 lines", "line 12000")
        kept = screen.app.query_one(TextLog)
        assert len(kept.lines) == KEPT
        kept.scroll_to(y=1, animate=False, immediate=True)
        await screen.press("k", "k")
        await screen.sees("not following", "line 7000")
        await screen.until(lambda: kept.lines[0] == "line 4501", "older lines are read")
        with path.open("a") as file:
            file.write("the newest line\n")
        await screen.sees("12,001 lines")
        await screen.press("g")
        await screen.until(lambda: first(screen) == "line 1", "the first line is on top")
        await screen.press("f")
        await screen.sees("following   12,001 lines", "the newest line")
        assert len(kept.lines) == KEPT


async def test_words_are_found_in_the_whole_file(recorded: Recorded, training: int) -> None:
    async with opened(recorded.home) as screen:
        lines = [f"line {number}" for number in range(1, MANY + 1)]
        for number in (10, 4000, 11_000):
            lines[number] = f"a Needle[{number}]"
        await open_log(screen, recorded, training, lines)
        await find(screen, "needle[")
        await screen.sees("1 of 3   12,000 lines", "a Needle[10]")
        for key, at, number in (("n", 2, 4000), ("n", 3, 11_000), ("n", 1, 10), ("N", 3, 11_000)):
            await screen.press(key)
            await screen.sees(f"{at} of 3", f"a Needle[{number}]")
        await screen.press("escape")
        await screen.sees("/ find")
        await screen.misses("of 3")
        await find(screen, "no such")
        await screen.sees("no match of no such")


async def test_a_window_of_the_file_leaves_a_last_line_out_until_it_is_finished(
    recorded: Recorded, training: int
) -> None:
    async with opened(recorded.home) as screen:
        lines = [f"line {number}" for number in range(1, MANY + 1)]
        path = await open_log(screen, recorded, training, lines)
        with path.open("a") as file:
            file.write("unfinished")
        await screen.press("g")
        await screen.until(lambda: first(screen) == "line 1", "the first line is on top")
        await find(screen, f"line {MANY - 2}")
        await screen.sees(f"line {MANY}")
        assert "unfinished" not in screen.text
        with path.open("a") as file:
            file.write(" no more\nthe newest line\n")
        await screen.sees("1 of 1   12,002 lines")
        await screen.press("G")
        await screen.sees(f"line {MANY}", "unfinished no more", "the newest line")


async def test_a_search_that_fails_says_so(
    recorded: Recorded, training: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, words: str) -> NoReturn:
        raise MemoryError("too long")

    monkeypatch.setattr("ccafl.follow.find_lines", fail)
    async with opened(recorded.home) as screen:
        await open_log(screen, recorded, training, ["one", "two"])
        await find(screen, "one")
        await screen.sees("MemoryError: too long")


async def test_lines_are_shown_as_they_are_and_scrolled_sideways(
    recorded: Recorded, training: int
) -> None:
    long = "begin " + "x" * 10_000 + " end"
    async with opened(recorded.home) as screen:
        await open_log(screen, recorded, training, ["[red]a[/] [0] \x1b[31mb\x9b\u202e", long])
        text = await screen.sees("[red]a[/] [0] \\x1b[31mb\\x9b\\u202e", "begin xxx")
        assert "\x1b" not in text
        await screen.press("l")
        await screen.misses("begin")
        await screen.press("h")
        await screen.sees("begin xxx")


async def test_dragging_selects_and_both_keys_copy_just_that(
    recorded: Recorded, training: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[tuple[str, str]] = []
    monkeypatch.setattr(CcaflApp, "copy", lambda app, text, what: copied.append((text, what)))
    async with opened(recorded.home) as screen:
        await open_log(screen, recorded, training, ["one [red]", "two \u4e2d\u6587 wide", "three"])
        await screen.sees("three")
        await screen.press("ctrl+c")
        await screen.sees("q quits; training goes on")
        assert copied == []
        await screen.pilot.mouse_down(offset=(5, TOP))
        await screen.pilot.hover(offset=(6, TOP + 1))
        await screen.pilot.hover(offset=(12, TOP + 1))
        await screen.pilot.mouse_up(offset=(12, TOP + 1))
        await screen.press("y", "ctrl+c")
        assert copied == [("[red]\ntwo \u4e2d\u6587 wid", "2 lines of Log")] * 2
        await screen.press("tab", "shift+tab", "y")
        assert copied[-1] == ("one [red]\ntwo \u4e2d\u6587 wide\nthree", "3 lines of Log")


async def test_many_lines_are_written_together(
    recorded: Recorded, training: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    whole = TextLog.write_lines

    def counted(log: TextLog, lines: list[str]) -> object:
        written.append(len(lines))
        return whole(log, lines)

    monkeypatch.setattr(TextLog, "write_lines", counted)
    monkeypatch.setattr("tui.log_view.WRITE_PERIOD_S", 3600.0)
    async with opened(recorded.home) as screen:
        path = await open_log(screen, recorded, training, ["one", "two"])
        for number in range(50):
            with path.open("a") as file:
                file.write(f"line {number}\n")
            await screen.pilot.pause(0.005)
        await screen.until(partial(has_read, screen, "52 lines"), "all are read")
        assert written == [2]


async def test_a_log_that_is_cut_begins_anew(recorded: Recorded, training: int) -> None:
    async with opened(recorded.home) as screen:
        path = await open_log(screen, recorded, training, [f"line {n}" for n in range(100)])
        path.write_text("after the cut\n")
        await screen.sees("1 line ", "after the cut")
        await screen.misses("line 99")


async def test_a_log_that_grew_by_more_than_is_kept_is_followed_on(
    recorded: Recorded, training: int
) -> None:
    async with opened(recorded.home) as screen:
        path = await open_log(screen, recorded, training, ["one", "two"])
        await screen.press("tab")
        for first_line in (3, 6003):
            with path.open("a") as file:
                file.writelines(f"line {n}\n" for n in range(first_line, first_line + 6000))
            read = partial(has_read, screen, f"{first_line + 5999:,} lines")
            await screen.until(read, "the new lines are read")
        await screen.press("shift+tab")
        await screen.sees("following   12,002 lines", "line 12002")
        with path.open("a") as file:
            file.write("the newest line\n")
        await screen.sees("12,003 lines", "the newest line")
