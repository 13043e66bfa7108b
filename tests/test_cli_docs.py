"""The help of the commands and what the docs say of them."""

import os
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from recorded import Recorded, evaluation
from terminal import Terminal, ccafl, past

from ccafl.cli import app
from ccafl.orders import variants
from ccafl.presets import resolve
from ccafl.store import SORTS

__all__ = ["ccafl", "past"]

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
READING = ("queue", "history", "show", "compare", "log", "config", "--version")


def examples() -> list[str]:
    """Every command line of the docs, as one types it."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    lines = (line.strip().removeprefix("$ ") for line in text.splitlines())
    found = (line for line in lines if line.startswith("ccafl ") and "..." not in line)
    return list(dict.fromkeys(found))


def words(example: str) -> list[str]:
    """The arguments that a shell would pass on."""
    return shlex.split(os.path.expandvars(example.partition(" > ")[0]))[1:]


def only_reads(example: str) -> bool:
    """Whether a command changes nothing and needs no data; `ccafl queue` has others below it."""
    first, *others = words(example)
    return first in READING and (first != "queue" or others in ([], ["--format", "json"]))


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


@pytest.mark.parametrize("example", examples())
def test_a_command_of_the_docs_is_understood(monkeypatch: pytest.MonkeyPatch, example: str) -> None:
    called: list[dict[str, Any]] = []
    monkeypatch.setenv("seed", "1")
    found = commands()
    for command in found.values():
        command.callback = lambda **options: called.append(options)
    found["ccafl"].main(words(example), standalone_mode=False)
    for options in called:
        for variant in variants((), options.get("settings") or ()):
            resolve(options.get("preset") or "default", settings=variant.settings)


@pytest.mark.parametrize("example", [line for line in examples() if only_reads(line)])
def test_a_command_of_the_docs_that_only_reads_shows_something(
    ccafl: Terminal, past: Recorded, example: str
) -> None:
    for _ in range(6):
        told = evaluation("inter", 6, 234, 0.6)
        run_id = past.finished(told, dataset="Market-1501", tags=("margin", "reproduce"))
        past.home.run(run_id).console.write_text("trained\n", encoding="utf-8")
    past.add()
    answer = ccafl(*words(example))
    assert answer.code == 0
    assert answer.out
    assert "No ended run matches" not in answer.out
