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
    key = f"   {resume(run)}" if resumes and run.state in AGAIN else ""
    second = f"{ended(run)}." if run.state in AGAIN else _reached(run, published)
    first = shorten(printable("   ".join(parts)), width)
    return f"{first}\n{shorten(second, 2 * width - _WRAPPED - len(key))}{key}"


def resume(run: RunRow) -> str:
    """The key that continues a run, and from where."""
    saved = f"from step {run.checkpoint:,}" if run.checkpoint else "from the start"
    return f"r resume, {saved}"


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
