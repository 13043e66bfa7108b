"""`ccafl delete`: remove runs with everything they wrote."""

import typer

from ccafl.cli.options import HomeOption, RunsArgument, YesOption
from ccafl.cli.output import complain, confirm, note


def delete(
    run_ids: RunsArgument,
    yes: YesOption = False,
    home: HomeOption = None,
) -> None:
    """Remove ended runs with everything they wrote.

    Their bytes are shown first. A run that has not ended is cancelled first, a run that others
    take stages from is kept.
    """
    from ccafl.errors import CcaflError
    from ccafl.paths import find_home
    from ccafl.store import open_store
    from ccafl.tables import byte_count

    code = 0
    with open_store(find_home(home)) as store:
        doomed = []
        for run_id in sorted(set(run_ids), reverse=True):  # a run after those that start from it
            try:
                run, size = store.run(run_id), store.size(run_id)
            except CcaflError as error:
                complain(str(error))
                code = error.exit_code
                continue
            doomed.append(run_id)
            if not yes:
                note(f"run {run_id}  {run.name}  {run.state}: {byte_count(size)}")
        if doomed and not yes:
            confirm("Delete for good?", "delete for good")
        for run_id in doomed:
            try:
                print(f"Run {run_id} is deleted: {byte_count(store.delete(run_id))}.")
            except CcaflError as error:
                complain(str(error))
                code = error.exit_code
    raise typer.Exit(code)
