"""Reading rows: one connection in, frozen rows out."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    bindparam,
    case,
    func,
    select,
)

from ccafl.errors import ConfigError, StoreError
from ccafl.store import tables
from ccafl.store.rows import (
    CameraPairRow,
    EpochRow,
    EvaluationRow,
    LeaseRow,
    LossRow,
    ProblemRow,
    ReferenceRow,
    RunRow,
    SupervisorRow,
)
from ccafl.store.states import ACTIVE, ENDED, STATES, State

_TABLES = tables.Run.metadata.tables
RUN, ATTEMPT, TAG = _TABLES["run"], _TABLES["attempt"], _TABLES["tag"]
LOSS, EPOCH, EVALUATION = _TABLES["loss"], _TABLES["epoch"], _TABLES["evaluation"]
CAMERA_PAIR, REFERENCE = _TABLES["camera_pair"], _TABLES["reference"]
LEASE, SUPERVISOR, SETTING = _TABLES["lease"], _TABLES["supervisor"], _TABLES["setting"]

_LAST, _BEST = EVALUATION.alias("last"), EVALUATION.alias("best")
Which = Literal["last", "best"]
EVALUATIONS: Mapping[Which, FromClause] = {"last": _LAST, "best": _BEST}
_EVALUATION_FIELDS = tuple(EvaluationRow.__dataclass_fields__)
_STEP = _EVALUATION_FIELDS.index("step")
# the supervisor's own
_HIDDEN = frozenset(
    (
        *("token", "boot_id", "pid_start", "launcher", "slurm_job"),
        *("start_over", "checkpoint_bytes"),
    )
)
_RUN_FIELDS = tuple(column.name for column in RUN.c if column.name not in _HIDDEN)

METRICS = ("mean_ap", "rank1", "rank5", "rank10", "mean_inp")
ALPHABETIC = ("name", "dataset", "state")
SORTS = ("ended", "started", "took", "id", *ALPHABETIC, *METRICS, "best")


def runs(connection: Connection, states: Sequence[State] | None, limit: int | None) -> list[RunRow]:
    """Runs in the given states: active, then queued by place, then ended, newest first."""
    query = _select_states(STATES if states is None else tuple(states), limit)
    return [_run_row(row) for row in connection.execute(query)]


def run(connection: Connection, run_id: int) -> RunRow:
    """One run.

    Raises:
        StoreError: there is no such run.
    """
    row = connection.execute(_select_run(), {"run_id": run_id}).first()
    if row is None:
        raise unknown_run(run_id)
    return _run_row(row)


def unknown_run(run_id: int) -> StoreError:
    """The error for a number that no run has."""
    return StoreError(f"There is no run {run_id}. `ccafl history` and `ccafl queue` list the runs.")


def history(
    connection: Connection,
    filters: Sequence[ColumnElement[bool]],
    *,
    sort: str,
    reverse: bool,
    which: Which,
    limit: int | None,
) -> list[RunRow]:
    """Runs in the order of a key of `SORTS`; runs without that value come last.

    Texts begin with A, all else with the newest or highest; `reverse` turns that round.

    Raises:
        ConfigError: an unknown sort key.
    """
    if sort not in SORTS:
        raise ConfigError(f"History cannot be sorted by {sort!r}; known are {', '.join(SORTS)}.")
    column = _sort_column(sort, which)
    is_ascending = (sort in ALPHABETIC) != reverse
    ordered = column.asc() if is_ascending else column.desc()
    order = (ordered.nulls_last(), RUN.c.id.asc() if reverse else RUN.c.id.desc())
    query = _select_which(filters, order, limit)
    return [_run_row(row) for row in connection.execute(query)]


def count(connection: Connection, filters: Sequence[ColumnElement[bool]]) -> int:
    """How many runs there are."""
    query = select(func.count()).select_from(RUN).where(*filters)
    return int(connection.execute(query).scalar_one())


def ended(connection: Connection) -> int:
    """How many runs have ended."""
    return int(connection.execute(_select_ended()).scalar_one())


def problems(connection: Connection, limit: int) -> list[ProblemRow]:
    """Runs that failed or were lost, newest first."""
    return [ProblemRow(*row) for row in connection.execute(_select_problems(limit))]


def evaluations(connection: Connection, run_id: int) -> list[EvaluationRow]:
    """Evaluations of a run by step."""
    query = _select_of_run(EVALUATION, EvaluationRow)
    return [_evaluation(row) for row in connection.execute(query, {"run_id": run_id})]


def camera_pairs(connection: Connection, run_id: int, step: int) -> list[CameraPairRow]:
    """Pairs of cameras of one evaluation, by query and gallery camera."""
    query = _select(CAMERA_PAIR, CameraPairRow).where(
        CAMERA_PAIR.c.run_id == run_id, CAMERA_PAIR.c.step == step
    )
    query = query.order_by(CAMERA_PAIR.c.query_camid, CAMERA_PAIR.c.gallery_camid)
    return [CameraPairRow(**row) for row in connection.execute(query).mappings()]


def losses(connection: Connection, run_id: int, after_step: int) -> list[LossRow]:
    """Losses of a run after a step, in order."""
    wanted = {"run_id": run_id, "after_step": after_step}
    return [LossRow(*row) for row in connection.execute(_select_losses(), wanted)]


def loss_means(connection: Connection, run_id: int) -> list[LossRow]:
    """Mean losses of each epoch of a run, with the last step and time of the epoch, in order."""
    last, time = func.max(LOSS.c.step), func.max(LOSS.c.time)
    terms = (func.avg(LOSS.c[name]) for name in LossRow._fields[LossRow._fields.index("total") :])
    query = select(last, LOSS.c.stage, LOSS.c.epoch, time, *terms).where(LOSS.c.run_id == run_id)
    found = connection.execute(query.group_by(LOSS.c.stage, LOSS.c.epoch).order_by(last))
    return [LossRow(*row) for row in found]


def latest_loss(connection: Connection, run_id: int) -> LossRow | None:
    """The losses of the newest step of a run."""
    query = select(*(LOSS.c[name] for name in LossRow._fields)).where(LOSS.c.run_id == run_id)
    row = connection.execute(query.order_by(LOSS.c.step.desc()).limit(1)).first()
    return LossRow(*row) if row else None


def epochs(connection: Connection, run_id: int) -> list[EpochRow]:
    """Ended epochs of a run, in order."""
    query = _select_of_run(EPOCH, EpochRow)
    return [EpochRow(**row) for row in connection.execute(query, {"run_id": run_id}).mappings()]


def references(connection: Connection, dataset: str | None) -> list[ReferenceRow]:
    """Published results, best mAP first within a data set."""
    query = _select(REFERENCE, ReferenceRow)
    if dataset is not None:
        query = query.where(REFERENCE.c.dataset == dataset)
    query = query.order_by(REFERENCE.c.dataset, REFERENCE.c.mean_ap.desc())
    return [ReferenceRow(**row) for row in connection.execute(query).mappings()]


def leases(connection: Connection) -> list[LeaseRow]:
    """Devices that runs hold."""
    found = connection.execute(_select_leases()).mappings()
    return [LeaseRow(**dict(row) | {"stuck": bool(row["stuck"])}) for row in found]


def supervisor(connection: Connection) -> SupervisorRow | None:
    """The process that serves the queue or did so last."""
    row = connection.execute(_select(SUPERVISOR, SupervisorRow)).mappings().first()
    return SupervisorRow(**row) if row else None


def _sort_column(sort: str, which: Which) -> ColumnElement[Any]:
    if sort == "best":
        return _BEST.c.mean_ap
    if sort == "took":
        return RUN.c.ended - RUN.c.started
    return EVALUATIONS[which].c[sort] if sort in METRICS else RUN.c[sort]


# Statements are kept whole, with places for values: to put one together, or to look one up that
# was put together anew, takes several times as long as the database needs for it.


@cache
def _select(table: Any, row: type[Any]) -> Select[Any]:
    """The columns of a table that its row has as fields."""
    return select(*(table.c[name] for name in row.__dataclass_fields__))


@cache
def _select_of_run(table: Any, row: Any) -> Select[Any]:
    """What a table has of one run, by step."""
    query = _select(table, row).where(table.c.run_id == bindparam("run_id"))
    return query.order_by(table.c.step)


@cache
def _select_losses() -> Select[Any]:
    is_wanted = LOSS.c.run_id == bindparam("run_id"), LOSS.c.step > bindparam("after_step")
    query = select(*(LOSS.c[name] for name in LossRow._fields)).where(*is_wanted)
    return query.order_by(LOSS.c.step)


@cache
def _select_leases() -> Select[Any]:
    return _select(LEASE, LeaseRow).order_by(LEASE.c.gpu_uuid)


@cache
def _select_ended() -> Select[Any]:
    return select(func.count()).select_from(RUN).where(RUN.c.state.in_(ENDED))


@cache
def _select_problems(limit: int) -> Select[Any]:
    query = select(RUN.c.id, RUN.c.ended, RUN.c.state).where(RUN.c.state.in_(("failed", "lost")))
    return query.order_by(RUN.c.ended.desc()).limit(limit)


@cache
def _select_run() -> Select[Any]:
    return _select_runs().where(RUN.c.id == bindparam("run_id"))


@cache
def _select_states(states: Sequence[State], limit: int | None) -> Select[Any]:
    """Runs in some states, in the order of `runs`."""
    rank = case((RUN.c.state.in_(ACTIVE), 0), (RUN.c.state == "queued", 1), else_=2)
    order = (
        rank,
        case((rank == 0, RUN.c.started), (rank == 1, RUN.c.place), else_=-RUN.c.ended),
        RUN.c.id,
    )
    return _select_runs().where(RUN.c.state.in_(states)).order_by(*order).limit(limit)


@cache
def _select_runs() -> Select[Any]:
    tags = (
        select(func.json_group_array(TAG.c.tag)).where(TAG.c.run_id == RUN.c.id).scalar_subquery()
    )
    bad_lines = (
        select(func.coalesce(func.sum(ATTEMPT.c.bad_lines), 0))
        .where(ATTEMPT.c.run_id == RUN.c.id)
        .scalar_subquery()
    )
    columns: list[ColumnElement[Any]] = [RUN.c[name] for name in _RUN_FIELDS]
    for table in (_LAST, _BEST):
        columns += [table.c[name].label(f"{table.name}_{name}") for name in _EVALUATION_FIELDS]
    return _join_evaluations(select(*columns, tags.label("tags"), bad_lines.label("bad_lines")))


def _join_evaluations(query: Select[Any]) -> Select[Any]:
    return (
        query.select_from(RUN)
        .outerjoin(_LAST, (_LAST.c.run_id == RUN.c.id) & (_LAST.c.last == 1))
        .outerjoin(_BEST, (_BEST.c.run_id == RUN.c.id) & (_BEST.c.best == 1))
    )


def _select_which(
    filters: Sequence[ColumnElement[bool]],
    order: Sequence[ColumnElement[Any]],
    limit: int | None,
) -> Select[Any]:
    # sorted by number first, so that ten thousand configs are not carried through the sort
    wanted = _join_evaluations(select(RUN.c.id)).where(*filters).order_by(*order).limit(limit)
    return _select_runs().where(RUN.c.id.in_(wanted)).order_by(*order)


def _run_row(row: Sequence[Any]) -> RunRow:
    """A row of `_select_runs`, read by place because names take twice as long."""
    fields, ends = len(_RUN_FIELDS), len(_EVALUATION_FIELDS)
    values = dict(zip(_RUN_FIELDS, row, strict=False))
    last, best = row[fields : fields + ends], row[fields + ends : fields + 2 * ends]
    tags, bad_lines = row[fields + 2 * ends :]
    values["hold"] = bool(values["hold"])
    values["versions"] = json.loads(values["versions"])
    return RunRow(
        **values,
        tags=tuple(sorted(json.loads(tags))),
        bad_lines=bad_lines,
        last=_evaluation(last) if last[_STEP] is not None else None,
        best=_evaluation(best) if best[_STEP] is not None else None,
    )


def _evaluation(row: Sequence[Any]) -> EvaluationRow:
    values = dict(zip(_EVALUATION_FIELDS, row, strict=True))
    return EvaluationRow(**values | {"last": bool(values["last"]), "best": bool(values["best"])})
