"""What stands below the history: the highlighted run in a few lines. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ccafl.sentences import ended, printable, state
from tui.acting import AGAIN
from tui.lists import glyph_and_word

if TYPE_CHECKING:
    from ccafl.store import ReferenceRow, RunRow

_WRAPPED = 16  # cells that may be lost where a sentence is broken into two lines


def detail(run: RunRow, published: ReferenceRow | None, width: int, *, resumes: bool) -> str:
    """Number, state, tags and note; in two lines how it ended, or what was reached when.

    `resumes`: whether to name the key that continues a run.
    """
    from ccafl.tables import duration, shorten

    parts = [f"{run.id} {glyph_and_word(state(run))}"]
    if run.started is not None and run.ended is not None:
        parts.append(f"took {duration(run.ended - run.started)}")
    parts.append(f"tags {' '.join(run.tags) or '-'}")
    parts += [f"note {run.note}"] * bool(run.note)
    second, resume = _reached(run, published), ""
    if run.state in AGAIN:
        saved = f"from step {run.checkpoint:,}" if run.checkpoint else "from the start"
        second, resume = f"{ended(run)}.", f"   r resume, {saved}" * resumes
    first = shorten(printable("   ".join(parts)), width)
    return f"{first}\n{shorten(second, 2 * width - _WRAPPED - len(resume))}{resume}"


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

    rows = {"last": run.last, "best": run.best} | ({"published": published} if published else {})
    places = [f"{row.stage} {row.epoch}" if row else "-" for row in (run.last, run.best)]
    places += [published.method] if published else []
    lines = {"": list(rows), "at": places}
    for key, head in METRICS.items():
        lines[head] = [percent(getattr(row, key, None)) for row in rows.values()]
    return "\n".join(
        f"{head:<8}" + "".join(f"{cell:>10}" for cell in cells) for head, cells in lines.items()
    )


def settings(run: RunRow, most: int) -> str:
    """Settings that differ from the preset, with the preset's values, at most so many."""
    from ccafl.overview import differences, value_text

    found = differences(run)
    if not found:
        return f"settings: those of preset {printable(run.preset or 'default')}"
    lines = [f"differs from preset {run.preset or 'default'}"]
    for key, values in list(found.items())[:most]:
        own, preset = value_text(values["run"]), value_text(values["preset"])
        lines.append(f"  {key} {own}   preset {preset}")
    if len(found) > most:
        lines.append(f"  and {len(found) - most} more")
    return "\n".join(map(printable, lines))
