"""Takes the pictures of docs/tui.md and README.md: the app beside real runs on the demo data.

Runs of the preset demo are queued in a state folder of their own, and the app is shown on a screen
that is not there while they train: `make screenshots`, some minutes on two cores.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from textual.pilot import Pilot

from ccafl.paths import Home
from ccafl.store import ACTIVE, RunRow, open_store
from tui import frame
from tui.program import CcaflApp

FOLDER = Path(__file__).with_name("pictures")
SMALL, LARGE = (80, 24), (120, 36)
CCAFL = (sys.executable, "-c", "from ccafl.cli import main; main()")
PATIENCE_S = 900.0
SETTINGS = ("run.seed=0", "inter.ical.enabled=false", *(f"run.seed={n}" for n in range(1, 5)))


class Camera:
    """The app on a screen of some size, and its pictures."""

    def __init__(self, app: CcaflApp, pilot: Pilot[None]) -> None:
        self._app, self._pilot = app, pilot

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self._pilot.press(*keys)

    async def see(self, *words: str) -> None:
        """Wait until the screen shows all words."""
        async with asyncio.timeout(PATIENCE_S):
            while not all(word in self._text() for word in words):
                await self._pilot.pause(0.1)

    async def take(self, name: str) -> None:
        """Write a picture of the screen as it is."""
        await self._pilot.pause(1.5)  # what is read and drawn once a second
        size = "x".join(map(str, self._app.size))
        (FOLDER / f"{name}-{size}.svg").write_text(
            self._app.export_screenshot(title="ccafl-tui"), encoding="utf-8"
        )

    def _text(self) -> str:
        lines = self._app.screen._compositor.render_strips(self._app.size)
        return "\n".join(strip.text for strip in lines)


@asynccontextmanager
async def camera(home: Home, size: tuple[int, int]) -> AsyncIterator[Camera]:
    """The app on a screen of a size, as at its first start."""
    home.viewer.unlink(missing_ok=True)
    app = CcaflApp(home)
    async with app.run_test(size=size) as pilot:
        yield Camera(app, pilot)


async def take_queue(home: Home) -> None:
    """The run at work, and those that wait behind it."""
    async with camera(home, LARGE) as shot:
        await shot.see("seed 3", "seed 4")
        await shot.press("j")
        await shot.take("queue")


async def take_live(home: Home, size: tuple[int, int]) -> None:
    """The run at work."""
    async with camera(home, size) as shot:
        await shot.see("seed 4")
        await shot.press("2")
        await shot.see("inter", "mAP")
        await shot.take("live")


async def take_the_rest(home: Home) -> None:
    """What is looked at when runs have ended, and what they are begun with."""
    async with camera(home, LARGE) as shot:
        await shot.see("History")
        await shot.press("3")
        await shot.see("✓", "seed 0")
        await shot.take("history")
        await shot.press("G", "space", "k", "space", "c")
        await shot.see("compare 2 runs", "inter.ical.enabled")
        await shot.take("compare")
        await shot.press("escape", "escape", "d")  # of one run, so the marks go
        await shot.see("new run", "Queue run")
        await shot.take("new-run")


def main() -> None:
    """Run the demo and take the pictures."""
    frame.HOST = "gpubox"
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "state")
        try:
            _queue_runs(home)
            _wait(home, partial(_has_begun_inter, 2))
            asyncio.run(take_live(home, SMALL))
            _wait(home, partial(_has_begun_inter, 3))
            asyncio.run(take_queue(home))
            asyncio.run(take_live(home, LARGE))
            asyncio.run(take_the_rest(home))
        finally:
            _stop(home)


def _queue_runs(home: Home) -> None:
    for setting in SETTINGS:
        words = ("queue", "add", "--preset", "demo", "--tag", "main", "--set", setting)
        subprocess.run([*CCAFL, *words, "--home", str(home.root)], check=True)


def _has_begun_inter(index: int, runs: list[RunRow]) -> bool:
    run = runs[index]
    return run.stage == "inter" and (run.epoch or 0) > 5


def _wait(home: Home, look: Callable[[list[RunRow]], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with open_store(home) as store:
            runs = sorted(store.runs(), key=lambda run: run.id)
        if look(runs):
            return
        time.sleep(0.2)
    raise SystemExit(f"Nothing came of it in {PATIENCE_S:g} s: {[run.state for run in runs]}")


def _stop(home: Home) -> None:
    """End what still trains and wait until nobody serves the queue."""
    with open_store(home) as store:
        for run in store.runs((*ACTIVE, "queued")):
            store.cancel(run.id)
    _wait(home, lambda runs: all(run.state not in ACTIVE for run in runs))
    with open_store(home) as store:
        supervisor = store.supervisor()
    if supervisor is not None:
        os.kill(supervisor.pid, signal.SIGTERM)


if __name__ == "__main__":
    main()
