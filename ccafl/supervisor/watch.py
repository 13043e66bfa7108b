"""One claimed run in the eyes of the supervisor: whether it lives, and how it is stopped."""

import signal
import subprocess
import time

from ccafl.store.claims import ActiveRun, Ending
from ccafl.supervisor import process
from ccafl.supervisor.pace import Patience
from ccafl.supervisor.process import Identity


class Watch:
    """A run between its claim and its end.

    `child` is None for a run that an earlier supervisor started, `identity` is None until the
    process of such a run is found. `offset` is how far its event file was taken in. `leftover`
    says that processes of the run cannot be killed.
    """

    def __init__(self, run: ActiveRun, child: subprocess.Popen[bytes] | None = None) -> None:
        self.run = run
        self.child = child
        self.offset = run.offset
        self.recorded = run.state != "starting"
        self.cancelling = run.state == "cancelling"
        self.memory_kills = process.memory_kills()
        self.short_since: float | None = None
        self.heard_at = time.monotonic()
        self.warned = False  # of its silence
        self.refused = False  # its event file cannot be read
        self.leftover = False
        # from here on the wall clock may jump
        self._late_at = None if run.until is None else time.monotonic() + run.until - time.time()
        self._gone_at: float | None = None
        self.failure: Ending | None = None  # known before anything was started
        self.identity = self._identify()
        self._interrupted_at: float | None = None
        self._terminated_at: float | None = None

    def is_late(self) -> bool:
        """Whether the attempt has reached the limit of its time."""
        return self._late_at is not None and time.monotonic() > self._late_at

    def is_over(self, patience: Patience) -> bool:
        """Whether the last process of the run is gone; what outlives the head is killed.

        A process that hangs in the kernel does not die even then; the run ends without it.
        """
        if self.child is not None:
            head_lives = self.child.poll() is None
        else:
            head_lives = self.identity is not None and process.lives(self.identity)
        if head_lives:
            return False
        if process.kill_members(self.run.token):
            return True
        now = time.monotonic()
        self._gone_at = self._gone_at or now
        self.leftover = now - self._gone_at >= patience.gone_s
        return self.leftover

    def stop(self, requests: int, patience: Patience) -> None:
        """Go on stopping the run: ask, demand, then kill; at once after a second request.

        One process is asked by a signal as well as by the file, which only interrupts a wait.
        Several are not: a signal makes their launcher end them before they have saved.
        """
        now = time.monotonic()
        if requests > 1:
            process.kill_members(self.run.token)
        elif self._interrupted_at is None:
            self._interrupted_at = now
            if len(self.run.devices) == 1:
                self._signal(signal.SIGINT)
        elif self._terminated_at is None:
            if now - self._interrupted_at >= patience.save_s:
                self._terminated_at = now
                self._signal(signal.SIGTERM)
        elif now - self._terminated_at >= patience.term_s:
            process.kill_members(self.run.token)

    def _signal(self, number: signal.Signals) -> None:
        if self.identity is not None:
            process.send(self.identity, number)

    def _identify(self) -> Identity | None:
        if self.child is not None:
            return process.identify(self.child.pid)
        run = self.run
        if run.pid is None or run.pid_start is None or run.boot_id is None:
            return process.head(run.token)  # its supervisor died before it noted the process
        return Identity(run.pid, run.pid_start, run.boot_id)
