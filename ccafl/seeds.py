"""Runs that differ in nothing but their seed, taken together."""

import json
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from ccafl.listings import Listing
from ccafl.overview import flatten_stored
from ccafl.sentences import printable
from ccafl.store import RunRow
from ccafl.store.queries import Which
from ccafl.tables import METRICS, NONE, Table

_OWN = ("run.seed", "run.name")


def group_by_seed(runs: Sequence[RunRow]) -> list[list[RunRow]]:
    """Runs with the same data set, source and settings, but for seed and name, in order."""
    groups: dict[str, list[RunRow]] = {}
    for run in runs:
        settings = {key: value for key, value in flatten_stored(run).items() if key not in _OWN}
        key = json.dumps([run.dataset, run.source, settings], sort_keys=True)
        groups.setdefault(key, []).append(run)
    return list(groups.values())


def groups_listing(runs: Sequence[RunRow], letters: str, which: Which) -> Listing:
    """Mean and standard deviation (n - 1) of each metric; n counts the runs that have one."""
    names = dict(zip((run.id for run in runs), letters, strict=False))
    rows, records = [], []
    for group in group_by_seed(runs):
        found: dict[str, Any] = {
            "runs": " ".join(str(run.id) for run in group),
            "name": group[0].name,
            "dataset": group[0].dataset,
        }
        shares = {name: _shares(group, which, name) for name in METRICS}
        found["n"] = len(shares["mean_ap"])
        for name, values in shares.items():
            found[name] = mean(values) if values else None
            found[f"{name}_deviation"] = stdev(values) if len(values) > 1 else None
        records.append(found)
        together = " ".join(names[run.id] for run in group)
        cells = [together, printable(found["name"]), str(found["n"])]
        rows.append([*cells, *(_cell(found[name], found[f"{name}_deviation"]) for name in METRICS)])
    table = Table(["Runs", "Name", "n", *METRICS.values()], rows)
    return Listing(table, records, records, table)


def _shares(group: Sequence[RunRow], which: Which, name: str) -> list[float]:
    evaluations = [getattr(run, which) for run in group]
    return [getattr(row, name) for row in evaluations if row is not None]


def _cell(average: float | None, deviation: float | None) -> str:
    if average is None:
        return NONE
    return f"{100 * average:.1f}" + ("" if deviation is None else f" ± {100 * deviation:.1f}")
