"""What the lists say of a run, a cell each, of whatever version the run is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ccafl.sentences import printable

if TYPE_CHECKING:
    from ccafl.store import RunRow

_SHORT_NAMES = {
    "Market-1501": "Market",
    "DukeMTMC-reID": "Duke",
    "CUHK03-NP-detected": "CUHK03-D",
    "CUHK03-NP-labeled": "CUHK03-L",
}


def dataset(run: RunRow) -> str:
    """The name of its data set."""
    return printable(run.dataset) or "-"


def short_dataset(name: str, room: int) -> str:
    """What the field calls a data set where its name has no room; other names lose their middle."""
    from ccafl.tables import shorten_name

    return shorten_name(_SHORT_NAMES.get(name, name), room)


def tags(run: RunRow) -> str:
    """All of them."""
    return printable(" ".join(run.tags))


def backbone(run: RunRow) -> str:
    """Its name without the activation, which all of them share."""
    return setting(run, "model", "backbone").removesuffix("-quickgelu")


def seed(run: RunRow) -> str:
    """The seed."""
    return setting(run, "run", "seed")


def short_percent(text: str, _room: int = 4) -> str:
    """A percentage in four cells; 100.0 is the only one that is longer."""
    return text[:4].rstrip(".")


def setting(run: RunRow, section: str, name: str) -> str:
    """A stored setting."""
    return printable(str(stored(run.config).get(section, {}).get(name, "-")))


@lru_cache(maxsize=4096)
def stored(config: str) -> Mapping[str, Mapping[str, Any]]:
    """The sections of a stored config; a list asks for them again and again."""
    found: Mapping[str, Mapping[str, Any]] = json.loads(config)
    return found
