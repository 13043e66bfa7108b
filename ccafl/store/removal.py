"""Deleting an ended run with everything it wrote."""

import shutil
from pathlib import Path

from sqlalchemy import Connection, delete, select

from ccafl.errors import StoreError
from ccafl.paths import RunFolder
from ccafl.store.queries import LEASE, RUN, unknown_run
from ccafl.store.states import ENDED


def size(folder: RunFolder) -> int:
    """Bytes of everything a run wrote; a file with two names in it counts once."""
    seen: dict[tuple[int, int], int] = {}
    for path in [folder.root, *folder.root.rglob("*")]:
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
    query = select(RUN.c.id).where(RUN.c.source == run_id).order_by(RUN.c.id)
    users = [str(user) for user in connection.execute(query).scalars()]
    if users:
        names = f"run {users[0]} starts" if len(users) == 1 else f"runs {', '.join(users)} start"
        raise StoreError(f"Run {run_id} is kept, because {names} from it. Delete those first.")
    connection.execute(delete(LEASE).where(LEASE.c.run_id == run_id))
    connection.execute(delete(RUN).where(RUN.c.id == run_id))


def delete_folder(folder: RunFolder) -> int:
    """Remove the folder of a run whose rows are gone; gives the bytes that it had."""
    found = size(folder)
    doomed: Path = folder.root
    if doomed.exists():
        shutil.rmtree(doomed)
    return found
