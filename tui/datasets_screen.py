"""Data folders: which are known, and whether one of them is complete and can be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.worker import Worker, WorkerState, get_current_worker

from ccafl.sentences import printable
from tui.datasets_text import camera_text, found_text, problem_list
from tui.fields import Field
from tui.form_offers import known_folders
from tui.frame import Line, Opened
from tui.texts import Lines
from tui.working import Progress, StoppedError, teller

if TYPE_CHECKING:
    from textual.widget import Widget

    from ccafl.datasets import Report
    from tui.form_offers import Folder

CAMERAS_WIDTH = 40  # as in the style sheet


class DatasetsScreen(Opened):
    """Asks for a data folder, and lists those of earlier runs."""

    path = "datasets"

    @dataclass
    class Known(Message):
        """The data folders of earlier runs."""

        folders: Sequence[Folder]

    def __init__(self) -> None:
        super().__init__()
        self._folders: Sequence[Folder] = ()

    def body(self) -> Iterator[Widget]:
        """A field and a list."""
        yield Line(
            "folder-help", " Type the data folder to check, or choose one of the list: enter"
        )
        field = Field(id="folder")
        field.placeholder = "a folder, such as /data/MSMT17"
        yield field
        yield OptionList(id="folders", compact=True, markup=False)

    def on_mount(self) -> None:
        """Look for folders of runs."""
        self.query_one(Field).focus()
        self._look()

    @work(thread=True, exit_on_error=False)
    def _look(self) -> None:
        self.post_message(self.Known(known_folders(self.app.home)))

    @on(Known)
    def _show(self, message: Known) -> None:
        self._folders = message.folders
        options = self.query_one(OptionList)
        for folder in message.folders:
            options.add_option(Content(printable(f"{folder.root}   {folder.dataset}")))

    @on(Input.Submitted)
    def _check_typed(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self.app.open_above(CheckScreen(Path(event.value.strip())))
        elif self._folders:
            self.query_one(OptionList).focus()

    @on(OptionList.OptionSelected)
    def _check_chosen(self, event: OptionList.OptionSelected) -> None:
        self.app.open_above(CheckScreen(Path(self._folders[event.option_index].root)))


class CheckScreen(Opened):
    """Opens every image of a data folder and says what was found; leaving stops it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "cameras", "cameras", tooltip="each camera, or all splits"),
        Binding("y", "copy", "copy", tooltip="copy the list of problems"),
    ]

    @dataclass
    class Found(Message):
        """The end of the check."""

        report: Report

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root
        self._report: Report | None = None
        self.path = printable(f"datasets > {root.name or root}")

    def body(self) -> Iterator[Widget]:
        """How far it is; what was found, and each camera."""
        yield Line("check-progress", " reading names …")
        with Horizontal(id="check"):
            with Lines(id="check-found"):
                yield Line("check-text")
            with Lines(id="check-cameras"):
                yield Line("check-camera-text")

    def on_mount(self) -> None:
        """Begin."""
        self.query_one("#check-found").focus()
        self._check()

    def on_resize(self) -> None:
        """Tables are made for the width."""
        self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is something to copy once something is wrong, and cameras of a known layout."""
        del parameters
        if action == "copy":
            return self._report is not None and bool(self._report.problems)
        if action == "cameras":
            is_known = self._report is not None and self._report.dataset is not None
            return is_known and not self.app.is_large
        return True

    def action_cameras(self) -> None:
        """Show each camera instead of the splits, or the splits again."""
        self.toggle_class("-cameras")
        page = "#check-cameras" if self.has_class("-cameras") else "#check-found"
        self.query_one(page).focus()

    def action_copy(self) -> None:
        """Copy all problems."""
        if self._report is not None:
            count = len(self._report.problems)
            what = "1 problem" if count == 1 else f"{count:,} problems"
            self.app.copy(problem_list(self._report), what)

    @work(thread=True, exit_on_error=False)
    def _check(self) -> None:
        from ccafl.datasets.check import check, work_off

        tell = teller(get_current_worker(), self.post_message)
        with suppress(StoppedError):
            self.post_message(self.Found(work_off(check(self._root), tell)))

    @on(Progress)
    def _show_progress(self, message: Progress) -> None:
        if self._report is None:
            self.query_one("#check-progress", Line).show(f" {message.line()}   esc stop")

    @on(Worker.StateChanged)
    def _break_off(self, event: Worker.StateChanged) -> None:
        """The frame says what broke the thread."""
        if event.state == WorkerState.ERROR:
            self.query_one("#check-progress", Line).show(" The check broke off.   esc back")

    @on(Found)
    def _take(self, message: Found) -> None:
        self._report = message.report
        self._show()
        self.refresh_bindings()

    def _show(self) -> None:
        if self._report is None:
            return
        self.query_one("#check-progress").display = False
        width = self.app.size.width - 4 - (CAMERAS_WIDTH if self.app.is_large else 0)
        self.query_one("#check-text", Line).show(found_text(self._report, width))
        cameras = camera_text(self._report, CAMERAS_WIDTH - 4 if self.app.is_large else width)
        self.query_one("#check-camera-text", Line).show(cameras)
