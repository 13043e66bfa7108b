"""The border of the command line, its small commands, and its help."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
from recorded import Recorded
from terminal import PROGRAM, Terminal, ccafl, past

from ccafl.cli import app
from ccafl.datasets import SPLITS
from ccafl.errors import BusyError
from ccafl.presets import PRESETS, resolve
from ccafl.store import SORTS, database, open_store

__all__ = ["ccafl", "past"]

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("preset", PRESETS)
def test_a_printed_preset_is_a_config_file(ccafl: Terminal, tmp_path: Path, preset: str) -> None:
    file = tmp_path / "preset.toml"
    file.write_text(ccafl("config", preset).out, encoding="utf-8")
    assert resolve(files=[file]) == resolve(preset)


def test_config_lists_the_presets(ccafl: Terminal) -> None:
    lines = ccafl("config").out.splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == list(PRESETS)


def test_demo_draws_a_set_that_can_be_used(ccafl: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "drawn"
    answer = ccafl("demo", folder, "--seed", "3", "--identities", "2", "--cameras", "2")
    assert answer.code == 0
    assert answer.out.startswith("drawn: ")
    assert f"ccafl run --preset demo --data {folder}" in answer.out
    assert sorted(path.name for path in folder.iterdir()) == sorted(SPLITS.values())
    again = ccafl("demo", folder)
    assert again.code == 2
    assert "in use" in again.err


def test_the_version_is_printed(ccafl: Terminal) -> None:
    assert ccafl("--version").out.startswith("ccafl 0.")


@pytest.mark.parametrize(
    "arguments", [("queue", "--home", "{}"), ("--home", "{}", "queue"), ("queue",)]
)
def test_the_state_folder_can_be_named_everywhere(
    ccafl: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr("ccafl.supervisor.ensure_supervisor", lambda home: None)
    other = Recorded(tmp_path / "other")
    other.add(name="elsewhere")
    other.close()
    if arguments == ("queue",):
        monkeypatch.setenv("CCAFL_HOME", str(tmp_path / "other"))
    answer = ccafl(*(word.format(tmp_path / "other") for word in arguments))
    assert "elsewhere" in answer.out


@pytest.mark.parametrize(
    "arguments",
    [("bogus",), ("run", "--bogus"), ("show",), ("show", "x"), ("queue", "--format", "xml")],
)
def test_a_wrong_command_line_is_refused(ccafl: Terminal, arguments: tuple[str, ...]) -> None:
    answer = ccafl(*arguments)
    assert answer.code == 2
    assert "rror: " in answer.err
    assert "Traceback" not in answer.err


def test_a_defect_is_told_in_one_sentence_and_its_trace_is_kept(
    ccafl: Terminal, past: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("no \x1b[1m idea")

    monkeypatch.setattr("ccafl.store.Store.history", break_down)
    answer = ccafl("history")
    assert answer.code == 1
    assert answer.err.startswith(r"error: RuntimeError: no \x1b[1m idea.")
    trace = Path(answer.err.split()[-1].rstrip("."))
    assert "break_down" in trace.read_text(encoding="utf-8")
    trace.unlink()


def test_a_locked_database_is_busy(
    ccafl: Terminal, past: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait_in_vain(*_: object) -> None:
        raise BusyError("Another program holds the database locked.")

    run_id = past.add()
    monkeypatch.setattr("ccafl.store.Store.cancel", wait_in_vain)
    answer = ccafl("queue", "cancel", str(run_id))
    assert (answer.code, answer.out) == (75, "")
    assert answer.err == "error: Another program holds the database locked.\n"


def test_an_argument_that_is_no_text_is_refused(ccafl: Terminal) -> None:
    answer = ccafl("run", "--name", os.fsdecode(b"\xff"))
    assert answer.code == 2
    assert "is not UTF-8 text" in answer.err


def test_a_closed_pipe_ends_the_command_without_a_word(past: Recorded) -> None:
    past.finished()
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [*PROGRAM, "history"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (-signal.SIGPIPE, b"")


def test_what_an_encoding_lacks_is_escaped(past: Recorded) -> None:
    past.finished(name="naïve ✓")
    ended = subprocess.run(
        [*PROGRAM, "history"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert rb"na\xefve \u2713" in ended.stdout


def commands() -> dict[str, Any]:
    """Every command by its full name, with Typer's own object."""
    found: dict[str, Any] = {}

    def walk(command: Any, name: str) -> None:
        found[name] = command
        for inner, child in getattr(command, "commands", {}).items():
            walk(child, f"{name} {inner}")

    walk(typer.main.get_command(app), "ccafl")
    return found


@pytest.mark.parametrize("name", commands())
def test_every_command_and_option_has_help(name: str) -> None:
    command = commands()[name]
    assert command.help
    assert command.get_short_help_str(200)
    assert [p.name for p in command.params if not getattr(p, "help", None)] == []


@pytest.mark.parametrize("name", commands())
def test_every_command_and_option_has_its_place_in_the_docs(name: str) -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert f"\n## `{name}`" in text
    section = text.split(f"\n## `{name}`")[1].split("\n## ")[0]
    assert f"$ {name}" in section
    options = [o for p in commands()[name].params for o in p.opts if o.startswith("-")]
    assert [option for option in options if f"`{option}" not in section] == []


def test_help_and_docs_name_every_sort_key() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    sort = next(p for p in commands()["ccafl history"].params if p.name == "sort")
    assert [key for key in SORTS if key not in sort.help or f"`{key}`" not in page] == []


def test_the_docs_name_no_command_that_does_not_exist() -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    titles = [line[4:].split("`")[0] for line in text.splitlines() if line.startswith("## `")]
    assert set(titles) == set(commands())


def test_an_outdated_database_is_brought_up_to_date_before_a_command_reads_it(
    ccafl: Terminal, past: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    past.add(name="from before")
    scripts = [*database.migrations(), "CREATE TABLE novelty (id INTEGER) STRICT;"]
    monkeypatch.setattr("ccafl.store.database.migrations", lambda: scripts)
    monkeypatch.setattr(
        "ccafl.supervisor.ensure_supervisor", lambda home: open_store(home, create=True).close()
    )
    answer = ccafl("show", "1")
    assert (answer.code, answer.err) == (0, "")
    assert "from before" in answer.out
    assert [file.name for file in past.home.backups.iterdir()] == ["runs-v1.db"]
