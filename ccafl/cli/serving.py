"""Making sure that somebody serves the queue, from a command."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ccafl.paths import Home


def serve(home: "Home") -> None:
    """Return when a supervisor serves the queue of a state folder.

    Raises:
        StoreError: the state folder cannot be written to, or the database cannot be used.
        WorkerError: the supervisor does not come up.
    """
    from ccafl.errors import StoreError
    from ccafl.supervisor import ensure_supervisor

    try:
        ensure_supervisor(home)
    except OSError as error:
        raise StoreError(
            f"The queue of {str(home.root)!r} cannot be served: {error.strerror}. Make the folder "
            "writable, or choose another one with --home."
        ) from error
