"""The chart of losses: curves by stage epoch, a letter and a colour each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import NamedTuple

import numpy as np
from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Grid
from textual.events import MouseScrollDown, MouseScrollUp
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual_hires_canvas import Canvas
from textual_plot import HiResMode, PlotWidget
from textual_plot.axis_formatter import AxisFormatter, DurationFormatter, NumericAxisFormatter
from textual_plot.plot_widget import Legend

from tui.curves import (
    Average,
    Floats,
    Span,
    first_point,
    logarithms,
    positions,
    segments,
    thin,
    values,
)
from tui.series import LETTERS, Axis, StageSeries

BROKEN = "x"  # stands on the axis where a loss was not finite
LABEL = 7  # cells beside the chart
NUMBERS = NumericAxisFormatter()
# Okabe and Ito's set, told apart by people who see few colours; darker on a light ground
CURVES = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d9c92b", "#d55e00")
FAINT = ("#2c5a75", "#734f00", "#004f3a", "#663c54", "#6c6415", "#6a2f00")
LIGHT_CURVES = ("#0b6fa4", "#8a5a00", "#00704f", "#9a4373", "#6e6400", "#a84600")
LIGHT_FAINT = ("#a9d0e6", "#ecd0a0", "#a0d6c4", "#e6c6d7", "#e0daa0", "#eec2a6")


class Piece(NamedTuple):
    """A curve between two gaps, as few points as show it."""

    x: Floats
    y: Floats
    colour: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How the chart is drawn: `zoom` halves the part of the axis that is shown, each time."""

    smooth: float = 0.6
    is_log: bool = False
    zoom: int = 0
    axis: Axis = "epoch"


class LogAxis(AxisFormatter):
    """Labels of an axis whose positions are decimal logarithms."""

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        """Whole decades, or evenly spaced places if there are too few of them."""
        decades = [float(n) for n in range(ceil(min_), floor(max_) + 1)]
        if 2 <= len(decades) <= max_ticks:
            return decades
        return [float(place) for place in np.linspace(min_, max_, 5)]

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """The values themselves."""
        return [f"{10 ** min(tick, 308.0):.2g}" for tick in ticks]  # the largest there are


class LossAxis(NumericAxisFormatter):
    """Labels that fit beside the chart, also those of losses that vanish or explode."""

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """Decimals, or powers of ten where these take too much room."""
        labels: list[str] = super().get_labels_for_ticks(ticks)
        if max(map(len, labels), default=0) <= LABEL:
            return labels
        return [f"{tick:.2g}" for tick in ticks]


@dataclass(frozen=True)
class Spaced(AxisFormatter):
    """Those labels of an axis that have room: beside each other, or in rows of their own."""

    axis: AxisFormatter
    cells: int
    is_upright: bool = False

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        """All ticks, or every second, third one and so on."""
        ticks = self.axis.get_ticks(min_, max_, max_ticks)
        longest = max(map(len, self.get_labels_for_ticks(ticks)), default=0)
        room = 1 if self.is_upright else longest + 1
        return ticks[:: max(ceil(len(ticks) * room / self.cells), 1)]

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """The labels of the axis itself."""
        return self.axis.get_labels_for_ticks(ticks)


class Paper(Canvas):
    """Looks its style up once for a picture; the library would do so for each of its lines."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of a picture."""
        self._style = super().rich_style
        return super().render_lines(crop)

    @property
    def rich_style(self) -> Style:
        """The style of the picture at work."""
        return self._style


