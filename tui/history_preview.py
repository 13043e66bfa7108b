"""What the list of ended runs has no room for, beside it: one run, in few columns and many rows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

from ccafl.sentences import ended, printable, state
from tui.acting import AGAIN
from tui.evaluation_text import SHORT
from tui.frame import Line
from tui.history_text import resume
from tui.lists import GLYPHS
from tui.run_cells import short_percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ccafl.store import EvaluationRow, ReferenceRow, RunRow

METRICS = {"mean_ap": 6, "rank1": 5, "mean_inp": 5}  # with their cells, one of them for a star
WIDEST_PLACE = 12  # cells of `inter 60`
MOST_REASON = 8  # lines of why a run ended


class HistoryPreview(Line):
    """The highlighted run, as much of it as there is room for."""

    def __init__(self, id: str, *, resumes: bool) -> None:
        """`resumes`: whether to name the key that continues a run."""
        super().__init__(id)
        self._resumes = resumes
        self._found: tuple[RunRow, ReferenceRow | None] | None = None

    def about(self, run: RunRow, published: ReferenceRow | None) -> None:
        """Show this run, and what was published on its data set."""
        self._found = run, published
        self._draw()

    def on_resize(self) -> None:
        """Lines are made for the room there is."""
        self._draw()

    def _draw(self) -> None:
        if self._found is not None and self.display and self.size:
            self.show(preview(*self._found, *self.size, resumes=self._resumes))


def preview(
    run: RunRow, published: ReferenceRow | None, width: int, height: int, *, resumes: bool
) -> str:
    """How it ended, its results, tags and note whole, and what differs from its preset."""
    lines = _ending(run, width, resumes=resumes)
    for block in (_results(run, published, width), _labels(run, width)):
        lines += ["", *block] if block else []
    lines += ["", *_differences(run, width, height - len(lines) - 1)]
    return "\n".join(lines if len(lines) <= height else [*lines[: height - 1], "…"])


def _ending(run: RunRow, width: int, *, resumes: bool) -> list[str]:
    from ccafl.tables import duration, shorten_name

    name = shorten_name(printable(run.name), width - len(f"{run.id} "))
    how = _wrapped(f"{GLYPHS[state(run)]} {ended(run)}", width)
    if len(how) > MOST_REASON:
        how[MOST_REASON - 1 :] = ["…"]
    lines = [f"{run.id} {name}", *_wrapped(printable(run.dataset), width), *how]
    if resumes and run.state in AGAIN:
        lines += _wrapped(resume(run), width)
    if run.ended is not None:
        lines.append(f"ended {datetime.fromtimestamp(run.ended):%d %b %Y %H:%M}")
        if run.started is not None:
            lines.append(f"took {duration(run.ended - run.started)}")
    return lines


def _results(run: RunRow, published: ReferenceRow | None, width: int) -> list[str]:
    """Its best and its last evaluation, and what was published; nothing of a run without any."""
    rows = {row.step: row for row in (run.best, run.last) if row is not None}
    if not rows:
        return []
    room = min(WIDEST_PLACE, width - sum(METRICS.values()))
    lines = [_line("", [SHORT[name] for name in METRICS], room)]
    lines += [
        _line(f"{row.stage} {row.epoch}", _metrics(row, "*" * row.best), room)
        for _, row in sorted(rows.items())
    ]
    return lines + [_line("published", _metrics(published), room)] * (published is not None)


def _line(place: str, cells: Sequence[str], room: int) -> str:
    from ccafl.tables import shorten_name

    placed = zip(cells, METRICS.values(), strict=True)
    return f"{shorten_name(place, room):<{room}}" + "".join(f"{cell:>{of}}" for cell, of in placed)


def _metrics(row: EvaluationRow | ReferenceRow | None, mark: str = "") -> list[str]:
    from ccafl.tables import percent

    first, *others = (short_percent(percent(getattr(row, name, None))) for name in METRICS)
    return [f"{mark}{first}", *others]


def _labels(run: RunRow, width: int) -> list[str]:
    labels = {"tags": " ".join(run.tags), "note": run.note}
    return [
        line
        for label, text in labels.items()
        if text
        for line in _wrapped(f"{label} {printable(text)}", width)
    ]


def _differences(run: RunRow, width: int, room: int) -> list[str]:
    """Settings that differ from the preset, as many as so many lines hold."""
    from ccafl.overview import differences, value_text

    preset = printable(run.preset or "default")
    found = [
        _setting(printable(name), value_text(values["run"]), width)
        for name, values in differences(run).items()
    ]
    if not found:
        return _wrapped(f"settings: those of preset {preset}", width)
    lines = _wrapped(f"differs from preset {preset}", width)
    for index, setting in enumerate(found):
        left = len(found) - index
        if len(lines) + len(setting) + (left > 1) > room:
            return [*lines, f"and {left} more"]
        lines += setting
    return lines


def _setting(name: str, value: str, width: int) -> list[str]:
    """In one line, or in two; names keep their end, which says more."""
    from ccafl.tables import shorten, shorten_name

    line = f"{name} = {value}"
    if cell_len(line) <= width:
        return [line]
    return [shorten_name(name, width), shorten(f"  = {value}", width)]


def _wrapped(text: str, width: int) -> list[str]:
    return [line.plain.rstrip() for line in Content(text).wrap(width)] if text else []
