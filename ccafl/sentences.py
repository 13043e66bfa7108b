"""What a reader sees of a run, in words that the command line and the app share."""

import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # an error message must not wait for the database layer to load
    from ccafl.store.rows import RunRow

# joiners inside words of some scripts and inside emoji; every other format character is escaped
_JOINERS = "\u200c\u200d"
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, formats such as bidi marks, line separators

# how a sentence about a run goes on to its state
_ENDED = {"finished": "", "failed": "", "cancelled": "was ", "lost": "was "}


def printable(text: str) -> str:
    r"""Text from outside on one line, with everything that could steer a terminal made visible.

    An escape byte becomes `\x1b`, a mark that reverses the reading direction `\u202e`. Texts are
    stored as they are and escaped here, at the border to the screen.
    """
    if text.isprintable():  # nearly always, and a log has thousands of lines
        return text
    return "".join(
        character.encode("unicode_escape").decode() if _is_hidden(character) else character
        for character in text
    )


def describe(run: "RunRow") -> str:
    """One or two sentences: the state, why, and what the reader can do."""
    if run.state == "queued":
        return f"Run {run.id} {waits(run)}."
    if run.state in _ENDED:
        return f"Run {run.id} {_ENDED[run.state]}{ended(run)}. {advice(run)}"
    return f"Run {run.id} is {state(run)}: {progress(run) or 'its worker begins'}."


def state(run: "RunRow") -> str:
    """The state in one word, as stored, but `held` for a queued run the user holds."""
    return "held" if run.state == "queued" and run.hold else run.state


def waits(run: "RunRow") -> str:
    """Why a queued run is not running yet."""
    if run.hold:
        return "waits: it is held until you release it"
    reason = printable(run.reason or "the queue has not come to it yet")
    return f"waits {reason}" if reason.startswith("for ") else f"waits: {reason}"


def progress(run: "RunRow") -> str:
    """Where a run is; empty before its first event."""
    parts = [place(run)] if run.stage else []
    if run.activity:
        counted = (
            f" {run.activity_done or 0:,}/{run.activity_total:,}" if run.activity_total else ""
        )
        parts.append(f"{printable(run.activity)}{counted}")
    return ", ".join(parts)


def place(run: "RunRow") -> str:
    """Stage, stage epoch and step of the newest event, such as `intra, epoch 3, step 9 of 64`."""
    parts = _stage_and_epoch(run)
    if run.step:
        parts.append(f"step {run.step:,}{f' of {run.steps:,}' if run.steps else ''}")
    return ", ".join(parts)


def ended(run: "RunRow") -> str:
    """How, where, when and why a run ended, such as `lost in intra, epoch 3, 14:02: it broke`."""
    if run.attempt == 0:
        return "cancelled before it started"
    if run.state == "finished":
        return "finished"
    where = f"in {', '.join(_stage_and_epoch(run))}" if run.stage else "before its first step"
    when = f", {datetime.fromtimestamp(run.ended):%H:%M}" if run.ended is not None else ""
    return f"{run.state} {where}{when}{_why(run)}"


def resumed(run: "RunRow") -> str:
    """How often a lost run was queued again by itself; empty where that says nothing."""
    if run.state != "lost" or run.lost_in_row < 2:
        return ""
    return f"Resumed by itself {run.lost_in_row - 1} of {run.lost_in_row} times."


def advice(run: "RunRow") -> str:
    """What of an ended run is safe, and the commands that continue it and show more."""
    resume, log = f"`ccafl queue resume {run.id}`", f"`ccafl log {run.id}` shows what it printed."
    if run.attempt == 0:
        return f"Nothing was computed; {resume} queues it again."
    if run.state == "finished":
        return f"`ccafl show {run.id}` shows its results."
    if run.exit_kind == "error":
        return f"{_correct(run, resume)}. {log}"
    if run.checkpoint is None:
        saved = f"It had saved no checkpoint; {resume} starts it again."
    else:
        saved = f"The checkpoint of step {run.checkpoint:,} is safe; {resume} goes on from it."
    return " ".join(part for part in (saved, resumed(run), log) if part)


def _stage_and_epoch(run: "RunRow") -> list[str]:
    epoch = [] if run.epoch is None else [f"epoch {run.epoch}"]
    return [run.stage, *epoch] if run.stage else epoch


def _correct(run: "RunRow", resume: str) -> str:
    """What to do about an error, which would come again: a resumed run keeps its settings."""
    step = run.checkpoint
    goes_on = "starts it again" if step is None else f"goes on from the checkpoint of step {step:,}"
    return (
        f"Correct the cause first: a setting by adding the run again (`ccafl show {run.id}` has "
        f"the command), anything else before {resume}, which {goes_on}"
    )


def _why(run: "RunRow") -> str:
    if run.exit_kind == "gpu_memory":
        hint = "the GPU ran out of memory; lower train.p or model.image_size"
        return f": {hint} ({printable(run.reason)})" if run.reason else f": {hint}"
    return f": {printable(run.reason.rstrip('.'))}" if run.reason else ""


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN and character not in _JOINERS
