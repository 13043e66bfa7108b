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

NEXT = Binding("enter", "app.focus_next", "next field", show=False)
_MANY = 8  # words of a choice that stand closer, so that those for eight GPUs fit into 80 columns


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

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "tick", "tick"), NEXT]

    def __init__(self, label: str, is_on: bool, *, id: str) -> None:
        super().__init__(id=id, markup=False)
        self.auto_links = False
        self._label, self.value = label, is_on

    def on_mount(self) -> None:
        """Show the first value."""
        self._draw()

    def turn(self, is_on: bool) -> None:
        """Tick it, or take the tick away."""
        if is_on != self.value:
            self.value = is_on
            self._draw()
            self.post_message(self.Changed())

    def action_tick(self) -> None:
        """Turn it round."""
        self.turn(not self.value)

    def _draw(self) -> None:
        self.update(button(f"[{'x' if self.value else ' '}] {self._label}", "tick"))


class Choice(Static, can_focus=True):
    """One of a few words, all of them shown."""

    class Changed(Message):
        """Another word was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "step(1)", "other"),
        Binding("left", "step(-1)", "previous one", show=False),
        NEXT,
    ]

    def __init__(self, options: Sequence[str], value: str, *, id: str) -> None:
        super().__init__(id=id, markup=False)
        self.auto_links = False
        self._options = list(dict.fromkeys([*options, value]))
        self._remark = ""
        self.value = value

    def on_mount(self) -> None:
        """Show the first value."""
        self._draw()

    def offer(self, options: Sequence[str], remark: str) -> None:
        """Offer other words, of which the chosen one stays, and say something behind them."""
        offered = list(dict.fromkeys([*options, self.value]))
        if (offered, remark) != (self._options, self._remark):
            self._options, self._remark = offered, remark
            self._draw()

    def choose(self, value: str) -> None:
        """Choose a word of those that are offered."""
        if value != self.value:
            self.value = value
            self._options = list(dict.fromkeys([*self._options, value]))
            self._draw()
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
        remark = f" {self._remark}" if self._remark else ""
        words = Content("  " if len(parts) < _MANY else " ").join(parts)
        self.update(Content.assemble(words, (remark, "not reverse")))
