"""The app on a screen that is not there: keys in, text out."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from recorded import Recorded, epoch, evaluation, loss
from textual._context import visible_screen_stack
from textual.events import Paste
from textual.pilot import Pilot

from ccafl.paths import Home
from tui.program import CcaflApp

NO_GPU = '{"error": "NVML Shared Library Not Found", "absent": true}'
SMALL, LARGE = (80, 24), (120, 36)
NOON = 1_800_000_000.0
WAIT_S = 10.0
POLL_S = 0.02
REST_S = 0.15  # without a change, after which a screen is taken to be complete


def gpu_helper(line: str = NO_GPU) -> tuple[str, ...]:
    """A helper that gives one answer and then waits, as the real one does between readings."""
    return ("sh", "-c", 'echo "$0"; exec cat', line)


class Screen:
    """What a user has: keys and a screen."""

    def __init__(self, app: CcaflApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def text(self) -> str:
        """The screen as lines of text."""
        width, height = self.app.size
        visible_screen_stack.set(self.app._background_screens)  # what shows through dialogs
        lines = self.app.screen._compositor.render_strips(self.app.size)
        assert len(lines) <= height
        return "\n".join(strip.text[:width].rstrip() for strip in lines)

    async def press(self, *keys: str) -> None:
        """Press keys, each when the one before has done what it does."""
        for key in keys:
            await self.pilot.press(key)

    async def paste(self, text: str) -> None:
        """Paste text where one types."""
        self.app.post_message(Paste(text))
        await self.pilot.pause()

    async def sees(self, *words: str) -> str:
        """Wait until the screen shows all words; gives the screen."""
        return await self._wait(lambda text: all(word in text for word in words), f"shows {words}")

    async def misses(self, *words: str) -> str:
        """Wait until the screen shows none of the words."""
        return await self._wait(
            lambda text: not any(word in text for word in words), f"shows none of {words}"
        )

    async def rests(self) -> str:
        """Wait until the screen changes no more, also not in a second; gives the screen."""
        clock = asyncio.get_running_loop().time
        text, since = self.text, clock()
        while clock() - since < REST_S:
            await asyncio.sleep(POLL_S)
            self.app.draw_frame(self.app.frame)  # as the next tick would
            if (now := self.text) != text:
                text, since = now, clock()
        return text

    async def until(self, look: Callable[[], object], what: str) -> None:
        """Wait until something is so."""
        await self._wait(lambda _: bool(look()), what)

    async def _wait(self, look: Callable[[str], bool], what: str) -> str:
        deadline = asyncio.get_running_loop().time() + WAIT_S
        while True:
            if look(self.text):
                await self.pilot.pause(0)  # what has begun to be shown is shown, such as a layout
                if look(text := self.text):
                    return text
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"never so: {what}. The screen:\n{self.text}")
            await asyncio.sleep(POLL_S)


@asynccontextmanager
async def opened(
    home: Home | Path,
    *,
    size: tuple[int, int] = SMALL,
    read_only: bool = False,
    gpus: str = NO_GPU,
) -> AsyncIterator[Screen]:
    """The app on a state folder."""
    place = home if isinstance(home, Home) else Home(home)
    app = CcaflApp(place, read_only=read_only, clock=lambda: NOON, gpu_command=gpu_helper(gpus))
    async with app.run_test(size=size) as pilot:
        screen = Screen(app, pilot)
        await screen.misses("Reading the database")
        yield screen


@pytest.fixture(autouse=True)
def serving(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """State folders that the app wanted to be served; no test starts a supervisor by accident."""
    monkeypatch.setattr("tui.reader.PERIOD_S", 0.02)
    monkeypatch.setattr("tui.reader.LIST_PERIOD_S", 0.02)
    # after each key the pilot sleeps in such pieces until one of them passes idly
    monkeypatch.setattr("textual._wait.SLEEP_GRANULARITY", 0.005)
    # else a third of the time goes into looking for garbage among the libraries, again and again
    gc.collect()
    gc.freeze()
    asked: list[object] = []
    monkeypatch.setattr("ccafl.supervisor.ensure_supervisor", asked.append)
    return asked


@pytest.fixture
def training(recorded: Recorded) -> int:
    """A run in its inter stage, with losses, two evaluations and a log."""
    run_id = recorded.start(name="at work")
    recorded.tell(run_id, *(loss("intra", 1, step, intra=2.0, text=1.5) for step in range(1, 5)))
    recorded.tell(run_id, epoch("intra", 1, 5), evaluation("intra", 1, 5, 0.41))
    recorded.tell(run_id, *(loss("inter", 1, n, inter=40 / n, text=1.0) for n in range(6, 21)))
    recorded.tell(
        run_id,
        epoch("inter", 1, 20, linked=151, groups=36, conflicts=6, precision=0.709, recall=0.763),
        evaluation("inter", 1, 20, 0.548),
        *(loss("inter", 2, n, inter=40 / n, text=1.0) for n in range(21, 26)),
    )
    log = recorded.home.run(run_id).console
    log.write_text("first line of the log\nthe newest line\n", encoding="utf-8")
    return run_id
