"""`ccafl queue`: runs that wait and work."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ccafl.cli import adding
from ccafl.cli.options import HomeOption, ListFormat, RunsArgument, YesOption
from ccafl.cli.output import confirm, note, terminal_width
from ccafl.cli.several import each

if TYPE_CHECKING:
    from ccafl.paths import Home
    from ccafl.store import Store

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.command("add")(adding.add)


@app.callback()
def queue(context: typer.Context, form: ListFormat = "table", home: HomeOption = None) -> None:
    """List runs that wait or work, or change the queue.

    If work waits and nobody serves the queue, as after a reboot, it is served from now on.
    """
    if context.invoked_subcommand is not None:
        return
    from ccafl import tables
    from ccafl.paths import find_home
    from ccafl.store import ACTIVE, open_store

    place = find_home(home)
    with open_store(place) as store:
        runs, paused = store.runs((*ACTIVE, "queued")), store.paused()
        if form == "json":
            print(tables.as_json(tables.queue_objects(runs)), end="")
        elif runs:
            print(tables.as_text(tables.queue_table(runs), terminal_width()), end="")
        else:
            print("The queue is empty. ccafl run --preset demo trains a first run.")
        if paused:
            note("The queue is paused: nothing new starts. ccafl queue unpause lets it go on.")
        if any(run.state in ACTIVE or not (run.hold or paused) for run in runs):
            _serve_again(store, place)


@app.command()
def cancel(run_ids: RunsArgument, home: HomeOption = None) -> None:
    """Cancel runs.

    A run that waits is cancelled at once, one that works saves a checkpoint first. Cancel it a
    second time to kill it.
    """
    _each(run_ids, home, lambda store, run_id: store.cancel(run_id), serve=True)


@app.command()
def resume(run_ids: RunsArgument, home: HomeOption = None) -> None:
    """Let runs that broke off go on from their checkpoint.

    A failed, cancelled or lost run goes on from its newest checkpoint; without one it starts from
    its beginning.
    """
    _each(run_ids, home, lambda store, run_id: store.resume(run_id), serve=True)


@app.command()
def retry(run_ids: RunsArgument, yes: YesOption = False, home: HomeOption = None) -> None:
    """Train runs that broke off again from the start.

    For failed, cancelled or lost runs. What they measured and saved before is replaced when the
    new attempt starts, so this asks first.
    """
    if not yes:
        _ask_to_replace(run_ids, home)
    _each(run_ids, home, lambda store, run_id: store.retry(run_id), serve=True)


@app.command()
def hold(run_ids: RunsArgument, home: HomeOption = None) -> None:
    """Keep waiting runs from starting until they are released."""
    _each(run_ids, home, lambda store, run_id: store.hold(run_id))


@app.command()
def release(run_ids: RunsArgument, home: HomeOption = None) -> None:
    """Let runs that were held start again when it is their turn."""
    _each(run_ids, home, lambda store, run_id: store.release(run_id), serve=True)


@app.command()
def up(run_ids: RunsArgument, home: HomeOption = None) -> None:
    """Move waiting runs one place up."""
    _each(run_ids, home, lambda store, run_id: store.up(run_id))


@app.command()
def down(run_ids: RunsArgument, home: HomeOption = None) -> None:
    """Move waiting runs one place down."""
    _each(run_ids, home, lambda store, run_id: store.down(run_id), backwards=True)


@app.command()
def top(run_ids: RunsArgument, home: HomeOption = None) -> None:
    """Move waiting runs to the front, in the order given."""
    _each(run_ids, home, lambda store, run_id: store.top(run_id), backwards=True)


@app.command()
def bottom(run_ids: RunsArgument, home: HomeOption = None) -> None:
    """Move waiting runs to the end, in the order given."""
    _each(run_ids, home, lambda store, run_id: store.bottom(run_id))


@app.command()
def pause(home: HomeOption = None) -> None:
    """Start nothing new; runs that work go on."""
    _turn(home, lambda store: store.pause())


@app.command()
def unpause(home: HomeOption = None) -> None:
    """Let the queue go on after a pause."""
    _turn(home, lambda store: store.unpause())


def _each(
    run_ids: Sequence[int],
    home: Path | None,
    act: "Callable[[Store, int], str]",
    *,
    serve: bool = False,
    backwards: bool = False,
) -> None:
    """Do something with each run and print what it says.

    Args:
        run_ids: naming one twice counts once.
        home: the option.
        act: gives the sentence for the user.
        serve: whether somebody must serve the queue afterwards.
        backwards: begin with the last one.

    Raises:
        typer.Exit: always, with 0 or the code of the last failure.
    """
    from ccafl.paths import find_home
    from ccafl.sentences import printable
    from ccafl.store import open_store
    from ccafl.supervisor import ensure_supervisor

    place, once = find_home(home), list(dict.fromkeys(run_ids))
    with open_store(place) as store:
        done, code = each(
            reversed(once) if backwards else once,
            lambda run_id: print(printable(act(store, run_id))),
        )
    if done and serve:
        ensure_supervisor(place)
    raise typer.Exit(code)


def _turn(home: Path | None, act: "Callable[[Store], str]") -> None:
    """Change the queue as a whole, which the supervisor's database must exist for."""
    from ccafl.paths import find_home
    from ccafl.sentences import printable
    from ccafl.store import open_store
    from ccafl.supervisor import ensure_supervisor

    place = find_home(home)
    ensure_supervisor(place)
    with open_store(place) as store:
        print(printable(act(store)))


def _ask_to_replace(run_ids: Sequence[int], home: Path | None) -> None:
    """Ask before measured rows are replaced; runs that cannot be retried are told of later."""
    from ccafl.paths import find_home
    from ccafl.sentences import place as reached
    from ccafl.store import open_store

    with open_store(find_home(home)) as store:
        known = {run.id: run for run in store.runs(("failed", "cancelled", "lost"))}
    chosen = [known[run_id] for run_id in dict.fromkeys(run_ids) if run_id in known]
    for run in chosen:
        note(f"run {run.id}  {run.name}: {run.state} at {reached(run) or 'its beginning'}")
    if chosen:
        confirm(
            "Start from the beginning? What they measured and saved is replaced.",
            "replace what they measured and saved",
        )


def _serve_again(store: "Store", home: "Home") -> None:
    """See to it that somebody serves the queue, and say so if nobody did."""
    from ccafl.errors import CcaflError
    from ccafl.supervisor import ensure_supervisor

    before = store.supervisor()
    try:
        ensure_supervisor(home)
    except CcaflError as error:  # the list is printed all the same
        note(f"warning: nobody serves the queue, and it cannot be served: {error}")
        return
    after = store.supervisor()
    if after is not None and (before is None or before.pid != after.pid):
        note("Nobody served the queue; it is served from now on.")
