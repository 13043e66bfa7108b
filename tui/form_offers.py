"""What the fields of the new-run form offer: data folders, runs to start from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from ccafl.config import STAGES
from ccafl.errors import StoreError
from ccafl.paths import absolute
from ccafl.sentences import printable

if TYPE_CHECKING:
    from ccafl.config import Stage
    from ccafl.paths import Home
    from ccafl.store import RunRow
    from tui.draft import Draft

MOST_RUNS = 300  # newest runs that are looked at


@dataclass(frozen=True, slots=True)
class Folder:
    """A data folder of earlier runs, with the preset of the newest of them."""

    root: str
    dataset: str
    preset: str


@dataclass(frozen=True, slots=True)
class Start:
    """A run that others can take stages from, and what they must have in common with it.

    `begins` are the stages that a run can begin with then; `root` is empty for a drawn data set.
    """

    run_id: int
    label: str
    begins: Sequence[Stage]
    root: str
    backbone: str

    def gives(self, wanted: Sequence[str]) -> Sequence[Stage]:
        """The stages that a run takes of those that are wanted: as many as leave one to train."""
        first = next((stage for stage in reversed(self.begins) if stage in wanted), self.begins[0])
        return STAGES[: STAGES.index(first)]

    def fits(self, draft: Draft) -> bool:
        """Whether a draft has its data set and backbone."""
        root = draft.root.strip()
        return draft.backbone == self.backbone and (_absolute(root) if root else "") == self.root


@dataclass
class Offers(Message):
    """What earlier runs offer."""

    folders: Sequence[Folder]
    starts: Sequence[Start]


def find_offers(home: Home, edited: int | None) -> Offers:
    """What the newest runs offer, but for the one that is changed itself."""
    runs = [run for run in _runs(home) if run.id != edited]
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
        root = _root(run, home)
        if root:
            found.setdefault(root, Folder(root, run.dataset, run.preset))
    return list(found.values())


def _start(run: RunRow, home: Home) -> list[Start]:
    from ccafl.config import from_json
    from ccafl.orders import offers
    from ccafl.store import ENDED

    begins = offers(run, home)
    if not begins:
        return []
    before = " and ".join(STAGES[: STAGES.index(begins[-1])])
    state = "" if run.state in ENDED else f" ({run.state})"
    return [
        Start(
            run_id=run.id,
            label=printable(f"run {run.id} {run.name}: {before}{state}"),
            begins=begins,
            root=_root(run, home),
            backbone=from_json(run.config).model.backbone,
        )
    ]


def _absolute(root: str) -> str:
    """A folder as runs keep it; it need not be there."""
    return str(absolute(root))


def _root(run: RunRow, home: Home) -> str:
    """The data folder of a run; empty if it was drawn."""
    root = str(json.loads(run.config).get("data", {}).get("root", ""))
    return "" if root.startswith(f"{home.cache}/") else root
