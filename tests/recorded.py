"""Runs whose events are told by a test instead of a worker: the real database, no process."""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ccafl import events
from ccafl.events import Event, EventWriter
from ccafl.paths import Home
from ccafl.presets import resolve
from ccafl.store import claims, open_store
from ccafl.store.claims import ActiveRun, Ending, Granted, Waits
from ccafl.store.ingest import ingest
from ccafl.store.rows import SupervisorRow
from ccafl.supervisor import process

STEPS = 234  # of the preset smoke: 8 x 18 of prompt, 3 x 10 of intra, 6 x 10 of inter


class Recorded:
    """Adds runs, starts them at `now`, and takes in what the test says that they did."""

    def __init__(self, root: Path) -> None:
        self.home, self.now = Home(root), 1e9
        self.store = open_store(self.home, create=True)
        self._active: dict[int, tuple[ActiveRun, EventWriter]] = {}
        self._offsets: dict[int, int] = {}

    def add(self, *, preset: str = "smoke", settings: tuple[str, ...] = (), **words: Any) -> int:
        """Queue a run on the set `demo-0`."""
        config = resolve(preset, settings=["data.root=/sets/demo-0", *settings])
        return self.store.add_run(config, preset=preset, **{"dataset": "demo-0"} | words)

    def claim(self, **words: Any) -> int:
        """Add a run and give it a device; no other run may wait."""
        run_id = self.add(**words)
        with self.store.writing() as connection:
            run = claims.claim(connection, lambda *_: Granted(f"toy-{run_id}"), self.now)
        assert run is not None
        assert run.id == run_id
        self._active[run_id] = (run, EventWriter(self.home.run(run_id).events(1)))
        return run_id

    def start(self, **words: Any) -> int:
        """Add a run and start it; no other run may wait."""
        run_id = self.claim(**words)
        with self.store.writing() as connection:
            claims.record_process(connection, run_id, "host", "boot", 1, 1)
        self.tell(run_id, start())
        return run_id

    def wait(self, reasons: Mapping[int, str]) -> None:
        """Tell runs why they do not start."""
        with self.store.writing() as connection:
            claims.claim(connection, lambda asked, _: Waits(reasons[asked.id]), self.now)

    def stop(self, run_id: int) -> None:
        """Ask a started run to stop, and let it begin to."""
        self.store.cancel(run_id)
        with self.store.writing() as connection:
            claims.begin_cancel(connection, run_id)

    def serve(self) -> None:
        """Let this process be the one that serves the queue."""
        own, now = process.identify(os.getpid()), time.time()
        assert own is not None
        row = SupervisorRow(
            host="host",
            boot_id=own.boot_id,
            pid=own.pid,
            pid_start=own.start,
            version="0.1.0",
            started=now,
            beat=now,
        )
        with self.store.writing() as connection:
            claims.register(connection, row)

    def tell(self, run_id: int, *told: Event) -> None:
        """Let a started run say something, and take it in."""
        writer = self._active[run_id][1]
        for event in told:
            writer.write(event)
        self._offsets[run_id] = ingest(self.store, run_id, 1, self._offsets.get(run_id, 0))

    def end(
        self,
        run_id: int,
        state: Any = "finished",
        reason: str | None = None,
        *,
        kind: Any = None,
        after_s: float = 75.0,
    ) -> int:
        """End a started run; `kind` follows from the state if it is not given."""
        run, writer = self._active.pop(run_id)
        writer.close()
        kind = kind or {"finished": "ok", "failed": "error"}.get(state, state)
        with self.store.writing() as connection:
            claims.finish(connection, run, Ending(state, kind, reason), self.now + after_s)
        return run_id

    def finished(self, *told: Event, **words: Any) -> int:
        """A run that has ended well after saying something."""
        run_id = self.start(**words)
        self.tell(run_id, *told)
        return self.end(run_id)

    def close(self) -> None:
        """Close all files."""
        for _, writer in self._active.values():
            writer.close()
        self.store.close()


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    """An empty database in a state folder of its own."""
    made = Recorded(tmp_path / "recorded")
    yield made
    made.close()


def start() -> events.Start:
    """The first event of a run of the preset smoke."""
    lengths = (("prompt", 8, 144), ("intra", 3, 30), ("inter", 6, 60))
    return events.Start(
        attempt=1,
        pid=1,
        host="host",
        device="cpu",
        threads=1,
        versions={"ccafl": "0.1.0", "torch": "2.14.1"},
        steps=STEPS,
        stages=tuple(
            events.StagePlan(stage=name, epochs=epochs, steps=steps)
            for name, epochs, steps in lengths
        ),
    )


def loss(stage: str, epoch: int, step: int, **terms: float | None) -> events.Loss:
    """Losses of a step; `total` is the sum of the terms if not given."""
    total = sum(value for value in terms.values() if value is not None)
    return events.Loss(stage=stage, epoch=epoch, step=step, loss={"total": total} | terms)


def epoch(stage: str, number: int, step: int, **values: Any) -> events.Epoch:
    """The end of an epoch of two seconds at 640 images per second."""
    common = {"seconds": 2.0, "images_per_s": 640.0, "lr": 2e-3, "peak_memory": 1 << 30}
    return events.Epoch(stage=stage, epoch=number, step=step, **common | values)


def evaluation(
    stage: str, number: int, step: int, mean_ap: float, **values: Any
) -> events.Evaluation:
    """An evaluation whose other metrics follow from its mAP."""
    metrics = {"rank1": mean_ap + 0.1, "rank5": mean_ap + 0.2, "rank10": mean_ap + 0.22}
    common = metrics | {"mean_inp": mean_ap / 2, "queries": 166, "left_out": 4, "seconds": 0.2}
    return events.Evaluation(
        stage=stage, epoch=number, step=step, mean_ap=mean_ap, **common | values
    )


def pair(query: int, gallery: int, mean_ap: float, queries: int = 30) -> events.CameraPair:
    """Metrics from one camera in another."""
    return events.CameraPair(
        query_camid=query, gallery_camid=gallery, queries=queries, mean_ap=mean_ap, rank1=mean_ap
    )
