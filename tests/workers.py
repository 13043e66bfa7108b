"""Runs as processes of their own, for the tests of the worker."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import safetensors.torch
import torch

from ccafl import config as schema
from ccafl import presets, run
from ccafl.events import Event, Loss, read_events
from ccafl.paths import Home, RunFolder

SHORT = (
    "model.weights=random",
    "prompt.epochs=2",
    "train.iterations=6",
    "intra.epochs=2",
    "inter.epochs=3",
    "inter.text_from=2",
    "inter.ical.window=[3, 5]",
    "eval.every=1",
)
Target = Callable[[list[str], Path], None]
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["ccafl.run"])


class Worker:
    """A run's folder, and attempts on it."""

    def __init__(
        self,
        home: Path,
        data: Path,
        *settings: str,
        run_id: int = 1,
        source: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.home, self.folder = home, Home(home).run(run_id)
        self.run_id, self.source, self.device = run_id, source, device
        self.folder.root.mkdir(parents=True)
        config = presets.resolve("smoke", settings=[*SHORT, f"data.root={data}", *settings])
        self.folder.config.write_text(schema.to_json(config))

    def arguments(self, attempt: int) -> list[str]:
        source = [] if self.source is None else ["--source", str(self.source)]
        told = ["--home", str(self.home), "--attempt", str(attempt), "--device", self.device]
        return [*told, *source, str(self.run_id)]

    def start(self, attempt: int = 1, target: Target | None = None) -> ForkServerProcess:
        """A process of its own, forked from one that has imported torch.

        `target` stands in for `work` in tests that sabotage the worker from inside.
        """
        told = (self.arguments(attempt), self.folder.console)
        process = FORKED.Process(target=target or work, args=told)
        process.start()
        return process

    def run(self, attempt: int = 1, target: Target | None = None) -> int | None:
        return ended(self.start(attempt, target))

    def stop_at(
        self, stage: str, number: signal.Signals, *, after: int = 2, target: Target | None = None
    ) -> int:
        """Start, and send a signal once a stage has taken some steps; gives the exit code."""
        process = self.start(target=target)
        deadline = time.monotonic() + 60
        while sum(loss.stage == stage for loss in losses(self.folder)) < after:
            assert time.monotonic() < deadline, self.folder.console.read_text()
            assert process.exitcode is None, self.folder.console.read_text()
            time.sleep(0.005)
        assert process.pid is not None
        os.kill(process.pid, number)
        code = ended(process)
        assert code is not None, "it ends within a minute"
        return code


def work(arguments: list[str], console: Path) -> None:
    with console.open("ab") as file:
        os.dup2(file.fileno(), 2)
    sys.exit(run.main(arguments))


def ended(process: ForkServerProcess) -> int | None:
    process.join(timeout=60)
    return process.exitcode


def written(folder: RunFolder, attempt: int = 1) -> list[Event]:
    return [line.event for line in read_events(folder.events(attempt), 0, limit=1 << 24).lines]


def losses(folder: RunFolder, attempt: int = 1) -> list[Loss]:
    return [event for event in written(folder, attempt) if isinstance(event, Loss)]


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder.weights)


def assert_same_weights(one: RunFolder, other: RunFolder) -> None:
    found, expected = weights(one), weights(other)
    assert all(torch.equal(value, expected[name]) for name, value in found.items())
