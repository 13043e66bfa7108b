"""The columns of the history; heads of columns that it can be sorted by say so."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from ccafl.sentences import printable
from tui.frame import WIDE
from tui.lists import Column

if TYPE_CHECKING:
    from ccafl.store import RunRow
    from ccafl.store.queries import Which

SORTS = {
    "ended": "ended",
    "mean_ap": "mAP",
    "rank1": "Rank-1",
    "rank5": "Rank-5",
    "rank10": "Rank-10",
    "mean_inp": "mINP",
    "took": "took",
    "name": "name",
    "dataset": "dataset",
    "id": "ID",
}


@dataclass(slots=True)
class Shown:
    """Which evaluation the metric columns show; the pane changes it."""

    which: Which = "last"


def columns(shown: Shown) -> tuple[Column, ...]:
    """What a list of ended runs shows, as far as there is room."""

    def metric(name: str, width: int, *, from_width: int = 0) -> Column:
        def cell(run: RunRow) -> str:
            from ccafl.tables import percent

            return percent(getattr(getattr(run, shown.which), name, None))

        return Column(
            head=SORTS[name], cell=cell, width=width, right=True, from_width=from_width, sort=name
        )

    return (
        Column(head="ID", cell=lambda run: str(run.id), width=4, right=True, sort="id"),
        Column(head="Name", cell=lambda run: printable(run.name), width=0, sort="name"),
        Column(head="Dataset", cell=_dataset, width=11, below_width=WIDE, sort="dataset"),
        Column(head="Dataset", cell=_dataset, width=8, from_width=WIDE, sort="dataset"),
        Column(head="Bkb", cell=_stored("backbone"), width=4),
        metric("mean_ap", 5),
        metric("rank1", 6),
        metric("rank5", 6, from_width=WIDE),
        metric("rank10", 7, from_width=WIDE),
        metric("mean_inp", 5),
        Column(head="Ended", cell=_day, width=6, sort="ended"),
        Column(head="Took", cell=_took, width=4, right=True, sort="took"),
        Column(head="Seed", cell=_stored("seed"), width=4, right=True, from_width=WIDE),
        Column(
            head="Tags",
            cell=lambda run: printable(" ".join(run.tags)),
            width=8,
            from_width=WIDE,
        ),
        Column(head="Note", cell=lambda run: printable(run.note), width=8, from_width=WIDE),
    )


def _dataset(run: RunRow) -> str:
    return printable(run.dataset) or "-"


def _day(run: RunRow) -> str:
    return "-" if run.ended is None else datetime.fromtimestamp(run.ended).strftime("%d %b")


def _took(run: RunRow) -> str:
    """In the unit that gives two digits, `12 h`; the whole time stands below the list."""
    if run.started is None or run.ended is None:
        return "-"
    seconds = run.ended - run.started
    units = (("s", 1), ("m", 60), ("h", 3600))
    unit, length = next((unit for unit in units if seconds / unit[1] < 99.5), ("d", 86_400))
    return f"{seconds / length:.0f} {unit}"


def _stored(name: str) -> Callable[[RunRow], str]:
    return lambda run: _settings(run.config)[name]


@lru_cache(maxsize=4096)
def _settings(config: str) -> dict[str, str]:
    """Seed and backbone of a stored config, of whatever version."""
    stored = json.loads(config)
    backbone = str(stored.get("model", {}).get("backbone", "-"))
    seed = str(stored.get("run", {}).get("seed", "-"))
    return {"backbone": printable(backbone.partition("-")[0]), "seed": printable(seed)}
