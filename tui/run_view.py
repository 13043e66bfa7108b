"""One run, the same in every pane: a few lines at its head, and views or panels below."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical

from ccafl.sentences import printable
from tui import evaluation_text, pace, run_text
from tui.acting import Acting
from tui.commands import Command
from tui.evaluations_panel import AssociationPanel, EvaluationsPanel
from tui.frame import Line
from tui.log_view import LogView
from tui.losses_panel import LossesPanel
from tui.messages import HeadChanged, RunGone, RunRead, Trouble
from tui.settings_panel import SettingsPanel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from textual.app import ComposeResult
    from textual.content import Content
    from textual.events import Click, DescendantFocus
    from textual.message import Message

    from ccafl.store import RunRow

Copied = Literal["shown", "selected", "checkpoint", "log", "command"]
Panel = LossesPanel | LogView | EvaluationsPanel | AssociationPanel | SettingsPanel
VIEWS = ("Losses", "Log", "Evaluations", "Config")
PANELS = ("Losses", "Evaluations", "Association", "Log", "Config")
BESIDE = 70  # cells, below which no text fits beside the chart
CLOCK_S = 10.0


class RunView(Acting):
    """Shows what is read of one run; a wide and tall terminal shows several panels at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "view(1)", "view", tooltip="next view or panel"),
        Binding("shift+tab", "view(-1)", "previous view", show=False),
        Binding("z", "fill", "fill", tooltip="fill the body with this panel, or show all"),
        Binding("y", "copy('shown')", "copy", tooltip="copy what this view shows", show=False),
        Binding("ctrl+c", "copy('selected')", "copy", tooltip="copy the selection", show=False),
        Binding("escape", "unfill", "all panels", show=False),
    ]
    KEYLESS: ClassVar[Sequence[Command]] = (
        Command("Copy checkpoint path", "copy('checkpoint')", "the newest weights of this run"),
        Command("Copy log path", "copy('log')", "the file that the log of this run is in"),
        Command("Copy ccafl command", "copy('command')", "what would queue this run once more"),
    )

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.view = VIEWS[0]
        self.message: RunRead | None = None
        self._is_filled = False
        self._pace = pace.Pace(self, pace.DRAW_PERIOD_S, self._draw)
        self._titles: dict[str, str] = {}
        self._true_at: float | None = None  # when what is shown was read, once it is stale

    def compose(self) -> ComposeResult:
        """Head, views or panels, foot."""
        yield Line("run-title", " Reading the run …")
        yield Line("run-sentence")
        yield Line("run-bars")
        yield Line("run-views")
        with Container(id="run-body"):
            yield LossesPanel("losses")
            with Vertical(id="results"):
                yield EvaluationsPanel("evaluations")
                yield AssociationPanel("association")
            yield LogView("log")
            yield SettingsPanel("settings")
        yield Line("run-association")
        yield Line("run-last-line")

    def on_mount(self) -> None:
        """Begin with the losses; what depends on the clock changes also while nothing is read."""
        self._show_view()
        self.set_interval(CLOCK_S, self._draw_head)

    def on_resize(self) -> None:
        """Panels or views, and lines made for the width."""
        self.set_class(self._width < BESIDE, "-tight")
        if self.view not in self._views:
            self.view = VIEWS[0]
        self._show_view()

    @property
    def run(self) -> RunRow | None:
        """The run shown."""
        return self.message.snapshot.run if self.message else None

    def panel(self, name: str) -> Panel:
        """The part that shows a view."""
        found = self.query_one("#settings" if name == "Config" else f"#{name.lower()}")
        assert isinstance(found, Panel)
        return found

    def chosen(self) -> list[RunRow]:
        """The run shown."""
        return [self.run] if self.run is not None else []

    @property
    def here(self) -> RunRow | None:
        """The run shown."""
        return self.run

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Panels are there in large terminals only."""
        if action == "fill":
            return self.app.is_large
        if action == "unfill":
            return self.app.is_large and self._is_filled
        if action == "copy":
            return self.run is not None and self._is_there(*parameters)
        return super().check_action(action, parameters)

    def take(self, message: Message) -> None:
        """Show what was read, or since when nothing could be."""
        if isinstance(message, RunRead):
            self._take_run(message)
        elif isinstance(message, RunGone):
            self._take_gone(message)
        elif isinstance(message, Trouble):
            self._take_trouble(message)

    def focus_view(self) -> None:
        """Give the keys to what is shown, at once: the next one may have been typed already."""
        panel = self.panel(self.view)
        target = panel.log_lines if isinstance(panel, LogView) else panel
        self.screen.set_focus(target, scroll_visible=False)

    def action_view(self, by: int) -> None:
        """Show another view, or go to another panel."""
        self._go_to(self._views[(self._views.index(self.view) + by) % len(self._views)])

    def action_fill(self) -> None:
        """Fill the body with the focused panel, or show all again."""
        self._is_filled = not self._is_filled
        self._show_view()

    def action_unfill(self) -> None:
        """Show all panels again."""
        self.action_fill()

    def action_copy(self, what: Copied) -> None:
        """Copy a text about the run."""
        run = self.run
        assert run is not None, "check_action asks for a run"
        if what in ("shown", "selected"):
            text = self.screen.get_selected_text() or self.panel(self.view).text()
            lines = text.count("\n") + 1
            self.app.copy(text, f"{lines:,} line{'s' * (lines != 1)} of {self.view}")
        elif what == "log":
            self.app.copy(str(self.app.home.run(run.id).console), "the path of the log")
        elif what == "command":
            from ccafl.command import command

            self.app.copy(command(run, self.app.home), "the command")
        else:
            self.app.copy(str(self._checkpoint()), "the path of the checkpoint")

    def _is_there(self, what: object) -> bool:
        if what == "selected":
            return bool(self.screen.get_selected_text())
        return what != "checkpoint" or self._checkpoint() is not None

    def _checkpoint(self) -> Path | None:
        """The newest weights: those of inference, else what a run goes on from."""
        assert self.run is not None
        folder = self.app.home.run(self.run.id)
        return next((path for path in (folder.weights, folder.checkpoints) if path.exists()), None)

    @property
    def _views(self) -> tuple[str, ...]:
        return PANELS if self.app.is_large else VIEWS

    @property
    def _has_panels(self) -> bool:
        return self.app.is_large and not self._is_filled and self.view != "Config"

    def _take_run(self, message: RunRead) -> None:
        self.remove_class("-gone")
        before, run = self.run, message.snapshot.run
        self.message = message
        if before is None or before.id != run.id:
            self._begin(run)
        self.query_one(LogView).show(message)
        if message.lines or message.is_first:
            self._line("run-last-line", f" {printable(message.lines[-1])}" if message.lines else "")
        is_changed = before is None or (before.id, before.state) != (run.id, run.state)
        self._pace.ask(now=is_changed)  # a slow link has to carry it
        if is_changed:  # other things can be done now
            self.refresh_bindings()

    def _take_gone(self, message: RunGone) -> None:
        self.message = None
        if self.has_focus_within:
            self.screen.set_focus(self)  # what has the focus is hidden now
        self.add_class("-gone")
        self._line("run-title", f" run {message.run_id}")
        self._tell(printable(message.reason))

    def _take_trouble(self, message: Trouble) -> None:
        if not message.sentence:
            self._true_at = None
        elif self._true_at is None:
            self._true_at = self.app.clock()
        self._show_view()

    def _begin(self, run: RunRow) -> None:
        """A run that has not started has only its settings to show."""
        self.query_one(LossesPanel).begin()
        self.view = "Config" if run.state == "queued" and not run.step else "Losses"
        self._show_view()
        if self.has_focus_within:
            self.focus_view()

    def _go_to(self, view: str) -> None:
        self.screen.clear_selection()  # y means what is shown now
        self.view = view
        self._show_view()
        self.focus_view()

    def _show_view(self) -> None:
        for name in PANELS:
            self.set_class(name == self.view, f"view-{name.lower()}")
        self.set_class(self._has_panels, "-panels")
        self.set_class(self._true_at is not None, "-stale")
        self._draw()
        self.refresh_bindings()

    @on(HeadChanged)
    def _show_heads(self) -> None:
        """Beside the names of the views, or in the frames of the panels."""
        if self.message is not None:
            line = run_text.views(self._views, self.view, self._head(), self._width)
            self._line("run-views", line)
        for name in PANELS:
            panel = self.panel(name)
            shown = f"[{name}]" if name == self.view else name
            told = {"Log": panel.head, "Evaluations": "* best on test"}.get(name, "")
            title = f"{shown}   {told}".rstrip()
            if self._titles.get(name) != title:  # setting one draws the whole panel again
                self._titles[name] = title
                panel.border_title = title.replace("[", "\\[")

    def on_focus(self) -> None:
        """Whoever clicks beside a panel goes on with the one that had the keys."""
        if self.message is not None:
            self.focus_view()

    def on_click(self, event: Click) -> None:
        """The name of a view is a button."""
        if (name := event.style.meta.get("view")) is not None:
            self._go_to(name)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """A panel that is clicked is the one that keys are for."""
        for name in self._views:
            panel = self.panel(name)
            if name != self.view and panel in event.widget.ancestors_with_self:
                self.view = name
                self._show_view()

    @property
    def _width(self) -> int:
        return self.size.width or self.app.size.width

    def _draw(self) -> None:
        if self.message is None or not self.is_mounted:
            return
        self._draw_head()
        for name in PANELS if self._has_panels else (self.view,):
            if name != "Log":
                self.panel(name).show(self.message)
        self._show_heads()

    def _draw_head(self) -> None:
        if self.message is None or not self.is_on_screen:
            return
        snapshot, clock, width = self.message.snapshot, self.app.clock(), self._width
        self._line("run-title", run_text.title(snapshot, clock, width))
        self.query_one("#run-title").set_class(run_text.is_silent(snapshot, clock), "-silent")
        self._tell(run_text.sentence(snapshot, resumes=not self.app.read_only))
        self._line("run-bars", run_text.bars(snapshot, width))
        self._line("run-association", f" {evaluation_text.association(snapshot)}")

    def _tell(self, sentence: str) -> None:
        self._line("run-sentence", sentence)
        self.query_one("#run-sentence").display = bool(sentence)

    def _line(self, name: str, shown: str | Content) -> None:
        self.query_one(f"#{name}", Line).show(shown)

    def _head(self) -> str:
        """What the view says of itself, or since when nothing could be read."""
        if self._true_at is not None:
            return f"as of {datetime.fromtimestamp(self._true_at).strftime('%H:%M:%S')}"
        return self.panel(self.view).head
