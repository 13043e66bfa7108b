"""docs/reliability.md names files, commands and tests that exist."""

import re
from pathlib import Path

import pytest
import typer

from ccafl.cli import app
from ccafl.paths import Home, RunFolder

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) .* \| (.*) \| .* \|$", TEXT, re.MULTILINE)


def test_every_fault_has_its_row() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 49))


@pytest.mark.parametrize(("number", "tested"), ROWS)
def test_a_fault_that_is_called_tested_has_its_tests(number: str, tested: str) -> None:
    files = re.findall(r"`(test_\w+\.py)`", tested)
    assert files or tested == "no"
    texts = [next((ROOT / "tests").rglob(file)).read_text(encoding="utf-8") for file in files]
    name = rf"def test_fault_(\d\d_)*{int(number):02}_"  # one test may cover several faults
    assert tested == "no" or any(re.search(name, text) for text in texts)


def test_files_lie_where_the_page_says() -> None:
    home, run = Home(Path("home")), RunFolder(Path("run"))
    for path in (home.database, home.settings, home.backups, home.lock, home.log):
        assert f"`{path.name}" in TEXT
    for path in (run.config, run.record, run.result, run.console, run.intra_end):
        assert f"`runs/ID/{path.name}" in TEXT
    for path in (run.checkpoints, run.weights, run.best, run.prompts, run.model):
        assert path.name in TEXT


def test_the_page_names_no_command_that_does_not_exist() -> None:
    command = typer.main.get_command(app)
    known = {f"ccafl {name}" for name in command.commands}  # type: ignore[attr-defined]  # a group
    named = re.findall(r"`(ccafl [a-z]+)", TEXT)
    assert set(named) <= known
