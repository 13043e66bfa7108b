"""Adding runs and asking for their end."""

import re
import secrets
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text, update
from sqlmodel import Session

from ccafl.config import RunConfig, to_json
from ccafl.errors import ConfigError, StoreError
from ccafl.paths import Home, RunFolder, write_new
from ccafl.store.order import check_tag
from ccafl.store.queries import RUN, unknown_run
from ccafl.store.records import describe, write_record
from ccafl.store.states import ACTIVE
from ccafl.store.tables import Run, Tag

_DEVICE = re.compile(r"auto|cpu|[0-9]{1,3}|GPU-[0-9A-Za-z-]{1,100}")


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRun:
    """What a user asks to be trained; the fields are those of `Store.add_run`.

    With `hold` it waits until it is released.
    """

    config: RunConfig
    name: str = ""
    note: str = ""
    preset: str = ""
    dataset: str = ""
    gpu: str = "auto"
    tags: Sequence[str] = ()
    source: int | None = None
    hold: bool = False


def add_runs(
    transaction: AbstractContextManager[Connection],
    home: Home,
    runs: Sequence[NewRun],
    now: float,
    *,
    first: bool = False,
) -> list[int]:
    """Insert the rows and write the folders; a failure, also of the commit, leaves nothing."""
    for run in runs:
        check_device(run.gpu)
    folders: list[RunFolder] = []
    try:
        with transaction as connection:
            if first:
                _make_room(connection, len(runs))
            places = enumerate(runs, 1 if first else last_place(connection) + 1)
            return [_add(connection, home, run, place, now, folders) for place, run in places]
    except BaseException:
        for folder in folders:
            shutil.rmtree(folder.root)
        raise


def cancel(connection: Connection, home: Home, run_id: int, now: float) -> int:
    """Cancel a queued run, or count one more request for a started one; gives the requests."""
    here = RUN.c.id == run_id
    withdrawn = connection.execute(
        update(RUN)
        .where(here, RUN.c.state == "queued")
        .values(state="cancelled", ended=now, exit_kind="cancelled", reason=None)
    )
    if withdrawn.rowcount == 1:
        write_record(connection, home.run(run_id), run_id)
        return 0
    asked = connection.execute(
        update(RUN)
        .where(here, RUN.c.state.in_(ACTIVE))
        .values(cancel_requested=RUN.c.cancel_requested + 1)
    )
    row = connection.execute(select(RUN.c.state, RUN.c.cancel_requested).where(here)).first()
    if row is None:
        raise unknown_run(run_id)
    if asked.rowcount == 0:
        raise StoreError(f"Run {run_id} ended already ({row.state}); there is nothing to cancel.")
    requests: int = row.cancel_requested
    return requests


def announce_cancel(folder: RunFolder, run_id: int, requests: int) -> str:
    """Tell the worker, wherever it runs, through a file; gives the sentence for the user."""
    if requests == 0:
        return f"Run {run_id} is cancelled; it had not started."
    with suppress(OSError):  # the request is stored: the supervisor sees to it without the file
        folder.cancel.touch(mode=0o600)
    if requests == 1:
        return (
            f"Run {run_id} saves a checkpoint and stops after its step. "
            "Cancel it again to kill it at once."
        )
    return f"Run {run_id} is killed; its newest complete checkpoint stays."


def last_place(connection: Connection) -> int:
    """The place of the run at the end of the queue; 0 when the queue is empty."""
    last = connection.execute(select(func.max(RUN.c.place)).where(RUN.c.state == "queued"))
    return last.scalar() or 0


def check_device(gpu: str) -> None:
    """Refuse what can be no device of any machine.

    Raises:
        ConfigError: says what can be asked for.
    """
    if not _DEVICE.fullmatch(gpu):
        raise ConfigError(
            f"--gpu {gpu!r} names no device. Give auto, cpu, an index, or the UUID of a whole GPU "
            "as `nvidia-smi -L` prints it."
        )


def _make_room(connection: Connection, places: int) -> None:
    """Move the queue back by so many places."""
    queued = update(RUN).where(RUN.c.state == "queued")
    connection.execute(queued.values(place=RUN.c.place + places))


def _add(
    connection: Connection,
    home: Home,
    run: NewRun,
    place: int,
    now: float,
    folders: list[RunFolder],
) -> int:
    """Add one run; its folder joins `folders` as soon as it exists."""
    config = to_json(run.config)
    if run.source is not None and not _exists(connection, run.source):
        raise unknown_run(run.source)
    folder, run_id = _new_folder(connection, home)
    folders.append(folder)
    # not flushed one by one, which would take seconds for 100 runs: a power cut may also undo the
    # transaction, and the supervisor writes the config again when it starts the run
    write_new(folder.config, config)
    _insert(connection, run_id, run, config, place, now)
    write_new(folder.record, describe(connection, run_id))
    return run_id


def _exists(connection: Connection, run_id: int) -> bool:
    return connection.execute(select(RUN.c.id).where(RUN.c.id == run_id)).first() is not None


def _new_folder(connection: Connection, home: Home) -> tuple[RunFolder, int]:
    """A new folder and its number, above every number ever given in this database.

    A folder without a row (from a database that was deleted) keeps its number: it is never
    written to again.
    """
    home.runs.mkdir(mode=0o700, exist_ok=True)
    used = connection.execute(text("SELECT seq FROM sqlite_sequence WHERE name = 'run'")).scalar()
    run_id = (used or 0) + 1
    while True:
        folder = home.run(run_id)
        try:
            folder.root.mkdir(mode=0o700)
        except FileExistsError:
            run_id += 1
        else:
            return folder, run_id


def _insert(
    connection: Connection, run_id: int, run: NewRun, config: str, place: int, now: float
) -> None:
    seed = run.config.run.seed
    with Session(connection) as session:
        session.add(
            Run(
                id=run_id,
                name=run.name or f"{run.preset or run.dataset or 'run'} seed {seed}",
                note=run.note,
                preset=run.preset,
                dataset=run.dataset,
                gpu=run.gpu,
                source=run.source,
                place=place,
                hold=run.hold,
                token=secrets.token_hex(16),
                created=now,
                config=config,
            )
        )
        session.flush()
        session.add_all(Tag(run_id=run_id, tag=check_tag(tag)) for tag in dict.fromkeys(run.tags))
        session.flush()
