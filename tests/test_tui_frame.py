"""The frame around every pane: title, GPU strip, key line, and what else may stand there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from recorded import Recorded, recorded
from tui_screen import LARGE, SMALL, opened, serving

import ccafl
from tui.gpus import Strip

__all__ = ["recorded", "serving"]


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_without_a_database_it_says_what_to_run(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with opened(tmp_path / "none", size=size) as screen:
        text = await screen.sees("ccafl run --preset demo", "No GPU", "? keys", "q quit")
        assert "[1 Queue 0]" in text.splitlines()[0]
        await screen.press("3")
        await screen.sees("No run has ended yet")
        await screen.press("2")
        await screen.sees("Nothing is running.")
    assert not (tmp_path / "none").exists()  # looking creates nothing


async def test_digits_choose_a_pane_and_titles_count(recorded: Recorded) -> None:
    recorded.finished()
    recorded.start()
    recorded.add()
    async with opened(recorded.home) as screen:
        await screen.sees("[1 Queue 2]", "2 Live 1", "3 History 1")
        await screen.press("3")
        await screen.sees("[3 History 1]")
        await screen.press("2")
        await screen.sees("[2 Live 1]")
        await screen.press("1")
        await screen.sees("[1 Queue 2]")


async def test_a_terminal_that_is_too_small_says_so_until_it_grows(recorded: Recorded) -> None:
    recorded.add(name="waiting one")
    async with opened(recorded.home) as screen:
        await screen.sees("waiting one")
        await screen.pilot.resize_terminal(58, 14)
        await screen.sees("58x14 is too small; 60x16 works", "Training is not affected")
        await screen.pilot.resize_terminal(60, 16)
        await screen.sees("waiting one", "[1 Queue 1]")
        await screen.pilot.resize_terminal(120, 36)
        await screen.sees("waiting one", "Backbone")


async def test_q_quits_and_says_what_goes_on(recorded: Recorded) -> None:
    recorded.start()
    async with opened(recorded.home) as screen:
        await screen.sees("2 Live 1")
        await screen.press("q")
    assert screen.app.return_code == 0
    assert screen.app.farewell.startswith("1 run goes on in the background.")
    assert recorded.store.run(1).state == "running"


async def test_ctrl_c_says_how_to_quit_and_ctrl_l_draws_again(tmp_path: Path) -> None:
    async with opened(tmp_path / "none") as screen:
        await screen.press("ctrl+c", "ctrl+l")
        await screen.sees("q quits; training goes on")
        assert screen.app.is_running


async def test_the_keys_are_shown_filtered_and_left(tmp_path: Path) -> None:
    async with opened(tmp_path / "none") as screen:
        await screen.press("question_mark")
        await screen.sees("everywhere", "quit; training goes on", "esc back")
        await screen.press("slash", *"smoothing", "enter")
        await screen.sees("more smoothing")
        await screen.misses("quit; training goes on")
        await screen.press("escape")
        await screen.sees("[1 Queue 0]")


async def test_read_only_takes_away_the_keys_that_change_runs(
    recorded: Recorded, serving: list[object]
) -> None:
    run_id = recorded.add()
    async with opened(recorded.home, read_only=True) as screen:
        await screen.sees("read-only", "queue not served")
        await screen.misses("x cancel")
        await screen.press("x", "p", "P", "t")
        await screen.sees("○ queued")
    assert not recorded.store.run(run_id).hold
    assert not recorded.store.paused()
    assert not serving


async def test_a_queue_that_nobody_serves_is_served_again(
    recorded: Recorded, serving: list[object]
) -> None:
    recorded.add()
    async with opened(recorded.home) as screen:
        await screen.sees("queue not served")
        await screen.until(lambda: serving, "somebody asked for a supervisor")


async def test_a_locked_database_is_a_sentence_and_the_keys_work(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccafl.store.database.BUSY_S", 0.05)
    monkeypatch.setattr("tui.signs.BUSY_SHOWN_S", 0.1)
    recorded.add(name="waiting one")
    async with opened(recorded.home) as screen:
        await screen.sees("waiting one")
        monkeypatch.setattr("ccafl.store.Store.data_version", locked)
        await screen.sees("database busy")
        await screen.press("3")
        await screen.sees("[3 History 0]")
        monkeypatch.undo()
        await screen.misses("database busy")


async def test_a_damaged_database_is_a_sentence_and_the_app_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "runs.db").write_bytes(b"this is no database, whatever its name says" * 30)
    async with opened(home) as screen:
        await screen.sees("is damaged", "Nothing was changed")
        await screen.press("2")
        await screen.sees("[2 Live 0]", "is damaged")


async def test_gpus_are_shown_with_who_uses_them(recorded: Recorded) -> None:
    run_id = recorded.start()
    ours = recorded.store.run(run_id).pid
    assert ours is not None
    gpus = [
        card(0, processes=[]),
        card(1, processes=[{"pid": ours, "memory": 20 << 30}]),
        card(2, processes=[{"pid": 77, "memory": 12 << 30}]) | {"power": None},
    ]
    async with opened(recorded.home, gpus=json.dumps({"gpus": gpus}), size=LARGE) as screen:
        text = await screen.sees("run 1", "free", "other 12.0 GB")
        lines = text.splitlines()
        assert lines[1].startswith(" GPU 1 H100")  # ours first
        assert "84 %" in lines[1]
        assert "60.0/80.0 GB" in lines[1]
        await screen.pilot.resize_terminal(80, 24)
        await screen.sees("+ 2 GPUs, 1 free")


def test_a_silent_helper_and_a_broken_driver_are_said() -> None:
    from ccafl.gpu import GpuAnswer

    strip = Strip()
    strip.take(None)
    assert "no answer" in strip.lines((), 2, wide=False)[0]
    strip.take(GpuAnswer(error="Driver/library version mismatch"))
    assert "mismatch: reboot, or reload the driver" in strip.lines((), 2, wide=False)[0]


def test_the_app_loads_no_torch_and_paints_before_it_loads_the_database() -> None:
    code = (
        "import sys, tui.app, tui.program; "
        "print([m for m in ('torch', 'open_clip', 'safetensors', 'scipy', 'sqlalchemy', 'numpy') "
        "if m in sys.modules]); import tui.reader, tui.chart, ccafl.follow, ccafl.comparison; "
        "print([m for m in ('torch', 'open_clip', 'safetensors') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["[]", "[]"]


@pytest.mark.parametrize(
    ("option", "shown"), [("--version", ccafl.__version__), ("--help", "--read-only")]
)
def test_help_and_version_come_without_loading_the_app(option: str, shown: str) -> None:
    code = (
        "import sys, tui.app\n"
        f"try: tui.app.main([{option!r}])\n"
        "except SystemExit as end: print(end.code, 'textual' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown in out.stdout
    assert out.stdout.splitlines()[-1] == "0 False"


def test_without_a_terminal_it_says_what_to_use_instead() -> None:
    command = [sys.executable, "-m", "tui.app"]
    out = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert out.returncode == 1
    assert "ccafl queue" in out.stderr


def locked(_store: object) -> int:
    """A store that is always busy."""
    from ccafl.errors import BusyError

    raise BusyError("locked")


def card(index: int, processes: list[dict[str, int]]) -> dict[str, object]:
    """A GPU as the helper describes it."""
    return {
        "index": index,
        "uuid": f"GPU-{index}",
        "name": "NVIDIA H100",
        "memory_used": 60 << 30,
        "memory_total": 80 << 30,
        "utilisation": 0.84,
        "temperature": 63,
        "power": 512.0,
        "processes": processes,
    }
