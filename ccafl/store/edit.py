"""Changing a run that waits."""

from operator import attrgetter

from sqlalchemy import Connection, select, update

from ccafl.config import to_json
from ccafl.errors import StoreError
from ccafl.paths import Home, replace_text
from ccafl.store import queries
from ccafl.store.changes import NewRun
from ccafl.store.order import set_tags
from ccafl.store.queries import RUN, unknown_run
from ccafl.store.records import write_record
from ccafl.store.rows import RunRow
from ccafl.store.states import ENDED

_REPLACED = attrgetter(
    *("config", "name", "note", "tags", "preset", "dataset", "gpu", "source", "hold")
)


def edit(connection: Connection, home: Home, seen: RunRow, run: NewRun) -> str:
    """Replace what a queued run was asked for, in the row and in its folder; gives the sentence.

    Its place stays; without a name it keeps its own.
    """
    run_id = seen.id
    now = queries.run(connection, run_id)
    if now.state != "queued":
        raise StoreError(f"{too_late(run_id, now.state)} Nothing was changed.")
    if _REPLACED(now) != _REPLACED(seen):
        raise StoreError(changed_meanwhile(run_id))
    if now.checkpoint is not None and not _starts_over(connection, run_id):
        raise StoreError(
            f"Run {run_id} goes on from its checkpoint of step {now.checkpoint:,}, which was "
            "trained with its own settings. Nothing was changed; add a new run instead."
        )
    _check_source(connection, run_id, run.source)
    config = to_json(run.config)
    values = {
        "name": run.name or now.name,
        "note": run.note,
        "preset": run.preset,
        "dataset": run.dataset,
        "gpu": run.gpu,
        "source": run.source,
        "hold": int(run.hold),
        "reason": None,
        "config": config,
    }
    connection.execute(update(RUN).where(RUN.c.id == run_id).values(values))
    set_tags(connection, run_id, run.tags)
    folder = home.run(run_id)
    # before the commit: the supervisor writes the config again when it starts the run
    replace_text(folder.config, config)
    write_record(connection, folder, run_id)
    return f"Run {run_id} is changed; it keeps its place in the queue."


def too_late(run_id: int, state: str) -> str:
    """What has become of a run that was in another state on the user's screen."""
    if state in ENDED:
        return f"Run {run_id} ended already ({state})."
    if state == "queued":
        return f"Run {run_id} is in the queue already (another window)."
    if state == "cancelling":
        return f"Run {run_id} is being cancelled already (another window)."
    return f"Run {run_id} already started (another window)."


def changed_meanwhile(run_id: int) -> str:
    """Why a run is left as another window made it."""
    return (
        f"Run {run_id} was changed in another window meanwhile. Nothing was changed; esc and e "
        "show it as it is now."
    )


def _starts_over(connection: Connection, run_id: int) -> bool:
    query = select(RUN.c.start_over).where(RUN.c.id == run_id)
    return bool(connection.execute(query).scalar_one())


def _check_source(connection: Connection, run_id: int, source: int | None) -> None:
    """Refuse a source that is unknown, or that starts from this run itself."""
    wanted = source
    while source is not None:
        if source == run_id:
            raise StoreError(f"Run {run_id} cannot start from run {wanted}, which waits for it.")
        row = connection.execute(select(RUN.c.source).where(RUN.c.id == source)).first()
        if row is None:
            raise unknown_run(source)
        source = row.source
