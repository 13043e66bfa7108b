"""What every screen has around its body: title line, GPU strip, a place for trouble, key line."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Static

from ccafl.sentences import printable
from tui.messages import Interest

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.message import Message
    from textual.widget import Widget

    from tui.program import CcaflApp

PANES = {"queue": "Queue", "live": "Live", "history": "History"}
WIDE, TALL = 110, 30
SMALLEST = (60, 16)
HOST = printable(socket.gethostname().split(".")[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """What the title line says."""

    counts: tuple[int, int, int] = (0, 0, 0)
    pane: str = "queue"
    path: str = ""
    badge: str = ""
    now: float = 0.0

    def text(self, width: int) -> str:
        """One line; panes on the left, badge, host and clock on the right."""
        left = f" {self.path}" if self.path else f" ccafl  {self._panes()}"
        clock = datetime.fromtimestamp(self.now).strftime("%H:%M")
        for right in (f"{self.badge}  {HOST}  {clock} ", f"{self.badge}  {clock} ", self.badge):
            room = width - cell_len(left) - cell_len(right)
            if room >= 1:
                return left + " " * room + right
        return set_cell_size(left, width)

    def _panes(self) -> str:
        parts = []
        for number, (pane, name) in enumerate(PANES.items(), start=1):
            text = f"{number} {name} {self.counts[number - 1]}"
            parts.append(f"[{text}]" if pane == self.pane else f" {text} ")
        return "".join(parts)


class Line(Static):
    """Text from outside, drawn only when it has changed, never read as markup."""

    def __init__(self, id: str, text: str = "") -> None:
        super().__init__(text, id=id, markup=False)
        self._text = text

    @property
    def text(self) -> str:
        """What is shown."""
        return self._text

    def show(self, text: str) -> None:
        """Show another text."""
        if text != self._text:
            self._text = text
            self.update(text)


class Framed(Screen[None]):
    """A screen with the common frame; `path` is empty for the panes."""

    app: CcaflApp
    path = ""

    def compose(self) -> ComposeResult:
        """Lay out the frame around the body."""
        yield Line("title")
        yield Line("strip")
        yield Line("problem")
        yield from self.body()
        yield Line("said")
        yield Footer(compact=True, show_command_palette=False)

    def body(self) -> Iterator[Widget]:
        """What stands between strip and key line."""
        raise NotImplementedError

    def interest(self) -> Interest:
        """What of the database this screen shows."""
        return Interest()

    def take(self, message: Message) -> None:
        """Show what a thread has read."""

    def on_mount(self) -> None:
        """Fill the frame at once; the rest comes with the first answers."""
        self.app.draw_frame(self)
        self.call_after_refresh(self.app.look, anew=True)  # what was read before is lost

    def on_resize(self) -> None:
        """Fit the frame to the terminal."""
        self.app.draw_frame(self)

    @property
    def is_wide(self) -> bool:
        """Whether there is room for panels side by side."""
        return self.app.size.width >= WIDE and self.app.size.height >= TALL


class Opened(Framed):
    """A screen that was opened above another one and is left with `esc`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back")]

    def action_leave(self) -> None:
        """Go back to where one came from."""
        self.dismiss()


class TooSmall(Screen[None]):
    """Shown instead of everything while the terminal is too small."""

    def compose(self) -> ComposeResult:
        """One message."""
        yield Line("too-small")

    def on_mount(self) -> None:
        """Say the size."""
        self.on_resize()

    def on_resize(self) -> None:
        """Say the size again."""
        width, height = self.app.size
        self.query_one("#too-small", Line).show(
            f"{width}x{height} is too small; {SMALLEST[0]}x{SMALLEST[1]} works, 80x24 is "
            "comfortable. Training is not affected."
        )
