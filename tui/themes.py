"""Our two themes, which one a terminal gets, and no colour at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

DARK = Theme(
    name="ccafl-dark",
    dark=True,
    primary="#5aa9e6",
    secondary="#7aa2b8",
    accent="#5aa9e6",
    foreground="#d8dee4",
    background="#12161a",
    surface="#1a2026",
    panel="#27303a",
    success="#57c878",
    warning="#e0b040",
    error="#ff7a70",
)
LIGHT = Theme(
    name="ccafl-light",
    dark=False,
    primary="#0b5cad",
    secondary="#3d5a73",
    accent="#0b5cad",
    foreground="#1c2329",
    background="#fbfbf9",
    surface="#f1f2f0",
    panel="#dfe3e6",
    success="#116b33",
    warning="#7a5200",
    error="#b01e28",
)
DARK_BACKGROUNDS = {"0", "1", "2", "3", "4", "5", "6", "8"}  # of COLORFGBG, the last number


def ansi_theme(theme: Theme) -> TerminalTheme:
    """What the names red, green, yellow and blue mean in a theme of ours."""
    grey = theme.secondary or theme.primary
    names = (theme.background, theme.error, theme.success, theme.warning, theme.primary)
    colours = [_rgb(name or grey) for name in (*names, grey, grey, theme.foreground)]
    return TerminalTheme(colours[0], colours[-1], colours, colours)


def first_theme(environment: Mapping[str, str], *, has_16_colours: bool) -> str:
    """The theme for the background that the terminal says it has; dark if it does not say."""
    background = environment.get("COLORFGBG", "0").rpartition(";")[2]
    kind = "light" if background.isdecimal() and background not in DARK_BACKGROUNDS else "dark"
    return f"ansi-{kind}" if has_16_colours else f"ccafl-{kind}"


def set_colours(app: App[None], chosen: str) -> None:
    """Give an app our themes and the chosen one; at first the one for the terminal."""
    for theme in (DARK, LIGHT):
        app.register_theme(theme)
    # set without a reaction: each one would read all styles anew before the first paint
    app.set_reactive(App.ansi_theme_dark, ansi_theme(DARK))
    app.set_reactive(App.ansi_theme_light, ansi_theme(LIGHT))
    has_16_colours = app.console.color_system == "standard"
    first = first_theme(os.environ, has_16_colours=has_16_colours)
    app.set_reactive(App.theme, chosen if chosen in app.available_themes else first)
    app.stylesheet.set_variables(app.get_css_variables())


class Colourless(LineFilter):
    """Takes every colour away, greys too; bold, underline and reverse stay."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same text without colours."""
        del background
        return [
            segment if segment.style is None else segment._replace(style=_bare(segment.style))
            for segment in segments
        ]


@lru_cache(maxsize=1024)
def _bare(style: Style) -> Style:
    return style.without_color + Style(meta=style.meta or None)


def _rgb(colour: str) -> tuple[int, int, int]:
    return Color.parse(colour).rgb
