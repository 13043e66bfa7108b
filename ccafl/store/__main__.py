"""Print the readable schema: `python -m ccafl.store > runs.db.sql`."""

import sqlite3
import sys
from contextlib import closing

from ccafl.store.database import migrate, migrations


def schema() -> str:
    """The statements that a new database consists of."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, migrations())
        rows = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        )
        statements = [f"{row[0]};\n" for row in rows]
    head = "-- The schema of runs.db, printed by `python -m ccafl.store`.\n"
    return "\n".join([head, *statements])


if __name__ == "__main__":
    sys.stdout.write(schema())
