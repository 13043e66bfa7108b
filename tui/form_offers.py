"""What the fields of the new-run form offer: data folders, runs to start from, GPUs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from ccafl.errors import StoreError
from ccafl.sentences import printable

if TYPE_CHECKING:
    from ccafl.paths import Home
    from ccafl.store import RunRow

MOST_RUNS = 300  # newest runs that are looked at


@dataclass(frozen=True, slots=True)
class Folder:
    """A data folder of earlier runs, with the preset of the newest of them."""

    root: str
    dataset: str
    preset: str


@dataclass
class Offers(Message):
    """What earlier runs offer; `starts` are their numbers with the words that describe them."""

    folders: Sequence[Folder]
    starts: Sequence[tuple[int, str]]


@dataclass
class GpusOffered(Message):
    """The GPUs of this machine, by index; their driver may take seconds to tell."""

    indices: Sequence[str]


def find_offers(home: Home) -> Offers:
    """What the newest runs offer."""
    runs = _runs(home)
    starts = [start for run in runs for start in _start(run, home)]
    return Offers(folders=_folders(runs, home), starts=starts)


def known_folders(home: Home) -> list[Folder]:
    """Data folders of the newest runs, each once."""
    return _folders(_runs(home), home)


def _runs(home: Home) -> Sequence[RunRow]:
    from ccafl.store import open_store

    try:
        with open_store(home) as store:
            return store.runs(limit=MOST_RUNS)
    except StoreError:  # the title line says it
        return []


def _folders(runs: Sequence[RunRow], home: Home) -> list[Folder]:
    """The folders of runs but for those that were drawn, which need no name."""
    found: dict[str, Folder] = {}
    for run in runs:
        root = str(json.loads(run.config).get("data", {}).get("root", ""))
        if root and not root.startswith(f"{home.cache}/"):
            found.setdefault(root, Folder(root, run.dataset, run.preset))
    return list(found.values())


def _start(run: RunRow, home: Home) -> list[tuple[int, str]]:
    from ccafl.orders import offers

    stages = offers(run, home)
    if not stages:
        return []
    return [(run.id, printable(f"run {run.id} {run.name}: {' or '.join(stages)}"))]
