"""A queue with toy workers in a temporary state folder: real processes, real database."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import text

from ccafl.paths import Home
from ccafl.presets import resolve
from ccafl.store import RunRow, open_store
from ccafl.store.claims import ActiveRun, active_runs
from ccafl.supervisor import process

SUPERVISOR = str(Path(__file__).with_name("toy_supervisor.py"))
Found = TypeVar("Found")


def wait_until(look: Callable[[], Found | None], seconds: float = 20.0) -> Found:
    """What `look` finds as soon as it finds something; fails after a deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"nothing found within {seconds} s")


class ToyQueue:
    """Adds toy runs, starts supervisors, and looks at what becomes of them."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.store = open_store(self.home, create=True)
        self.supervisors: list[subprocess.Popen[bytes]] = []

    def add(
        self,
        *,
        gpu: str = "cpu",
        source: int | None = None,
        settings: Sequence[str] = (),
        **orders: Any,
    ) -> int:
        """Queue a run with the given orders for its worker."""
        config = resolve("smoke", settings=[f"run.name='{json.dumps(orders)}'", *settings])
        return self.store.add_run(config, preset="smoke", gpu=gpu, source=source)

    def start(self, **orders: Any) -> subprocess.Popen[bytes]:
        """Start a supervisor without waiting for it."""
        environment = os.environ | {"CCAFL_TOY": json.dumps(orders)}
        command = [sys.executable, SUPERVISOR, "--home", str(self.home.root)]
        self.supervisors.append(subprocess.Popen(command, env=environment))
        return self.supervisors[-1]

    def serve(self, **orders: Any) -> subprocess.Popen[bytes]:
        """Start a supervisor and wait until it serves."""
        started = self.start(**orders)
        wait_until(lambda: self.serving() == started.pid)
        return started

    def serving(self) -> int | None:
        """Pid of the supervisor that registered last."""
        row = self.store.supervisor()
        return row.pid if row else None

    def wait_for(self, run_id: int, *states: str) -> RunRow:
        """The run as soon as it is in one of the states."""

        def look() -> RunRow | None:
            run = self.store.run(run_id)
            return run if run.state in states else None

        return wait_until(look)

    def wait_for_end(self, run_id: int, attempt: int) -> None:
        """Wait until an attempt is recorded as ended."""
        sql = "SELECT 1 FROM attempt WHERE run_id = :id AND n = :n AND ended IS NOT NULL"
        wait_until(lambda: self.query(sql, id=run_id, n=attempt))

    def steps(self, run_id: int) -> list[int]:
        """The steps of a run that have a row."""
        return [row.step for row in self.store.losses(run_id)]

    def wait_for_step(self, run_id: int, step: int) -> RunRow:
        """The run as soon as it has made a step."""

        def look() -> RunRow | None:
            run = self.store.run(run_id)
            return run if run.step >= step else None

        return wait_until(look)

    def active(self, run_id: int) -> ActiveRun:
        """What the supervisor knows of a run."""
        with self.store.reading() as connection:
            return next(run for run in active_runs(connection) if run.id == run_id)

    def token(self, run_id: int) -> str:
        """What marks the processes of a run."""
        return str(self.query("SELECT token FROM run WHERE id = :id", id=run_id)[0][0])

    def family(self, run_id: int) -> list[int]:
        """Pids of the processes of a run."""
        return process.members(self.token(run_id))

    def query(self, sql: str, **values: Any) -> list[Any]:
        """Rows of a query of the test's own."""
        with self.store.reading() as connection:
            return list(connection.execute(text(sql), values))

    def change(self, sql: str, **values: Any) -> None:
        """An edit behind everybody's back."""
        with self.store.writing() as connection:
            connection.execute(text(sql), values)

    def kill_supervisor(self) -> None:
        """SIGKILL to the supervisor started last."""
        self.supervisors[-1].kill()
        self.supervisors[-1].wait()

    def close(self) -> None:
        """End every process that belongs to the queue."""
        for supervisor in self.supervisors:
            if supervisor.poll() is None:
                supervisor.send_signal(signal.SIGKILL)
            supervisor.wait()
        for (token,) in self.query("SELECT token FROM run"):
            wait_until(lambda token=token: process.kill_members(token))  # type: ignore[misc]
        self.store.close()


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[ToyQueue]:
    """A new queue in a state folder of its own; the test starts its supervisors."""
    toys = ToyQueue(tmp_path / "h")
    yield toys
    toys.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToyQueue]:
    """A queue with one supervisor that the tests of a module share and leave empty."""
    toys = ToyQueue(tmp_path_factory.mktemp("s") / "h")
    toys.serve()
    yield toys
    toys.close()
