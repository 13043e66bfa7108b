"""Fields of one row: text, a tick, one of a few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from ccafl.sentences import printable
from tui.frame import button


class Field(Input):
    """A line of text; what could steer the terminal is made visible when it comes in."""

    def __init__(self, value: str = "", *, id: str, classes: str = "") -> None:
        super().__init__(value, id=id, classes=classes, compact=True, select_on_focus=False)

    def validate_value(self, value: str) -> str:
        """Escape control characters."""
        return printable(value)


class Tick(Static, can_focus=True):
    """On or off; said by a letter, not by a colour."""

    class Changed(Message):
        """Somebody ticked it, or took the tick away."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "tick", "tick")]

    def __init__(self, label: str, is_on: bool, *, id: str) -> None:
        super().__init__(id=id, markup=False)
        self.auto_links = False
        self._label, self.value = label, is_on

    def on_mount(self) -> None:
        """Show the first value."""
        self._draw()

    def action_tick(self) -> None:
        """Turn it round."""
        self.value = not self.value
        self._draw()
        self.post_message(self.Changed())

    def _draw(self) -> None:
        self.update(button(f"[{'x' if self.value else ' '}] {self._label}", "tick"))


class Choice(Static, can_focus=True):
    """One of a few words, all of them shown."""

    class Changed(Message):
        """Another word was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "step(1)", "other"),
        Binding("left", "step(-1)", "previous one", show=False),
    ]

    def __init__(self, options: Sequence[str], value: str, *, id: str) -> None:
        super().__init__(id=id, markup=False)
        self.auto_links = False
        self._options = list(dict.fromkeys([*options, value]))
        self.value = value

    def on_mount(self) -> None:
        """Show the first value."""
        self._draw()

    def offer(self, options: Sequence[str]) -> None:
        """Offer other words; the chosen one stays."""
        self._options = list(dict.fromkeys([*options, self.value]))
        self._draw()

    def choose(self, value: str) -> None:
        """Choose a word of those that are offered."""
        if value != self.value:
            self.value = value
            self.offer(self._options)
            self.post_message(self.Changed())

    def action_step(self, by: int) -> None:
        """Choose the next one."""
        here = self._options.index(self.value)
        self.choose(self._options[(here + by) % len(self._options)])

    def action_choose(self, number: int) -> None:
        """Choose one by its number, as a click does."""
        self.choose(self._options[number])

    def _draw(self) -> None:
        parts = []
        for number, option in enumerate(self._options):
            mark = "(*)" if option == self.value else "( )"
            parts.append(button(f"{mark} {printable(option)}", f"choose({number})"))
        self.update(Content("  ").join(parts))
