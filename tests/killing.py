"""A real training run in a real queue, killed with -9 again and again (`make soak` uses it too)."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from ccafl import presets
from ccafl.errors import StoreError
from ccafl.paths import Home, RunFolder
from ccafl.store import ENDED, RunRow, Store, open_store
from ccafl.store.rows import LossRow
from ccafl.supervisor import ensure_supervisor

_POLL_S = 0.05


class Training:
    """Run 1 of a state folder, trained by the real worker under the real supervisor."""

    def __init__(self, root: Path, preset: str, settings: Sequence[str]) -> None:
        self.home = Home(root)
        ensure_supervisor(self.home)
        config = presets.resolve(preset, settings=settings)
        with self._store() as store:
            store.add_run(config, preset=preset, dataset="drawn", gpu="cpu")

    def finish(self, kills: Sequence[int] = (), timeout_s: float = 120.0) -> RunRow:
        """Train to the end; worker and supervisor are killed once each step of `kills` is done.

        A run that was lost too often without a new checkpoint is resumed, as its user would.
        """
        for step in kills:
            self._await(partial(_has_done, step), timeout_s)
            self._kill_both()
        return self._await(lambda run: run.state in ENDED, timeout_s)

    def losses(self) -> list[tuple[object, ...]]:
        """Every loss row but for its time."""
        with self._store() as store:
            return [_timeless(row) for row in store.losses(1)]

    @property
    def folder(self) -> RunFolder:
        """What the run left."""
        return self.home.run(1)

    def stop(self) -> None:
        """Let the supervisor leave."""
        with self._store() as store:
            served = store.supervisor()
        if served is not None:
            _send(served.pid, signal.SIGTERM)

    def _await(self, is_reached: Callable[[RunRow], bool], timeout_s: float) -> RunRow:
        deadline = time.monotonic() + timeout_s
        while True:
            ensure_supervisor(self.home)
            with self._store() as store:
                run = store.run(1)
                if run.state == "lost":
                    with suppress(StoreError):  # the supervisor was first
                        store.resume(1)
            if run.state != "lost" and is_reached(run):
                return run
            assert time.monotonic() < deadline, f"{run.state} at step {run.step}: {run.reason}"
            time.sleep(_POLL_S)

    def _kill_both(self) -> None:
        with self._store() as store:
            run, served = store.run(1), store.supervisor()
        for pid in (run.pid, served.pid if served else None):
            if pid is not None:
                _send(pid, signal.SIGKILL)

    def _store(self) -> Store:
        return open_store(self.home)


def _has_done(step: int, run: RunRow) -> bool:
    return run.step >= step


def _timeless(row: LossRow) -> tuple[object, ...]:
    return tuple(row._replace(time=0.0))


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it ended by itself meanwhile
        os.kill(pid, number)
