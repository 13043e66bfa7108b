"""What the lists say of a run, a cell each, of whatever version the run is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ccafl.sentences import printable

if TYPE_CHECKING:
    from ccafl.store import RunRow


def dataset(run: RunRow) -> str:
    """The name of its data set."""
    return printable(run.dataset) or "-"


def tags(run: RunRow) -> str:
    """All of them."""
    return printable(" ".join(run.tags))


def backbone(run: RunRow) -> str:
    """Its name without the activation, which all of them share."""
    return setting(run, "model", "backbone").removesuffix("-quickgelu")


def seed(run: RunRow) -> str:
    """The seed."""
    return setting(run, "run", "seed")


def setting(run: RunRow, section: str, name: str) -> str:
    """A stored setting."""
    return printable(str(stored(run.config).get(section, {}).get(name, "-")))


@lru_cache(maxsize=4096)
def stored(config: str) -> Mapping[str, Mapping[str, Any]]:
    """The sections of a stored config; a list asks for them again and again."""
    found: Mapping[str, Mapping[str, Any]] = json.loads(config)
    return found
