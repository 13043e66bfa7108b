"""Writing what is listed to files, and the clipboard."""

import csv
import json
from pathlib import Path

import pytest
from recorded import Recorded, evaluation, recorded
from tui_screen import opened, serving

__all__ = ["past", "recorded", "serving"]


@pytest.fixture
def past(recorded: Recorded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recorded:
    """Two runs with a result, and an empty working directory outside tmux."""
    monkeypatch.delenv("TMUX", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name, value in (("first", 0.5), ("second\x1b", 0.6)):
        recorded.finished(evaluation("inter", 6, 234, value), name=name)
    return recorded


async def test_all_that_matches_is_written_not_only_what_is_loaded(
    past: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.history_pane.PAGE", 1)
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("2 of 2")
        await screen.press("w")
        await screen.sees("CSV", "LaTeX, with booktabs", "ccafl-history.csv")
        await screen.press("enter", "enter")
        await screen.sees("Wrote 2 rows to")
    file = Path("ccafl-history.csv")
    assert file.stat().st_mode & 0o777 == 0o600
    with file.open(newline="") as lines:
        assert [row["name"] for row in csv.DictReader(lines)] == ["second\x1b", "first"]


async def test_the_form_names_the_file_and_a_filter_chooses(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("2 of 2")
        await screen.press("slash", *"sec", "enter", "w", "j", "down")
        await screen.sees("ccafl-history.tex")
        await screen.press("down")
        await screen.sees("ccafl-history.json")
        await screen.press("ctrl+o")
        await screen.sees("Wrote 1 row to")
    (found,) = json.loads(Path("ccafl-history.json").read_text())
    assert found["mean_ap"] == 0.6


async def test_a_file_that_exists_is_replaced_only_after_y(past: Recorded) -> None:
    file = Path("mine.md")
    file.write_text("mine")
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("2 of 2")
        await screen.press("w", "down", "enter")
        await screen.sees("ccafl-history.md")
        await screen.press("ctrl+u")
        await screen.paste(str(file))
        await screen.press("enter")
        await screen.sees("mine.md exists in", "y replace it")
        await screen.press("escape")
        await screen.misses("exists in")
        assert file.read_text() == "mine"
        await screen.press("w", "down", "enter", "ctrl+u")
        await screen.paste(str(file))
        await screen.press("enter")
        await screen.sees("y replace it")
        await screen.press("y")
        await screen.sees("Wrote 2 rows")
    assert file.read_text().startswith("| ID | Name |")


async def test_a_folder_that_does_not_exist_is_a_sentence(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("2 of 2")
        await screen.press("w", "enter", "ctrl+u")
        await screen.paste("nowhere/x.csv")
        await screen.press("enter")
        await screen.sees("was not written: No such file or directory.")
        await screen.press("w", "enter", "ctrl+u", "full_stop", "enter")
        await screen.sees("it is a folder; add the name of a file.")
        await screen.press("w", "enter", "ctrl+u")
        await screen.paste("~nobody-at-all/x.csv")
        await screen.press("enter")
        await screen.until(
            lambda: "/~nobody-at-all/x.csv was not" in screen.text.replace("\n ", ""), "it is said"
        )
        await screen.press("w", "escape")
        await screen.misses("copy instead")


async def test_y_in_the_dialog_and_in_the_list_copies(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("2 of 2")
        await screen.press("w", "down", "down", "y")
        await screen.sees("Copied 2 rows as LaTeX (also in copy.txt of the state folder).")
        assert screen.app.clipboard.startswith(r"\begin{tabular}")
        await screen.press("y")
        await screen.sees("Copied 1 row (also")
        await screen.until(lambda: "\t60.0" in screen.app.clipboard, "the row is copied")
        heads, row = (line.split("\t") for line in screen.app.clipboard.splitlines())
        assert dict(zip(heads, row, strict=True))["Name"] == "second\\x1b"
        assert dict(zip(heads, row, strict=True))["Rank-10"] == "82.0"
    kept = past.home.root / "copy.txt"
    assert kept.read_text() == screen.app.clipboard
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("length", "kept"), [(10, False), (80_000, True)])
async def test_tmux_takes_the_text_and_what_is_long_is_kept_too(
    past: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int, kept: bool
) -> None:
    tmux = tmp_path / "bin" / "tmux"
    tmux.parent.mkdir()
    tmux.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\nexec cat > {tmp_path}/taken\n')
    tmux.chmod(0o755)
    monkeypatch.setenv("TMUX", "socket")
    monkeypatch.setenv("PATH", str(tmux.parent), prepend=":")
    async with opened(past.home) as screen:
        screen.app.copy("x\x1b\x07y\n" + "z" * length, "a text")
        end = " (also in copy.txt of the state folder)." if kept else "."
        await screen.sees(f"Copied a text{end}")
    assert (tmp_path / "arguments").read_text() == "load-buffer -w -\n"
    assert (tmp_path / "taken").read_text() == "xy\n" + "z" * length
    assert (past.home.root / "copy.txt").exists() == kept


async def test_what_breaks_an_export_is_said(
    past: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise TypeError("not a listing")

    monkeypatch.setattr("tui.history_pane.all_listed", broken)
    async with opened(past.home) as screen:
        await screen.press("3")
        await screen.sees("2 of 2")
        await screen.press("w", "y")
        await screen.sees("TypeError: not a listing")


async def test_a_tmux_that_fails_leaves_the_terminal_s_own_way(
    past: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMUX", "socket")
    async with opened(past.home) as screen:
        await screen.sees("No GPU")
        monkeypatch.setenv("PATH", "/nowhere")
        screen.app.copy("text", "a text")
        await screen.sees("Copied a text (also in copy.txt")
        assert screen.app.clipboard == "text"
