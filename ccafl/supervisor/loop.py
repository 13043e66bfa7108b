"""The supervisor's loop: claim, start, take in events, stop, record how runs ended."""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import FrameType

import ccafl
from ccafl.errors import StoreError
from ccafl.events import read_result
from ccafl.paths import Home
from ccafl.store import SupervisorRow, claims, open_store
from ccafl.store.claims import ActiveRun, Ending, Granted, Requests, Waits
from ccafl.store.ingest import ingest
from ccafl.supervisor import devices, endings, process
from ccafl.supervisor.devices import GpuReader
from ccafl.supervisor.launch import CPU, WORKER, launch
from ccafl.supervisor.watch import Patience, Watch

logger = logging.getLogger(__name__)

_NOTHING = Requests(cancels={}, queue=(), paused=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How often the supervisor does what, in seconds."""

    tick_s: float = 0.25  # a step is in the database less than a second after it was made
    beat_s: float = 5.0
    idle_s: float = 600.0  # without a run, the supervisor leaves
    lock_s: float = 60.0  # between two looks at the lock file
    damaged_s: float = 300.0  # an event file may be shorter than known for this long (NFS)


class Supervisor:
    """Serves the queue of one state folder; its caller holds the supervisor's lock.

    The worker's arguments after the interpreter, the pace and the patience differ in tests only.
    """

    def __init__(
        self,
        home: Home,
        *,
        worker: Sequence[str] = WORKER,
        pace: Pace | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._home = home
        self._worker = worker
        self._pace = pace or Pace()
        self._patience = patience or Patience()
        self._store = open_store(home, create=True)
        self._own = _own_row()
        self._gpus = GpuReader()
        self._watches: dict[int, Watch] = {}
        self._requests = _NOTHING
        self._version = -1
        self._claim_due = True
        self._leaving = False
        self._told: set[str] = set()
        self._lock_inode = home.lock.stat().st_ino
        self._busy_at = self._beat_at = self._lock_at = time.monotonic()

    def run(self) -> None:
        """Serve until the queue has been empty for a while, or SIGTERM; runs go on without us."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._leave)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with self._store as store:
            with store.writing() as connection:
                claims.register(connection, self._own)
                self._adopt(claims.active_runs(connection))
            while not self._leaving:
                self._try(self._tick, StoreError, OSError)
                time.sleep(self._pace.tick_s)
            self._try(lambda: self._beat(0.0), StoreError)
        logger.info("supervisor leaves")

    def _leave(self, _: int, __: FrameType | None) -> None:
        self._leaving = True  # nothing else: a line of the log may be half written right now

    def _try(self, action: Callable[[], None], *expected: type[Exception]) -> bool:
        """Do something that a locked database or a full disk may refuse; True if it was done.

        A later round repeats it. A refusal is logged once, not four times a second.
        """
        try:
            action()
        except expected as error:
            if str(error) not in self._told:
                logger.warning("%s", error)
            self._told.add(str(error))
            return False
        return True

    def _adopt(self, runs: Sequence[ActiveRun]) -> None:
        for run in runs:
            watch = self._watches[run.id] = Watch(run)
            logger.info("run %d: adopted, %s", run.id, watch.identity or "no process found")

    def _tick(self) -> None:
        self._show_life()
        self._look_for_requests()
        # the folder of one run must not stop the others; the database stops all
        serve = [partial(self._serve, watch) for watch in self._watches.values()]
        served = [self._try(action, OSError) for action in serve]
        self._claim_if_due()
        self._leave_if_idle()
        if all(served):
            self._told.clear()

    def _claim_if_due(self) -> None:
        if any(gpu != CPU for _, gpu, _ in self._requests.queue):
            self._claim_due |= self._gpus.refresh()
        if self._claim_due and not self._leaving:
            self._claim()
            self._claim_due = False

    def _show_life(self) -> None:
        now = time.monotonic()
        if now - self._lock_at >= self._pace.lock_s:
            self._lock_at = now
            if not self._lock_is_ours():
                logger.error("the lock file was replaced: this supervisor steps back")
                self._leaving = True
        if now - self._beat_at >= self._pace.beat_s:
            self._beat_at = now
            self._beat(time.time())

    def _beat(self, now: float) -> None:
        with self._store.writing() as connection:
            claims.beat(connection, self._own, now)

    def _lock_is_ours(self) -> bool:
        try:
            return self._home.lock.stat().st_ino == self._lock_inode
        except FileNotFoundError:
            return False

    def _look_for_requests(self) -> None:
        version = self._store.data_version()
        if version == self._version:
            return
        with self._store.reading() as connection:
            requests = claims.requests(connection)
        self._claim_due |= requests != self._requests
        self._requests, self._version = requests, version

    def _serve(self, watch: Watch) -> None:
        if not watch.recorded:
            self._record(watch)
        self._take_in(watch)
        requests = self._requests.cancels.get(watch.run.id, 0)
        if requests and not watch.cancelling and watch.failure is None:
            self._begin_cancel(watch)
        if watch.cancelling:
            watch.stop(requests, self._patience)
        if watch.is_over():
            self._end(watch)

    def _record(self, watch: Watch) -> None:
        found = watch.identity
        if found is not None:
            with self._store.writing() as connection:
                claims.record_process(
                    connection,
                    watch.run.id,
                    socket.gethostname(),
                    found.boot_id,
                    found.pid,
                    found.start,
                )
        watch.recorded = True

    def _take_in(self, watch: Watch) -> bool:
        """Take in the next events, at most 1 MiB; True if there were any."""
        before = watch.offset
        watch.offset = ingest(self._store, watch.run.id, watch.run.attempt, before)
        if watch.offset == before:
            self._look_for_damage(watch)
        return watch.offset != before

    def _look_for_damage(self, watch: Watch) -> None:
        path = self._home.run(watch.run.id).events(watch.run.attempt)
        now = time.monotonic()
        if not path.exists() or path.stat().st_size >= watch.offset:
            watch.short_since = None
        elif watch.short_since is None:
            watch.short_since = now
        elif now - watch.short_since >= self._pace.damaged_s:
            watch.short_since = float("inf")
            with self._store.writing() as connection:
                claims.mark_damaged(connection, watch.run)

    def _begin_cancel(self, watch: Watch) -> None:
        with self._store.writing() as connection:
            claims.begin_cancel(connection, watch.run.id)
        watch.cancelling = True
        self._home.run(watch.run.id).cancel.touch(mode=0o600)
        logger.info("run %d: cancel asked for", watch.run.id)

    def _end(self, watch: Watch) -> None:
        while self._take_in(watch):
            pass
        run, folder = watch.run, self._home.run(watch.run.id)
        result = read_result(folder.result)
        ending = watch.failure or endings.classify(
            result if result and result.attempt == run.attempt else None,
            watch.child.returncode if watch.child else None,
            cancelling=watch.cancelling,
            memory_killed=process.memory_kills() > watch.memory_kills,
            last_line=endings.last_line(folder.console),
        )
        with self._store.writing() as connection:
            claims.finish(connection, run, ending, time.time())
        del self._watches[run.id]
        self._claim_due = True
        logger.info("run %d: %s (%s)", run.id, ending.state, ending.reason or ending.exit_kind)

    def _claim(self) -> None:
        while True:
            with self._store.writing() as connection:
                run = claims.claim(connection, self._choose, time.time())
            if run is None:
                return
            self._start(run)

    def _choose(self, asked: str, leases: Mapping[str, int]) -> Granted | Waits:
        return devices.choose(asked, leases, self._gpus.answer())

    def _start(self, run: ActiveRun) -> None:
        try:
            watch = Watch(run, launch(run, self._home, self._worker))
        except OSError as error:
            watch = Watch(run)
            reason = f"its worker could not be started: {error}"
            watch.failure = Ending("failed", "error", reason)
        self._watches[run.id] = watch
        logger.info(
            "run %d: attempt %d on %s: %s", run.id, run.attempt, run.gpu_uuid, watch.identity
        )
        self._record(watch)

    def _leave_if_idle(self) -> None:
        now = time.monotonic()
        if self._watches or self._requests.queue:
            self._busy_at = now
        elif now - self._busy_at >= self._pace.idle_s:
            with self._store.writing() as connection:
                self._leaving = claims.retire(connection, self._own)
            self._busy_at = now


def _own_row() -> SupervisorRow:
    own, now = process.identify(os.getpid()), time.time()
    assert own is not None, "this process lives"
    return SupervisorRow(
        host=socket.gethostname(),
        boot_id=own.boot_id,
        pid=own.pid,
        pid_start=own.start,
        version=ccafl.__version__,
        started=now,
        beat=now,
    )
