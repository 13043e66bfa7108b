"""The supervisor's process: `python -m ccafl.supervisor --home DIR`."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

from ccafl.errors import BusyError, CcaflError
from ccafl.locks import hold_lock
from ccafl.paths import Home
from ccafl.store.database import secure_folder
from ccafl.supervisor.loop import Supervisor

logger = logging.getLogger(__name__)

_LOG_BYTES = 5 << 20
_OLD_LOGS = 2


def main(make: Callable[[Home], Supervisor] = Supervisor) -> int:
    """Serve the queue of a state folder; gives the exit code, 75 when another one serves it."""
    parser = argparse.ArgumentParser(prog="python -m ccafl.supervisor", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the state folder")
    home = Home(parser.parse_args().home.absolute())
    os.umask(0o077)
    try:
        secure_folder(home.root)
        _log_to(home.log)
        with hold_lock(home.lock):
            make(home).run()
    except BusyError as error:
        logger.info("%s", error)
        return error.exit_code
    except CcaflError as error:
        logger.error("%s", error)
        return error.exit_code
    return 0


def _log_to(path: Path) -> None:
    handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=_OLD_LOGS)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(process)d %(levelname)s %(message)s",
        handlers=[handler],
    )


if __name__ == "__main__":
    sys.exit(main())
