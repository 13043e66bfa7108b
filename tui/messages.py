"""What the threads tell the app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from ccafl.follow import Snapshot
    from ccafl.gpu import GpuAnswer
    from ccafl.store import ReferenceRow, RunRow
    from tui.series import StageSeries


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """What the history is asked for; `words` are what the user typed."""

    words: str = ""
    sort: str = "ended"
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Interest:
    """What is on the screen and has to be kept up to date, beside the queue."""

    run: int | None = None
    history: Filter | None = None
    compared: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of a run, and its preset's value of those that differ, both printable."""

    preset: str
    values: Mapping[str, str]
    differing: Mapping[str, str]


@dataclass
class QueueRead(Message):
    """Runs that work and wait, in order, and how many have ended."""

    runs: Sequence[RunRow]
    ended: int
    paused: bool
    is_served: bool


@dataclass
class HistoryRead(Message):
    """Ended runs that match; `problem` says what is wrong with the filter."""

    asked: Filter
    runs: Sequence[RunRow]
    has_more: bool
    problem: str = ""


@dataclass
class RunRead(Message):
    """One run; `is_first` when it begins to be followed, then `lines` starts anew too."""

    snapshot: Snapshot
    series: Mapping[str, StageSeries]
    settings: Settings
    published: ReferenceRow | None
    lines: Sequence[str]
    is_first: bool


@dataclass
class ComparedRead(Message):
    """The runs of a comparison, in order, and the published row of their dataset."""

    runs: Sequence[RunRow]
    published: ReferenceRow | None


@dataclass
class RunGone(Message):
    """The run that was followed does not exist any more."""

    run_id: int
    reason: str


@dataclass
class Trouble(Message):
    """The database cannot be read; an empty sentence when it can again."""

    sentence: str
    is_busy: bool = False


@dataclass
class Said(Message):
    """The answer to an action, or why it was not done."""

    sentence: str
    is_error: bool = False


@dataclass
class GpusRead(Message):
    """What NVML says now; None when its helper does not answer."""

    answer: GpuAnswer | None
