"""All keys on one page, made from the bindings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from tui.frame import Line, Opened
from tui.keys import key_rows
from tui.texts import Lines

if TYPE_CHECKING:
    from textual.widget import Widget


class HelpScreen(Opened):
    """The keys; `/` shows those that contain some words."""

    path = "keys"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", tooltip="show only keys with these words")
    ]

    def body(self) -> Iterator[Widget]:
        """A field that is hidden at first, and the page."""
        yield Input(id="help-filter", placeholder="words", compact=True)
        with Lines(id="help-page"):
            yield Line("help-text")

    def on_mount(self) -> None:
        """Show all keys."""
        self.query_one(Input).display = False
        self.query_one(Lines).focus()
        self._show("")

    def action_filter(self) -> None:
        """Type words."""
        self.query_one(Input).display = True
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._show(event.value)

    @on(Input.Submitted)
    def _to_page(self) -> None:
        self.query_one(Lines).focus()

    def _show(self, words: str) -> None:
        lines, before = [], ""
        for row in key_rows():
            text = f"{row.keys} {row.does} {row.where}".casefold()
            if not all(word in text for word in words.casefold().split()):
                continue
            if row.where != before:
                lines += [f" {row.where}"]
                before = row.where
            keys = row.keys.replace("`", "")
            lines.append(f"   {keys:<20} {row.does}")
        self.query_one("#help-text", Line).show("\n".join(lines) or " No key does that.")
