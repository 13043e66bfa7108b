"""What the threads tell the app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from textual.message import Message

from tui.starts import Times

if TYPE_CHECKING:
    from ccafl.follow import Snapshot
    from ccafl.gpu import GpuAnswer
    from ccafl.store import ProblemRow, ReferenceRow, RunRow
    from ccafl.store.queries import Which
    from tui.series import StageSeries

Curve = Sequence[tuple[int, float]]  # epochs and values


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """What the history is asked for; `words` are what the user typed.

    `which` is the evaluation whose metrics are shown, sorted by and compared with.
    """

    words: str = ""
    sort: str = "ended"
    reverse: bool = False
    which: Which = "last"
    limit: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Interest:
    """What is on the screen and has to be kept up to date, beside the queue."""

    run: int | None = None
    history: Filter | None = None
    compared: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of a run, and its preset's value of those that differ, both printable.

    `origins` says of the others where the value comes from, such as `from code`.
    """

    preset: str
    values: Mapping[str, str]
    differing: Mapping[str, str]
    origins: Mapping[str, str]


@dataclass
class Looked(Message):
    """What one look at the database has found, together, so that the screen is painted once."""

    found: Sequence[Message]


@dataclass
class QueueRead(Message):
    """Runs that work and wait, in order, and how many have ended.

    `leases` are the devices by run, as UUIDs or `cpu`.
    """

    runs: Sequence[RunRow]
    ended: int
    is_paused: bool
    is_served: bool
    leases: Mapping[int, Sequence[str]] = field(default_factory=dict)
    times: Times = field(default_factory=Times)
    problems: Sequence[ProblemRow] = ()
    low_disk: str = ""


@dataclass
class HistoryRead(Message):
    """Ended runs that match, at most as many as asked for; how many match, how many ended.

    `published` are the results of CCAFL's authors by data set.
    """

    asked: Filter
    runs: Sequence[RunRow]
    matching: int
    ended: int
    published: Mapping[str, ReferenceRow]


@dataclass
class FilterUnclear(Message):
    """A word of the filter says nothing, or nothing yet; the list stays as it is."""

    asked: Filter
    sentence: str


@dataclass
class RunRead(Message):
    """One run; `is_first` when it begins to be followed, then `lines` starts anew too.

    `lines` are the newest lines of the log, at most as many as are kept, and `line_count` is how
    many it has.
    """

    snapshot: Snapshot
    series: Mapping[str, StageSeries]
    settings: Settings
    published: ReferenceRow | None
    lines: Sequence[str]
    line_count: int
    is_first: bool


@dataclass
class ComparedRead(Message):
    """The runs of a comparison, in order, published results, and the curves of each run by name."""

    runs: Sequence[RunRow]
    references: Sequence[ReferenceRow]
    curves: Sequence[Mapping[str, Curve]]

    @property
    def ids(self) -> tuple[int, ...]:
        """Their numbers."""
        return tuple(run.id for run in self.runs)


@dataclass
class RunGone(Message):
    """The run that was followed does not exist any more; 0 is one of those compared."""

    run_id: int
    reason: str


@dataclass
class Trouble(Message):
    """The database cannot be read; an empty sentence when it can again."""

    sentence: str
    is_busy: bool = False
    is_outdated: bool = False


@dataclass
class Said(Message):
    """The answer to an action, or why it was not done."""

    sentence: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose process it is, and what it runs."""

    user: str
    command: str


@dataclass
class GpusRead(Message):
    """What NVML says now, and who owns the processes; None when its helper does not answer."""

    answer: GpuAnswer | None
    owners: Mapping[int, Owner] = field(default_factory=dict)


def mistake(error: BaseException) -> str:
    """What is said of an exception that nobody foresaw."""
    return f"That failed ({type(error).__name__}: {error}), which is a mistake in ccafl."


class HeadChanged(Message):
    """A panel of a run has something else to say beside its name."""
