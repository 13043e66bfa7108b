"""What only the supervisor writes: claims, leases, states of claimed runs, its own presence.

Every function is one part of a transaction that began with BEGIN IMMEDIATE, and every change of
state names the old state, so that whoever comes second changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, case, delete, func, insert, select, update

from ccafl.store.again import FRESH
from ccafl.store.queries import ATTEMPT, LEASE, RUN, SETTING, SUPERVISOR
from ccafl.store.rows import SupervisorRow
from ccafl.store.states import ACTIVE, ExitKind, State, check_transition


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """What the supervisor must know of a claimed run; `pid` is None until it is recorded.

    `until` is when the limit of the attempt's time is reached, None without a limit.
    """

    id: int
    state: State
    attempt: int
    gpu_uuid: str
    token: str
    config: str
    boot_id: str | None
    pid: int | None
    pid_start: int | None
    offset: int
    source: int | None = None
    start_over: bool = False
    until: float | None = None

    @property
    def devices(self) -> tuple[str, ...]:
        """The leases of the attempt."""
        return tuple(self.gpu_uuid.split(","))


@dataclass(frozen=True, slots=True)
class Queued:
    """What decides whether a queued run can start now.

    `gpu` is the device asked for, `source_state` the state of the run it starts from, and
    `checkpoint_bytes` the size of its newest known checkpoint.
    """

    id: int
    gpu: str
    gpus: int
    first_stage: str
    source: int | None
    source_state: State | None
    checkpoint_bytes: int | None


@dataclass(frozen=True, slots=True)
class OldLease:
    """A lease whose run ended and whose device was not given back yet."""

    gpu_uuid: str
    run_id: int
    token: str
    stuck: bool


@dataclass(frozen=True, slots=True)
class Requests:
    """What clients ask of the supervisor.

    `cancels` counts the requests per claimed run, `queue` holds number, device asked for and place
    of each run that may start, `old_leases` what ended runs still hold.
    """

    cancels: Mapping[int, int]
    queue: tuple[tuple[int, str, int], ...]
    paused: bool
    old_leases: tuple[OldLease, ...] = ()


@dataclass(frozen=True, slots=True)
class Granted:
    """The devices that a run may have, with commas between."""

    gpu_uuid: str


@dataclass(frozen=True, slots=True)
class Waits:
    """Why a run cannot have a device now, in words that follow "waits: "."""

    reason: str


# from a queued run and the leases (device -> run) to an answer; asked in the order of the queue
Choice = Callable[[Queued, Mapping[str, int]], Granted | Waits]


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended: the state it leads to, and why."""

    state: State
    exit_kind: ExitKind
    reason: str | None = None
    exit_code: int | None = None


# A claim or a death of the supervisor may leave out a state that the table demands in between.
_BETWEEN: Mapping[tuple[State, State], State] = {
    ("starting", "finished"): "running",
    ("starting", "cancelled"): "cancelling",
    ("running", "cancelled"): "cancelling",
}


_OLD_LEASES = (
    select(LEASE.c.gpu_uuid, LEASE.c.run_id, RUN.c.token, LEASE.c.stuck)
    .join(RUN, RUN.c.id == LEASE.c.run_id)
    .where(LEASE.c.ended.is_not(None))
)


def move(
    connection: Connection, run_id: int, old: State, new: State, values: Mapping[str, object]
) -> bool:
    """Change a state if it still is the old one; True if it was.

    Raises:
        ValueError: the state machine has no such way.
    """
    check_transition(old, new)
    change = update(RUN).where(RUN.c.id == run_id, RUN.c.state == old)
    return connection.execute(change.values({"state": new, **values})).rowcount == 1


def claim(connection: Connection, choose: Choice, now: float) -> ActiveRun | None:
    """Give the first queued run that can start its lease, and tell the others why they wait."""
    leases = {row.gpu_uuid: row.run_id for row in connection.execute(select(LEASE))}
    paused = connection.execute(select(SETTING.c.paused)).scalar_one()
    claimed = None
    for *facts, attempt, old_reason in connection.execute(_select_queued()).all():
        queued = Queued(*facts)
        answer = Waits("the queue is paused") if paused else choose(queued, leases)
        if isinstance(answer, Waits):
            _say_why(connection, queued.id, old_reason, answer.reason)
        elif claimed is None:
            claimed = _take(connection, queued.id, attempt + 1, answer.gpu_uuid, now)
            leases |= dict.fromkeys(claimed.devices, queued.id)
    return claimed


