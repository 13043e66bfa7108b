"""The view of a run as text: its views, and what it shows in each state."""

import pytest
from recorded import Recorded, epoch, evaluation, loss, recorded
from snapshots import GPUS, HOUR, MSMT17, SIZES, busy, gpubox, past, screens, walk
from syrupy.assertion import SnapshotAssertion
from tui_screen import NOON, opened, serving

from ccafl.events import Checkpoint

__all__ = ["busy", "gpubox", "past", "recorded", "screens", "serving"]

LOST = "killed by signal 9. Host memory was 125.8 of 126 GB: probably out of memory"


@SIZES
async def test_live(busy: Recorded, screens: SnapshotAssertion, size: tuple[int, int]) -> None:
    async with opened(busy.home, size=size, gpus=GPUS) as screen:
        await screen.press("2")
        await walk(
            screen,
            screens,
            ("losses", "", "img/s | 54.8 | GPU 0 | B inter"),
            ("one term", "B plus", "inter · inter | zoom"),
            ("log axis", "B 0 L", "log axis"),
            ("log", "L tab", "epoch 2 it 6" if size[0] == 80 else "Association"),
            ("evaluations", "tab", "association" if size[0] == 80 else "[Association]"),
            ("settings or log", "tab", "[Config]" if size[0] == 80 else "[Log]"),
        )
        last = ("all settings", "equals_sign", "run.threads")
        if size[0] > 80:
            await walk(screen, screens, ("one panel", "z", "following"))
            await screen.press("z", "tab")
            last = ("all settings", "equals_sign", "run.threads | [Config]")
        await walk(screen, screens, last)


@pytest.fixture
def states(past: Recorded) -> Recorded:
    """A run in every state that the other fixtures leave out."""
    past.now = NOON - 2 * HOUR
    losses = [loss("inter", n, 6 * n, inter=12 / n, text=1.0) for n in range(1, 34)]
    for name, state, kind, reason in (
        ("stopped", "cancelled", "cancelled", None),
        ("gone", "lost", "signal", LOST),
    ):
        run_id = past.start(name=name, **MSMT17)
        past.tell(run_id, *losses[:30], epoch("inter", 30, 180), evaluation("inter", 30, 180, 0.5))
        past.tell(run_id, Checkpoint(stage="inter", epoch=30, step=180, seconds=2.0, bytes=1 << 30))
        past.end(run_id, state, reason, kind=kind, after_s=HOUR)
    never = past.add(name="never began", **MSMT17)
    past.store.cancel(never)
    silent = past.start(name="silent", **MSMT17)
    past.tell(silent, *losses)
    stopping = past.start(name="stopping", **MSMT17)
    past.tell(stopping, loss("intra", 2, 160, intra=0.4))
    past.stop(stopping)
    past.claim(name="starting", **MSMT17)
    with past.store.writing() as connection:
        connection.exec_driver_sql(f"UPDATE run SET last_event = {NOON - 670} WHERE id = {silent}")
        connection.exec_driver_sql("UPDATE run SET lost_in_row = 3 WHERE state = 'lost'")
    waiting = past.add(name="waiting", **MSMT17)
    past.store.hold(past.add(name="held", **MSMT17))
    past.wait({waiting: f"run {silent} holds GPU 0"})
    return past


async def test_active_and_queued_runs(states: Recorded, screens: SnapshotAssertion) -> None:
    async with opened(states.home, gpus=GPUS) as screen:
        await screen.sees("waiting", "GPU 0")
        await walk(
            screen,
            screens,
            ("no progress", "enter", "silent | no progress for 11 m"),
            ("cancelling", "greater_than_sign", "◌ cancelling"),
            ("starting", "greater_than_sign", "◔ starting"),
            ("queued", "greater_than_sign", "○ queued | waits"),
            ("held", "greater_than_sign", "‖ held"),
        )


async def test_ended_runs(states: Recorded, screens: SnapshotAssertion) -> None:
    async with opened(states.home, gpus=GPUS) as screen:
        await screen.press("3")
        await screen.sees("6 of 6", "GPU 0")
        await walk(
            screen,
            screens,
            ("cancelled before it began", "enter", "before it started"),
            ("lost", "greater_than_sign", "killed by signal 9"),
            ("cancelled", "greater_than_sign", "stopped"),
            ("failed", "greater_than_sign", "out of memory"),
            ("finished", "greater_than_sign", "✓ finished"),
        )
