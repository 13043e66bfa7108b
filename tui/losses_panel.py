"""The losses of a run: the chart of a stage, its terms, and the keys that change the picture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from tui import loss_text, run_text
from tui.commands import Command
from tui.frame import Line
from tui.series import AXES, LETTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from tui.chart import Chart
    from tui.messages import RunRead
    from tui.program import CcaflApp
    from tui.remembered import Remembered
    from tui.series import Axis

SMOOTHING = (0.0, 0.6, 0.9, 0.97)
MOST_ZOOM = 8


class LossesPanel(Vertical, can_focus=True):
    """Draws only while it is shown."""

    app: CcaflApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,left", "stage(-1)", "stage", tooltip="previous stage"),
        Binding("l,right", "stage(1)", "next stage", show=False),
        Binding("plus", "zoom(1)", "zoom", tooltip="zoom in: the newest half"),
        Binding("minus", "zoom(-1)", "zoom out", show=False),
        Binding("0", "zoom(0)", "show the whole stage", show=False),
        Binding("escape", "unzoom", "show the whole stage", show=False),
        Binding("comma", "smooth(-1)", "less smoothing", show=False),
        Binding("full_stop", "smooth(1)", "smooth", tooltip="more smoothing"),
        Binding("L", "log_axis", "log axis", tooltip="logarithmic axis of losses"),
        *(
            Binding(letter, f"only('{letter}')", "only this term, again all", show=False)
            for letter in LETTERS
        ),
    ]
    KEYLESS: ClassVar[Sequence[Command]] = (
        Command("Chart x axis: epoch", "axis('epoch')", "losses by epochs of the stage"),
        Command("Chart x axis: step", "axis('step')", "losses by steps of the run"),
        Command("Chart x axis: time", "axis('time')", "losses by time since the stage began"),
    )

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._message: RunRead | None = None
        self._stage: str | None = None  # None follows the stage at work
        self._zoom, self._only = 0, ""
        self._made: Chart | None = None

    def compose(self) -> ComposeResult:
        """Head, chart, terms."""
        yield Line("chart-head", " no losses yet")
        with Horizontal(id="chart-body"):
            yield Vertical(id="chart-side")
            yield Line("run-side")
        yield Line("chart-terms")

    @property
    def head(self) -> str:
        """How fast it trains."""
        return run_text.pace(self._message.snapshot) if self._message else ""

    def begin(self) -> None:
        """Another run is shown from now on."""
        self._stage, self._zoom, self._only = None, 0, ""

    def show(self, message: RunRead) -> None:
        """Show what was read."""
        self._message = message
        self._draw()

    def on_show(self) -> None:
        """What came while it was hidden was not drawn."""
        self._draw()

    def on_resize(self) -> None:
        """The chart is made for its size."""
        self._draw()

    def action_stage(self, by: int) -> None:
        """Show the losses of another stage."""
        if self._message is not None and self._message.series:
            names = list(self._message.series)
            here = names.index(self._shown_stage() or names[-1])
            self._stage = names[min(max(here + by, 0), len(names) - 1)]
            self._zoom, self._only = 0, ""
            self._draw()

    def action_zoom(self, by: int) -> None:
        """Show half or twice as much of the stage, or all of it."""
        self._zoom = 0 if by == 0 else min(max(self._zoom + by, 0), MOST_ZOOM)
        self._draw()

    def action_unzoom(self) -> None:
        """Show the whole stage again."""
        self.action_zoom(0)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """One step back is out of the zoom only when there is one."""
        del parameters
        return action != "unzoom" or bool(self._zoom)

    def action_smooth(self, by: int) -> None:
        """Smooth more or less."""
        step = min(max(self._smooth + by, 0), len(SMOOTHING) - 1)
        self._remember(replace(self.app.remembered, smooth=step))

    def action_log_axis(self) -> None:
        """Switch the axis of losses."""
        left = self.app.remembered
        self._remember(replace(left, log_axis=not left.log_axis))

    def action_only(self, letter: str) -> None:
        """Show one term alone, or all again."""
        self._only = "" if self._only == letter else letter
        self._draw()

    def action_axis(self, axis: Axis) -> None:
        """Choose what the x axis counts."""
        self._remember(replace(self.app.remembered, axis=axis))

    def text(self) -> str:
        """What `y` copies: terms and metrics."""
        return self.query_one("#run-side", Line).text

    def on_chart_wheel(self, event: Chart.Wheel) -> None:
        """The wheel zooms as the keys do."""
        self.action_zoom(event.by)

    def on_chart_ready(self) -> None:
        """What was drawn before had another size."""
        self._draw()

    @property
    def _smooth(self) -> int:
        """The step of smoothing, the same wherever losses are shown and at the next start."""
        return min(max(self.app.remembered.smooth, 0), len(SMOOTHING) - 1)

    @property
    def _axis(self) -> Axis:
        """What the x axis counts, likewise."""
        return next((axis for axis in AXES if axis == self.app.remembered.axis), AXES[0])

    def _remember(self, looks: Remembered) -> None:
        self.app.remembered = looks
        self._draw()

    @property
    def _is_shown(self) -> bool:
        is_in_front = self.is_mounted and self.app.frame is self.screen
        return is_in_front and self.is_on_screen and self.size.width > 0

    def _shown_stage(self) -> str | None:
        assert self._message is not None
        series = self._message.series
        if self._stage in series:
            return self._stage
        return list(series)[-1] if series else None

    def _draw(self) -> None:
        if self._message is None or not self._is_shown:
            return
        stage = self._shown_stage()
        self.query_one("#chart-side").visible = stage is not None
        if stage is None:
            self._line("chart-head", " no losses yet")
            self._line("run-side", "")
            self._line("chart-terms", "")
            return
        message, snapshot = self._message, self._message.snapshot
        names = loss_text.letters(message.series[stage], snapshot.config, stage)
        side = loss_text.terms(snapshot, stage, names)
        side += ["", *loss_text.metrics(snapshot.evaluations, message.published)]
        self._line("run-side", "\n".join(side))
        self._line("chart-terms", loss_text.terms_lines(snapshot, stage, names, self.size.width))
        self._draw_chart(stage, names)

    def _draw_chart(self, stage: str, names: dict[str, str]) -> None:
        from tui.chart import Look

        assert self._message is not None
        series = self._message.series[stage]
        shown = {
            name: letter
            for name, letter in names.items()
            if self._only in ("", letter) and name in series.terms
        }
        chart = self._chart()
        if not shown:
            self._only = ""
        if chart is None or not (shown or series.broken):
            return
        look = Look(
            smooth=SMOOTHING[self._smooth],
            is_log=self.app.remembered.log_axis,
            zoom=self._zoom,
            axis=self._axis,
        )
        chart.draw(series, shown, look)
        self._line("chart-head", f" {self._head(stage, shown, chart.left_out, len(series.broken))}")

    def _head(self, stage: str, shown: dict[str, str], left_out: int, broken: int) -> str:
        weight = SMOOTHING[self._smooth]
        parts = [stage, next(iter(shown)) if self._only else "all terms"]
        parts += [f"smooth {weight:g}" if weight else "not smoothed"]
        parts += [f"by {self._axis}"] * (self._axis != "epoch")
        parts += ["log axis"] * self.app.remembered.log_axis
        parts += [f"zoom {2**self._zoom}x"] * bool(self._zoom)
        parts += [f"{left_out:,} values <= 0 left out"] * bool(left_out)
        parts += [f"warning: {broken:,} not finite, x on the axis"] * bool(broken)
        return " · ".join(parts)

    def _line(self, name: str, text: str) -> None:
        self.query_one(f"#{name}", Line).show(text)

    def _chart(self) -> Chart | None:
        """The chart, made with the first losses because its library takes long to load."""
        from tui.chart import Chart

        if self._made is None:
            self._made = Chart()
            self.query_one("#chart-side").mount(self._made)
        return self._made if self._made.is_ready else None
