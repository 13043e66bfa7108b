"""One run: stages, losses, evaluations, association, log, settings. The same in every pane."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from ccafl.sentences import printable
from tui import run_text
from tui.acting import Acting
from tui.frame import Line
from tui.messages import RunGone, RunRead
from tui.texts import Lines, TextLog

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.message import Message

    from ccafl.store import RunRow
    from tui.chart import Chart

VIEWS = ("Losses", "Log", "Evaluations", "Config")
LETTERS = "ABCDEF"
SMOOTHING = (0.0, 0.6, 0.9, 0.97)
CHART_PERIOD_S = 1.0
_MOUNT_S = 0.05  # until a chart that was just made can be drawn on


class RunView(Acting):
    """Shows what is read of one run; keys change what is shown."""

    can_focus = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "view(1)", "view", tooltip="next view: losses, log, evaluations, settings"),
        Binding("shift+tab", "view(-1)", "previous view", show=False),
        Binding("h,left", "stage(-1)", "previous stage", show=False),
        Binding("l,right", "stage(1)", "next stage", show=False),
        Binding("plus", "zoom(1)", "zoom in: the newest half", show=False),
        Binding("minus", "zoom(-1)", "zoom out", show=False),
        Binding("0", "zoom(0)", "show the whole stage", show=False),
        Binding("comma", "smooth(-1)", "less smoothing", show=False),
        Binding("full_stop", "smooth(1)", "more smoothing", show=False),
        Binding("L", "log_axis", "log axis", tooltip="logarithmic axis of losses"),
        *(
            Binding(letter, f"only('{letter}')", f"only term {letter}, again all", show=False)
            for letter in LETTERS
        ),
        Binding("f", "follow", "follow", tooltip="follow the end of the log"),
        Binding("equals_sign", "all_settings", "all settings", tooltip="all or only differences"),
    ]

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.view = VIEWS[0]
        self.message: RunRead | None = None
        self._gone = ""
        self._stage: str | None = None  # None follows the stage at work
        self._smooth, self._is_log, self._zoom, self._only = 1, False, 0, ""
        self._all_settings = False
        self._drawn, self._is_waiting = 0.0, False

    def compose(self) -> ComposeResult:
        """Head, one of the views, foot."""
        yield Line("run-title", " Reading the run …")
        yield Line("run-sentence")
        yield Line("run-bars")
        yield Line("run-views")
        yield Line("chart-head", " no losses yet")
        with Horizontal(id="losses"):
            yield Vertical(id="chart-side")
            yield Line("run-side")
        yield TextLog(id="run-log", max_lines=5_000, highlight=False)
        with Lines(id="evaluations"):
            yield Line("evaluation-text")
        with Lines(id="settings"):
            yield Line("settings-text")
        yield Line("run-association")
        yield Line("run-last-line")

    def on_mount(self) -> None:
        """Begin with the losses."""
        self._show_view()

    def on_resize(self) -> None:
        """Lines are made for the width."""
        self._draw()

    @property
    def run(self) -> RunRow | None:
        """The run shown."""
        return self.message.snapshot.run if self.message else None

    def chosen(self) -> list[RunRow]:
        """The run shown."""
        return [self.run] if self.run is not None else []

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of a view do nothing in the others."""
        if action in ("stage", "zoom", "smooth", "log_axis", "only"):
            return self.view == "Losses"
        if action == "follow":
            return self.view == "Log"
        if action == "all_settings":
            return self.view == "Config"
        return super().check_action(action, parameters)

    def take(self, message: Message) -> None:
        """Show what was read."""
        if isinstance(message, RunGone):
            self.message, self._gone = None, message.reason
            self.query_one("#run-title", Line).show(f" {printable(message.reason)}")
        if not isinstance(message, RunRead):
            return
        is_other = self.run is None or self.run.id != message.snapshot.run.id
        self.message = message
        self._write_log(message)
        if is_other:
            self._begin(message.snapshot.run)
        self._draw()
        self.refresh_bindings()

    def focus_view(self) -> None:
        """Give the keys to what is shown."""
        ids = {"Log": "#run-log", "Evaluations": "#evaluations", "Config": "#settings"}
        target = self.query_one(ids[self.view]) if self.view in ids else self
        target.focus(scroll_visible=False)

    def action_view(self, by: int) -> None:
        """Show another view."""
        self.view = VIEWS[(VIEWS.index(self.view) + by) % len(VIEWS)]
        self._show_view()
        self.focus_view()

    def action_stage(self, by: int) -> None:
        """Show the losses of another stage."""
        if self.message is not None and self.message.series:
            names = list(self.message.series)
            here = names.index(self._shown_stage() or names[-1])
            self._stage = names[min(max(here + by, 0), len(names) - 1)]
            self._zoom, self._only = 0, ""
            self._draw(now=True)

    def action_zoom(self, by: int) -> None:
        """Show half or twice as much of the stage, or all of it."""
        self._zoom = 0 if by == 0 else min(max(self._zoom + by, 0), 8)
        self._draw(now=True)

    def action_smooth(self, by: int) -> None:
        """Smooth more or less."""
        self._smooth = min(max(self._smooth + by, 0), len(SMOOTHING) - 1)
        self._draw(now=True)

    def action_log_axis(self) -> None:
        """Switch the axis of losses."""
        self._is_log = not self._is_log
        self._draw(now=True)

    def action_only(self, letter: str) -> None:
        """Show one term alone, or all again."""
        self._only = "" if self._only == letter else letter
        self._draw(now=True)

    def action_follow(self) -> None:
        """Go to the end of the log and stay there."""
        self.query_one(TextLog).scroll_end(animate=False)

    def action_all_settings(self) -> None:
        """Show all settings, or those that differ."""
        self._all_settings = not self._all_settings
        self._draw()

    def _begin(self, run: RunRow) -> None:
        """A run that has not started has only its settings to show."""
        self._stage, self._zoom, self._only = None, 0, ""
        self.view = "Config" if run.state == "queued" and not run.step else "Losses"
        self._show_view()
        if self.has_focus_within or self.has_focus:
            self.focus_view()

    def _show_view(self) -> None:
        for view in VIEWS:
            self.set_class(view == self.view, f"view-{view.lower()}")
        self._draw()
        self.refresh_bindings()

    def _write_log(self, message: RunRead) -> None:
        log = self.query_one(TextLog)
        if message.is_first:
            log.clear()
        if message.lines:
            lines = [printable(line) for line in message.lines]
            log.write_lines(lines)
            self.query_one("#run-last-line", Line).show(f" {lines[-1]}")
        elif message.is_first:
            self.query_one("#run-last-line", Line).show("")

    def _draw(self, *, now: bool = False) -> None:
        if self.message is None or not self.is_mounted:
            return
        snapshot, width = self.message.snapshot, self.size.width or self.app.size.width
        clock = self.app.clock()
        self._line("run-title", run_text.title(snapshot, clock))
        sentence = run_text.sentence(snapshot, clock)
        self._line("run-sentence", f" {sentence}" if sentence else "")
        self.query_one("#run-sentence").display = bool(sentence)
        self._line("run-bars", run_text.bars(snapshot, width))
        self._line("run-views", self._views(width))
        self._line("run-association", run_text.association(snapshot))
        self._draw_text(width)
        if self.view == "Losses":
            self._draw_losses(now=now)

    def _draw_text(self, width: int) -> None:
        assert self.message is not None
        if self.view == "Evaluations":
            self._line("evaluation-text", run_text.evaluations(self.message, width - 4))
        if self.view == "Config":
            text = run_text.settings(self.message.settings, all_of_them=self._all_settings)
            self._line("settings-text", text)

    def _line(self, name: str, text: str) -> None:
        self.query_one(f"#{name}", Line).show(text)

    def _views(self, width: int) -> str:
        assert self.message is not None
        names = "".join(f"[{view}]" if view == self.view else f" {view} " for view in VIEWS)
        pace = run_text.pace(self.message.snapshot)
        return f" {names}{pace:>{max(width - len(names) - 2, 0)}}"

    def _shown_stage(self) -> str | None:
        assert self.message is not None
        series = self.message.series
        if self._stage in series:
            return self._stage
        return list(series)[-1] if series else None

    def _letters(self, stage: str) -> dict[str, str]:
        assert self.message is not None
        return dict(zip(self.message.series[stage].terms, LETTERS, strict=False))

    def _draw_losses(self, *, now: bool) -> None:
        assert self.message is not None
        stage = self._shown_stage()
        if stage is None:
            self._line("chart-head", " no losses yet")
            self._line("run-side", "")
            return
        letters = self._letters(stage)
        side = run_text.terms(self.message.snapshot, stage, letters)
        side += ["", *run_text.metrics(self.message.snapshot.evaluations, self.message.published)]
        self._line("run-side", "\n".join(side))
        wait = CHART_PERIOD_S - (time.monotonic() - self._drawn)
        if now or wait <= 0:
            self._draw_chart(stage, letters)
        elif not self._is_waiting:
            self._is_waiting = True
            self.set_timer(wait, self._draw_later)

    def _draw_later(self) -> None:
        self._is_waiting = False
        self._draw()

    def _draw_chart(self, stage: str, letters: dict[str, str]) -> None:
        from tui.chart import Look

        assert self.message is not None
        shown = {name: letter for name, letter in letters.items() if self._only in ("", letter)}
        chart = self._chart()
        if chart is None or not shown:
            self._only = "" if not shown else self._only
            return
        look = Look(smooth=SMOOTHING[self._smooth], is_log=self._is_log, zoom=self._zoom)
        chart.draw(self.message.series[stage], shown, look)
        self._drawn = time.monotonic()
        what = "all terms" if not self._only else next(iter(shown))
        parts = [stage, what, f"smooth {look.smooth:g}" if look.smooth else "not smoothed"]
        parts += ["log axis"] * look.is_log + [f"zoom {2**self._zoom}x"] * bool(self._zoom)
        parts += [f"{chart.left_out:,} values <= 0 left out"] * bool(chart.left_out)
        self._line("chart-head", " " + " · ".join(parts))

    def _chart(self) -> Chart | None:
        """The chart, made with the first losses because its library takes long to load."""
        from tui.chart import Chart

        found = self.query(Chart)
        if not found:
            self.query_one("#chart-side").mount(Chart())
        elif found.first().is_ready:
            return found.first()
        if self.size.width and not self._is_waiting:  # a hidden view waits until it is shown
            self._is_waiting = True
            self.set_timer(_MOUNT_S, self._draw_later)
        return None
