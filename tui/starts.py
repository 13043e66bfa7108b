"""When runs start and end: read in the reader's thread, told in a column of the queue."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from tui.acting import ACTIVE

if TYPE_CHECKING:
    from ccafl.estimates import Estimate
    from ccafl.store import RunRow, Store

MOST_ESTIMATED = 50  # queued runs whose length is looked for; the others start in days
UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds that active runs have left and that queued ones will take, as far as known.

    `lacking` are queued runs whose source has not trained the stage before their first one.
    """

    left: Mapping[int, float] = field(default_factory=dict)
    lengths: Mapping[int, float] = field(default_factory=dict)
    lacking: Collection[int] = ()


class TimeReader:
    """Reads times; estimates are looked for again when a run has reached another stage."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._estimates: dict[tuple[int, str], Estimate | None] = {}
        self._reached: object = None

    def read(self, runs: Sequence[RunRow]) -> Times:
        """The times of runs that work and wait."""
        reached = [(run.id, run.stage) for run in runs if run.state in ACTIVE]
        if reached != self._reached:
            self._reached, self._estimates = reached, {}
        left = {run.id: self._left(run) for run in runs if run.state in ACTIVE}
        queued = [run for run in runs if run.state == "queued"]
        found = {run.id: self._estimate(run) for run in queued[:MOST_ESTIMATED]}
        return Times(
            left={number: seconds for number, seconds in left.items() if seconds is not None},
            lengths={number: told.seconds for number, told in found.items() if told is not None},
            lacking={run.id for run in queued if self._lacks_stage(run)},
        )

    def _lacks_stage(self, run: RunRow) -> bool:
        """Whether what a run takes from its source is not there, as the supervisor looks for it."""
        if run.source is None:
            return False
        first = json.loads(run.config)["run"]["stages"][0]
        folder = self._store.home.run(run.source)
        needed = {"intra": folder.prompts, "inter": folder.intra_end}.get(first)
        return needed is not None and not needed.exists()

    def _left(self, run: RunRow) -> float | None:
        from ccafl.errors import ConfigError
        from ccafl.follow import time_left

        try:
            found = time_left(self._store, run)
        except ConfigError:  # of another version
            return None
        if found is not None and found.of_run:
            return found.seconds
        told = self._estimate(run)
        if told is None:
            return None
        if found is None:
            return told.seconds if not run.step else None
        return found.seconds + told.after(run.stage or "")

    def _estimate(self, run: RunRow) -> Estimate | None:
        from ccafl.config import from_json
        from ccafl.errors import ConfigError
        from ccafl.estimates import estimate

        key = run.id, run.config
        if key not in self._estimates:
            try:
                config = from_json(run.config)
            except ConfigError:
                self._estimates[key] = None
            else:
                self._estimates[key] = estimate(self._store, config, run.dataset, run.gpu)
        return self._estimates[key]


def when(runs: Sequence[RunRow], times: Times, now: float, *, is_paused: bool) -> dict[int, str]:
    """In a few words, when each run ends that works, and when each starts that waits.

    A waiting run is taken to start when the first device ends that it could have; what others do
    on the GPUs cannot be foreseen.
    """
    from ccafl.tables import duration

    active = {run.id: run for run in runs if run.state in ACTIVE}
    unended = {run.id for run in runs}
    found: dict[int, str] = {}
    devices: list[tuple[str, float | None]] = []
    for run in active.values():
        seconds = None if run.state == "cancelling" else times.left.get(run.id)
        found[run.id] = UNKNOWN if seconds is None else f"in {duration(seconds)}"
        devices.append((run.gpu, seconds))
    is_first = True
    for run in runs:
        if run.id in active:
            continue
        if run.hold or is_paused:
            found[run.id] = "held" if run.hold else "queue paused"
            continue
        if run.id in times.lacking:
            found[run.id] = f"{'after' if run.source in unended else 'needs'} run {run.source}"
            continue
        start = _take_device(run, devices, times.lengths.get(run.id)) if run.reason else None
        found[run.id] = "next" if is_first else _clock(now, start)
        is_first = False
    return found


def _clock(now: float, seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    day = "%H:%M" if seconds < 12 * 3600 else "%d %b %H:%M"
    return f"~ {datetime.fromtimestamp(now + seconds).strftime(day)}"


def _take_device(
    run: RunRow, devices: list[tuple[str, float | None]], length: float | None
) -> float | None:
    """Seconds until a run can have a device, which it then keeps for its own length."""
    could = [index for index, (name, _) in enumerate(devices) if _fits(run.gpu, name)]
    known = {index: end for index in could if (end := devices[index][1]) is not None}
    if not known:
        return None
    index = min(known, key=known.__getitem__)
    start = known[index]
    devices[index] = (devices[index][0], None if length is None else start + length)
    return start


def _fits(asked: str, held: str) -> bool:
    """Whether a device asked for may be the held one; which one `auto` has got is not known."""
    return asked == held or (asked != "cpu" != held and "auto" in (asked, held))
