"""What stands beside the chart: each term with its letter, the last and the best evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ccafl.events import TERMS
from tui.series import LETTERS

if TYPE_CHECKING:
    from ccafl.config import RunConfig
    from ccafl.follow import Snapshot
    from ccafl.store import EvaluationRow, ReferenceRow
    from tui.series import StageSeries

TREND_EPOCHS = 10


def upcoming(config: RunConfig, stage: str) -> dict[str, int]:
    """Terms that join a stage only later, with the stage epoch from which they count."""
    inter = config.inter
    if stage != "inter":
        return {}
    found = {"text": inter.text_from} if inter.text else {}
    found |= {"ical": inter.ical.window[0]} if inter.ical.enabled else {}
    return {name: max(first - config.intra.epochs, 0) + 1 for name, first in found.items()}


def letters(series: StageSeries, config: RunConfig, stage: str) -> dict[str, str]:
    """The letter of each term of a stage; a term that joins later has its own from the start."""
    names = {*series.terms, *upcoming(config, stage)}
    return dict(zip([name for name in TERMS if name in names], LETTERS, strict=False))


def terms(snapshot: Snapshot, stage: str, names: Mapping[str, str]) -> list[str]:
    """A line per term: its mean in the newest epoch, and its change over ten epochs."""
    from ccafl.tables import loss_value

    means = {epoch: found for (of, epoch), found in snapshot.means.items() if of == stage}
    newest = max(means, default=0)
    before = max(newest - TREND_EPOCHS, min(means, default=0))
    span = newest - before
    ago = f"{span} epoch{'s' * (span != 1)}" if span else ""
    head = f"mean of epoch {newest}" if newest else ""
    later = upcoming(snapshot.config, stage)
    lines = [f"{head:<18}{'':<6}{ago:>9}"]
    for name, letter in names.items():
        value, old = means.get(newest, {}).get(name), means.get(before, {}).get(name)
        if value is None and newest < later.get(name, 0):
            lines.append(f"{letter} {name:<14}{f'from epoch {later[name]}':>17}")
            continue
        shown = "-" if value is None else loss_value(value)
        change = f"{100 * (value - old) / old:+.1f} %" if value is not None and old and span else ""
        lines.append(f"{letter} {name:<14}{shown:>8}{change:>9}")
    return lines


def terms_lines(snapshot: Snapshot, stage: str, names: Mapping[str, str], width: int) -> str:
    """The mean of each term in the newest epoch, no term broken over two lines."""
    from ccafl.tables import loss_value

    newest = max((epoch for of, epoch in snapshot.means if of == stage), default=0)
    means, later = snapshot.means.get((stage, newest), {}), upcoming(snapshot.config, stage)
    lines = [""]
    for name, letter in names.items():
        shown = f"from epoch {later[name]}" if newest < later.get(name, 0) else "-"
        term = f" {letter} {name} {loss_value(means[name]) if name in means else shown} "
        if len(lines[-1]) + len(term) > width:
            lines.append("")
        lines[-1] += term
    return "\n".join(lines)


def metrics(evaluations: Sequence[EvaluationRow], published: ReferenceRow | None) -> list[str]:
    """Last and best evaluation and the published row, a line each."""
    from ccafl.tables import percent

    if not evaluations:
        return ["no evaluation yet"]
    last = evaluations[-1]
    best = next((row for row in evaluations if row.best), None)
    rows: list[tuple[str, object]] = [(f"last, {last.stage} {last.epoch}", last)]
    if best is not None:
        rows.append((f"best, {best.stage} {best.epoch}", best))
    if published is not None:
        rows.append(("published", published))
    lines = [f"{'':<15}{'mAP':>6}{'R-1':>6}{'mINP':>6}"]
    for label, row in rows:
        cells = [percent(getattr(row, name, None)) for name in ("mean_ap", "rank1", "mean_inp")]
        lines.append(f"{label:<15}{''.join(f'{cell:>6}' for cell in cells)}")
    return lines
