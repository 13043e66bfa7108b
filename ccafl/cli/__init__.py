"""The commands of the terminal.

These modules import typer and the standard library; config, store and everything else are
imported inside the commands, so that `ccafl --help` is as fast as Typer is.
"""

import io
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated

import typer

from ccafl.cli import adding, looking, queue, removing, setup
from ccafl.cli.check import check
from ccafl.cli.doctor import doctor
from ccafl.cli.options import HomeOption
from ccafl.cli.output import complain, note
from ccafl.errors import CcaflError, ConfigError, OutdatedError

__all__ = ["app", "main"]

# Plain help and usage errors: fast, fit for pipes and for screen readers.
app = typer.Typer(
    name="ccafl",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(adding.run)
app.add_typer(queue.app, name="queue")
app.command("history")(looking.history)
app.command("show")(looking.show)
app.command("compare")(looking.compare)
app.command("log")(looking.log)
app.command("delete")(removing.delete)
app.command("check")(check)
app.command("config")(setup.config)
app.command("doctor")(doctor)
app.command("demo")(setup.demo)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        import ccafl

        print(f"ccafl {ccafl.__version__}")
        raise typer.Exit


@app.callback()
def ccafl(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    home: HomeOption = None,
) -> None:
    """Train and compare camera-agnostic person re-identification runs.

    Runs train in the background: they go on when this terminal is closed. Exit codes: 0 done,
    1 failed, 2 wrong input, 75 the database is busy, 130 cancelled.
    """


def main() -> None:
    """Run the command line; every failure becomes one message on stderr and an exit code."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `ccafl history | head` just ends
    try:
        _prepare_text()
        try:
            _run_command()
        finally:
            _flush()
    except (CcaflError, OSError) as error:
        sys.exit(complain(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        trace = _keep_trace()
        name = type(error).__name__
        note(f"error: {name}: {error}. This is a defect of ccafl; its trace is in {trace}.")
        sys.exit(1)


def _run_command() -> None:
    """Run the command of `sys.argv`, again once an outdated database was brought up to date."""
    try:
        app()
    except OutdatedError as error:
        from ccafl.paths import Home
        from ccafl.supervisor import ensure_supervisor

        ensure_supervisor(Home(error.folder))
        app()


def _prepare_text() -> None:
    """Print what a terminal's encoding lacks as an escape, and refuse input that is no text.

    Raises:
        ConfigError: an argument holds bytes that are not UTF-8, which no database can store.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # the shell closed it
            _discard(name)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for argument in sys.argv[1:]:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise ConfigError(f"The argument {argument!a} is not UTF-8 text.") from error


def _flush() -> None:
    """Write what was printed; left to the interpreter, a full disk would fail without a word.

    Raises:
        OSError: it cannot be written.
    """
    try:
        sys.stdout.flush()
    except OSError:
        _discard("stdout")  # else the interpreter tries once more
        raise


def _discard(name: str) -> None:
    """Let what is printed on a stream go nowhere from now on."""
    setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # it stays open


def _keep_trace() -> str:
    """Write the trace of the current exception to a file and give its path."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="ccafl-trace-", suffix=".txt", delete=False, errors="backslashreplace"
    ) as file:
        traceback.print_exc(file=file)
    return file.name
