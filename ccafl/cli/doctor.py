"""`ccafl doctor`: what this machine and this state folder offer and lack, with the repair."""

from typing import TYPE_CHECKING

import typer

from ccafl.cli.options import HomeOption, ListFormat, YesOption
from ccafl.cli.output import can_be_asked, confirm, note, terminal_width

if TYPE_CHECKING:
    from ccafl.doctor import Diagnosis
    from ccafl.paths import Home


def doctor(form: ListFormat = "table", yes: YesOption = False, home: HomeOption = None) -> None:
    """Look for what is wrong with this machine and the state folder.

    Every finding says what to do. A damaged database can be made again from the folders of the
    runs: the file is moved aside, never deleted, and this asks first. Exit codes: 0 nothing is
    wrong, 1 something is.
    """
    from ccafl import tables
    from ccafl.doctor import as_object, examine
    from ccafl.paths import find_home

    place = find_home(home)
    found = examine(place)
    if form == "json":
        print(tables.as_json(as_object(found)), end="")
    else:
        _tell(found)
    if found.needs_rebuild and (yes or (form == "table" and can_be_asked())):
        _rebuild(place, is_agreed=yes)
        found = examine(place)
        if form == "table":
            _tell(found)
    raise typer.Exit(0 if found.is_well else 1)


def _tell(found: "Diagnosis") -> None:
    from ccafl.doctor import as_text

    print(as_text(found, terminal_width()), end="")
    print("Nothing is wrong." if found.is_well else "Something is wrong; see above.")


def _rebuild(home: "Home", *, is_agreed: bool) -> None:
    """Make the database again from the folders of the runs."""
    from ccafl.errors import BusyError
    from ccafl.store.rebuild import rebuild

    if not is_agreed:
        confirm(
            "Make the database again from the folders of the runs? The old file is moved aside.",
            "make the database again",
        )
    try:
        count = rebuild(home)
    except BusyError as error:
        raise BusyError(
            f"{error} It serves the queue with the old database. `pgrep -af ccafl.supervisor` "
            "shows its number; end it with kill, then run ccafl doctor again. Runs go on."
        ) from error
    runs = "1 run" if count == 1 else f"{count:,} runs"
    note(f"The database is made again, with {runs}; the old file lies beside it.")
