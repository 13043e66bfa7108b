"""The frame, the lists and the dialogs above them as text."""

from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest
from recorded import Recorded, recorded
from snapshots import GPUS, SIZES, busy, gpubox, looks, past, screens, walk
from syrupy.assertion import SnapshotAssertion
from tui_screen import opened, serving

from ccafl.errors import BusyError

__all__ = ["busy", "gpubox", "past", "recorded", "screens", "serving"]


@SIZES
async def test_queue(busy: Recorded, screens: SnapshotAssertion, size: tuple[int, int]) -> None:
    async with opened(busy.home, size=size, gpus=GPUS) as screen:
        await screen.sees("msmt-lam03", "GPU 0")
        await walk(
            screen,
            screens,
            ("at work", "", "Run 4 is running"),
            ("waits for a GPU", "j", "Run 5 waits: run 4 holds"),
            ("waits for a run", "j", "Run 6 waits for run 5"),
            ("held", "G", "Run 8 waits: it is held"),
            ("tags and note", "t", "ctrl+o save"),
            ("cancel", "escape g x", "cancel it"),
            ("cancel several", "escape space j space x", "Cancel 2 runs"),
            ("marked", "escape", "p hold"),
            ("palette", "escape colon r u n", "cancel the run"),
            ("GPU use", "escape u", "GPU use | not visible"),
            ("data folders", "escape v", "/sets/demo-0"),
            ("paused", "escape P", "queue paused | The queue is paused"),
        )


@SIZES
async def test_history(
    busy: Recorded,
    screens: SnapshotAssertion,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.exporting.Path.cwd", lambda: Path("/home/reid"))
    async with opened(busy.home, size=size, gpus=GPUS) as screen:
        await screen.press("3")
        await walk(
            screen,
            screens,
            ("failed", "g", "3 of 3 | failed in intra"),
            ("marked", "j space j space", "2 marked"),
            ("export", "w", "Write history as"),
        )
        await screen.press("escape", "escape", "colon", *"delete run")
        await screen.sees("with everything it wrote")
        await walk(
            screen,
            screens,
            ("delete", "enter", "This frees"),
            ("filtered", "escape slash m a p > 5 0 space t a g : m a i n enter s s", "2 of 3"),
            ("no match", "slash space z z enter", "No ended run matches"),
        )


@SIZES
async def test_nothing_there(
    recorded: Recorded, screens: SnapshotAssertion, size: tuple[int, int]
) -> None:
    async with opened(recorded.home, size=size) as screen:
        await walk(
            screen,
            screens,
            ("queue", "", "No runs yet | No GPU"),
            ("live", "2", "Nothing is running."),
            ("history", "3", "No run has ended yet"),
            ("keys", "1 question_mark", "here"),
            ("GPU use", "escape u", "go on, others wait"),
        )
        recorded.store.hold(recorded.add(name="held one"))
        await walk(screen, screens, ("live, a run is held", "escape 2", "Next: run 1"))


@pytest.mark.parametrize("size", [(60, 16), (58, 14)], ids=["60x16", "58x14"])
async def test_small_terminals(
    busy: Recorded, screens: SnapshotAssertion, size: tuple[int, int]
) -> None:
    async with opened(busy.home, size=size, gpus=GPUS) as screen:
        await screen.sees("msmt-lam03" if size == (60, 16) else "too small")
        await looks(screen, screens)


@SIZES
async def test_a_newer_database(
    past: Recorded, screens: SnapshotAssertion, size: tuple[int, int]
) -> None:
    with past.store.writing() as connection:
        connection.exec_driver_sql("PRAGMA user_version = 7")
    async with opened(Path("recorded"), size=size, gpus=GPUS) as screen:
        await screen.sees("schema version 7", "Upgrade", "GPU 0", "q quit")
        await looks(screen, screens)


@SIZES
async def test_what_is_wrong_is_said_in_the_frame(
    busy: Recorded,
    screens: SnapshotAssertion,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.problems.shutil.disk_usage", lambda _: SimpleNamespace(free=5 << 20))
    monkeypatch.setattr("tui.reader.SERVED_S", -1.0)
    mismatch = '{"error": "Driver/library version mismatch", "absent": false}'
    async with opened(Path("recorded"), size=size, gpus=mismatch) as screen:
        await walk(
            screen, screens, ("disk full, not served", "", "Disk full | not served | mismatch")
        )


@SIZES
async def test_a_busy_database(
    busy: Recorded,
    screens: SnapshotAssertion,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(monotonic=lambda: 100.0)
    monkeypatch.setattr("tui.signs.time", clock)
    monkeypatch.setattr("tui.signs.BUSY_SHOWN_S", 0.0)
    monkeypatch.setattr("ccafl.store.database.BUSY_S", 0.05)
    async with opened(busy.home, size=size, gpus=GPUS) as screen:
        await screen.press("2")
        await screen.sees("img/s", "54.8")
        monkeypatch.setattr("ccafl.store.Store.data_version", locked)
        await screen.sees("database busy 0 s")
        clock.monotonic = lambda: 106.0
        await walk(screen, screens, ("live", "ctrl+l", "database busy 6 s"))


def locked(_store: object) -> NoReturn:
    """A store that is always busy."""
    raise BusyError("locked")
