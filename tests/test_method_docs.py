"""docs/method.md names functions and tests that exist."""

import importlib
import re
from functools import reduce
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
FUNCTIONS = sorted(set(re.findall(r"`(ccafl(?:\.\w+)+)`", TEXT)))
TESTS = sorted(set(re.findall(r"`(tests/\w+\.py)::(\w+)`", TEXT)))


def find(name: str) -> object:
    """The object of a dotted name: the longest prefix that is a module, then attributes."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        return reduce(getattr, parts[cut:], module)
    raise AssertionError(f"{name} names no module")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_named_in_the_method_page_exists(name: str) -> None:
    assert callable(find(name))


@pytest.mark.parametrize(("path", "name"), TESTS)
def test_a_test_named_in_the_method_page_exists(path: str, name: str) -> None:
    assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_every_loss_is_explained_in_the_method_page() -> None:
    losses = importlib.import_module("ccafl.losses")
    public = {
        f"ccafl.losses.{name}"
        for name, value in vars(losses).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == "ccafl.losses"
    }
    assert public - set(FUNCTIONS) == {"ccafl.losses.hardest_distances"}  # a helper of triplets
