"""What can go wrong, named by what failed.

CcaflError
├── ConfigError       a setting, a preset or a command-line value
├── DatasetError      a data folder or one of its images
├── CheckpointError   weights or a checkpoint
├── StoreError        the state folder or the database of runs
│   ├── BusyError     somebody else holds a lock for longer than we wait
│   └── OutdatedError the database is of an earlier version; the supervisor brings it up to date
├── WorkerError       a run that could not start or that broke
│   └── NonFiniteLossError  a loss term became infinite or NaN
└── (anything else is a programmer's mistake and keeps its traceback)

Each message says what is wrong, where, and what to do next.
"""

from pathlib import Path


class CcaflError(Exception):
    """A failure the reader can act on; its message is one complete sentence or two."""

    exit_code = 1


class ConfigError(CcaflError):
    """A setting is unknown, of the wrong type or impossible."""

    exit_code = 2


class DatasetError(CcaflError):
    """A data folder cannot be used as it is."""

    exit_code = 2


class CheckpointError(CcaflError):
    """Weights or a checkpoint cannot be read, or do not fit the model."""


class StoreError(CcaflError):
    """The state folder or the database of runs cannot be used."""


class BusyError(StoreError):
    """A lock is held by another process."""

    exit_code = 75


class OutdatedError(StoreError):
    """The database in `folder` has an older schema; serving the queue brings it up to date."""

    def __init__(self, message: str, folder: Path) -> None:
        super().__init__(message)
        self.folder = folder


class WorkerError(CcaflError):
    """A run could not start, or ended badly."""


class NonFiniteLossError(WorkerError):
    """A term of the loss is infinite or NaN."""
