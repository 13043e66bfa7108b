"""The last line: the keys that matter for what has focus; a click presses one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.css.query import NoMatches
from textual.style import Style
from textual.widgets import Static

from tui.keys import key_name, offered

if TYPE_CHECKING:
    from collections.abc import Iterator


class KeyLine(Static):
    """As many keys as fit; the last one, which shows all of them, always does."""

    def __init__(self) -> None:
        super().__init__(id="keys", markup=False)
        self.auto_links = False
        self._shown: list[tuple[str, str]] = []

    def on_mount(self) -> None:
        """Follow the focus and what can be done."""
        self.screen.bindings_updated_signal.subscribe(
            self, lambda _: self.call_after_refresh(self._renew)
        )

    def on_resize(self) -> None:
        """Other keys may fit."""
        self._shown = []
        self._renew()

    def _renew(self) -> None:
        if not (self.is_attached and self.screen.is_current):  # left since it was asked for
            return
        try:
            shown = list(self._keys())
        except NoMatches:  # parts of the screen are gone already, the app ends
            return
        if shown != self._shown:
            self._shown = shown
            parts = [_part(key, does) for key, does in shown]
            self.update(_fit(parts, self.size.width), layout=False)

    def _keys(self) -> Iterator[tuple[str, str]]:
        """Keys and what they do, without those that are text where one types."""
        for _, binding in offered(self.screen):
            usable = (key for key in binding.key.split(",") if not self._is_text(key))
            key = next(usable, None) if binding.show else None
            if key is not None:
                yield key, binding.description

    def _is_text(self, key: str) -> bool:
        focused, name = self.screen.focused, key_name(key)
        return focused is not None and len(name) == 1 and focused.check_consume_key(key, name)


def _part(key: str, does: str) -> Content:
    """A key and what it does; a click presses the key."""
    press = Style.from_meta({"@click": f"app.simulate_key('{key}')"})
    name = Content.styled(f" {key_name(key)}", "bold")
    return Content.assemble(name, f" {does} ").stylize(press)


def _fit(parts: list[Content], width: int) -> Content:
    """The parts that fit before the last one."""
    if not parts:
        return Content()
    *first, last = parts
    while first and sum(cell_len(part.plain) for part in (*first, last)) > width:
        first.pop()
    return Content.assemble(*first, last)
