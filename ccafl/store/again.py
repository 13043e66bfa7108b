"""Putting an ended run back into the queue: by the user, or after it was lost."""

from collections.abc import Mapping

from sqlalchemy import Connection, RowMapping, select, update

from ccafl.errors import StoreError
from ccafl.paths import Home
from ccafl.store.changes import last_place
from ccafl.store.queries import ATTEMPT, RUN, unknown_run
from ccafl.store.records import write_record
from ccafl.store.states import ACTIVE, check_transition

# what an attempt leaves in the row and the next one does not start with
FRESH: Mapping[str, object] = {
    "ended": None,
    "reason": None,
    "exit_kind": None,
    "exit_code": None,
    "cancel_requested": 0,
}


def resume(connection: Connection, home: Home, run_id: int) -> str:
    """Queue an ended run; it goes on from its newest checkpoint. Gives the sentence to show."""
    row = _queue_again(connection, home, run_id, start_over=False)
    step = row["checkpoint"]
    if step is None:
        return f"Run {run_id} is queued again; it has no checkpoint and starts from the beginning."
    return f"Run {run_id} is queued again; it goes on from the checkpoint of step {step:,}."


def retry(connection: Connection, home: Home, run_id: int) -> str:
    """Queue an ended run to start from the beginning. Gives the sentence to show."""
    _queue_again(connection, home, run_id, start_over=True)
    return (
        f"Run {run_id} is queued again and starts from the beginning; "
        "what it recorded and saved before is replaced when it starts."
    )


def resume_lost(connection: Connection, run_id: int, attempt: int, limit: int) -> bool:
    """Queue a run again whose attempt was just recorded as lost; True if so.

    It keeps its place. A run that was lost `limit` times in a row without a new checkpoint stays
    lost, so that a run which takes its machine down is not started for ever.
    """
    row = connection.execute(select(RUN).where(RUN.c.id == run_id)).mappings().one()
    this = (ATTEMPT.c.run_id == run_id, ATTEMPT.c.n == attempt)
    saved = connection.execute(select(ATTEMPT.c.checkpoint).where(*this)).scalar_one() is not None
    count = 0 if saved else row["lost_in_row"] + 1
    values: dict[str, object] = {"lost_in_row": count}
    if count < limit:
        check_transition(row["state"], "queued")
        step = row["checkpoint"]
        how = "starts from the beginning" if step is None else f"goes on from step {step:,}"
        warning = f"{_lost(attempt)}: {row['reason']}. It {how}"
        values |= {"state": "queued", "warning": warning, **FRESH}
    elif (row["warning"] or "").startswith(_lost(attempt - 1)):
        values["warning"] = None  # it says that the run goes on
    connection.execute(update(RUN).where(RUN.c.id == run_id).values(values))
    return count < limit


def _lost(attempt: int) -> str:
    return f"attempt {attempt} was lost"


def _queue_again(
    connection: Connection, home: Home, run_id: int, *, start_over: bool
) -> RowMapping:
    row = connection.execute(select(RUN).where(RUN.c.id == run_id)).mappings().first()
    if row is None:
        raise unknown_run(run_id)
    _check_ended(run_id, row["state"], "retry" if start_over else "resume")
    check_transition(row["state"], "queued")
    connection.execute(
        update(RUN)
        .where(RUN.c.id == run_id)
        .values(
            state="queued",
            place=last_place(connection) + 1,
            hold=0,
            start_over=int(start_over),
            lost_in_row=0,
            **FRESH,
        )
    )
    write_record(connection, home.run(run_id), run_id)
    return row


def _check_ended(run_id: int, state: str, verb: str) -> None:
    if state == "finished":
        raise StoreError(
            f"Run {run_id} finished; a finished run is not started again. "
            "Add its settings as a new run with `ccafl queue add`."
        )
    if state == "queued":
        raise StoreError(f"Run {run_id} is in the queue already; there is nothing to {verb}.")
    if state in ACTIVE:
        raise StoreError(
            f"Run {run_id} is {state}; there is nothing to {verb}. Cancel it first if it should "
            "start again."
        )
