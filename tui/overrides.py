"""The field for settings that differ from the preset: one per line, names completed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import TextArea

from ccafl.sentences import printable
from tui.completion import hint, rest

if TYPE_CHECKING:
    from textual.events import Paste


class Overrides(TextArea):
    """Lines of `name = value`; the right arrow takes the completion shown behind the cursor."""

    def __init__(self, text: str, *, id: str) -> None:
        lines = "\n".join(map(printable, text.splitlines()))
        super().__init__(lines, id=id, compact=True, highlight_cursor_line=False)

    @property
    def hint(self) -> str:
        """What the line of the cursor can become, or what it means."""
        return hint(self._line()[: self.cursor_location[1]])

    def update_suggestion(self) -> None:
        """Complete the name at the end of a line."""
        line = self._line()
        self.suggestion = rest(line) if self.cursor_location[1] == len(line) else ""

    def on_paste(self, event: Paste) -> None:
        """Take all lines, with everything that could steer the terminal made visible."""
        event.prevent_default()
        event.stop()
        self.insert("\n".join(map(printable, event.text.splitlines())))

    def _line(self) -> str:
        return self.document.get_line(self.cursor_location[0])
