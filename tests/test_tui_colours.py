"""Colours, no colours, and ASCII: what a real terminal is sent, and what it means."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from pathlib import Path

import pytest
from recorded import Recorded, evaluation, recorded
from textual.color import Color
from textual.theme import Theme
from tui_screen import LARGE, Screen, opened, serving

from tui.chart import CURVES, LIGHT_CURVES
from tui.glyphs import ascii_text
from tui.lists import GLYPHS
from tui.remembered import Remembered, recall, remember
from tui.themes import DARK, LIGHT, first_theme

__all__ = ["recorded", "serving"]

ROOT = Path(__file__).parent.parent
COLOURS = re.compile(rb"^(3[0-9]|4[0-9]|9[0-7]|10[0-7])$")


def drawn(home: Path, *options: str, keys: str = "q", **environment: str) -> bytes:
    """What the program sends to a terminal of 80x24 until it ends."""
    names = ("NO_COLOR", "COLORTERM", "COLORFGBG", "TEXTUAL_COLOR_SYSTEM")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    process, terminal = pty.fork()
    if not process:
        os.chdir(ROOT)
        command = [sys.executable, "-m", "tui.app", "--read-only", "--home", str(home), *options]
        os.execve(sys.executable, command, clean | {"TERM": "xterm-256color"} | environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    sent, deadline, typed = b"", time.monotonic() + 60, False
    while time.monotonic() < deadline:
        if not typed and b"in line" in sent:
            os.write(terminal, keys.encode())
            typed = True
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                sent += os.read(terminal, 1 << 16)
            except OSError:  # the program has ended
                break
    os.close(terminal)
    assert os.waitpid(process, 0)[1] == 0
    return sent


def attributes(sent: bytes) -> set[bytes]:
    """Every number in a sequence that chooses how text looks."""
    return {
        number for found in re.findall(rb"\x1b\[([0-9;]*)m", sent) for number in found.split(b";")
    }


@pytest.fixture
def waiting(recorded: Recorded) -> Path:
    """A state folder with a run that waits and one that failed."""
    recorded.start(name="broken one")
    recorded.end(1, "failed", "no such file")
    recorded.add(name="in line")
    return recorded.home.root


def test_without_colours_no_colour_is_sent_and_the_row_is_reverse(waiting: Path) -> None:
    found = attributes(drawn(waiting, keys="3?q", NO_COLOR="1", COLORTERM="truecolor"))
    assert not [number for number in found if COLOURS.match(number)]
    assert b"7" in found  # reverse
    assert b"1" in found  # bold


async def test_without_colours_curves_are_drawn(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    for value in (0.5, 0.6):
        recorded.finished(evaluation("intra", 3, 174, 0.4), evaluation("inter", 6, 234, value))
    async with opened(recorded.home) as screen:
        await screen.press("3")
        await screen.sees("2 of 2")
        await screen.press("space", "space", "c")
        await screen.sees("[mAP]", "┣")


def test_an_empty_no_color_asks_for_nothing(waiting: Path) -> None:
    found = attributes(drawn(waiting, NO_COLOR="", COLORTERM="truecolor"))
    assert {b"38", b"48"} <= found


@pytest.mark.parametrize(
    ("term", "has", "has_not"),
    [
        ("xterm-256color", rb"\x1b\[[0-9;]*38;5;", rb"[34]8;2;"),
        ("xterm", rb"\x1b\[[0-9;]*(3[0-7]|9[0-7])", rb"[34]8;[25];"),
    ],
)
def test_a_terminal_of_few_colours_is_sent_few(
    waiting: Path, term: str, has: bytes, has_not: bytes
) -> None:
    sent = drawn(waiting, TERM=term)
    assert re.search(has, sent)
    assert not re.search(has_not, sent)


def test_ascii_is_all_that_is_sent_where_it_is_wanted(waiting: Path) -> None:
    assert drawn(waiting, "--ascii", keys="3?q").isascii()
    assert drawn(waiting, LC_ALL="C").isascii()
    assert not drawn(waiting, LC_ALL="C.UTF-8").isascii()


async def test_the_palette_switches_to_ascii_and_remembers_it(recorded: Recorded) -> None:
    recorded.add(name="in line")
    async with opened(recorded.home, size=LARGE) as screen:
        await screen.sees("○ queued")
        await screen.press("colon", *"ascii on")
        await screen.sees("ASCII on, off")
        await screen.until(lambda: screen.app.screen.query("CommandList.--visible"), "entries")
        await screen.press("enter")
        text = await screen.sees("o queued")
        assert text.isascii()
        await screen.press("q")
    assert recall(recorded.home.viewer).ascii
    async with opened(recorded.home) as screen:
        await screen.sees("o queued")


def test_states_have_the_ascii_signs_of_the_manual() -> None:
    begun = ("queued", "held", "starting", "running", "cancelling")
    assert "".join(ascii_text(GLYPHS[state]) for state in begun) == "o=.*~"
    ended = ("finished", "cancelled", "failed", "lost")
    assert "".join(ascii_text(GLYPHS[state]) for state in ended) == "+-x!"


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_what_has_a_meaning_stands_out_from_every_background(theme: Theme) -> None:
    names = [theme.primary, theme.error, theme.success, theme.warning, theme.foreground]
    for ground in (theme.background, theme.surface, theme.panel):
        assert min(contrast(name or "", ground or "") for name in names) >= 4.5


@pytest.mark.parametrize(
    ("curves", "theme"), [(CURVES, DARK), (LIGHT_CURVES, LIGHT)], ids=["dark", "light"]
)
def test_curves_stand_out_from_their_ground(curves: tuple[str, ...], theme: Theme) -> None:
    assert min(contrast(curve, theme.background or "") for curve in curves) >= 4.5


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
async def test_all_that_is_drawn_can_be_read(recorded: Recorded, theme: Theme) -> None:
    recorded.finished(evaluation("inter", 6, 234, 0.5), name="good one")
    for state in ("failed", "lost", "cancelled"):
        recorded.end(recorded.start(name=state), state, "no such file")
    async with opened(recorded.home) as screen:
        screen.app.theme = theme.name
        await screen.press("3")
        await screen.sees("4 of 4")
        await screen.press("P")
        await screen.sees("4 of 4", "queue paused", "/ filter")
        await screen.press("space", "y")
        await screen.sees("1 marked", "Copied 1 row", "lost before its first step")
        drawn = ratios(screen)
        assert min(ratio for ratio, text in drawn if text != "filter") >= 4.5
        assert min(ratio for ratio, _ in drawn) >= 3  # the word in the empty field is dim
        await screen.press("question_mark", "slash")
        await screen.sees("words")
        assert min(ratio for ratio, _ in ratios(screen)) >= 3


def ratios(screen: Screen) -> list[tuple[float, str]]:
    """How well each piece of text on the screen is told from its ground; rules are none."""
    found = []
    for strip in screen.app.screen._compositor.render_strips(screen.app.size):
        for text, style, _ in strip:
            if style is not None and text.strip(" ─▁▂▃▄▅▆▇█"):
                colours = (style.color, style.bgcolor)
                one, other = (c.get_truecolor().hex for c in colours if c is not None)
                found.append((contrast(one, other), text.strip()))
    return found


def contrast(one: str, other: str) -> float:
    """How well two colours are told apart, as WCAG counts it."""

    def light(colour: str) -> float:
        parts = [part / 255 for part in Color.parse(colour).rgb]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("said", "name"),
    [("15;0", "ccafl-dark"), ("0;15", "ccafl-light"), ("0;default;7", "ccafl-light"), ("x", "")],
)
def test_the_background_of_the_terminal_decides(said: str, name: str) -> None:
    found = first_theme({"COLORFGBG": said}, has_16_colours=False)
    assert found == (name or "ccafl-dark")
    assert first_theme({}, has_16_colours=True) == "ansi-dark"


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
async def test_the_first_picture_has_the_colours_of_its_theme(
    recorded: Recorded, theme: Theme
) -> None:
    remember(recorded.home.viewer, Remembered(theme=theme.name))
    async with opened(recorded.home) as screen:
        assert theme.background is not None
        _, ground = screen.app.screen.background_colors
        assert ground == Color.parse(theme.background)


async def test_a_theme_that_was_chosen_stays(recorded: Recorded) -> None:
    async with opened(recorded.home) as screen:
        await screen.sees("? keys")
        screen.app.theme = "nord"
        await screen.until(lambda: screen.app.remembered.theme == "nord", "it is noted")
        await screen.press("q")
    async with opened(recorded.home) as screen:
        assert screen.app.theme == "nord"
