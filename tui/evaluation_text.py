"""Evaluations and association of a run as text: pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ccafl.follow import Snapshot
    from ccafl.store import EvaluationRow, ReferenceRow
    from ccafl.store.queries import Which

SHORT = {"mean_ap": "mAP", "rank1": "R-1", "rank5": "R-5", "rank10": "R-10", "mean_inp": "mINP"}
WIDTH, SHORT_WIDTH = 8, 6
NONE = "No evaluation yet."


def full_table(snapshot: Snapshot, published: ReferenceRow | None, which: Which) -> str:
    """Evaluations with the time each took and whether its weights are kept."""
    from ccafl.tables import METRICS, duration

    if not snapshot.evaluations:
        return NONE
    ends = [f"{duration(row.seconds):>8}  {_kept(row, snapshot)}" for row in snapshot.evaluations]
    lines = _lines(snapshot.evaluations, published, which, METRICS.values(), WIDTH)
    ends = [f"{'took':>8}  checkpoint", *ends, *[""] * (len(lines) - len(ends) - 1)]
    return "\n".join(f"{line}{end}".rstrip() for line, end in zip(lines, ends, strict=True))


def short_table(snapshot: Snapshot, published: ReferenceRow | None, which: Which) -> str:
    """Evaluations in the width of a panel."""
    if not snapshot.evaluations:
        return NONE
    found = _lines(snapshot.evaluations, published, which, SHORT.values(), SHORT_WIDTH)
    return "\n".join(found)


def notes(snapshot: Snapshot, which: Which) -> str:
    """What the marks mean, and how many queries no camera can answer."""
    left_out = snapshot.evaluations[-1].left_out if snapshot.evaluations else 0
    shown = "[last]  best" if which == "last" else "last  [best]"
    return f"{shown}   * best on test   left out: {left_out:,}"


def association(snapshot: Snapshot) -> str:
    """How well camera identities are linked in the newest epoch that links them; may be empty."""
    from ccafl.tables import percent

    rows = [row for row in snapshot.epochs if row.groups is not None]
    if not rows:
        return ""
    row = rows[-1]
    text = f"epoch {row.epoch}: linked {row.linked:,}  groups {row.groups:,}"
    text += f"  conflicts {row.conflicts:,}"
    if row.precision is not None:
        text += f"  precision {percent(row.precision)} %  recall {percent(row.recall)} %"
    return text


def association_lines(snapshot: Snapshot) -> str:
    """The same of every such epoch, newest first."""
    from ccafl.tables import percent

    linked = [row for row in snapshot.epochs if row.groups is not None]
    if not linked:
        return "Nothing is linked before the inter stage."
    lines = ["epoch  linked  groups  conflicts  prec.  recall"]
    for row in reversed(linked):
        counts = f"{row.epoch:>5}{row.linked:>8,}{row.groups:>8,}{row.conflicts:>11,}"
        lines.append(f"{counts}{percent(row.precision):>7}{percent(row.recall):>8}")
    return "\n".join(lines)


def _lines(
    rows: Sequence[EvaluationRow],
    published: ReferenceRow | None,
    which: Which,
    heads: Iterable[str],
    width: int,
) -> list[str]:
    """Head, evaluations, the published row, and how far one evaluation is from it."""
    lines = [_line("stage", "epoch", heads, width)]
    lines += [
        _line(row.stage, str(row.epoch), _metrics(row, "*" if row.best else ""), width)
        for row in rows
    ]
    if published is not None:
        lines.append(_line("published", "", _metrics(published), width))
        chosen = rows[-1] if which == "last" else next((row for row in rows if row.best), None)
        if chosen is not None:
            lines.append(_line(f"Δ {which}", "", _distances(chosen, published), width))
    return lines


def _line(label: str, epoch: str, cells: Iterable[str], width: int) -> str:
    return f"{label:<9}{epoch:>6}" + "".join(f"{cell:>{width}}" for cell in cells)


def _metrics(row: object, mark: str = "") -> list[str]:
    from ccafl.tables import METRICS, percent

    return [f"{mark}{percent(getattr(row, name, None))}" for name in METRICS]


def _distances(row: EvaluationRow, published: ReferenceRow) -> list[str]:
    from ccafl.tables import METRICS

    pairs = [(getattr(row, name), getattr(published, name, None)) for name in METRICS]
    return ["-" if theirs is None else f"{100 * (ours - theirs):+.1f}" for ours, theirs in pairs]


def _kept(row: EvaluationRow, snapshot: Snapshot) -> str:
    """Inference weights are kept of the best evaluation, and of the last one when a run ends."""
    is_kept = row.best or (row.last and snapshot.run.state == "finished")
    return "kept" if is_kept else ""
