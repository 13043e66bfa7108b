"""The order of the queue: places, runs that are held, the pause; and labels of runs."""

from collections.abc import Iterable
from typing import Literal

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from ccafl.errors import StoreError
from ccafl.store.queries import RUN, SETTING, TAG, unknown_run

_SELECT_PAUSED = select(SETTING.c.paused)  # asked for once a second
Move = Literal["up", "down", "top", "bottom"]


def move(connection: Connection, run_id: int, where: Move) -> str:
    """Move a queued run in the order of the queue; gives the sentence to show."""
    _queued(connection, run_id)
    order = select(RUN.c.id).where(RUN.c.state == "queued").order_by(RUN.c.place, RUN.c.id)
    old = list(connection.execute(order).scalars())
    new, here = [other for other in old if other != run_id], old.index(run_id)
    target = {"up": max(here - 1, 0), "down": here + 1, "top": 0, "bottom": len(new)}[where]
    new.insert(target, run_id)
    for place, moved in enumerate(new, start=1):
        connection.execute(update(RUN).where(RUN.c.id == moved).values(place=place))
    if new == old:
        end = "first" if where in ("up", "top") else "last"
        return f"Run {run_id} is {end} in the queue already."
    return f"Run {run_id} is number {new.index(run_id) + 1} of {len(new)} in the queue."


def hold(connection: Connection, run_id: int, held: bool) -> str:
    """Hold a queued run, or release it; gives the sentence to show."""
    row = _queued(connection, run_id)
    connection.execute(update(RUN).where(RUN.c.id == run_id).values(hold=int(held), reason=None))
    if bool(row["hold"]) == held:
        return f"Run {run_id} is {'held' if held else 'not held'} already."
    if held:
        return f"Run {run_id} is held; it waits until you release it."
    return f"Run {run_id} is released; it starts when the queue comes to it."


def pause(connection: Connection, paused: bool) -> str:
    """Stop starting runs, or go on; gives the sentence to show."""
    connection.execute(update(SETTING).values(paused=int(paused)))
    if paused:
        return "The queue is paused: runs that have started go on, no other one starts."
    return "The queue goes on."


def paused(connection: Connection) -> bool:
    """Whether the queue is paused."""
    return bool(connection.execute(_SELECT_PAUSED).scalar_one())


def set_tags(connection: Connection, run_id: int, tags: Iterable[str]) -> str:
    """Replace the tags of a run; gives the sentence to show."""
    _known(connection, run_id)
    wanted = [check_tag(tag) for tag in dict.fromkeys(tags)]
    connection.execute(delete(TAG).where(TAG.c.run_id == run_id))
    if wanted:
        connection.execute(insert(TAG), [{"run_id": run_id, "tag": tag} for tag in wanted])
    return _tags_sentence(connection, run_id)


def add_tag(connection: Connection, run_id: int, tag: str) -> str:
    """Put a tag on a run; gives the sentence to show."""
    _known(connection, run_id)
    row = {"run_id": run_id, "tag": check_tag(tag)}
    connection.execute(insert(TAG).prefix_with("OR IGNORE"), row)
    return _tags_sentence(connection, run_id)


def remove_tag(connection: Connection, run_id: int, tag: str) -> str:
    """Take a tag off a run; gives the sentence to show."""
    _known(connection, run_id)
    removed = connection.execute(delete(TAG).where(TAG.c.run_id == run_id, TAG.c.tag == tag))
    if removed.rowcount == 0:
        raise StoreError(f"Run {run_id} has no tag {tag!r}. {_tags_sentence(connection, run_id)}")
    return _tags_sentence(connection, run_id)


def set_note(connection: Connection, run_id: int, note: str) -> str:
    """Replace the note of a run; gives the sentence to show."""
    _known(connection, run_id)
    connection.execute(update(RUN).where(RUN.c.id == run_id).values(note=note))
    return f"The note of run {run_id} is {'stored' if note else 'empty'}."


def _known(connection: Connection, run_id: int) -> RowMapping:
    query = select(RUN.c.state, RUN.c.hold).where(RUN.c.id == run_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise unknown_run(run_id)
    return row


def _queued(connection: Connection, run_id: int) -> RowMapping:
    row = _known(connection, run_id)
    if row["state"] != "queued":
        raise StoreError(
            f"Run {run_id} is {row['state']}, not queued; it has no place in the queue."
        )
    return row


def check_tag(tag: str) -> str:
    """The tag, if it is one."""
    if not tag.strip():
        raise StoreError("A tag needs at least one character that is not a space.")
    return tag


def _tags_sentence(connection: Connection, run_id: int) -> str:
    query = select(TAG.c.tag).where(TAG.c.run_id == run_id).order_by(TAG.c.tag)
    tags = list(connection.execute(query).scalars())
    return f"Run {run_id} has the tags {', '.join(tags)}." if tags else f"Run {run_id} has no tags."
