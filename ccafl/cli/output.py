"""What commands write besides their results: notes, warnings, a bar for slow work."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import fill

from ccafl.errors import CcaflError


def note(text: str) -> None:
    """Tell the reader something on stderr, which leaves stdout to results."""
    from ccafl.sentences import printable

    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else None
    for line in map(printable, text.splitlines()):
        print(fill(line, width) if width else line, file=sys.stderr)


def complain(error: CcaflError | OSError) -> int:
    """Say what went wrong, in one message on stderr; gives the exit code."""
    if isinstance(error, CcaflError):
        note(f"error: {error}")
        return error.exit_code
    where = "" if error.filename is None else f"{str(error.filename)!r}: "
    note(f"error: {where}{error.strerror or error}.")
    return 1


def terminal_width() -> int | None:
    """Columns of the terminal that stdout is, None for a pipe or a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr, told by (activity, done, total); nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    is_hidden = not sys.stderr.isatty() or console.is_dumb_terminal
    with Progress(*columns, console=console, transient=True, disable=is_hidden) as progress:
        task = progress.add_task("", total=None)
        yield lambda activity, done, total: progress.update(
            task, description=activity, completed=done, total=total or None
        )


def can_be_asked() -> bool:
    """Whether somebody sits at a terminal; the shell may have closed stdin."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, deed: str) -> None:
    """Ask on the terminal; return when the answer is yes.

    Args:
        question: what is asked.
        deed: the same as a verb with its object, for readers who cannot be asked.

    Raises:
        ConfigError: there is no terminal to ask on.
        typer.Exit: the answer is no.
    """
    import typer

    from ccafl.errors import ConfigError
    from ccafl.sentences import printable

    if not can_be_asked():
        raise ConfigError(f"There is no terminal to ask on. Pass --yes to {deed}.")
    if not typer.confirm(printable(question), err=True):
        note("nothing was changed")
        raise typer.Exit(1)
