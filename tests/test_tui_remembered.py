"""What is the same at the next start, and a file that cannot be read or written."""

import json
import stat
from pathlib import Path

import pytest
from recorded import Recorded, recorded
from tui_screen import opened, serving

from tui.remembered import Remembered, recall, remember

__all__ = ["recorded", "serving"]


def test_what_is_remembered_is_recalled_and_private(tmp_path: Path) -> None:
    path = tmp_path / "tui.json"
    what = Remembered(pane="history", words="tag:a", seen=[1.5], draft={"name": "x"}, ascii=True)
    remember(path, what)
    assert recall(path) == what
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["tui.json"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b"\xff\xfe", b"null", b"[" * 100_000, b'{"pane": 3, "seen": ["x"]}'],
    ids=["empty", "list", "cut off", "no text", "null", "deep", "wrong types"],
)
def test_a_file_that_says_nothing_is_no_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tui.json"
    path.write_bytes(content)
    assert recall(path) == Remembered()


def test_fields_that_are_not_known_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "tui.json"
    path.write_text(json.dumps({"pane": "live", "from a newer version": 1}))
    assert recall(path) == Remembered(pane="live")


def test_where_it_cannot_be_written_nothing_happens(tmp_path: Path) -> None:
    (tmp_path / "tui.json").mkdir()
    remember(tmp_path / "tui.json", Remembered())
    remember(tmp_path / "none" / "tui.json", Remembered())
    assert not (tmp_path / "none").exists()


async def test_the_next_start_shows_the_same_pane_and_filter(recorded: Recorded) -> None:
    recorded.finished(name="first one")
    recorded.finished(name="other one")
    async with opened(recorded.home) as screen:
        await screen.press("3")
        await screen.sees("first one", "other one")
        await screen.press("slash", *"first", "enter")
        await screen.misses("other one")
        await screen.press("q")
    async with opened(recorded.home) as screen:
        await screen.sees("[3 History 2]", "first one", "first")
        await screen.misses("other one")


async def test_the_next_start_opens_the_same_run(recorded: Recorded) -> None:
    run_id = recorded.finished(name="first one")
    async with opened(recorded.home) as screen:
        await screen.press("3")
        await screen.sees("first one")
        await screen.press("enter")
        await screen.sees(f"3 History > run {run_id}")
        await screen.press("q")
    async with opened(recorded.home) as screen:
        await screen.sees(f"> run {run_id}", "first one")
        await screen.press("escape")
        await screen.sees("[3 History 1]")


async def test_looking_only_remembers_nothing(recorded: Recorded) -> None:
    async with opened(recorded.home, read_only=True) as screen:
        await screen.press("3")
        await screen.sees("[3 History 0]")
        await screen.press("q")
    assert not recorded.home.viewer.exists()


async def test_a_run_that_failed_unseen_is_a_badge_until_it_is_looked_at(
    recorded: Recorded,
) -> None:
    remember(recorded.home.viewer, Remembered(since=5.0))
    for name in ("bad one", "worse one"):
        run_id = recorded.start(name=name)
        recorded.end(run_id, "failed", "no such file")
    with recorded.store.writing() as connection:
        connection.exec_driver_sql("UPDATE run SET ended = 1e9 + id")
    async with opened(recorded.home) as screen:
        await screen.sees("! 2 failed")
        await screen.press("exclamation_mark")
        await screen.sees("worse one")
        await screen.press("escape")
        await screen.sees("! 1 failed")
        await screen.press("exclamation_mark")
        await screen.sees("bad one")
        await screen.press("escape", "exclamation_mark")
        await screen.sees("No run failed or was lost since you looked.")
        await screen.press("q")
    async with opened(recorded.home) as screen:
        await screen.sees("3 History 2")
        await screen.misses("failed")
    assert recall(recorded.home.viewer).seen == [1e9 + 2, 1e9 + 1]
