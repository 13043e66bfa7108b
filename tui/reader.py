"""A thread that reads the database for the screen and posts what has changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ccafl.errors import BusyError, CcaflError, OutdatedError, StoreError
from tui.messages import Interest, Looked, QueueRead, RunGone, Trouble, mistake
from tui.pace import is_due
from tui.problems import MOST_PROBLEMS, read_low_disk
from tui.starts import TimeReader

if TYPE_CHECKING:
    from textual.message import Message

    from ccafl.paths import Home
    from ccafl.store import Store
    from tui.compared import Compared
    from tui.following import Followed

PERIOD_S = 0.5
SLOW_PERIOD_S = 5.0
LIST_PERIOD_S = 1.0  # lists are read at most so often
REFRESH_S = 10.0  # whether the supervisor lives changes without a write
SERVED_S = 10.0


class Reader(threading.Thread):
    """Reads in one thread of its own, which dies with the process: a held lock delays no exit."""

    def __init__(self, home: Home, post: Callable[[Message], object]) -> None:
        super().__init__(name="reader", daemon=True)
        self.is_slow = False
        self._home, self._post = home, post
        self._wake, self._is_over = threading.Event(), False
        self._interest, self._is_anew = Interest(), False

    def look(self, interest: Interest, *, anew: bool = False) -> None:
        """Read what the screen shows from now on, at once; `anew`: also what it was told before."""
        self._interest = interest
        self._is_anew |= anew
        self._wake.set()

    def stop(self) -> None:
        """End the thread soon."""
        self._is_over = True
        self._wake.set()

    def run(self) -> None:
        """Read until told to stop; whatever the database does, go on."""
        from ccafl.store import open_store

        has_trouble = False
        store: Store | None = None
        while not self._is_over:
            try:
                if store is None:
                    store = open_store(self._home)
                    look = _Look(store, self._tell)
                if has_trouble or self._is_anew:
                    self._is_anew = False
                    look.forget()
                look(self._interest)
                if has_trouble:
                    self._tell(Trouble(""))
                has_trouble = False
            except CcaflError as error:
                has_trouble = True
                self._tell(
                    Trouble(
                        str(error), isinstance(error, BusyError), isinstance(error, OutdatedError)
                    )
                )
            except OSError as error:  # such as a log that may not be read
                has_trouble = True
                self._tell(Trouble(f"{error.filename} cannot be read: {error.strerror}."))
            except Exception as error:  # a mistake of ours; the screen must not stand still unsaid
                has_trouble = True
                self._tell(Trouble(mistake(error)))
            period_s = self._period()
            self._wake.wait(period_s - time.monotonic() % period_s)
            self._wake.clear()
        if store is not None:
            store.close()

    def _period(self) -> float:
        if self.is_slow:
            return SLOW_PERIOD_S
        return LIST_PERIOD_S if self._interest.run is None else PERIOD_S

    def _tell(self, message: Message) -> None:
        if not self._is_over:
            self._post(message)


class _Look:
    """One look after another at a database; posts what differs from the last."""

    def __init__(self, store: Store, post: Callable[[Message], object]) -> None:
        self._store, self._post = store, post
        self._found: list[Message] = []
        self._times = TimeReader(store)
        self.forget()

    def forget(self) -> None:
        """Read everything anew the next time."""
        self._version, self._seen, self._read_at = -1, Interest(), 0.0
        self._is_stale = True
        self._followed: Followed | None = None
        self._compared: Compared | None = None

    def __call__(self, interest: Interest) -> None:
        self._found = []
        try:
            self._look(interest)
        finally:
            if self._found:
                self._post(Looked(self._found))

    def _look(self, interest: Interest) -> None:
        version, now = self._store.data_version(), time.monotonic()
        self._is_stale |= version != self._version or now - self._read_at > REFRESH_S
        is_new = replace(interest, run=None) != replace(self._seen, run=None)
        self._seen, self._version = interest, version
        if is_new or (self._is_stale and is_due(self._read_at, now, LIST_PERIOD_S)):
            self._is_stale, self._read_at = False, now
            with self._store.moment():
                self._read_lists(interest)
                self._follow(interest.run)
        else:
            self._follow(interest.run)

    def _read_lists(self, interest: Interest) -> None:
        self._found.append(_queue(self._store, self._times))
        if interest.history is not None:
            from tui.history_reading import read_history

            self._found.append(read_history(self._store, interest.history))
        if interest.compared:
            self._compare(interest.compared)

    def _compare(self, run_ids: tuple[int, ...]) -> None:
        from tui.compared import Compared

        if self._compared is None or self._compared.run_ids != run_ids:
            self._compared = Compared(self._store, run_ids)
        try:
            self._found.append(self._compared.read())
        except BusyError:
            raise
        except StoreError as error:
            self._found.append(RunGone(0, str(error)))

    def _follow(self, run_id: int | None) -> None:
        if run_id is None:
            self._followed = None
            return
        from tui.following import Followed

        if self._followed is None or self._followed.run_id != run_id:
            self._followed = Followed(self._store, run_id)
        try:
            message = self._followed.read(self._version)
        except BusyError:
            raise
        except StoreError as error:
            self._found.append(RunGone(run_id, str(error)))
            return
        if message is not None:
            self._found.append(message)


def _queue(store: Store, times: TimeReader) -> QueueRead:
    from ccafl.store import ACTIVE

    runs = store.runs((*ACTIVE, "queued"))
    leases: dict[int, list[str]] = {}
    for lease in store.leases():
        leases.setdefault(lease.run_id, []).append(lease.gpu_uuid)
    return QueueRead(
        runs=runs,
        ended=store.ended(),
        is_paused=store.paused(),
        is_served=_is_served(store),
        leases=leases,
        times=times.read(runs),
        problems=store.problems(MOST_PROBLEMS),
        low_disk=read_low_disk(store.home),
    )


def _is_served(store: Store) -> bool:
    from ccafl.supervisor.process import Identity, lives

    row = store.supervisor()
    return (
        row is not None
        and abs(time.time() - row.beat) < SERVED_S
        and lives(Identity(row.pid, row.pid_start, row.boot_id))
    )
