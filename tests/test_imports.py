"""What starts fast loads little: a fresh interpreter says what it has loaded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "torchvision", "open_clip", "textual"}
PROGRAM = """
import json, sys
{code}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})), file=sys.stderr)
"""
COMMAND = """
from ccafl.cli import main
sys.argv = ["ccafl", *{arguments}]
try:
    main()
except SystemExit as ended:
    assert ended.code in (0, None), ended.code
"""


def loaded(code: str) -> set[str]:
    """Top-level modules loaded after running some code in a fresh interpreter."""
    command = [sys.executable, "-c", PROGRAM.format(code=code)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(ended.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("run",),
        ("queue",),
        ("queue", "add"),
        ("queue", "retry"),
        ("history",),
        ("compare",),
        ("delete",),
        ("doctor",),
    ],
)
def test_help_loads_typer_and_little_else(command: tuple[str, ...]) -> None:
    modules = loaded(COMMAND.format(arguments=[*command, "--help"]))
    assert not modules & (HEAVY | {"sqlmodel", "sqlalchemy", "numpy", "rich", "PIL"})


@pytest.mark.parametrize("command", ["queue", "history", "doctor"])
def test_lists_load_neither_torch_nor_numpy(command: str, tmp_path: Path) -> None:
    arguments = [command, "--home", str(tmp_path / "home")]
    assert not loaded(COMMAND.format(arguments=arguments)) & (HEAVY | {"numpy"})


def test_config_is_printed_without_the_database() -> None:
    modules = loaded(COMMAND.format(arguments=["config", "demo"]))
    assert not modules & (HEAVY | {"numpy", "sqlmodel", "sqlalchemy"})


def test_the_side_of_clients_and_supervisor_loads_no_torch() -> None:
    modules = loaded(
        "import ccafl.cli, ccafl.store, ccafl.supervisor, ccafl.follow, ccafl.overview\n"
        "import ccafl.datasets, ccafl.demo, ccafl.gpu, ccafl.presets, ccafl.sentences\n"
        "import ccafl.doctor, ccafl.comparison"
    )
    assert not modules & HEAVY
