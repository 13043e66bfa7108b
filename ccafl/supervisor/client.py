"""How a client makes sure that somebody serves the queue."""

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from ccafl.errors import BusyError, StoreError, WorkerError
from ccafl.paths import Home
from ccafl.store import Store, is_current
from ccafl.store.database import secure_folder
from ccafl.supervisor.launch import allowed_environment
from ccafl.supervisor.process import Identity, lives

READY_S = 10.0
_POLL_S = 0.05
_TAIL = 2000  # characters of the log shown when the supervisor does not come up


def ensure_supervisor(home: Home, command: Sequence[str] = ("-m", "ccafl.supervisor")) -> None:
    """Return when a supervisor serves the queue; start one, detached, if there is none.

    Call it before adding a run, because the supervisor creates the database, and again after,
    because an idle one may have left in between. `command` differs in tests only.

    Raises:
        WorkerError: no supervisor was ready within ten seconds.
        StoreError: the state folder or the database cannot be used.
    """
    secure_folder(home.root)
    if _is_served(home):
        return
    try:
        child = _start(home, command)
    except OSError as error:
        raise StoreError(
            f"The queue of {str(home.root)!r} cannot be served: {error.strerror}. Make the folder "
            "writable, or choose another one with --home."
        ) from error
    deadline = time.monotonic() + READY_S
    while not _is_served(home):
        # one that finds another supervisor at work leaves with the code of BusyError
        broke = child.poll() not in (None, BusyError.exit_code)
        if broke or time.monotonic() > deadline:
            raise WorkerError(
                f"The supervisor of {str(home.root)!r} "
                f"{'stopped at once' if broke else f'was not ready within {READY_S:g} s'}. "
                f"Its log {str(home.log)!r} ends with:\n{_tail(home.log)}"
            )
        time.sleep(_POLL_S)
    with warnings.catch_warnings():
        # Not to be waited for: it outlives us. Python reaps it if it should end before.
        warnings.simplefilter("ignore", ResourceWarning)
        del child


def _is_served(home: Home) -> bool:
    """Whether the newest supervisor lives, shows it, and has brought the database up to date."""
    if not is_current(home):
        return False
    with Store(home) as store:
        row = store.supervisor()
    return (
        row is not None
        and abs(time.time() - row.beat) < READY_S
        and lives(Identity(row.pid, row.pid_start, row.boot_id))
    )


def _start(home: Home, command: Sequence[str]) -> subprocess.Popen[bytes]:
    log = os.open(home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            [sys.executable, *command, "--home", str(home.root)],
            cwd="/",
            env=allowed_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=0o077,
        )
    finally:
        os.close(log)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-_TAIL:].strip()
