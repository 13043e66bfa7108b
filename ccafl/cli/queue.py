"""`ccafl queue`: runs that wait and work."""

import typer

from ccafl.cli import adding
from ccafl.cli.options import HomeOption, ListFormat, RunsArgument
from ccafl.cli.output import complain, terminal_width

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.command("add")(adding.add)


@app.callback()
def queue(context: typer.Context, form: ListFormat = "table", home: HomeOption = None) -> None:
    """List runs that wait or work, or add, or cancel."""
    if context.invoked_subcommand is not None:
        return
    from ccafl import tables
    from ccafl.paths import find_home
    from ccafl.store import ACTIVE, open_store

    with open_store(find_home(home)) as store:
        runs = store.runs((*ACTIVE, "queued"))
    if form == "json":
        print(tables.as_json(tables.queue_objects(runs)), end="")
    elif runs:
        print(tables.as_text(tables.queue_table(runs), terminal_width()), end="")
    else:
        print("The queue is empty. ccafl run --preset demo trains a first run.")


@app.command()
def cancel(run_ids: RunsArgument, home: HomeOption = None) -> None:
    """Cancel runs.

    A run that waits is cancelled at once, one that works saves a checkpoint first. Cancel it a
    second time to kill it.
    """
    from ccafl.errors import CcaflError
    from ccafl.paths import find_home
    from ccafl.store import open_store
    from ccafl.supervisor import ensure_supervisor

    place, code, was_asked = find_home(home), 0, False
    with open_store(place) as store:
        for run_id in dict.fromkeys(run_ids):
            try:
                print(store.cancel(run_id))
                was_asked = True
            except CcaflError as error:
                complain(str(error))
                code = error.exit_code
    if was_asked:
        ensure_supervisor(place)  # which kills a run that does not obey
    raise typer.Exit(code)
