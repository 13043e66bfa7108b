"""What a queued run waits for besides a device: an earlier run, room on the disk."""

import os
import shutil

from ccafl.disk import room
from ccafl.paths import Home
from ccafl.store.claims import Queued
from ccafl.store.states import ENDED


def reason_to_wait(run: Queued, home: Home) -> str | None:
    """Why a run cannot start whatever devices are free; None if it can."""
    return _source_missing(run, home) or _disk_low(run, home)


def _source_missing(run: Queued, home: Home) -> str | None:
    if run.source is None or run.first_stage not in ("intra", "inter"):
        return None
    folder = home.run(run.source)
    stage = "prompt" if run.first_stage == "intra" else "intra"
    needed = folder.prompts if stage == "prompt" else folder.intra_end
    if os.access(needed, os.R_OK):
        return None
    if run.source_state not in ENDED:
        return f"for run {run.source} to finish its {stage} stage"
    ended = f"run {run.source} ended ({run.source_state}) without its {stage} stage"
    if run.source_state == "finished":
        return f"{ended}; cancel this run and name another one with --from"
    return f"{ended}; resume run {run.source}, or cancel this run"


def _disk_low(run: Queued, home: Home) -> str | None:
    needed = room(run.checkpoint_bytes or 0)
    free = shutil.disk_usage(home.root).free
    if free >= needed:
        return None
    return (
        f"the disk of the state folder has {free / 1e9:.1f} GB free, "
        f"{needed / 1e9:.1f} GB are needed"
    )