def active_runs(connection: Connection) -> list[ActiveRun]:
    """All claimed runs, oldest first."""
    query = _select_active().where(RUN.c.state.in_(ACTIVE)).order_by(RUN.c.started)
    return [ActiveRun(*row) for row in connection.execute(query)]


def requests(connection: Connection) -> Requests:
    """What clients want; equal to an earlier answer as long as nobody asked for anything."""
    cancels = select(RUN.c.id, RUN.c.cancel_requested).where(
        RUN.c.state.in_(ACTIVE), RUN.c.cancel_requested > 0
    )
    queue = select(RUN.c.id, RUN.c.gpu, RUN.c.place).where(RUN.c.state == "queued", RUN.c.hold == 0)
    return Requests(
        cancels={row.id: row.cancel_requested for row in connection.execute(cancels)},
        queue=tuple((row.id, row.gpu, row.place) for row in connection.execute(queue)),
        paused=bool(connection.execute(select(SETTING.c.paused)).scalar_one()),
        old_leases=tuple(OldLease(*row) for row in connection.execute(_OLD_LEASES)),
    )


def begin_cancel(connection: Connection, run_id: int) -> None:
    """Make a started run a cancelling one."""
    if not move(connection, run_id, "running", "cancelling", {}):
        move(connection, run_id, "starting", "cancelling", {})


def record_process(
    connection: Connection, run_id: int, host: str, boot_id: str, pid: int, pid_start: int
) -> bool:
    """Note the process of a starting run, which makes it a running one."""
    known = {"host": host, "boot_id": boot_id, "pid": pid, "pid_start": pid_start, "start_over": 0}
    return move(connection, run_id, "starting", "running", known)


def finish(
    connection: Connection, run: ActiveRun, ending: Ending, now: float, *, keep_lease: bool = False
) -> bool:
    """Record how an attempt ended and release its lease; False if somebody did so before.

    A lost run whose end was asked for is a cancelled one. With `keep_lease` the lease stays until
    the device is known to be free (`release`).
    """
    row = connection.execute(
        select(RUN.c.state, RUN.c.cancel_requested).where(RUN.c.id == run.id)
    ).one()
    old: State = row.state
    if old not in ACTIVE:
        return False  # another supervisor, from before the lock file was deleted, was here first
    if ending.state == "lost" and row.cancel_requested:
        ending = Ending("cancelled", "cancelled", ending.reason, ending.exit_code)
    between = _BETWEEN.get((old, ending.state))
    if between is not None:
        move(connection, run.id, old, between, {})
    end = {"ended": now, "exit_kind": ending.exit_kind, "exit_code": ending.exit_code}
    quiet = {"activity": None, "activity_done": None, "activity_total": None}
    move(connection, run.id, between or old, ending.state, end | quiet | {"reason": ending.reason})
    this = (ATTEMPT.c.run_id == run.id, ATTEMPT.c.n == run.attempt)
    connection.execute(update(ATTEMPT).where(*this).values(end))
    held = LEASE.c.run_id == run.id
    if keep_lease:
        connection.execute(update(LEASE).where(held).values(ended=now))
    else:
        connection.execute(delete(LEASE).where(held))
    return True


def release(connection: Connection, gpu_uuid: str) -> None:
    """Give a device back."""
    connection.execute(delete(LEASE).where(LEASE.c.gpu_uuid == gpu_uuid))


def mark_stuck(connection: Connection, gpu_uuid: str) -> None:
    """Note that a device was not given back for long."""
    connection.execute(update(LEASE).where(LEASE.c.gpu_uuid == gpu_uuid).values(stuck=1))


def warn(connection: Connection, run_id: int, warning: str) -> None:
    """Show a warning on a run."""
    connection.execute(update(RUN).where(RUN.c.id == run_id).values(warning=warning))


