"""A supervisor that starts toy workers, with shortened times and points where it dies.

`CCAFL_TOY` holds JSON: `pace` and `patience` replace times, `die` names a moment, `gpus` a file
that a helper reads aloud in place of NVML, `clock_back` seconds by which the wall clock jumps,
`free` the bytes of the disk that must be free.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ccafl import disk
from ccafl.gpu import read_gpus
from ccafl.paths import Home
from ccafl.store.claims import ActiveRun
from ccafl.supervisor import Pace, Patience, Supervisor, loop
from ccafl.supervisor.__main__ import main
from ccafl.supervisor.devices import GpuReader
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


def fake_gpus(path: str) -> GpuReader:
    """Answers from a file, as fast as tests need them."""
    command = [sys.executable, str(Path(__file__).with_name("toy_gpu.py")), path]
    return GpuReader(lambda: read_gpus(0.5, command), fresh_s=0.6)


def turn_back_clock(seconds: float) -> None:
    """Set the wall clock of this process back as soon as a run is watched."""
    real = time.time

    def launch_and_jump(
        run: ActiveRun, home: Home, worker: Sequence[str]
    ) -> subprocess.Popen[bytes]:
        time.time = lambda: real() - seconds
        return launch(run, home, worker)

    loop.launch = launch_and_jump  # type: ignore[attr-defined]  # a test's knife


def make(home: Home) -> Supervisor:
    """The supervisor that `CCAFL_TOY` describes."""
    return Supervisor(
        home,
        worker=ORDERS.get("worker", WORKER),
        pace=Pace(**{"tick_s": 0.05, "look_s": 0.2, "console_s": 0.05} | ORDERS.get("pace", {})),
        patience=Patience(**ORDERS["patience"]) if "patience" in ORDERS else None,
        gpus=fake_gpus(ORDERS["gpus"]) if "gpus" in ORDERS else None,
    )


if __name__ == "__main__":
    deaths = {"before launch": die_before_launch, "after launch": die_after_launch}
    loop.launch = deaths.get(ORDERS.get("die"), launch)  # type: ignore[attr-defined]  # a test's knife
    disk.FREE = ORDERS.get("free", disk.FREE)
    if "clock_back" in ORDERS:
        turn_back_clock(ORDERS["clock_back"])
    sys.exit(main(make))
