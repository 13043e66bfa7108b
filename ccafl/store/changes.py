"""The few writes a client makes: add a run, ask for its end."""

import re
import secrets
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text, update
from sqlmodel import Session

from ccafl.config import RunConfig, to_json
from ccafl.errors import ConfigError, StoreError
from ccafl.paths import Home, RunFolder, replace_text
from ccafl.store.queries import RUN, unknown_run
from ccafl.store.states import ACTIVE
from ccafl.store.tables import Run, Tag

_DEVICE = re.compile(r"auto|cpu|\d{1,3}|(GPU|MIG)-[0-9A-Za-z/-]{1,100}")


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks to be trained; the fields of `Store.add_run`."""

    config: RunConfig
    name: str
    note: str
    preset: str
    dataset: str
    gpu: str
    tags: tuple[str, ...]


def add_run(
    transaction: AbstractContextManager[Connection], home: Home, request: Request, now: float
) -> int:
    """Insert the row and write the folder; a failure, also of the commit, leaves neither."""
    if not _DEVICE.fullmatch(request.gpu):
        raise ConfigError(
            f"--gpu {request.gpu!r} names no device. Give auto, cpu, an index, or a UUID "
            "as `nvidia-smi -L` prints it."
        )
    config, folder = to_json(request.config), None
    try:
        with transaction as connection:
            folder, run_id = _new_folder(connection, home)
            replace_text(folder.config, config)
            _insert(connection, run_id, request, config, now)
    except BaseException:
        if folder is not None:
            shutil.rmtree(folder.root)
        raise
    return run_id


def cancel(connection: Connection, run_id: int, now: float) -> int:
    """Cancel a queued run, or count one more request for a started one; gives the requests."""
    here = RUN.c.id == run_id
    withdrawn = connection.execute(
        update(RUN)
        .where(here, RUN.c.state == "queued")
        .values(state="cancelled", ended=now, exit_kind="cancelled", reason=None)
    )
    if withdrawn.rowcount == 1:
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
    folder.cancel.touch(mode=0o600)
    if requests == 1:
        return (
            f"Run {run_id} saves a checkpoint and stops after its step. "
            "Cancel it again to kill it at once."
        )
    return f"Run {run_id} is killed; its newest complete checkpoint stays."


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


def _insert(connection: Connection, run_id: int, request: Request, config: str, now: float) -> None:
    last = connection.execute(select(func.max(RUN.c.place)).where(RUN.c.state == "queued"))
    seed = request.config.run.seed
    with Session(connection) as session:
        session.add(
            Run(
                id=run_id,
                name=request.name or f"{request.preset or request.dataset or 'run'} seed {seed}",
                note=request.note,
                preset=request.preset,
                dataset=request.dataset,
                gpu=request.gpu,
                place=(last.scalar() or 0) + 1,
                token=secrets.token_hex(16),
                created=now,
                config=config,
            )
        )
        session.flush()
        session.add_all(Tag(run_id=run_id, tag=tag) for tag in dict.fromkeys(request.tags))
        session.flush()
