"""`ccafl-tui`: the command line of the app; the app itself is loaded after it was read."""

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import ccafl
from ccafl.errors import ConfigError
from ccafl.paths import find_home
from tui.guard import guarding


def main(arguments: Sequence[str] | None = None) -> None:
    """Show the app until the user leaves it, then say what goes on without it."""
    options = _parse(arguments)
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
        sys.exit("ccafl-tui needs a terminal. ccafl queue and ccafl history print plain lines.")
    try:
        home = find_home(options.home)
    except ConfigError as error:
        sys.exit(str(error))
    if not os.environ.get("NO_COLOR"):
        os.environ.pop("NO_COLOR", None)  # set but empty says nothing; Textual would obey it
    gc.disable()  # while libraries load there is nothing to collect; the app enables it again
    try:
        with guarding():
            from tui.program import CcaflApp

            app = CcaflApp(home, read_only=options.read_only, ascii_only=options.ascii)
            app.run(mouse=not options.no_mouse)
    except KeyboardInterrupt:  # before the app has the keys
        sys.exit(130)
    if app.farewell:
        sys.stdout.write(f"{app.farewell}\n")
    sys.exit(app.return_code or 0)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ccafl-tui",
        description="Watch, compare and steer runs. Quitting stops no run.",
        epilog="Press ? in the app for the keys.",
    )
    parser.add_argument("--version", action="version", version=f"ccafl {ccafl.__version__}")
    parser.add_argument(
        "--home",
        metavar="DIR",
        type=Path,
        help="state folder: $CCAFL_HOME if not given, else the user data folder",
    )
    parser.add_argument("--read-only", action="store_true", help="look only: no key changes a run")
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII signs only")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
