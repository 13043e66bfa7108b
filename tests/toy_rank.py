"""One of several toy processes under torchrun; rank 0 speaks the event protocol, none loads torch.

Takes the arguments of a worker. Each rank dies with torchrun, as real ones do.
"""

import argparse
import ctypes
import json
import os
import signal
import time
from pathlib import Path

from ccafl import events
from ccafl.events import EventWriter
from ccafl.locks import hold_lock
from ccafl.paths import Home

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Make steps until somebody ends us."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path)
    parser.add_argument("--attempt", type=int)
    parser.add_argument("--device")
    parser.add_argument("id", type=int)
    arguments = parser.parse_args()
    folder = Home(arguments.home).run(arguments.id)
    orders = json.loads(json.loads(folder.config.read_text())["run"]["name"] or "{}")
    if orders.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    (folder.root / f"rank-{os.environ['RANK']}").write_text(str(os.getpid()))
    if os.environ["RANK"] != "0":
        time.sleep(600)
    with hold_lock(folder.lock), EventWriter(folder.events(arguments.attempt)) as writer:
        for step in range(1, 100_000):
            loss = {"total": 1.0}
            writer.write(events.Loss(stage="intra", epoch=1, step=step, loss=loss))
            time.sleep(0.01)


if __name__ == "__main__":
    main()
