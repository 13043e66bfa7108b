"""Writing what is listed to a file or the clipboard, in the forms that the commands print."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from errno import EISDIR
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from ccafl.errors import CcaflError
from ccafl.paths import absolute
from ccafl.sentences import printable
from tui.copying import copy_now
from tui.dialogs import Confirm
from tui.messages import Said

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ccafl.listings import Form, Listing
    from ccafl.store import Store
    from tui.program import CcaflApp

    Make = Callable[[Store], Listing]

FORMS: dict[Form, tuple[str, str]] = {
    "csv": ("CSV", ".csv"),
    "markdown": ("Markdown", ".md"),
    "latex": ("LaTeX, with booktabs", ".tex"),
    "json": ("JSON", ".json"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """A form, and the file to write; no path is the clipboard."""

    form: Form
    path: Path | None = None
    replaces: bool = False


class Forms(OptionList):
    """The list of forms."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "next", show=False),
        Binding("k", "cursor_up", "previous", show=False),
    ]


class ExportDialog(ModalScreen["Export | None"]):
    """Asks for form and place; None when left with `esc`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "write", "write the file", priority=True),
        Binding("y", "copy", "copy instead"),
        Binding("escape", "leave", "leave"),
    ]

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._default = ""

    def compose(self) -> ComposeResult:
        """A list of forms and a field."""
        with Vertical(classes="dialog"):
            yield Static(f"Write {self._name} as", markup=False)
            yield Forms(*(label for label, _ in FORMS.values()), compact=True)
            here = f"file, in {printable(str(Path.cwd()))}"
            yield Static(here, markup=False, classes="label")
            yield Input(id="path", compact=True, select_on_focus=False)
            keys = "enter next    ctrl+o write    y copy instead    esc leave"
            yield Static(f"\n{keys}", markup=False)

    def on_mount(self) -> None:
        """Begin with the form."""
        self.query_one(Forms).highlighted = 0

    @property
    def form(self) -> Form:
        """The form under the cursor."""
        return list(FORMS)[self.query_one(Forms).highlighted or 0]

    @on(Forms.OptionHighlighted)
    def _name_file(self) -> None:
        """Name the file by its form, until somebody names it otherwise."""
        field = self.query_one(Input)
        if field.value == self._default:
            self._default = field.value = f"ccafl-{self._name}{FORMS[self.form][1]}"

    @on(Forms.OptionSelected)
    def _to_path(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def action_write(self) -> None:
        """Close with the file to write."""
        typed = self.query_one(Input).value.strip()
        if typed:
            self.dismiss(Export(form=self.form, path=absolute(typed)))

    def action_copy(self) -> None:
        """Close with the clipboard."""
        self.dismiss(Export(form=self.form))

    def action_leave(self) -> None:
        """Close, and write nothing."""
        self.dismiss(None)


def ask(app: CcaflApp, make: Make, name: str) -> None:
    """Ask for form and place, then write what `make` reads from the database."""
    app.push_screen(ExportDialog(name), lambda export: _carry_out(app, make, export))


def _carry_out(app: CcaflApp, make: Make, export: Export | None) -> None:
    if export is not None:
        work = partial(_export, app, make, export)
        app.screen.run_worker(work, thread=True, exit_on_error=False)


def _export(app: CcaflApp, make: Make, export: Export) -> None:
    """Read, and write or copy, in a thread. A file that exists is asked about first."""
    from ccafl.paths import replace_text
    from ccafl.store import open_store

    try:
        if export.path is not None and export.path.is_dir():
            raise IsADirectoryError(EISDIR, "it is a folder; add the name of a file")
        if export.path is not None and export.path.exists() and not export.replaces:
            app.call_later(_ask_again, app, make, export)
            return
        with open_store(app.home) as store:
            listing = make(store)
        text, count = listing.text(export.form), len(listing.table.rows)
        what = f"{count:,} row{'s' * (count != 1)}"
        if export.path is None:
            copy_now(app, text, f"{what} as {FORMS[export.form][0].partition(',')[0]}")
            return
        replace_text(export.path, text)
    except CcaflError as error:
        app.post_message(Said(str(error), is_error=True))
    except OSError as error:
        sentence = f"{printable(str(export.path))} was not written: {error.strerror}."
        app.post_message(Said(sentence, is_error=True))
    else:
        app.post_message(Said(f"Wrote {what} to {printable(str(export.path))}."))


def _ask_again(app: CcaflApp, make: Make, export: Export) -> None:
    assert export.path is not None
    app.push_screen(
        Confirm(
            f"{export.path.name} exists in {export.path.parent}. Replace it?",
            yes="replace it",
            no="keep it",
        ),
        lambda is_sure: _carry_out(app, make, replace(export, replaces=True) if is_sure else None),
    )
