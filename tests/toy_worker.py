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
    flood: int = 0  # MiB printed to the console
    save_every: int = 0  # steps between two checkpoints; 0: none but at a cancel
    die_at: int = 0  # a step at which every attempt kills itself; 0: never
    prompts: bool = False  # leaves learned prompts at its end


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
        orders = self.orders
        for step in range(self._resume() + 1, orders.steps + 1):
            loss = {"total": 1.0 / step, "intra": 0.5}
            self.writer.write(events.Loss(stage="intra", epoch=1, step=step, loss=loss))
            time.sleep(orders.delay_s)
            if step == orders.die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if self._asked_to_stop():
                self._save(step)
                return "cancelled"
            if orders.save_every and step % orders.save_every == 0:
                self._save(step)
        if orders.prompts:
            self.folder.prompts.write_bytes(b"toy")
        return orders.exit

    def _resume(self) -> int:
        """The step of the newest checkpoint, 0 if there is none."""
        saved = [int(path.name) for path in self.folder.checkpoints.glob("*")]
        if saved or self.attempt > 1:
            self.writer.write(events.Resume(step=max(saved, default=0)))
        return max(saved, default=0)

    def _save(self, step: int) -> None:
        self.folder.checkpoints.mkdir(exist_ok=True)
        (self.folder.checkpoints / str(step)).touch()
        self.writer.write(
            events.Checkpoint(stage="intra", epoch=1, step=step, seconds=0.1, bytes=1)
        )

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
    parser.add_argument("--source", type=int)
    parser.add_argument("id", type=int)
    arguments = parser.parse_args()
    folder = Home(arguments.home).run(arguments.id)
    orders = Orders(**json.loads(json.loads(folder.config.read_text())["run"]["name"] or "{}"))
    if orders.say:
        sys.stdout.write(orders.say + "\n")
    for _ in range(orders.flood):
        sys.stdout.write("x" * ((1 << 20) - 1) + "\n")
    sys.stdout.flush()
    with hold_lock(folder.lock), EventWriter(folder.events(arguments.attempt)) as writer:
        if orders.grandchild:
            subprocess.Popen(["sleep", "600"], start_new_session=True)
        toy = Toy(orders, folder, writer, arguments.attempt)
        return end(toy, toy.work())


if __name__ == "__main__":
    sys.exit(main())
