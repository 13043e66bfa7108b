"""One run read again and again: its rows, its losses, its log."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from ccafl.sentences import printable
from tui import pace
from tui.messages import RunRead, Settings
from tui.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ccafl.follow import Snapshot
    from ccafl.store import ReferenceRow, RunRow, Store

KEPT = 5_000  # lines of a log


class Followed:
    """Gives what is new of one run; each line and each row of losses is read once."""

    def __init__(self, store: Store, run_id: int) -> None:
        from ccafl.follow import LogTail, Watcher

        self.run_id = run_id
        self._store = store
        self._watcher, self._series = Watcher(store, run_id), Series()
        self._tail = LogTail(store.home.run(run_id).console)
        self._version: int | None = None
        self._told_at = 0.0
        self._is_told = True
        self._snapshot: Snapshot | None = None
        self._settings: Settings | None = None
        self._published: ReferenceRow | None = None

    def read(self, version: int) -> RunRead | None:
        """What is new of the run since the last answer; None if nothing is, or all is drawn soon.

        Rows are read whenever there are some, and given once a second, when they are drawn.

        Args:
            version: of the database; rows are read only when it has changed.

        Raises:
            StoreError: the run does not exist, or the database cannot be read.
        """
        from ccafl.store import ENDED

        before, now = self._snapshot, time.monotonic()
        if version != self._version:
            self._snapshot, self._is_told = self._read_rows(), False
        snapshot = self._snapshot
        assert snapshot is not None
        is_ended = snapshot.run.state in ENDED
        lines = deque(self._tail.read(is_complete=is_ended), maxlen=KEPT)
        self._version = version
        is_changed = before is None or before.run.state != snapshot.run.state
        is_due = not self._is_told and pace.is_due(self._told_at, now, pace.DRAW_PERIOD_S)
        if not (is_changed or lines or is_due):
            return None
        self._is_told, self._told_at = True, now
        if self._settings is None:
            self._settings = _settings(snapshot.run)
            self._published = self._store.published().get(snapshot.run.dataset)
        return RunRead(
            snapshot=snapshot,
            series=self._series.copy(),
            settings=self._settings,
            published=self._published,
            lines=list(lines),
            line_count=self._tail.line_count,
            is_first=before is None,
        )

    def _read_rows(self) -> Snapshot:
        from ccafl.errors import ConfigError, StoreError

        try:
            snapshot = self._watcher.read()
        except ConfigError as error:  # damaged; that concerns this run alone
            shown = f"{error} `ccafl show {self.run_id}` shows its results."
            raise StoreError(shown) from error
        self._series.take(snapshot.new_losses, is_anew=snapshot.is_anew)
        return snapshot


def _settings(run: RunRow) -> Settings:
    from ccafl import overview

    values, differing = overview.flatten_stored(run), overview.differences(run)
    return Settings(
        preset=run.preset or "default",
        values={printable(key): overview.value_text(value) for key, value in values.items()},
        differing={
            printable(key): overview.value_text(found["preset"]) for key, found in differing.items()
        },
        origins={printable(key): origin for key, origin in _origins(values, run.preset).items()},
    )


def _origins(names: Iterable[str], preset: str) -> dict[str, str]:
    """Where the preset's value of each setting comes from, as the comment of the setting says."""
    from ccafl.config import flatten, keys
    from ccafl.presets import CPU_PRESETS, resolve

    known, defaults = keys(), flatten(resolve())
    small = flatten(resolve(preset)) if preset in CPU_PRESETS else defaults
    found = {}
    for name in names:
        if name not in known or name.startswith(("run.", "data.")):
            continue
        is_code = "from code" in known[name].default.description
        ours = "from code" if is_code else "ours"
        found[name] = ours if small[name] == defaults[name] else f"preset {preset}"
    return found
