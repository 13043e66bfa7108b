"""The first lines of a run view: pure functions from what was read to text."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.style import Style

from ccafl.sentences import describe, ended, printable, resumed, state
from tui.acting import ACTIVE, AGAIN
from tui.frame import WIDE
from tui.lists import GLYPHS, glyph_and_word
from tui.run_cells import backbone, dataset, seed, tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ccafl.follow import Snapshot
    from ccafl.follow.snapshot import StageProgress

NO_PROGRESS_S = 300.0
BAR = 22
NARROWEST = 12  # cells of a name
LEAST = 80  # columns in which all that is known of a silent run fits


def title(snapshot: Snapshot, now: float, width: int) -> str:
    """Number, name, state, when it began and will end; of an ended run the result."""
    run = snapshot.run
    found = f"{glyph_and_word(state(run))}{_silence(snapshot, now, width)}"
    ends = _times(snapshot, now) if run.state in ACTIVE else _result(snapshot)
    room = width - len(f" {run.id}   {found}  ")
    end = len("   ".join(["", *ends[-1:]]))
    beside = room - end
    name = _cut(printable(run.name), beside if beside >= NARROWEST else max(room, NARROWEST))
    left = f" {run.id} {name}  {found}"
    for part in _labels(snapshot) if width >= WIDE else ():
        if cell_len(f"{left}  {part}") + end < width:
            left += f"  {part}"
    while ends and cell_len(left) + len("   ".join(["", *ends])) >= width:
        ends.pop(0)  # the last one matters most
    right = "   ".join(ends)
    return f"{left}   {right:>{max(width - cell_len(left) - 4, 0)}}".rstrip()


def is_silent(snapshot: Snapshot, now: float) -> bool:
    """Whether a run that trains has told nothing for long."""
    run = snapshot.run
    is_training = run.state == "running" and run.stage and not run.activity
    return bool(is_training and run.last_event and now - run.last_event > NO_PROGRESS_S)


def sentence(snapshot: Snapshot, *, resumes: bool) -> str:
    """What is to be said beyond the title; empty while a run just trains.

    `resumes`: whether to name the key that continues a run.
    """
    run = snapshot.run
    said = []
    if run.state in AGAIN:
        said += [f"{GLYPHS[run.state]} {ended(run)}.", _saved(snapshot), resumed(run)]
        said += [" r resume"] * (resumes and not snapshot.is_foreign)
    elif run.state not in ("running", "finished") or run.activity or not run.stage:
        said.append(describe(run))
    if snapshot.is_foreign:
        said.append("Another version of ccafl stored it; this one shows it and cannot train it.")
    if run.warning:
        said.append(f"warning: {printable(run.warning)}")
    return " ".join(part for part in said if part)


def views(names: Sequence[str], shown: str, said: str, width: int) -> Content:
    """The names of the views, which can be clicked, and what the one shown says of itself."""
    line = Content(" ")
    for name in names:
        text = f"[{name}]" if name == shown else f" {name} "
        line = line.append(Content.styled(text, Style.from_meta({"view": name})))
    return line.append(f"{said:>{max(width - line.cell_length - 1, 0)}}")


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


def _labels(snapshot: Snapshot) -> list[str]:
    """What tells a run from others."""
    run = snapshot.run
    labels = [f"{dataset(run)}  {backbone(run)}  seed {seed(run)}"]
    return labels + [f"tags {tags(run)}"] * bool(run.tags)


def _cut(text: str, cells: int) -> str:
    return text if cell_len(text) <= cells else f"{set_cell_size(text, cells - 1).rstrip()}…"


def _saved(snapshot: Snapshot) -> str:
    """Where a run that ended would go on."""
    step = snapshot.run.checkpoint
    if step is None:
        return "No checkpoint: it would start from the beginning."
    epochs = [f"{row.stage} epoch {row.epoch}" for row in snapshot.epochs if row.step == step]
    return f"Checkpoint: {', '.join(epochs) or f'step {step:,}'}."


def _silence(snapshot: Snapshot, now: float, width: int) -> str:
    from ccafl.tables import duration

    if not is_silent(snapshot, now):
        return ""
    run, iteration = snapshot.run, snapshot.iteration()
    assert run.last_event is not None, "a silent run has told something"
    last = f"epoch {run.epoch} it {iteration.done}" if iteration else f"step {run.step:,}"
    told = f" (last: {last})" if width >= LEAST else ""
    return f", no progress for {duration(now - run.last_event)}{told}"


def _times(snapshot: Snapshot, now: float) -> list[str]:
    from ccafl.tables import duration

    run, left = snapshot.run, snapshot.time_left()
    parts = [f"started {_clock(run.started)}"] if run.started is not None else []
    if left is not None and run.state != "cancelling" and not is_silent(snapshot, now):
        what = "ends" if left.of_run else "this stage ends"
        parts.append(f"{what} in {duration(left.seconds)}, about {_clock(now + left.seconds)}")
    return parts


def _result(snapshot: Snapshot) -> list[str]:
    from ccafl.tables import duration, percent

    run = snapshot.run
    parts = []
    if run.started is not None and run.ended is not None:
        parts = [f"took {duration(run.ended - run.started)}"]
    is_last_best = run.best == run.last
    rows = {"last, best": run.last} if is_last_best else {"best": run.best, "last": run.last}
    for label, row in rows.items():
        if row is not None:
            parts.append(f"{label} mAP {percent(row.mean_ap)} Rank-1 {percent(row.rank1)}")
    if run.ended is None:
        return parts
    when = datetime.fromtimestamp(run.ended)
    if run.state in AGAIN:  # its sentence has the time, and needs the day
        return [*parts, f"ended {when:%d %b}"]
    return [f"ended {when:%d %b %H:%M}", *parts]


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
