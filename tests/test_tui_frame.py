"""The frame around every pane: title, GPU strip, key line, and what else may stand there."""

import subprocess
import sys
from pathlib import Path

import pytest
from recorded import Recorded, recorded
from textual.events import AppBlur, AppFocus
from tui_screen import LARGE, SMALL, opened, serving

import ccafl
from tui.remembered import Remembered, remember

__all__ = ["recorded", "serving"]

GPU = (
    '{"index": %d, "uuid": "", "name": "", "memory_used": 0, "memory_total": 1, "utilisation": 0,'
    ' "temperature": 0, "power": 0, "power_limit": 0, "processes": []}'
)


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_without_a_database_it_says_what_to_run(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with opened(tmp_path / "none", size=size) as screen:
        text = await screen.sees("ccafl run", "No GPU", "? keys", "q quit")
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
        await screen.sees("waiting one", "Seed")


async def test_what_cannot_be_seen_is_not_done_and_the_run_of_last_time_comes_later(
    recorded: Recorded,
) -> None:
    run_id = recorded.finished(name="seen last time")
    remember(recorded.home.viewer, Remembered(pane="history", run=run_id))
    async with opened(recorded.home, size=(58, 14)) as screen:
        await screen.sees("58x14 is too small")
        await screen.press("question_mark", "a", "P", "escape")
        await screen.pilot.resize_terminal(80, 24)
        await screen.sees(f"> run {run_id}", "seen last time", "✓ finished")
        await screen.press("escape")
        await screen.sees("[3 History 1]")
    assert not recorded.store.paused()


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("1", "[1 Queue 1]"), ("2", "[Losses]"), ("3", "No run has ended"), ("a", "1 run."),
        ("v", "Type the data folder"), ("u", "GPU use"), ("question_mark", "here"),
        ("x", "keep running"), ("enter", "> run 1"),
    ],
)  # fmt: skip
async def test_every_screen_can_be_made_small_and_large_again(
    recorded: Recorded, key: str, shown: str
) -> None:
    recorded.start(name="at work")
    async with opened(recorded.home) as screen:
        await screen.sees("at work")
        await screen.press(key)
        await screen.sees(shown)
        before = await screen.rests()
        for size in ((110, 30), (60, 16), (59, 16), (60, 15), (10, 3), (200, 60), (80, 24)):
            await screen.pilot.resize_terminal(*size)
        await screen.until(lambda: screen.text == before, "it looks as before")


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
        await screen.sees(" here", "quit; training goes on", "esc back")
        await screen.press("slash", *"smoothing", "enter")
        await screen.sees("more smoothing")
        await screen.misses("quit; training goes on")
        await screen.press("escape")
        await screen.sees("quit; training goes on")
        await screen.press("escape")
        await screen.sees("[1 Queue 0]")


async def test_help_has_the_keys_of_the_place_first_and_two_columns_where_there_is_room(
    recorded: Recorded,
) -> None:
    recorded.finished()
    async with opened(recorded.home, size=LARGE) as screen:
        await screen.press("3", "question_mark")
        text = await screen.sees(" here", "filter the list")
        lines = text.splitlines()
        first = next(line for line in lines if "here" in line)
        assert lines.index(first) < next(n for n, line in enumerate(lines) if "filter the" in line)
        assert any(line[50:].strip() and line[:50].strip() for line in lines[4:20])


async def test_pane_names_gpu_lines_and_keys_are_buttons(recorded: Recorded) -> None:
    recorded.add()
    two = f'{{"gpus": [{GPU % 0}, {GPU % 1}]}}'
    async with opened(recorded.home, gpus=two) as screen:
        title = (await screen.sees("3 History 0", "? keys", "GPU 1")).splitlines()[0]
        await screen.pilot.click("#title", offset=(title.index("3 History"), 0))
        last = (await screen.sees("[3 History 0]")).splitlines()[-1]
        await screen.pilot.click("#keys", offset=(last.index("? keys"), 0))
        await screen.sees("find what can be done", "esc back")
        await screen.press("escape")
        await screen.sees("[3 History 0]")
        for line in (0, 1):
            await screen.pilot.click("#strip", offset=(3, line))
            await screen.sees("GPU use", "esc back")
            await screen.press("escape")
            await screen.sees("[3 History 0]")


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


async def test_without_the_focus_it_reads_slowly_and_is_back_at_once(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.reader.SLOW_PERIOD_S", 60.0)
    async with opened(recorded.home) as screen:
        await screen.sees("[1 Queue 0]")
        screen.app.post_message(AppBlur())
        await screen.until(lambda: screen.app._reader.is_slow, "it is slow")
        recorded.add(name="meanwhile")
        screen.app.post_message(AppFocus())
        await screen.sees("meanwhile")


async def test_keys_that_a_field_takes_count_as_somebody_who_looks(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(recorded.home) as screen:
        await screen.press("3", "slash")
        monkeypatch.setattr("tui.program.IDLE_S", 0.0)
        await screen.until(lambda: screen.app._reader.is_slow, "it is slow")
        monkeypatch.setattr("tui.program.IDLE_S", 600.0)
        screen.app._key_at -= 600.0
        await screen.press("x")
        assert not screen.app._reader.is_slow


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
