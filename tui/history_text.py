"""What stands below the history: the highlighted run in a few lines. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ccafl.sentences import ended, printable, state
from tui.acting import AGAIN
from tui.lists import glyph_and_word

if TYPE_CHECKING:
    from ccafl.store import ReferenceRow, RunRow

MOST_SETTINGS = 7


def detail(run: RunRow, published: ReferenceRow | None, *, resumes: bool) -> str:
    """Number, state, tags and note; below them how it ended, or what was reached when.

    `resumes`: whether to name the key that continues a run.
    """
    from ccafl.tables import duration

    parts = [f"{run.id} {glyph_and_word(state(run))}"]
    if run.started is not None and run.ended is not None:
        parts.append(f"took {duration(run.ended - run.started)}")
    parts.append(f"tags {' '.join(run.tags) or '-'}")
    parts += [f"note {run.note}"] * bool(run.note)
    second = _reached(run, published)
    if run.state in AGAIN:
        saved = f"from step {run.checkpoint:,}" if run.checkpoint else "from the start"
        second = f"{ended(run)}." + f"   r resume, {saved}" * resumes
    return f"{printable('   '.join(parts))}\n{second}"


def _reached(run: RunRow, published: ReferenceRow | None) -> str:
    from ccafl.tables import percent

    parts = [
        f"{name} {percent(row.mean_ap)} at {row.stage} {row.epoch}"
        for name, row in (("last", run.last), ("best", run.best))
        if row is not None
    ]
    if parts and published is not None:
        parts.append(f"published {percent(published.mean_ap)}")
    return f"mAP   {'   '.join(parts)}" if parts else "finished without an evaluation"


def results(run: RunRow, published: ReferenceRow | None) -> str:
    """Last and best evaluation, and what was published on its data set."""
    from ccafl.tables import METRICS, percent

    rows = {"last": run.last, "best": run.best}
    heads = "".join(f"{head:>8}" for head in METRICS.values())
    lines = [f"{'':<10}{'epoch':<10}{heads}"]
    for name, row in rows.items():
        place = f"{row.stage} {row.epoch}" if row else "-"
        values = "".join(f"{percent(getattr(row, key, None)):>8}" for key in METRICS)
        lines.append(f"{name:<10}{place:<10}{values}")
    if published is not None:
        values = "".join(f"{percent(getattr(published, key, None)):>8}" for key in METRICS)
        lines.append(f"{'published':<10}{published.method:<10}{values}")
    return "\n".join(lines)


def settings(run: RunRow) -> str:
    """Settings that differ from the preset, with the preset's values."""
    from ccafl.overview import differences

    found = differences(run)
    if not found:
        return f"settings: those of preset {printable(run.preset or 'default')}"
    lines = [f"differs from preset {run.preset or 'default'}"]
    for key, values in list(found.items())[:MOST_SETTINGS]:
        own, preset = ("-" if value is None else value for value in values.values())
        lines.append(f"  {key} {own}   preset {preset}")
    if len(found) > MOST_SETTINGS:
        lines.append(f"  and {len(found) - MOST_SETTINGS} more")
    return "\n".join(map(printable, lines))
