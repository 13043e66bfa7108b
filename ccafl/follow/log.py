"""The log of a run, line by line, while it grows."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO

LINE_LIMIT = 1 << 20  # bytes; what is longer is given in pieces


class LogTail:
    """Gives each line of a file once; the file may not exist yet, grow, or be cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line_count = 0  # given so far of the file as it is now
        self._position = 0

    def read(self, *, is_complete: bool) -> Iterator[str]:
        """Lines that are new, without their ends.

        A last line without an end is given only when the file `is_complete`.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            if self.path.stat().st_size < self._position:  # it was cut to stay below its limit
                self._position = self.line_count = 0
            file.seek(self._position)
            while line := file.readline(LINE_LIMIT):
                if not line.endswith(b"\n") and len(line) < LINE_LIMIT and not is_complete:
                    return
                self._position += len(line)
                self.line_count += 1
                yield _text(line)


def read_lines(path: Path, first: int, count: int) -> list[str]:
    """Lines of a log from the number `first` on, counted from 0, at most `count` of them."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        return [_text(line) for line in islice(_pieces(file), first, first + count)]
    return []


def find_lines(path: Path, words: str) -> list[int]:
    """Numbers of the lines that hold words, whatever their case, counted from 0."""
    wanted = words.casefold()
    with suppress(FileNotFoundError), path.open("rb") as file:
        pieces = enumerate(_pieces(file))
        return [number for number, line in pieces if wanted in _text(line).casefold()]
    return []


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    return iter(partial(file.readline, LINE_LIMIT), b"")


def _text(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
