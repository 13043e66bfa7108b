"""The tables of `runs.db`.

STRICT tables refuse SQLModel's default column types, so each column names SQLite's own. Table
classes do not validate; the checks below and the rows' authors are the guard. Times are unix
seconds (UTC), texts are stored as given and escaped only where they are shown.
"""

from typing import Any, ClassVar

from sqlalchemy import REAL, CheckConstraint, Index, Integer, Text
from sqlmodel import Field, SQLModel

from ccafl.store.states import EXIT_KINDS, STATES

STRICT = {"sqlite_strict": True}
KEYED = STRICT | {"sqlite_with_rowid": False}  # rows lie in the order of their key


def _run_id() -> Any:
    return Field(sa_type=Integer, primary_key=True, foreign_key="run.id", ondelete="CASCADE")


def _one_of(column: str, words: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(word) for word in words)})")


class Run(SQLModel, table=True):
    """One queued job with one config."""

    __tablename__: ClassVar[Any] = "run"
    __table_args__ = (
        _one_of("state", STATES),
        _one_of("exit_kind", EXIT_KINDS),
        CheckConstraint("hold IN (0, 1)"),
        CheckConstraint("start_over IN (0, 1)"),
        CheckConstraint("json_valid(versions)"),
        CheckConstraint("json_valid(config)"),
        Index("run_state", "state", "place"),
        STRICT | {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_type=Integer, primary_key=True)
    name: str = Field(sa_type=Text)
    note: str = Field(default="", sa_type=Text)
    dataset: str = Field(default="", sa_type=Text)
    preset: str = Field(default="", sa_type=Text)
    gpu: str = Field(sa_type=Text)  # as asked for: auto, cpu, an index or a UUID
    source: int | None = Field(
        default=None, sa_type=Integer, foreign_key="run.id", ondelete="RESTRICT"
    )
    state: str = Field(default="queued", sa_type=Text)
    place: int = Field(sa_type=Integer)
    hold: bool = Field(default=False, sa_type=Integer)
    start_over: bool = Field(default=False, sa_type=Integer)  # drop what earlier attempts saved
    lost_in_row: int = Field(default=0, sa_type=Integer)  # lost attempts since a checkpoint
    token: str = Field(sa_type=Text, unique=True)  # marks every process of the run
    created: float = Field(sa_type=REAL)
    started: float | None = Field(default=None, sa_type=REAL)
    ended: float | None = Field(default=None, sa_type=REAL)
    attempt: int = Field(default=0, sa_type=Integer)
    host: str | None = Field(default=None, sa_type=Text)
    boot_id: str | None = Field(default=None, sa_type=Text)
    pid: int | None = Field(default=None, sa_type=Integer)
    pid_start: int | None = Field(default=None, sa_type=Integer)  # clock ticks after boot
    launcher: str = Field(default="process", sa_type=Text)
    slurm_job: str | None = Field(default=None, sa_type=Text)
    cancel_requested: int = Field(default=0, sa_type=Integer)  # requests; 2 and more kill
    reason: str | None = Field(default=None, sa_type=Text)
    exit_kind: str | None = Field(default=None, sa_type=Text)
    exit_code: int | None = Field(default=None, sa_type=Integer)
    device: str | None = Field(default=None, sa_type=Text)
    threads: int | None = Field(default=None, sa_type=Integer)
    versions: str = Field(default="{}", sa_type=Text)
    last_event: float | None = Field(default=None, sa_type=REAL)
    stage: str | None = Field(default=None, sa_type=Text)
    epoch: int | None = Field(default=None, sa_type=Integer)
    step: int = Field(default=0, sa_type=Integer)
    steps: int | None = Field(default=None, sa_type=Integer)
    checkpoint: int | None = Field(default=None, sa_type=Integer)  # step of the newest one
    checkpoint_bytes: int | None = Field(default=None, sa_type=Integer)
    activity: str | None = Field(default=None, sa_type=Text)
    activity_done: int | None = Field(default=None, sa_type=Integer)
    activity_total: int | None = Field(default=None, sa_type=Integer)
    warning: str | None = Field(default=None, sa_type=Text)
    config: str = Field(sa_type=Text)  # last, so that a scan need not read it


class Attempt(SQLModel, table=True):
    """One start of a run, and how far its event file has been read."""

    __tablename__: ClassVar[Any] = "attempt"
    __table_args__ = (
        _one_of("exit_kind", EXIT_KINDS),
        CheckConstraint("damaged IN (0, 1)"),
        KEYED,
    )

    run_id: int = _run_id()
    n: int = Field(sa_type=Integer, primary_key=True)
    gpu_uuid: str = Field(sa_type=Text)  # the leases it held, with commas between
    started: float = Field(sa_type=REAL)
    ended: float | None = Field(default=None, sa_type=REAL)
    exit_kind: str | None = Field(default=None, sa_type=Text)
    exit_code: int | None = Field(default=None, sa_type=Integer)
    checkpoint: int | None = Field(default=None, sa_type=Integer)  # newest this attempt saved
    offset: int = Field(default=0, sa_type=Integer)  # bytes of the event file taken in
    bad_lines: int = Field(default=0, sa_type=Integer)
    damaged: bool = Field(default=False, sa_type=Integer)  # the file is shorter than offset


class Lease(SQLModel, table=True):
    """A device in use by a run; the CPU is the one named `cpu`.

    It outlives its run until the run's processes are gone and the device's memory is back.
    """

    __tablename__: ClassVar[Any] = "lease"
    __table_args__ = (CheckConstraint("stuck IN (0, 1)"), KEYED)

    gpu_uuid: str = Field(sa_type=Text, primary_key=True)
    run_id: int = Field(sa_type=Integer, foreign_key="run.id", ondelete="RESTRICT")
    ended: float | None = Field(default=None, sa_type=REAL)  # when its run ended
    stuck: bool = Field(default=False, sa_type=Integer)  # not given back for long


class Tag(SQLModel, table=True):
    """A word the user put on a run."""

    __tablename__: ClassVar[Any] = "tag"
    __table_args__ = (KEYED,)

    run_id: int = _run_id()
    tag: str = Field(sa_type=Text, primary_key=True)


class SupervisorRecord(SQLModel, table=True):
    """The one process that serves the queue."""

    __tablename__: ClassVar[Any] = "supervisor"
    __table_args__ = (CheckConstraint("id = 1"), STRICT)

    id: int = Field(default=1, sa_type=Integer, primary_key=True)
    host: str = Field(sa_type=Text)
    boot_id: str = Field(sa_type=Text)
    pid: int = Field(sa_type=Integer)
    pid_start: int = Field(sa_type=Integer)
    version: str = Field(sa_type=Text)
    started: float = Field(sa_type=REAL)
    beat: float = Field(sa_type=REAL)


class Setting(SQLModel, table=True):
    """What the user set for the whole queue."""

    __tablename__: ClassVar[Any] = "setting"
    __table_args__ = (CheckConstraint("id = 1"), CheckConstraint("paused IN (0, 1)"), STRICT)

    id: int = Field(default=1, sa_type=Integer, primary_key=True)
    paused: bool = Field(sa_type=Integer)


class LossRecord(SQLModel, table=True):
    """The losses of one step: a column per term keeps a chart of 16,000 steps fast."""

    __tablename__: ClassVar[Any] = "loss"
    __table_args__ = (KEYED,)

    run_id: int = _run_id()
    step: int = Field(sa_type=Integer, primary_key=True)
    stage: str = Field(sa_type=Text)
    epoch: int = Field(sa_type=Integer)
    time: float = Field(sa_type=REAL)
    total: float | None = Field(default=None, sa_type=REAL)
    i2t: float | None = Field(default=None, sa_type=REAL)
    t2i: float | None = Field(default=None, sa_type=REAL)
    gid: float | None = Field(default=None, sa_type=REAL)
    intra: float | None = Field(default=None, sa_type=REAL)
    memory_triplet: float | None = Field(default=None, sa_type=REAL)
    triplet: float | None = Field(default=None, sa_type=REAL)
    text: float | None = Field(default=None, sa_type=REAL)
    inter: float | None = Field(default=None, sa_type=REAL)
    ical: float | None = Field(default=None, sa_type=REAL)


class EpochRecord(SQLModel, table=True):
    """The end of a stage epoch."""

    __tablename__: ClassVar[Any] = "epoch"
    __table_args__ = (KEYED,)

    run_id: int = _run_id()
    step: int = Field(sa_type=Integer, primary_key=True)
    stage: str = Field(sa_type=Text)
    epoch: int = Field(sa_type=Integer)
    seconds: float = Field(sa_type=REAL)
    images_per_s: float = Field(sa_type=REAL)
    lr: float = Field(sa_type=REAL)
    peak_memory: int = Field(sa_type=Integer)  # bytes
    linked: int | None = Field(default=None, sa_type=Integer)
    groups: int | None = Field(default=None, sa_type=Integer)
    conflicts: int | None = Field(default=None, sa_type=Integer)
    precision: float | None = Field(default=None, sa_type=REAL)
    recall: float | None = Field(default=None, sa_type=REAL)


class EvaluationRecord(SQLModel, table=True):
    """Retrieval metrics in [0, 1] after a step."""

    __tablename__: ClassVar[Any] = "evaluation"
    __table_args__ = (CheckConstraint("last IN (0, 1)"), CheckConstraint("best IN (0, 1)"), KEYED)

    run_id: int = _run_id()
    step: int = Field(sa_type=Integer, primary_key=True)
    stage: str = Field(sa_type=Text)
    epoch: int = Field(sa_type=Integer)
    seconds: float = Field(sa_type=REAL)
    mean_ap: float = Field(sa_type=REAL)
    rank1: float = Field(sa_type=REAL)
    rank5: float = Field(sa_type=REAL)
    rank10: float = Field(sa_type=REAL)
    mean_inp: float = Field(sa_type=REAL)
    queries: int = Field(sa_type=Integer)
    left_out: int = Field(sa_type=Integer)
    last: bool = Field(default=False, sa_type=Integer)
    best: bool = Field(default=False, sa_type=Integer)


class CameraPairRecord(SQLModel, table=True):
    """Metrics of one evaluation from one query camera in one gallery camera."""

    __tablename__: ClassVar[Any] = "camera_pair"
    __table_args__ = (KEYED,)

    run_id: int = _run_id()
    step: int = Field(sa_type=Integer, primary_key=True)
    query_camid: int = Field(sa_type=Integer, primary_key=True)
    gallery_camid: int = Field(sa_type=Integer, primary_key=True)
    queries: int = Field(sa_type=Integer)
    mean_ap: float = Field(sa_type=REAL)
    rank1: float = Field(sa_type=REAL)


class Reference(SQLModel, table=True):
    """A published result, metrics in [0, 1]."""

    __tablename__: ClassVar[Any] = "reference"
    __table_args__ = (STRICT,)

    id: int | None = Field(default=None, sa_type=Integer, primary_key=True)
    dataset: str = Field(sa_type=Text)
    setting: str = Field(sa_type=Text)
    method: str = Field(sa_type=Text)
    venue: str = Field(sa_type=Text)
    backbone: str = Field(sa_type=Text)
    image_size: str = Field(sa_type=Text)  # height x width
    mean_ap: float = Field(sa_type=REAL)
    rank1: float | None = Field(default=None, sa_type=REAL)
    rank5: float | None = Field(default=None, sa_type=REAL)
    rank10: float | None = Field(default=None, sa_type=REAL)
    note: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