class Chart(PlotWidget, inherit_bindings=False, can_focus=False):
    """Draws one stage at a time; keys belong to the view around it."""

    class Ready(Message):
        """It can be drawn on, or has to be drawn anew for another size."""

    @dataclass
    class Wheel(Message):
        """Somebody zooms with the wheel: 1 in, -1 out."""

        by: int

    def __init__(self) -> None:
        super().__init__(id="chart", allow_pan_and_zoom=False)
        self.is_ready = False  # to be drawn on
        self.left_out = 0
        self._averages: dict[tuple[str, float], Average] = {}  # by term and weight
        # what is drawn: of what and how, the ends of the axes with marks, and the curves
        self._kind: object = None
        self._frame: object = None
        self._drawn: Sequence[Piece] = ()
        self._end, self._across = 0.0, (0.0, 0.0)

    def compose(self) -> ComposeResult:
        """The parts that the library looks for."""
        with Grid():
            for part in ("margin-top", "margin-left", "plot", "margin-bottom"):
                yield Paper(1, 1, id=part)
        yield Legend(id="legend")

    def colour(self, letter: str) -> str:
        """The colour of a curve on this theme."""
        curves = CURVES if self.app.current_theme.dark else LIGHT_CURVES
        return curves[LETTERS.index(letter)]

    def faint(self, letter: str) -> str:
        """The colour of its raw values."""
        faint = FAINT if self.app.current_theme.dark else LIGHT_FAINT
        return faint[LETTERS.index(letter)]

    @property
    def _cells(self) -> int:
        """The width of the curves' place."""
        return max(self.size.width - 10, 10)

    @property
    def _rows(self) -> int:
        """Their height."""
        return max(self.size.height - 3, 1)

    def on_mount(self) -> None:
        """Leave all room to the curves, and draw them in the colours of another theme."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self.post_message(self.Ready()))
        self.margin_top, self.margin_bottom, self.margin_left = 0, 1, LABEL + 1

    def on_canvas_resize(self, event: Canvas.Resize) -> None:
        """Only now the curves have a place."""
        event.stop()
        if event.canvas.id == "plot":
            self.is_ready = bool(event.canvas.size.width)
            self.post_message(self.Ready())

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Zoom as the key does, not as the plot would."""
        self._tell_wheel(event, 1)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Zoom out likewise."""
        self._tell_wheel(event, -1)

    def draw(self, series: StageSeries, letters: Mapping[str, str], look: Look) -> None:
        """Draw the terms of a stage, unless they are drawn already, but for less than a row.

        Of a long stage most steps change no more than that, and drawing is what a live run costs.

        Args:
            series: the stage.
            letters: letter of each term to draw.
            look: smoothing, axes, zoom.
        """
        kind = (self.size, series.times[0], [*letters], look)
        if kind != self._kind:
            self._kind, self._end, self._across = kind, 0.0, (0.0, 0.0)
        x = positions(series, look.axis)
        origin = float(x[0]) - 1 if look.axis == "step" else 0.0
        begin, end = self._fit_x(origin, max(float(x[-1]), origin + 1.0), look.zoom)
        first = int(np.searchsorted(x, begin))
        scaled = logarithms if look.is_log else np.asarray
        self.left_out = 0
        pieces: list[Piece] = []
        smooth: list[Piece] = []
        places = {}
        for number, (name, letter) in enumerate(letters.items()):
            raw = values(series, name)
            self.left_out += int((raw <= 0).sum()) if look.is_log else 0
            if look.smooth:
                faint = self.faint(letter)
                pieces += self._pieces(x[first:], scaled(raw[first:]), faint, (begin, end))
            average = self._averages.setdefault((name, look.smooth), Average(look.smooth))
            curve = scaled(average(raw)[first:])
            found = self._pieces(x[first:], curve, self.colour(letter), (begin, end))
            pieces, smooth = pieces + found, smooth + found
            if found:
                # one after the other, because curves that lie together begin together
                after = begin + 2 * number * (end - begin) / self._cells
                places[letter] = first_point(x[first:], curve, after)
        span = self._fit_y(smooth)
        broken = [place for place in x[series.broken].tolist() if place >= begin]
        frame = (kind, begin, end, span, broken)
        cell = (end - begin) / self._cells, (span[1] - span[0]) / self._rows
        if frame != self._frame or not self._is_drawn(pieces, cell):
            self._frame, self._drawn = frame, pieces
            with self.app.batch_update():
                self.clear()
                self._plot(pieces)
                self._write_letters(places)
                self.set_xlimits(begin, end)
                self.set_ylimits(*span)
                lowest_row = span[0] + (span[1] - span[0]) / self._rows / 2
                self.scatter(broken, [lowest_row] * len(broken), BROKEN, "bold")
                self._label(look)
                # now, not while the screen is painted, which would paint it twice; each dot would
                # ask for a new picture
                with self.query_one("#plot", Canvas).batch_refresh():
                    self.render()

    def _label(self, look: Look) -> None:
        labels = DurationFormatter() if look.axis == "time" else NUMBERS
        self.set_x_formatter(Spaced(labels, self._cells))
        losses = LogAxis() if look.is_log else LossAxis()
        self.set_y_formatter(Spaced(losses, self._rows, is_upright=True))

    def _plot(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            self.plot(piece.x, piece.y, piece.colour, HiResMode.BRAILLE)

    def _write_letters(self, places: Mapping[str, tuple[float, float]]) -> None:
        """Name the curves, after the last one is drawn, which could cover them."""
        for letter, (x, y) in places.items():
            self.scatter([x], [y], letter, self.colour(letter))

    def _pieces(self, x: Floats, y: Floats, colour: str, shown: Span) -> list[Piece]:
        """The parts of a curve, thin enough for the part of the axis that is shown."""
        return [Piece(*thin(*part, shown, self._cells), colour) for part in segments(x, y)]

    def _is_drawn(self, pieces: Sequence[Piece], cell: tuple[float, float]) -> bool:
        """Whether these curves are those that are drawn, or nowhere a cell away from them."""
        return len(pieces) == len(self._drawn) and all(
            piece.colour == drawn.colour
            and len(piece.y) == len(drawn.y)
            and bool(np.abs(piece.x - drawn.x).max() < cell[0])
            and bool(np.abs(piece.y - drawn.y).max() < cell[1])
            for piece, drawn in zip(pieces, self._drawn, strict=True)
        )

    def _fit_x(self, origin: float, reached: float, zoom: int) -> Span:
        """The part of the axis that is shown; it moves by cells, not with every step."""
        parts = 2**zoom * self._cells
        cell = (self._end - origin) / parts
        if not cell < self._end - reached <= 3 * cell:  # the frame covers part of the last one
            self._end = reached + 2 * (reached - origin) / parts
        return self._end - (self._end - origin) / 2**zoom, self._end

    def _fit_y(self, pieces: Sequence[Piece]) -> Span:
        """Let these curves fill the chart, others may leave it; if they do mostly, it stays."""
        lowest = min((float(piece.y.min()) for piece in pieces), default=0.0)
        highest = max((float(piece.y.max()) for piece in pieces), default=1.0)
        low, high = self._across
        if not (low <= lowest and highest <= high and highest - lowest > 0.8 * (high - low)):
            is_flat = highest - lowest <= 1e-9 * abs(highest)  # but for rounding
            room = 0.05 * (abs(highest) if is_flat else highest - lowest) or 1.0
            self._across = lowest - room, highest + room
        return self._across

    def _tell_wheel(self, event: MouseScrollUp | MouseScrollDown, by: int) -> None:
        event.stop()
        event.prevent_default()
        self.post_message(self.Wheel(by))
