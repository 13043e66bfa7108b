"""Care for the disk: consoles that grow without end, the write-ahead log, daily backups."""

import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path

from ccafl.paths import Home
from ccafl.store import database
from ccafl.supervisor.pace import Pace

logger = logging.getLogger(__name__)

CONSOLE_LIMIT = 64 << 20  # bytes
_TAIL = 1 << 20  # bytes of a cut console that are kept
_BACKUPS = 3


class Upkeep:
    """What is done now and then, whatever the queue does."""

    def __init__(self, home: Home, pace: Pace, console_limit: int = CONSOLE_LIMIT) -> None:
        self._home, self._pace, self._console_limit = home, pace, console_limit
        self._consoles_at = self._database_at = float("-inf")

    def __call__(self, run_ids: Iterable[int]) -> None:
        """Do what is due; `run_ids` are the runs that may be writing."""
        now = time.monotonic()
        if now - self._consoles_at >= self._pace.console_s:
            self._consoles_at = now
            for run_id in run_ids:
                cut_console(self._home.run(run_id).console, self._console_limit)
        if now - self._database_at >= self._pace.upkeep_s:
            self._database_at = now
            self.care_for_database()

    def care_for_database(self) -> None:
        """Empty the write-ahead log, and make the backup of the day."""
        log_bytes = database.checkpoint(self._home.database)
        if log_bytes > database.WAL_LIMIT:
            logger.warning(
                "the write-ahead log of the database has %.0f MB, because a program keeps it open",
                log_bytes / 1e6,
            )
        today = self._home.backups / f"runs-{time.strftime('%Y-%m-%d')}.db"
        if not today.exists():
            database.backup(self._home.database, today)
            for old in sorted(self._home.backups.glob("runs-????-??-??.db"))[:-_BACKUPS]:
                old.unlink()


def cut_console(path: Path, limit: int) -> None:
    """Drop the beginning of a console above `limit` bytes.

    Its writers append, so they go on at the new end; what they write during the cut may be lost.
    """
    try:
        if path.stat().st_size <= limit:
            return
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        return
    try:
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
        os.ftruncate(descriptor, 0)
        os.write(descriptor, b"[the beginning was dropped: this file had grown too large]\n" + tail)
    finally:
        os.close(descriptor)
