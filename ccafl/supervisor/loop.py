"""The supervisor's loop: claim, start, take in events, stop, record how runs ended."""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import FrameType

import ccafl
from ccafl.errors import StoreError
from ccafl.events import read_result
from ccafl.paths import Home
from ccafl.store import ENDED, SupervisorRow, again, claims, database, open_store
from ccafl.store.claims import ActiveRun, Ending, Granted, Queued, Requests, Waits
from ccafl.store.records import write_record
from ccafl.supervisor import endings, process
from ccafl.supervisor.devices import Allocator, GpuReader
from ccafl.supervisor.giveback import GiveBack
from ccafl.supervisor.host import MemoryWatch
from ccafl.supervisor.intake import Intake
from ccafl.supervisor.launch import CPU, WORKER, launch
from ccafl.supervisor.notify import Notifier
from ccafl.supervisor.pace import Pace, Patience
from ccafl.supervisor.settings import read_settings
from ccafl.supervisor.upkeep import Upkeep
from ccafl.supervisor.waiting import reason_to_wait
from ccafl.supervisor.watch import Watch

logger = logging.getLogger(__name__)

_NOTHING = Requests(cancels={}, queue=(), paused=False)


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
        gpus: GpuReader | None = None,
    ) -> None:
        self._home = home
        self._worker = worker
        settings = read_settings(home)
        own = settings.supervisor
        self._pace = pace or Pace(idle_s=own.idle_s)
        self._patience = patience or Patience(save_s=own.save_s, term_s=own.term_s)
        self._store = open_store(home, create=True)
        self._own = _own_row()
        self._gpus = gpus or GpuReader()
        self._allocator = Allocator(self._pace.overtake_s)
        self._give_back = GiveBack(self._store, self._pace.give_back_s)
        self._intake = Intake(self._store, self._pace)
        self._upkeep = Upkeep(home, self._pace)
        self._notifier = Notifier(settings.notify.command)
        self._memory = MemoryWatch()
        self._watches: dict[int, Watch] = {}
        self._requests = _NOTHING
        self._version = -1
        self._claim_due = True
        self._leaving = False
        self._told: set[str] = set()
        self._inodes = _inodes(home)
        self._busy_at = self._beat_at = self._lock_at = self._claimed_at = time.monotonic()

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
            self._try(lambda: _empty_log(self._home), StoreError, OSError)
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
        self._memory.look()
        # the folder of one run must not stop the others; the database stops all
        serve = [partial(self._serve, watch) for watch in self._watches.values()]
        served = [self._try(action, OSError) for action in serve]
        self._claim_if_due()
        self._leave_if_idle()
        self._notifier.reap()
        kept = self._try(lambda: self._upkeep(self._watches), OSError, StoreError)
        if all(served) and kept:
            self._told.clear()

    def _claim_if_due(self) -> None:
        now = time.monotonic()
        old_leases = self._requests.old_leases
        if old_leases or any(gpu != CPU for _, gpu, _ in self._requests.queue):
            self._claim_due |= self._gpus.refresh()
        if old_leases:
            asked_at = self._gpus.asked_at  # read first: another answer may arrive in between
            self._give_back(old_leases, self._gpus.answer(), asked_at=asked_at, now=now)
        if self._requests.queue and now - self._claimed_at >= self._pace.look_s:
            self._claim_due = True  # a file or room on the disk may be there now
        if self._claim_due and not self._leaving:
            self._claim()
            self._claim_due, self._claimed_at = False, now

    def _show_life(self) -> None:
        now = time.monotonic()
        if now - self._lock_at >= self._pace.lock_s:
            self._lock_at = now
            if _inodes(self._home) != self._inodes:
                logger.error("the lock or the database was replaced: this supervisor steps back")
                self._leaving = True
        if now - self._beat_at >= self._pace.beat_s:
            self._beat_at = now
            self._beat(time.time())

    def _beat(self, now: float) -> None:
        with self._store.writing() as connection:
            claims.beat(connection, self._own, now)

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
        requests = self._requests.cancels.get(watch.run.id, 0)
        is_asked = requests or watch.is_late()
        if is_asked and not watch.cancelling and watch.failure is None:
            self._begin_cancel(watch)
        if watch.cancelling:
            watch.stop(requests, self._patience)
        self._intake.take_in(watch)  # last: what cannot be read hinders no cancel
        if watch.is_over(self._patience):
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

    def _begin_cancel(self, watch: Watch) -> None:
        with self._store.writing() as connection:
            claims.begin_cancel(connection, watch.run.id)
        watch.cancelling = True
        self._home.run(watch.run.id).cancel.touch(mode=0o600)
        logger.info("run %d: cancel asked for", watch.run.id)

    def _end(self, watch: Watch) -> None:
        while self._intake.take_in(watch):
            pass
        run, folder = watch.run, self._home.run(watch.run.id)
        result = read_result(folder.result)
        ending = watch.failure or endings.classify(
            result if result and result.attempt == run.attempt else None,
            watch.child.returncode if watch.child else None,
            cancelling=watch.cancelling,
            memory_killed=process.memory_kills() > watch.memory_kills,
            memory=self._memory.highest(),
            last_line=endings.last_line(folder.console),
        )
        if not self._requests.cancels.get(run.id) and watch.is_late():
            ending = endings.late(ending)
        self._record_end(watch, ending)
        del self._watches[run.id]
        found = self._store.run(run.id)
        if found.state in ENDED:  # and not queued again
            self._notifier.tell(found)
        self._claim_due = True
        logger.info("run %d: %s (%s)", run.id, ending.state, ending.reason or ending.exit_kind)

    def _record_end(self, watch: Watch, ending: Ending) -> None:
        run, keep_lease = watch.run, watch.run.gpu_uuid != CPU or watch.leftover
        with self._store.writing() as connection:
            first = claims.finish(connection, run, ending, time.time(), keep_lease=keep_lease)
            if first and ending.state == "lost":
                limit = 0 if watch.leftover else self._pace.losses
                again.resume_lost(connection, run.id, run.attempt, limit)
            self._try(partial(write_record, connection, self._home.run(run.id), run.id), OSError)

    def _claim(self) -> None:
        while True:
            self._allocator.begin()
            with self._store.writing() as connection:
                run = claims.claim(connection, self._choose, time.time())
            if run is None:
                return
            self._start(run)

    def _choose(self, run: Queued, leases: Mapping[str, int]) -> Granted | Waits:
        reason = reason_to_wait(run, self._home)
        if reason is not None:
            return Waits(reason)
        leaving = {lease.gpu_uuid: lease.stuck for lease in self._requests.old_leases}
        answer = self._gpus.answer()
        return self._allocator.choose(run, leases, answer, leaving, time.monotonic())

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


def _inodes(home: Home) -> tuple[int, int] | None:
    """Which files the lock and the database are; None without one of them."""
    try:
        return home.lock.stat().st_ino, home.database.stat().st_ino
    except FileNotFoundError:
        return None


def _empty_log(home: Home) -> None:
    database.checkpoint(home.database)


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
