"""Which program this is, and where its files are."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

import ccafl
from ccafl.sentences import printable

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui.program import CcaflApp


class About(ModalScreen[None]):
    """One dialog; any of its keys closes it."""

    app: CcaflApp
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "dismiss", "close")]

    def compose(self) -> ComposeResult:
        """Version and paths."""
        home = self.app.home
        lines = {
            "ccafl": ccafl.__version__,
            "Python": sys.version.split()[0],
            "state folder": home.root,
            "database": home.database,
            "runs": home.runs,
            "log of the queue": home.log,
        }
        with Vertical(classes="dialog"):
            text = "\n".join(f"{name:<18}{value}" for name, value in lines.items())
            yield Static("\n".join(map(printable, text.splitlines())), markup=False)
            yield Static("\nesc close", markup=False)
