"""`ccafl delete`: remove runs with everything they wrote."""

import typer

from ccafl.cli.options import HomeOption, RunsArgument, YesOption
from ccafl.cli.output import confirm, note
from ccafl.cli.several import each


def delete(
    run_ids: RunsArgument,
    yes: YesOption = False,
    home: HomeOption = None,
) -> None:
    """Remove ended runs with everything they wrote.

    Their bytes are shown first. A run that has not ended is cancelled first, a run that others
    take stages from is kept.
    """
    from ccafl.paths import find_home
    from ccafl.store import open_store
    from ccafl.tables import byte_count

    with open_store(find_home(home)) as store:

        def look(run_id: int) -> None:
            run, size = store.run(run_id), store.size(run_id)
            if not yes:
                note(f"run {run_id}  {run.name}  {run.state}: {byte_count(size)}")

        def remove(run_id: int) -> None:
            print(f"Run {run_id} is deleted: {byte_count(store.delete(run_id))}.")

        # a run after those that start from it
        doomed, unknown = each(sorted(set(run_ids), reverse=True), look)
        if doomed and not yes:
            confirm("Delete for good?", "delete for good")
        _, failed = each(doomed, remove)
    raise typer.Exit(failed or unknown)
