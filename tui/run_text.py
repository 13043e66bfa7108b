"""The first lines of a run view: pure functions from what was read to text."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ccafl.sentences import describe, printable, state
from tui.acting import ACTIVE
from tui.frame import WIDE
from tui.lists import glyph_and_word

if TYPE_CHECKING:
    from ccafl.follow import Snapshot
    from ccafl.follow.snapshot import StageProgress

NO_PROGRESS_S = 300.0
BAR = 22


def title(snapshot: Snapshot, now: float, width: int) -> str:
    """Number, name, state, when it began and will end; of an ended run the result."""
    run = snapshot.run
    parts = [
        f"{run.id} {printable(run.name)}",
        f"{glyph_and_word(state(run))}{_silence(snapshot, now)}",
    ]
    if width >= WIDE:
        config = snapshot.config
        backbone = config.model.backbone.removesuffix("-quickgelu")
        parts += [f"{printable(run.dataset)}  {backbone}  seed {config.run.seed}"]
        parts += [f"tags {printable(' '.join(run.tags))}"] * bool(run.tags)
    left = f" {'  '.join(parts)}"
    ends = _times(snapshot, now) if run.state in ACTIVE else _result(snapshot)
    while ends and len(left) + len("   ".join(["", *ends])) >= width:
        ends.pop(0)  # the last one matters most
    right = "   ".join(ends)
    return f"{left}   {right:>{max(width - len(left) - 4, 0)}}".rstrip()


def is_silent(snapshot: Snapshot, now: float) -> bool:
    """Whether a run that trains has told nothing for long."""
    run = snapshot.run
    is_training = run.state == "running" and run.stage and not run.activity
    return bool(is_training and run.last_event and now - run.last_event > NO_PROGRESS_S)


def sentence(snapshot: Snapshot) -> str:
    """What is to be said beyond the title; empty while a run just trains."""
    run = snapshot.run
    said = []
    if run.state != "running" or run.activity or not run.stage:
        said.append(describe(run))
    if run.warning:
        said.append(f"warning: {printable(run.warning)}")
    return " ".join(said)


def bars(snapshot: Snapshot, width: int) -> str:
    """Each stage with its epochs; a bar for the one at work; the speed."""
    stages = snapshot.stages()
    parts = [_stage(snapshot, stage) for stage in stages]
    ends = [pace(snapshot)] if width >= WIDE else []
    ends += [f"{snapshot.epochs[-1].images_per_s:,.0f} img/s"] if snapshot.epochs else []
    speed = "   ".join(end for end in ends if end)
    room = width - 3 - len("   ".join(parts)) - len(speed) - 4
    if room >= 8 and snapshot.run.state in ACTIVE:
        cells = min(room, BAR if width < WIDE else 2 * BAR)
        for index, stage in enumerate(stages):
            if stage.name == snapshot.run.stage and stage.share < 1:
                full = round(stage.share * cells)
                parts[index] += f" {'█' * full}{'░' * (cells - full)}"
    text = " " + "   ".join(parts)
    return f"{text}{speed:>{max(width - len(text) - 1, len(speed) + 2)}}"


def pace(snapshot: Snapshot) -> str:
    """Iteration of the epoch at work, and learning rate."""
    iteration = snapshot.iteration() if snapshot.run.state in ACTIVE else None
    parts = [f"it {iteration.done}/{iteration.of}"] if iteration else []
    if snapshot.epochs:
        parts.append(f"lr {snapshot.epochs[-1].lr:.1e}")
    return "   ".join(parts)


def _silence(snapshot: Snapshot, now: float) -> str:
    from ccafl.tables import duration

    if not is_silent(snapshot, now):
        return ""
    run, iteration = snapshot.run, snapshot.iteration()
    assert run.last_event is not None, "a silent run has told something"
    last = f"epoch {run.epoch} it {iteration.done}" if iteration else f"step {run.step:,}"
    return f", no progress for {duration(now - run.last_event)} (last: {last})"


def _times(snapshot: Snapshot, now: float) -> list[str]:
    from ccafl.tables import duration

    run, left = snapshot.run, snapshot.time_left()
    parts = [f"started {_clock(run.started)}"] if run.started is not None else []
    if left is not None and not is_silent(snapshot, now):
        what = "ends" if left.of_run else "this stage ends"
        parts.append(f"{what} in {duration(left.seconds)}, about {_clock(now + left.seconds)}")
    return parts


def _result(snapshot: Snapshot) -> list[str]:
    from ccafl.tables import duration, percent

    run = snapshot.run
    parts = []
    if run.started is not None and run.ended is not None:
        parts.append(f"took {duration(run.ended - run.started)}")
    for label, row in (("best", run.best), ("last", run.last)):
        if row is not None:
            parts.append(f"{label} mAP {percent(row.mean_ap)} Rank-1 {percent(row.rank1)}")
    return parts


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%H:%M")


def _stage(snapshot: Snapshot, stage: StageProgress) -> str:
    from ccafl.tables import duration

    spent = sum(row.seconds for row in snapshot.epochs if row.stage == stage.name)
    if stage.share >= 1:
        return f"{stage.name} ✓ {duration(spent)}" if spent else f"{stage.name} ✓"
    is_at_work = stage.name == snapshot.run.stage
    mark = "● " if is_at_work and snapshot.run.state in ACTIVE else ""
    return f"{stage.name} {mark}{stage.epoch}/{stage.epochs}"
