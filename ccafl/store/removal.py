"""Deleting an ended run with everything it wrote."""

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, delete, select

from ccafl.errors import StoreError
from ccafl.paths import Home, flush
from ccafl.store.queries import LEASE, RUN, unknown_run
from ccafl.store.states import ENDED

logger = logging.getLogger(__name__)


def size(folder: Path) -> int:
    """Bytes of everything a run wrote; a file with two names in it counts once."""
    seen: dict[tuple[int, int], int] = {}
    for path in [folder, *folder.rglob("*")]:
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        if not path.is_dir():
            seen[status.st_dev, status.st_ino] = status.st_size
    return sum(seen.values())


def check_known(connection: Connection, run_id: int) -> None:
    """Refuse a number that no run has."""
    if connection.execute(select(RUN.c.id).where(RUN.c.id == run_id)).first() is None:
        raise unknown_run(run_id)


def delete_rows(connection: Connection, run_id: int) -> None:
    """Remove every row of an ended run that no other run starts from.

    Raises:
        StoreError: it is unknown, has not ended, or others start from it.
    """
    state = connection.execute(select(RUN.c.state).where(RUN.c.id == run_id)).scalar()
    if state is None:
        raise unknown_run(run_id)
    if state not in ENDED:
        raise StoreError(f"Run {run_id} is {state}. Cancel it before you delete it.")
    if users := _users(connection, run_id):
        names = f"run {users[0]} starts" if len(users) == 1 else f"runs {', '.join(users)} start"
        raise StoreError(f"Run {run_id} is kept, because {names} from it. Delete those first.")
    _forget(connection, run_id)


@contextmanager
def setting_aside(home: Home, run_id: int) -> Iterator[Callable[[], Path]]:
    """Gives a function that renames the folder of a run; its name is put back on an error.

    The new name is no number, so nothing takes the folder for a run any more. It is given before
    the rows are committed: after a kill in between `finish` removes the rows as well, because
    the user has said yes.
    """
    folder, aside = home.run(run_id).root, home.doomed(run_id)

    def set_aside() -> Path:
        if folder.exists():
            folder.replace(aside)
            flush(home.runs)
        return aside

    try:
        yield set_aside
    except BaseException:
        if aside.exists() and not folder.exists():
            aside.replace(folder)
        raise


def remove(doomed: Path) -> int:
    """Remove a folder that was set aside; gives the bytes that it had."""
    found = size(doomed)
    with suppress(FileNotFoundError):  # another process removes it at the same time
        shutil.rmtree(doomed)
    return found


def finish(transaction: AbstractContextManager[Connection], home: Home) -> None:
    """Finish deletions in whose middle somebody was killed."""
    with transaction as connection:
        doomed = home.all_doomed()
        for run_id in doomed:
            folder = home.run(run_id).root
            if folder.exists():  # queued again since then
                continue
            if _users(connection, run_id):  # added since then
                home.doomed(run_id).replace(folder)
            else:
                _forget(connection, run_id)
    for run_id in doomed:  # after the transaction: nobody waits while a disk works
        try:
            remove(home.doomed(run_id))
        except OSError as error:
            logger.warning("run %d is deleted, and its folder stays: %s", run_id, error)


def _forget(connection: Connection, run_id: int) -> None:
    connection.execute(delete(LEASE).where(LEASE.c.run_id == run_id))
    connection.execute(delete(RUN).where(RUN.c.id == run_id))


def _users(connection: Connection, run_id: int) -> list[str]:
    """The numbers of the runs that start from a run."""
    query = select(RUN.c.id).where(RUN.c.source == run_id).order_by(RUN.c.id)
    return [str(user) for user in connection.execute(query).scalars()]
