"""Glyphs that not every terminal has, or has in one cell, and what stands for them in ASCII."""

from __future__ import annotations

import locale

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

OTHER_RULES = {chr(code): "+" for code in range(0x2500, 0x2580)}
OTHER_BLOCKS = {chr(code): "#" for code in range(0x2580, 0x25A0)}
RULES = dict.fromkeys("─━┄┅┈┉═╌╍╴╶╸╺╼╾", "-") | dict.fromkeys("│┃┆┇┊┋║╎╏╵╷╹╻╽╿", "|")
BLOCKS = dict(zip("▁▂▃▄▅▆▇█▔▀▌▐▎▏▊▕░", "_.-:=+*#-'||||||.", strict=True))
STATES = dict(zip("○‖◔●◌✓–✗", "o=.*~+-x", strict=True))
SIGNS = dict(zip("…·×Δ°±→←↑↓≤≥•▼▲", "~.xd +><^v<>*v^", strict=True))


def _braille(dots: int) -> str:
    """A cell of dots by where they are: below, above, both."""
    above, below = dots & 0b00011011, dots & 0b11100100
    if not dots:
        return " "
    return ":" if above and below else "'" if above else "."


BRAILLE = {chr(0x2800 + dots): _braille(dots) for dots in range(256)}
TABLE = str.maketrans(OTHER_RULES | OTHER_BLOCKS | RULES | BLOCKS | STATES | SIGNS | BRAILLE)


class Ascii(LineFilter):
    """Replaces glyphs in everything that is drawn, cell by cell; letters of names stay."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same cells in ASCII."""
        del background
        return [
            segment if segment.text.isascii() else segment._replace(text=ascii_text(segment.text))
            for segment in segments
        ]


def ascii_text(text: str) -> str:
    """As many cells, without glyphs."""
    return text.translate(TABLE)


def is_utf8() -> bool:
    """Whether the locale has more than ASCII; Python itself takes C for UTF-8."""
    return locale.getencoding().casefold().replace("-", "") == "utf8"
