"""Commands that take several runs."""

from collections.abc import Callable, Iterable

from ccafl.cli.output import complain
from ccafl.errors import CcaflError


def each(run_ids: Iterable[int], act: Callable[[int], None]) -> tuple[list[int], int]:
    """Do something with each run; one that fails is told of and does not stop the rest.

    Returns:
        The runs that it was done with, and the exit code: 0, or that of the last failure.
    """
    done, code = [], 0
    for run_id in run_ids:
        try:
            act(run_id)
            done.append(run_id)
        except (CcaflError, OSError) as error:
            code = complain(error)
    return done, code
