"""Runs side by side: results with the distance to a base, and the settings that differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from ccafl.sentences import printable
from tui.frame import Line, Opened
from tui.messages import ComparedRead, Interest
from tui.texts import Lines

if TYPE_CHECKING:
    from textual.message import Message
    from textual.widget import Widget

    from ccafl.store import ReferenceRow, RunRow

LETTERS = "ABCDEF"
NAME_WIDTH, SETTING_WIDTH, VALUE_WIDTH = 14, 26, 12


class CompareScreen(Opened):
    """Two to six runs; the first one is the base until another is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "which", "last/best", tooltip="last evaluation, or best on test"),
        Binding("m", "base", "next base", tooltip="measure the distance from the next run"),
    ]

    def __init__(self, run_ids: Sequence[int]) -> None:
        super().__init__()
        self._run_ids = tuple(run_ids)
        self._base, self._which = 0, "last"
        self._message: ComparedRead | None = None
        self.path = f"3 History > compare {len(run_ids)} runs"

    def body(self) -> Iterator[Widget]:
        """One page of text."""
        with Lines(id="compared"):
            yield Line("compared-text", " Reading the runs …")

    def on_mount(self) -> None:
        """Scrolling works at once."""
        self.query_one(Lines).focus()

    def interest(self) -> Interest:
        """The runs."""
        return Interest(compared=self._run_ids)

    def take(self, message: Message) -> None:
        """Show the runs."""
        if isinstance(message, ComparedRead):
            self._message = message
            self._draw()

    def action_which(self) -> None:
        """Show the last evaluation of each run, or the best one."""
        self._which = "best" if self._which == "last" else "last"
        self._draw()

    def action_base(self) -> None:
        """Measure from the next run."""
        self._base = (self._base + 1) % len(self._run_ids)
        self._draw()

    def _draw(self) -> None:
        if self._message is None:
            return
        runs = self._message.runs
        text = results(runs, self._message.published, self._base, self._which)
        self.query_one("#compared-text", Line).show(f"{text}\n\n{settings(runs)}")


def results(runs: Sequence[RunRow], published: ReferenceRow | None, base: int, which: str) -> str:
    """A line per run; `*` is the best of the runs, Δ the distance to the base in points."""
    comparable = len({run.dataset for run in runs}) == 1
    rows = [getattr(run, which) for run in runs]
    name = "last evaluation" if which == "last" else "best on test"
    lines = [
        f" {name}   base {LETTERS[base]} run {runs[base].id}   {printable(runs[base].dataset)}"
    ]
    if not comparable:
        lines.append(" These runs are on different data sets: side by side only, no distance.")
    heads = f"{'mAP':>7}{'Δ':>6}{'Rank-1':>8}{'Δ':>6}{'Rank-10':>9}{'mINP':>7}"
    lines.append(f"   {'':>5} {'':<{NAME_WIDTH}}{heads}  epoch")
    measured = ("mean_ap", "rank1", "rank10", "mean_inp") if comparable else ()
    best = {key: _best(rows, key) for key in measured}
    for letter, run, row in zip(LETTERS, runs, rows, strict=False):
        label = f" {letter} {run.id:>5} {printable(run.name)[:NAME_WIDTH]:<{NAME_WIDTH}}"
        place = f"{row.stage} {row.epoch}" if row else "-"
        lines.append(f"{label}{_cells(row, rows[base], best, comparable=comparable)}  {place}")
    if published is not None and comparable:
        label = f"   {'':>5} {'published':<{NAME_WIDTH}}"
        lines.append(f"{label}{_cells(published, rows[base], {}, comparable=True)}")
    return "\n".join(lines)


def settings(runs: Sequence[RunRow]) -> str:
    """Settings in which the runs differ, a column per letter."""
    from ccafl.comparison import differences

    found = differences(runs)
    if not found:
        return " settings: no difference"
    heads = "".join(f"{letter:<{VALUE_WIDTH}}" for letter in LETTERS[: len(runs)])
    lines = [f" {'settings that differ':<{SETTING_WIDTH}} {heads}"]
    for key, values in found.items():
        cells = "".join(_fit("-" if value is None else str(value)) for value in values)
        lines.append(f" {printable(key):<{SETTING_WIDTH}} {cells}")
    return "\n".join(line.rstrip() for line in lines)


def _best(rows: Sequence[object], key: str) -> float | None:
    return max((getattr(row, key) for row in rows if row is not None), default=None)


def _cells(row: object, base: object, best: dict[str, float | None], *, comparable: bool) -> str:
    def value(key: str) -> str:
        from ccafl.tables import percent

        found = getattr(row, key, None)
        star = "*" if found is not None and best.get(key) == found else ""
        return f"{star}{percent(found)}"

    def distance(key: str) -> str:
        here, there = getattr(row, key, None), getattr(base, key, None)
        if here is None or there is None or row is base or not comparable:
            return "-"
        return f"{100 * (here - there):+.1f}"

    return (
        f"{value('mean_ap'):>7}{distance('mean_ap'):>6}{value('rank1'):>8}{distance('rank1'):>6}"
        f"{value('rank10'):>9}{value('mean_inp'):>7}"
    )


def _fit(text: str) -> str:
    shown = printable(text)
    shown = shown if len(shown) < VALUE_WIDTH else f"{shown[: VALUE_WIDTH - 2]}…"
    return f"{shown:<{VALUE_WIDTH}}"
