"""A supervisor that starts toy workers, with shortened times and points where it dies.

`CCAFL_TOY` holds JSON: `pace` and `patience` replace times, `die` names a moment.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ccafl.paths import Home
from ccafl.store.claims import ActiveRun
from ccafl.supervisor import Pace, Patience, Supervisor, loop
from ccafl.supervisor.__main__ import main
from ccafl.supervisor.launch import launch

WORKER = (str(Path(__file__).with_name("toy_worker.py")),)
ORDERS = json.loads(os.environ.get("CCAFL_TOY", "{}"))


def die_before_launch(run: ActiveRun, home: Home, worker: Sequence[str]) -> subprocess.Popen[bytes]:
    """The claim is committed, nothing was started."""
    os.kill(os.getpid(), signal.SIGKILL)
    return launch(run, home, worker)


def die_after_launch(run: ActiveRun, home: Home, worker: Sequence[str]) -> subprocess.Popen[bytes]:
    """The worker was started, its pid was not recorded."""
    launch(run, home, worker)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def make(home: Home) -> Supervisor:
    """The supervisor that `CCAFL_TOY` describes."""
    return Supervisor(
        home,
        worker=ORDERS.get("worker", WORKER),
        pace=Pace(**{"tick_s": 0.05} | ORDERS.get("pace", {})),
        patience=Patience(**ORDERS.get("patience", {})),
    )


if __name__ == "__main__":
    deaths = {"before launch": die_before_launch, "after launch": die_after_launch}
    loop.launch = deaths.get(ORDERS.get("die"), launch)  # type: ignore[attr-defined]  # a test's knife
    sys.exit(main(make))
