"""The log of a run, line by line, while it grows."""

from collections.abc import Iterator
from pathlib import Path

LINE_LIMIT = 1 << 20  # bytes; what is longer is given in pieces


class LogTail:
    """Gives each line of a file once; the file may not exist yet, grow, or be cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
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
                self._position = 0
            file.seek(self._position)
            while line := file.readline(LINE_LIMIT):
                if not line.endswith(b"\n") and len(line) < LINE_LIMIT and not is_complete:
                    return
                self._position += len(line)
                yield line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