def mark_damaged(connection: Connection, run: ActiveRun) -> None:
    """Note that the event file lost lines which were read before; the rows stay."""
    this = (ATTEMPT.c.run_id == run.id, ATTEMPT.c.n == run.attempt)
    connection.execute(update(ATTEMPT).where(*this).values(damaged=True))
    warning = f"events-{run.attempt}.jsonl was cut; losses may be missing from here on"
    warn(connection, run.id, warning)


def register(connection: Connection, supervisor: SupervisorRow) -> None:
    """Name the process that serves the queue from now on."""
    connection.execute(delete(SUPERVISOR))
    values = {name: getattr(supervisor, name) for name in SupervisorRow.__dataclass_fields__}
    connection.execute(insert(SUPERVISOR).values(id=1, **values))


def beat(connection: Connection, supervisor: SupervisorRow, now: float) -> None:
    """Say that this supervisor lives, or with 0 that it leaves."""
    own = (SUPERVISOR.c.pid == supervisor.pid, SUPERVISOR.c.pid_start == supervisor.pid_start)
    connection.execute(update(SUPERVISOR).where(*own).values(beat=now))


def retire(connection: Connection, supervisor: SupervisorRow) -> bool:
    """Give up the service if there is nothing to serve; True if so.

    One transaction: a client that adds a run afterwards sees that nobody serves.
    """
    open_states = (*ACTIVE, "queued")
    if connection.execute(select(RUN.c.id).where(RUN.c.state.in_(open_states)).limit(1)).first():
        return False
    beat(connection, supervisor, 0.0)
    return True


def _take(
    connection: Connection, run_id: int, attempt: int, gpu_uuid: str, now: float
) -> ActiveRun:
    fresh = dict(FRESH) | dict.fromkeys(("boot_id", "pid", "pid_start"))
    fresh |= {"attempt": attempt, "started": now}
    taken = move(connection, run_id, "queued", "starting", fresh)
    assert taken, "the write lock is held since the row was read"
    leases = [{"gpu_uuid": device, "run_id": run_id, "stuck": 0} for device in gpu_uuid.split(",")]
    connection.execute(insert(LEASE), leases)
    connection.execute(
        insert(ATTEMPT).values(
            run_id=run_id,
            n=attempt,
            gpu_uuid=gpu_uuid,
            started=now,
            offset=0,
            bad_lines=0,
            damaged=False,
        )
    )
    return ActiveRun(*connection.execute(_select_active().where(RUN.c.id == run_id)).one())


def _say_why(connection: Connection, run_id: int, old: str | None, reason: str) -> None:
    if reason != old:
        connection.execute(update(RUN).where(RUN.c.id == run_id).values(reason=reason))


def _select_active() -> Select[Any]:
    hours = func.json_extract(RUN.c.config, "$.run.hours")
    until = case((hours > 0, ATTEMPT.c.started + 3600 * hours))
    return select(
        RUN.c.id,
        RUN.c.state,
        RUN.c.attempt,
        ATTEMPT.c.gpu_uuid,
        RUN.c.token,
        RUN.c.config,
        RUN.c.boot_id,
        RUN.c.pid,
        RUN.c.pid_start,
        ATTEMPT.c.offset,
        RUN.c.source,
        RUN.c.start_over,
        until,
    ).join(ATTEMPT, (ATTEMPT.c.run_id == RUN.c.id) & (ATTEMPT.c.n == RUN.c.attempt))


def _select_queued() -> Select[Any]:
    """The fields of `Queued`, the attempts so far and the reason shown; in order of the queue."""
    source = RUN.alias("source")
    return (
        select(
            RUN.c.id,
            RUN.c.gpu,
            func.coalesce(func.json_extract(RUN.c.config, "$.run.gpus"), 1),
            func.json_extract(RUN.c.config, "$.run.stages[0]"),
            RUN.c.source,
            source.c.state,
            RUN.c.checkpoint_bytes,
            RUN.c.attempt,
            RUN.c.reason,
        )
        .outerjoin(source, source.c.id == RUN.c.source)
        .where(RUN.c.state == "queued", RUN.c.hold == 0)
        .order_by(RUN.c.place, RUN.c.id)
    )
