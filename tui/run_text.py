"""The lines of a run view: pure functions from what was read to text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ccafl.sentences import describe, printable, state
from tui.acting import ACTIVE
from tui.lists import glyph_and_word

if TYPE_CHECKING:
    from ccafl.follow import Snapshot
    from ccafl.follow.snapshot import StageProgress
    from ccafl.store import EvaluationRow, ReferenceRow
    from tui.messages import RunRead, Settings

NO_PROGRESS_S = 300.0
BAR = 22
TREND_EPOCHS = 10


def title(snapshot: Snapshot, now: float) -> str:
    """Number, name, state, when it began and when it will end."""
    from ccafl.tables import duration

    run = snapshot.run
    parts = [f" {run.id} {printable(run.name)}", glyph_and_word(state(run))]
    if run.started is not None and run.state in ACTIVE:
        parts.append(f"started {datetime.fromtimestamp(run.started).strftime('%H:%M')}")
    left = snapshot.time_left() if run.state in ACTIVE else None
    if left is not None:
        end = datetime.fromtimestamp(now + left.seconds).strftime("%H:%M")
        what = "ends" if left.of_run else "this stage ends"
        parts.append(f"{what} in {duration(left.seconds)}, about {end}")
    if run.started is not None and run.ended is not None:
        parts.append(f"took {duration(run.ended - run.started)}")
    return "   ".join(parts)


def sentence(snapshot: Snapshot, now: float) -> str:
    """What is to be said beyond the title; empty while a run just trains."""
    from ccafl.tables import duration

    run = snapshot.run
    said = []
    if run.state != "running" or run.activity or not run.stage:
        said.append(describe(run))
    elif run.last_event is not None and now - run.last_event > NO_PROGRESS_S:
        said.append(
            f"No progress for {duration(now - run.last_event)} "
            f"(last: epoch {run.epoch}, step {run.step:,})."
        )
    if run.warning:
        said.append(f"warning: {printable(run.warning)}")
    return " ".join(said)


def bars(snapshot: Snapshot, width: int) -> str:
    """Each stage with its epochs; a bar for the one at work; the speed."""
    stages = snapshot.stages()
    parts = [_stage(snapshot, stage) for stage in stages]
    speed = f"{snapshot.epochs[-1].images_per_s:,.0f} img/s" if snapshot.epochs else ""
    room = width - 3 - len("   ".join(parts)) - len(speed) - 4
    if room >= 8 and snapshot.run.state in ACTIVE:
        cells = min(room, BAR if width < 110 else 2 * BAR)
        for index, stage in enumerate(stages):
            if stage.name == snapshot.run.stage and stage.share < 1:
                full = round(stage.share * cells)
                parts[index] += f" {'█' * full}{'░' * (cells - full)}"
    text = " " + "   ".join(parts)
    return f"{text}{speed:>{max(width - len(text) - 1, len(speed) + 2)}}"


def _stage(snapshot: Snapshot, stage: StageProgress) -> str:
    from ccafl.tables import duration

    spent = sum(row.seconds for row in snapshot.epochs if row.stage == stage.name)
    if stage.share >= 1:
        return f"{stage.name} ✓ {duration(spent)}" if spent else f"{stage.name} ✓"
    is_at_work = stage.name == snapshot.run.stage
    mark = "● " if is_at_work and snapshot.run.state in ACTIVE else ""
    return f"{stage.name} {mark}{stage.epoch}/{stage.epochs}"


def pace(snapshot: Snapshot) -> str:
    """Step and learning rate."""
    run = snapshot.run
    parts = [f"step {run.step:,}{f' of {run.steps:,}' if run.steps else ''}"] if run.step else []
    if snapshot.epochs:
        parts.append(f"lr {snapshot.epochs[-1].lr:.1e}")
    return "   ".join(parts)


def terms(snapshot: Snapshot, stage: str, letters: Mapping[str, str]) -> list[str]:
    """A line per term: its smoothed value, and its change over ten epochs."""
    found = {key[1]: means for key, means in snapshot.means.items() if key[0] == stage}
    newest = max(found, default=0)
    before = max(newest - TREND_EPOCHS, min(found, default=0))
    head = f"since epoch {before}" if newest > before else ""
    lines = [f"{'mean of epoch ' + str(newest):<22}{head:>14}"] if newest else []
    for name, letter in letters.items():
        value, old = found.get(newest, {}).get(name), found.get(before, {}).get(name)
        shown = "-" if value is None else f"{value:.4g}"
        change = ""
        if value is not None and old and newest > before:
            change = f"{100 * (value - old) / old:+.1f} %"
        lines.append(f"{letter} {name:<14}{shown:>8}{change:>12}")
    return lines


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
        rows.append(("CCAFL published", published))
    lines = [f"{'':<16}{'mAP':>6}{'R-1':>6}{'mINP':>6}"]
    for label, row in rows:
        cells = [percent(getattr(row, name, None)) for name in ("mean_ap", "rank1", "mean_inp")]
        lines.append(f"{label:<16}{''.join(f'{cell:>6}' for cell in cells)}")
    return lines


def association(snapshot: Snapshot) -> str:
    """How well camera identities are linked in the newest epoch that links them."""
    from ccafl.tables import percent

    rows = [row for row in snapshot.epochs if row.groups is not None]
    if not rows:
        return ""
    row = rows[-1]
    text = f" epoch {row.epoch}: linked {row.linked:,}  groups {row.groups:,}"
    text += f"  conflicts {row.conflicts:,}"
    if row.precision is not None:
        text += f"  precision {percent(row.precision)} %  recall {percent(row.recall)} %"
    return text


def evaluations(message: RunRead, width: int) -> str:
    """All evaluations, cameras of the association, and the published row."""
    from ccafl.tables import METRICS, as_text, association_table, evaluation_table, percent

    snapshot, published = message.snapshot, message.published
    if not snapshot.evaluations:
        return "No evaluation yet."
    text = as_text(evaluation_table(snapshot.evaluations), width)
    if published is not None:
        values = "  ".join(
            f"{head} {percent(getattr(published, name, None))}" for name, head in METRICS.items()
        )
        text += f"published by CCAFL's authors:  {values}\n"
    linked = [row for row in snapshot.epochs if row.groups is not None]
    if linked:
        text += f"\nassociation\n{as_text(association_table(linked), width)}"
    return text


def settings(found: Settings, *, all_of_them: bool) -> str:
    """Settings with the preset's value of those that differ."""
    names = found.values if all_of_them else found.differing
    if not names:
        return f"All settings are those of preset {printable(found.preset)}.   = shows them"
    width = max(map(len, names))
    lines = [f"{'all settings' if all_of_them else 'settings that differ'}   = the other"]
    for name in names:
        theirs = found.differing.get(name)
        note = "" if theirs is None else f"   (preset {printable(found.preset)}: {theirs})"
        lines.append(f"  {name:<{width}}  {found.values.get(name, '-')}{note}")
    return "\n".join(lines)
