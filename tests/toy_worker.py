"""A worker without torch that speaks the event protocol; its orders are JSON in `run.name`.

It stands for `python -m ccafl.run` in tests of the supervisor and takes the same arguments.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ccafl import events
from ccafl.events import EventWriter, Result
from ccafl.locks import hold_lock
from ccafl.paths import Home, RunFolder


@dataclass(frozen=True, kw_only=True)
class Orders:
    """How a toy run behaves."""

    steps: int = 20
    delay_s: float = 0.005
    exit: str = "ok"  # ok, error, gpu_memory, crash (no result), silent (exit 0, no result)
    deaf: bool = False  # neither the cancel file nor SIGINT nor SIGTERM stops it
    grandchild: bool = False  # leaves a sleeping process in its own session
    say: str = ""  # printed to the console


class Toy:
    """One run of toy steps."""

    def __init__(self, orders: Orders, folder: RunFolder, writer: EventWriter, attempt: int):
        self.orders, self.folder, self.writer, self.attempt = orders, folder, writer, attempt
        self._stopped = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN if orders.deaf else self._stop)

    def work(self) -> str:
        """Do all steps; gives how it ended."""
        self._start()
        for step in range(1, self.orders.steps + 1):
            loss = {"total": 1.0 / step, "intra": 0.5}
            self.writer.write(events.Loss(stage="intra", epoch=1, step=step, loss=loss))
            time.sleep(self.orders.delay_s)
            if self._asked_to_stop():
                self.writer.write(
                    events.Checkpoint(stage="intra", epoch=1, step=step, seconds=0.1, bytes=1)
                )
                return "cancelled"
        return self.orders.exit

    def _start(self) -> None:
        plan = events.StagePlan(stage="intra", epochs=1, steps=self.orders.steps)
        self.writer.write(
            events.Start(
                attempt=self.attempt,
                pid=os.getpid(),
                host="toy",
                device="toy device",
                threads=1,
                versions={"ccafl": "toy"},
                steps=self.orders.steps,
                stages=(plan,),
            )
        )

    def _asked_to_stop(self) -> bool:
        return not self.orders.deaf and (self._stopped or self.folder.cancel.exists())

    def _stop(self, *_: object) -> None:
        self._stopped = True


def end(toy: Toy, ending: str) -> int:
    """Write the last words that go with an ending; gives the exit code."""
    if ending == "crash":
        sys.stderr.write("toy: something broke\n")
        return 3
    if ending == "silent":
        return 0
    failed = ending in ("error", "gpu_memory")
    result = Result(
        attempt=toy.attempt,
        exit=ending,  # type: ignore[arg-type]  # one of the four words
        ended=time.time(),
        error=events.Failure(name="ToyError", message="the toy broke") if failed else None,
    )
    toy.writer.write(events.End(exit=result.exit))
    events.write_result(toy.folder.result, result)
    return 1 if failed else 0


def main() -> int:
    """Run the toy of the given run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path)
    parser.add_argument("--attempt", type=int)
    parser.add_argument("--device")
    parser.add_argument("id", type=int)
    arguments = parser.parse_args()
    folder = Home(arguments.home).run(arguments.id)
    orders = Orders(**json.loads(json.loads(folder.config.read_text())["run"]["name"] or "{}"))
    if orders.say:
        sys.stdout.write(orders.say + "\n")
    with hold_lock(folder.lock), EventWriter(folder.events(arguments.attempt)) as writer:
        if orders.grandchild:
            subprocess.Popen(["sleep", "600"], start_new_session=True)
        toy = Toy(orders, folder, writer, arguments.attempt)
        return end(toy, toy.work())


if __name__ == "__main__":
    sys.exit(main())
