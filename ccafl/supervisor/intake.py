"""Taking in what a run says, and noticing when it says nothing."""

import statistics
import time
from itertools import pairwise

from ccafl.store import Store, claims
from ccafl.store.ingest import ingest
from ccafl.supervisor.pace import Pace
from ccafl.supervisor.watch import Watch

_STEPS = 100  # newest ones, whose median time tells how long a step takes
_QUIET_STEPS = 20


class Intake:
    """Reads the event files of watched runs."""

    def __init__(self, store: Store, pace: Pace) -> None:
        self._store, self._pace = store, pace

    def take_in(self, watch: Watch) -> bool:
        """Take in the next events of a run, at most 1 MiB; True if there were any.

        Raises:
            OSError: they cannot be read, which the run shows; its end waits for them.
        """
        before, now = watch.offset, time.monotonic()
        try:
            watch.offset = ingest(self._store, watch.run.id, watch.run.attempt, before)
        except OSError as error:
            self._show_refusal(watch, error)
            raise
        watch.refused = False
        if watch.offset != before:
            watch.heard_at, watch.warned = now, False
            return True
        self._look_for_damage(watch, now)
        if not watch.warned and now - watch.heard_at >= self._pace.quiet_s:
            self._look_for_progress(watch, now)
        return False

    def _show_refusal(self, watch: Watch, error: OSError) -> None:
        if watch.refused:
            return
        warning = (
            f"its events could not be read: {error}. Until they can be, nothing new is shown and "
            "the run does not end"
        )
        with self._store.writing() as connection:
            claims.warn(connection, watch.run.id, warning)
        watch.refused = True

    def _look_for_damage(self, watch: Watch, now: float) -> None:
        path = self._store.home.run(watch.run.id).events(watch.run.attempt)
        if not path.exists() or path.stat().st_size >= watch.offset:
            watch.short_since = None
        elif watch.short_since is None:
            watch.short_since = now
        elif now - watch.short_since >= self._pace.damaged_s:
            watch.short_since = float("inf")
            with self._store.writing() as connection:
                claims.mark_damaged(connection, watch.run)

    def _look_for_progress(self, watch: Watch, now: float) -> None:
        """Warn of a run that is silent for far longer than its steps take; it is not stopped."""
        quiet = now - watch.heard_at
        if quiet < _QUIET_STEPS * self._median_step(watch.run.id):
            return
        watch.warned = True
        warning = (
            f"no progress for {quiet / 60:.0f} minutes; it may hang, and goes on unless cancelled"
        )
        with self._store.writing() as connection:
            claims.warn(connection, watch.run.id, warning)

    def _median_step(self, run_id: int) -> float:
        newest = self._store.latest_loss(run_id)
        if newest is None:
            return 0.0
        rows = self._store.losses(run_id, after_step=newest.step - _STEPS)
        gaps = [later.time - earlier.time for earlier, later in pairwise(rows)]
        return statistics.median(gaps) if gaps else 0.0
