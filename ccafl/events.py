"""What a run tells the outside: one JSON line per event, and its last word in `result.json`.

A worker appends to `events-ATTEMPT.jsonl` and never waits for a reader: no lock, no database, no
network. The supervisor reads complete lines from a byte offset. A line is
`{"v":1,"k":KIND,"t":UNIX_SECONDS,...fields of the event}`.

Only the standard library is imported here, because every worker imports this module.
"""

import json
import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from types import TracebackType, UnionType
from typing import Any, ClassVar, Literal, NamedTuple, Self, get_args, get_origin

from ccafl.errors import WorkerError
from ccafl.paths import replace_text

logger = logging.getLogger(__name__)

VERSION = 1
LINE_LIMIT = 1 << 20  # bytes; a longer line is no event of ours
FILE_LIMIT = 256 << 20  # bytes; a full one takes no more losses and activities, but the rest
EXACT_INTEGER = 2**53  # larger ones do not survive every JSON reader, nor SQLite's 64 bits for long
TERMS = ("i2t", "t2i", "gid", "intra", "memory_triplet", "triplet", "text", "inter", "ical")

Exit = Literal["ok", "error", "gpu_memory", "cancelled"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StagePlan:
    """Length of one stage of the configured run."""

    stage: str
    epochs: int
    steps: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """The worker holds the run lock and begins; `steps` is the total of the configured run."""

    kind: ClassVar[str] = "start"
    attempt: int
    pid: int
    host: str
    device: str
    threads: int
    versions: Mapping[str, str]
    steps: int
    stages: tuple[StagePlan, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resume:
    """The run goes on from a checkpoint; what was recorded after `step` is void."""

    kind: ClassVar[str] = "resume"
    step: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Activity:
    """What the worker does between steps; it holds until the next event but a warning."""

    kind: ClassVar[str] = "activity"
    text: str
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A stage begins; `step` steps lie before it."""

    kind: ClassVar[str] = "stage"
    stage: str
    step: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """One optimiser step; `loss` holds `total` and the terms of the stage, not finite as None."""

    kind: ClassVar[str] = "loss"
    stage: str
    epoch: int
    step: int
    loss: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Epoch:
    """The end of a stage epoch; the last five are None outside the inter stage."""

    kind: ClassVar[str] = "epoch"
    stage: str
    epoch: int
    step: int
    seconds: float
    images_per_s: float
    lr: float
    peak_memory: int
    linked: int | None = None
    groups: int | None = None
    conflicts: int | None = None
    precision: float | None = None
    recall: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraPair:
    """Retrieval from one query camera in one gallery camera; metrics in [0, 1]."""

    query_camid: int
    gallery_camid: int
    queries: int
    mean_ap: float
    rank1: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Retrieval metrics in [0, 1] after a step; `left_out` queries have no match."""

    kind: ClassVar[str] = "evaluation"
    stage: str
    epoch: int
    step: int
    seconds: float
    mean_ap: float
    rank1: float
    rank5: float
    rank10: float
    mean_inp: float
    queries: int
    left_out: int
    camera_pairs: tuple[CameraPair, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A complete checkpoint of so many bytes is on the disk; saving it took so many seconds."""

    kind: ClassVar[str] = "checkpoint"
    stage: str
    epoch: int
    step: int
    seconds: float
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Warning:
    """The run goes on, but somebody should know."""

    kind: ClassVar[str] = "warning"
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """The last line of an attempt that ended by itself."""

    kind: ClassVar[str] = "end"
    exit: Exit
    message: str = ""


Event = Start | Resume | Activity | Stage | Loss | Epoch | Evaluation | Checkpoint | Warning | End


class Line(NamedTuple):
    """An event and when it was written, in unix seconds."""

    time: float
    event: Event


class Batch(NamedTuple):
    """What one read gives: events in order, where to read on, lines that are no events."""

    lines: list[Line]
    offset: int
    bad_lines: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """The exception a run ended with."""

    name: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The last word of an attempt; `evaluation` is the last one of the run."""

    attempt: int
    exit: Exit
    ended: float
    error: Failure | None = None
    evaluation: Evaluation | None = None


class EventWriter:
    """Appends events to the new file of one attempt; training goes on whatever the disk says.

    Not for several threads. What the disk does not take is written when it has room again, but
    for losses and activities, which are many: `dropped` counts those.

    Raises:
        WorkerError: the file exists already, so this attempt was started before, or cannot be
            created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped = 0
        self._waiting: list[bytes] = []  # lines that the disk has not taken
        self._size = 0
        self._torn = False
        self._warned = False
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except FileExistsError as error:
            raise WorkerError(
                f"The event file {str(path)!r} exists, so this attempt was started before. "
                "Let the queue start the run again."
            ) from error
        except OSError as error:
            raise WorkerError(
                f"The event file {str(path)!r} cannot be created: {error.strerror}."
            ) from error

    def write(self, event: Event) -> None:
        """Append one event as one line; a value that is not finite is written as null."""
        if isinstance(event, Loss) and not event.loss.keys() <= _LOSS_NAMES:
            raise ValueError(f"unknown loss terms: {sorted(event.loss.keys() - _LOSS_NAMES)}")
        is_one_of_many = isinstance(event, Loss | Activity)
        if self._size >= FILE_LIMIT and is_one_of_many:
            self.dropped += 1
            self._warn("the file is as large as it may become")
            return
        line = _line(event)
        if self._write_waiting() and self._append(line):
            return
        if is_one_of_many:
            self.dropped += 1
        else:
            self._waiting.append(line)

    def fsync(self) -> None:
        """Make everything written so far survive a power cut; called before a checkpoint."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            self._warn(error)

    def close(self) -> None:
        """Close the file; the writer cannot be used after."""
        self._write_waiting()
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write_waiting(self) -> bool:
        """Write the lines that wait, in their order; False while there are some left."""
        while self._waiting and self._append(self._waiting[0]):
            del self._waiting[0]
        return not self._waiting

    def _append(self, line: bytes) -> bool:
        """Whether the disk has taken a line, and all of it."""
        # A newline first closes what a short write left behind, so that only one event is lost.
        data = b"\n" + line if self._torn else line
        try:
            written = os.write(self._descriptor, data)
            self._torn = written < len(data)
            self._size += written
        except OSError as error:
            self._torn = True
            self._warn(error)
        if self._torn:
            self._warn("the disk took only part of a line")
        return not self._torn

    def _warn(self, reason: object) -> None:
        if not self._warned:
            logger.warning("losses are not recorded, training goes on: %s: %s", self.path, reason)
        self._warned = True


def read_events(path: Path, offset: int, limit: int = LINE_LIMIT) -> Batch:
    """The events of the complete lines that start at `offset`, at most `limit` bytes of them.

    A line that is no event, or longer than `limit`, is counted and skipped to its end. The file
    is opened anew each time, since network file systems show growth only then. A file that does
    not exist yet, or is shorter than `offset`, gives nothing and leaves the offset.
    """
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return Batch([], offset, 0)
    with file:
        data = os.pread(file.fileno(), limit, offset)
        end = data.rfind(b"\n") + 1
        if end == 0 and len(data) == limit:
            return _skip_line(file.fileno(), offset, limit)
    lines, bad_lines = [], 0
    for text in data[:end].split(b"\n"):
        try:
            if text:  # an empty line is the seal of a write that failed completely
                lines.append(_parse(text))
        except (ValueError, RecursionError):
            bad_lines += 1
    return Batch(lines, offset + end, bad_lines)


def write_result(path: Path, result: Result) -> None:
    """Write `result.json` as a whole."""
    replace_text(path, json.dumps(_finite(asdict(result)), allow_nan=False, indent=1) + "\n")


def read_result(path: Path) -> Result | None:
    """The result an attempt left, or None when it left none or one that cannot be understood."""
    try:
        result: Result = _read_result(_load(path.read_bytes()))
        return result
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        logger.warning("%s cannot be read: %s", path, error)
        return None


def _line(event: Event) -> bytes:
    values: dict[str, Any] = {"v": VERSION, "k": event.kind, "t": time.time()}
    for name in _FIELDS[event.kind]:
        values[name] = getattr(event, name)
    try:
        text = _encode(values)
    except ValueError:  # not finite somewhere; rare, so the common line is not searched first
        text = _encode(_finite(values))
    return text.encode() + b"\n"


def _encode(values: Any) -> str:
    return json.dumps(values, allow_nan=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else asdict(value)


def _finite(value: Any) -> Any:
    """A copy in which each number that JSON cannot hold is None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return _finite(asdict(value)) if is_dataclass(value) and not isinstance(value, type) else value


def _skip_line(descriptor: int, offset: int, limit: int) -> Batch:
    """Skip a line longer than `limit`; while it has no end, the offset stays before it."""
    position = offset + limit
    while data := os.pread(descriptor, limit, position):
        end = data.find(b"\n") + 1
        if end:
            return Batch([], position + end, 1)
        position += len(data)
    return Batch([], offset, 0)


def _parse(text: bytes) -> Line:
    values = _load(text)
    if not isinstance(values, dict) or values.get("v") != VERSION:
        raise ValueError("not a line of this version")
    kind = values.get("k")
    if not isinstance(kind, str) or kind not in _READERS:
        raise ValueError("unknown kind")
    return Line(_number(values.get("t")), _READERS[kind](values))


def _load(text: bytes) -> Any:
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


# From an annotation to a function that checks a JSON value and gives the field's value. Built
# once per class, because a catch-up after an outage reads tens of thousands of lines.

Reader = Callable[[Any], Any]


def _reader(wanted: Any) -> Reader:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if is_dataclass(wanted):
        return _dataclass_reader(wanted)
    if origin is UnionType:
        inner = _reader(arguments[0])
        return lambda value: None if value is None else inner(value)
    if origin is Literal:
        return lambda value: _choice(value, arguments)
    if origin is tuple:
        item = _reader(arguments[0])
        return lambda value: tuple(item(inner) for inner in _instance(value, list))
    if origin is Mapping:
        item = _reader(arguments[1])
        return lambda value: {
            _text(name): item(inner) for name, inner in _instance(value, dict).items()
        }
    plain: dict[Any, Reader] = {str: _text, int: _integer, float: _number}
    return plain[wanted]


def _dataclass_reader(wanted: Any) -> Reader:
    readers = [(field.name, _reader(field.type), field.default) for field in fields(wanted)]

    def read(value: Any) -> Any:
        found = {}
        for name, read_field, default in readers:
            if name in _instance(value, dict):
                found[name] = read_field(value[name])
            elif default is MISSING:
                raise ValueError(f"{name} is missing")
        return wanted(**found)

    return read


def _instance(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value


def _choice(value: Any, allowed: tuple[Any, ...]) -> Any:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {allowed}")
    return value


def _text(value: Any) -> str:
    # a lone surrogate (from the name of an undecodable file) is no text SQLite can store
    return str(_instance(value, str)).encode("utf-8", "backslashreplace").decode()


def _integer(value: Any) -> int:
    if type(value) is not int or abs(value) > EXACT_INTEGER:
        raise ValueError(f"{value!r} is no integer")
    return value


def _number(value: Any) -> float:
    if type(value) is int:
        value = float(_integer(value))
    if type(value) is not float or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value


def _loss_reader() -> Reader:
    read = _dataclass_reader(Loss)

    def read_loss(value: Any) -> Loss:
        event: Loss = read(value)
        if not event.loss.keys() <= _LOSS_NAMES:
            raise ValueError("unknown loss terms")
        return event

    return read_loss


_KINDS = (Start, Resume, Activity, Stage, Epoch, Evaluation, Checkpoint, Warning, End)
_LOSS_NAMES = frozenset(("total", *TERMS))
_FIELDS = {kind.kind: [field.name for field in fields(kind)] for kind in (*_KINDS, Loss)}
_READERS: dict[Any, Reader] = {kind.kind: _dataclass_reader(kind) for kind in _KINDS}
_READERS[Loss.kind] = _loss_reader()
_read_result = _dataclass_reader(Result)
