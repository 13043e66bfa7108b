"""A run on a terminal: a few lines that are drawn again in place."""

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ccafl.follow.snapshot import Snapshot, StageProgress
from ccafl.sentences import describe, place, printable
from ccafl.store import ACTIVE, RunRow
from ccafl.tables import METRICS, NONE, duration, loss_value, percent

KEYS = "ctrl-c cancels with a checkpoint, twice kills the run"
NARROWEST_BAR = 10


class LiveView:
    """Draws the newest snapshot in place, at most once per call; leaves no trace when closed."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or _console()
        self._width = self._console.width
        self._said = ""
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @staticmethod
    def fits() -> bool:
        """Whether stdout is a terminal that can move its cursor."""
        return sys.stdout.isatty() and not _console().is_dumb_terminal

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot."""
        if self._console.width < self._width:  # the terminal has wrapped what was drawn before
            self._console.clear()
        self._width = self._console.width
        self._live.start()
        self._live.update(picture(snapshot, self._said, time.time()), refresh=True)

    def say(self, sentence: str) -> None:
        """Show a sentence below the picture from the next drawing on."""
        self._said = sentence

    def close(self) -> None:
        """Remove the picture and give the terminal back."""
        self._live.stop()


def picture(snapshot: Snapshot, said: str, now: float) -> RenderableType:
    """What is shown of a run; the same number of lines all the time, unless there is a warning."""
    run = snapshot.run
    lines: list[RenderableType] = [
        _line(f"run {run.id}  {run.name}  {run.dataset}", style="bold"),
        Text(_state(run)),
        _bars(snapshot.stages()),
        _losses(snapshot.smooth),
        _line(_pace(snapshot, now)),
        _activity(snapshot),
        _line(_newest_evaluation(snapshot)),
    ]
    if run.warning:
        lines.append(Text(printable(f"warning: {run.warning}"), style="yellow"))
    lines.append(Text(printable(said), style="bold") if said else _line(KEYS, style="dim"))
    return Group(*lines)


def _console() -> Console:
    return Console(markup=False, highlight=False, emoji=False)


def _line(text: str, style: str = "") -> Text:
    """One line, cut where the terminal ends."""
    return Text(printable(text), style=style, no_wrap=True, overflow="ellipsis")


def _state(run: RunRow) -> str:
    if run.state not in ACTIVE or run.started is None:
        return describe(run)
    since = datetime.fromtimestamp(run.started).strftime("%H:%M")
    return f"{run.state}, started {since}{f': {place(run)}' if run.stage else ''}"


def _bars(stages: Sequence[StageProgress]) -> Table:
    grid = _grid()
    for stage in stages:
        bar = ProgressBar(total=1.0, completed=stage.share)
        count = f"{stage.epoch}/{stage.epochs}"
        grid.add_row(stage.name, Text(count, justify="right"), bar, f"{100 * stage.share:3.0f} %")
    return grid


def _grid() -> Table:
    """Text, text, a bar that takes what is left, text."""
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, min_width=NARROWEST_BAR)
    grid.add_column(no_wrap=True, justify="right")
    return grid


def _losses(smooth: Mapping[str, float]) -> RenderableType:
    if not smooth:
        return Text("no losses yet", style="dim")
    terms = [f"{name} {loss_value(value)}" for name, value in smooth.items()]
    return Columns(terms, padding=(0, 2))


def _pace(snapshot: Snapshot, now: float) -> str:
    parts = []
    if snapshot.epochs:
        newest = snapshot.epochs[-1]
        parts += [f"{newest.images_per_s:,.0f} img/s", f"lr {newest.lr:.1e}"]
    left = snapshot.time_left()
    if left is not None and left.of_run:
        end = datetime.fromtimestamp(now + left.seconds).strftime("%H:%M")
        parts.append(f"about {duration(left.seconds)} left, ends at {end}")
    elif left is not None:
        parts.append(f"about {duration(left.seconds)} left of this stage")
    return "   ".join(parts) or "time left: known after the first epoch"


def _activity(snapshot: Snapshot) -> RenderableType:
    run = snapshot.run
    if not run.activity:
        return Text("")
    if not run.activity_total:
        return _line(run.activity)
    done = run.activity_done or 0
    grid = _grid()
    count = f"{done:,}/{run.activity_total:,}"
    bar = ProgressBar(total=run.activity_total, completed=done)
    grid.add_row(printable(run.activity), count, bar, f"{100 * done / run.activity_total:3.0f} %")
    return grid


def _newest_evaluation(snapshot: Snapshot) -> str:
    if not snapshot.evaluations:
        return f"mAP {NONE}   no evaluation yet"
    row = snapshot.evaluations[-1]
    metrics = "  ".join(f"{head} {percent(getattr(row, name))}" for name, head in METRICS.items())
    return f"{row.stage} {row.epoch}: {metrics}"
