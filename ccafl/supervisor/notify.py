"""Telling the user that a run ended, through a command of theirs."""

import logging
import os
import re
import subprocess
import time
from collections.abc import Sequence

from ccafl.store import RunRow
from ccafl.supervisor.launch import allowed_environment

logger = logging.getLogger(__name__)

_PATIENCE_S = 60.0
_NAME = re.compile(r"\{(id|name|state|map)\}")


class Notifier:
    """Starts the command once per run that ended; nothing waits for it or depends on it."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._started: list[tuple[subprocess.Popen[bytes], float]] = []

    def tell(self, run: RunRow) -> None:
        """Start the command; `{id}`, `{name}`, `{state}` and `{map}` in its arguments are filled.

        The same values are in the environment as `CCAFL_RUN_ID` and so on; mAP is a percentage,
        empty if the run was never evaluated.
        """
        if not self._command:
            return
        mean_ap = "" if run.last is None else f"{100 * run.last.mean_ap:.1f}"
        values = {"id": str(run.id), "name": run.name, "state": run.state, "map": mean_ap}
        values = {name: value.replace("\0", "") for name, value in values.items()}
        filled = [_NAME.sub(lambda found: values[found[1]], part) for part in self._command]
        named = {f"CCAFL_RUN_{name.upper()}": value for name, value in values.items()}
        try:
            child = subprocess.Popen(
                filled,
                cwd="/",
                env=allowed_environment(os.environ) | named,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            logger.warning("run %d: the notify command could not be started: %s", run.id, error)
        else:
            self._started.append((child, time.monotonic()))

    def reap(self) -> None:
        """Forget commands that ended, and kill one that hangs."""
        still = []
        for child, started in self._started:
            code = child.poll()
            if code is None and time.monotonic() - started >= _PATIENCE_S:
                child.kill()
            if code is None:
                still.append((child, started))
            elif code != 0:
                logger.warning("the notify command ended with code %d", code)
        self._started = still
