"""The border of the command line, its small commands, and its help."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from recorded import Recorded
from terminal import PROGRAM, Terminal, ccafl, past

from ccafl.datasets import SPLITS
from ccafl.errors import BusyError
from ccafl.presets import PRESETS, resolve
from ccafl.store import database, open_store

__all__ = ["ccafl", "past"]


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


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [("history",), ("config", "demo"), ("--help",)])
def test_output_that_does_not_fit_on_the_disk_fails_in_one_sentence(
    past: Recorded, command: tuple[str, ...], unbuffered: str
) -> None:
    past.finished()
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*PROGRAM, *command],
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (1, b"error: No space left on device.\n")


@pytest.mark.parametrize("closing", [">&-", "2>&-", "<&-"])
def test_streams_that_the_shell_closed_are_not_missed(past: Recorded, closing: str) -> None:
    past.finished(name="mine")
    command = ["sh", "-c", f'"$@" {closing}', "sh", *PROGRAM]
    shown = subprocess.run([*command, "history"], capture_output=True, check=False)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert (b"mine" in shown.stdout) == (closing != ">&-")
    asked = subprocess.run([*command, "delete", "1"], capture_output=True, check=False)
    assert (asked.returncode, asked.stdout) == (2, b"")
    assert (b"Pass --yes" in asked.stderr) == (closing != "2>&-")


@pytest.mark.parametrize(
    "command",
    [
        *(("show",), ("log",), ("compare", "1"), ("delete",), ("queue", "cancel")),
        *(("history", "--limit"), ("run", "--from")),
    ],
)
def test_numbers_that_no_database_holds_are_refused(
    ccafl: Terminal, past: Recorded, command: tuple[str, ...]
) -> None:
    answer = ccafl(*command, str(2**63))
    assert answer.code == 2
    assert "less than or equal to" in answer.err


def test_what_an_encoding_lacks_is_escaped(past: Recorded) -> None:
    past.finished(name="naïve ✓")
    ended = subprocess.run(
        [*PROGRAM, "history"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert rb"na\xefve \u2713" in ended.stdout


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
