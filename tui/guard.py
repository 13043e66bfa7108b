"""A process that gives the terminal back when the app was killed."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAM = Path(__file__).with_suffix(".sh")


@contextmanager
def guarding() -> Iterator[None]:
    """Let another process restore the terminal if this one ends inside without doing so."""
    try:
        guard = subprocess.Popen(
            ["/bin/sh", _PROGRAM],
            stdin=subprocess.PIPE,  # its other end closes with this process
            stderr=subprocess.DEVNULL,
            process_group=0,  # what ends the app's group, or is typed, does not reach it
        )
    except OSError:  # too many processes; the app does without
        yield
        return
    with guard:
        try:
            yield
        finally:
            guard.kill()
