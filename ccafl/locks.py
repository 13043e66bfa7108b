"""Locks on files: released by the kernel however their holder ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ccafl.errors import BusyError


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold the exclusive lock of a file, without waiting for it.

    The file is created when missing and stays. The descriptor is closed on exec, so that no child
    keeps the lock alive.

    Raises:
        BusyError: another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(f"Another process holds {str(path)!r}.") from error
        yield
    finally:
        os.close(descriptor)
