"""The record of a run beside its config: what a database made again cannot learn elsewhere."""

import json
from typing import Annotated

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass
from sqlalchemy import Connection, select

from ccafl.paths import RunFolder, replace_text
from ccafl.store.queries import ATTEMPT, RUN, TAG

_Integer = Annotated[int, Field(ge=-(2**63), lt=2**63)]  # what SQLite can hold
Row = dict[str, str | _Integer | float | None]


@dataclass(frozen=True)
class Record:
    """The rows of a run, but for its config and what its event files hold."""

    run: Row
    attempts: list[Row]
    tags: list[str]


def write_record(connection: Connection, folder: RunFolder, run_id: int) -> None:
    """Write `run.json` when a run ends and when it is queued again."""
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_text(folder.record, describe(connection, run_id))


def describe(connection: Connection, run_id: int) -> str:
    """The rows of a run as this transaction leaves them; its config lies in its own file."""
    row = connection.execute(select(RUN).where(RUN.c.id == run_id)).mappings().one()
    attempts = select(ATTEMPT).where(ATTEMPT.c.run_id == run_id).order_by(ATTEMPT.c.n)
    tags = select(TAG.c.tag).where(TAG.c.run_id == run_id).order_by(TAG.c.tag)
    record = {
        "run": {name: value for name, value in row.items() if name != "config"},
        "attempts": [dict(found) for found in connection.execute(attempts).mappings()],
        "tags": list(connection.execute(tags).scalars()),
    }
    return json.dumps(record, indent=1) + "\n"


def read_record(folder: RunFolder) -> Record:
    """The record of a run.

    Raises:
        OSError: there is none.
        ValueError: it is torn, or no record.
    """
    return TypeAdapter(Record).validate_json(folder.record.read_bytes())
