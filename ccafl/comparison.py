"""Runs side by side: the settings in which they differ, and their results."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ccafl.overview import flatten_stored
from ccafl.sentences import printable, state
from ccafl.store import RunRow
from ccafl.tables import METRICS, NONE, Table, percent
from ccafl.tables import as_text as table_text

_NAME = "run.name"  # differs in every run and heads its column


def differences(runs: Sequence[RunRow]) -> dict[str, list[Any]]:
    """Key and value in each run of the settings that are not the same in all of them.

    The stored JSON is compared, so that runs of other versions can be shown as well; a setting
    that a run lacks is None there. Preset, device and source count as settings.
    """
    stored = [flatten_stored(run) for run in runs]
    keys = dict.fromkeys(key for values in stored for key in values)
    found = {key: [values.get(key) for values in stored] for key in keys if key != _NAME}
    found["--preset"] = [run.preset for run in runs]
    found["--gpu"] = [run.gpu for run in runs]
    found["--from"] = [run.source for run in runs]
    return {
        key: values
        for key, values in found.items()
        if any(value != values[0] for value in values[1:])
    }


def as_text(runs: Sequence[RunRow], width: int | None = None) -> str:
    """Results, then settings, a column per run; with a width the tables are made to fit it."""
    parts = [table_text(results_table(runs), width)]
    datasets = {run.dataset for run in runs}
    if len(datasets) > 1:
        parts.append("These runs are on different data sets; their metrics do not compare.\n")
    table = settings_table(runs)
    if table.rows:
        parts.append("settings that differ\n" + table_text(table, width))
    else:
        parts.append("settings: no difference\n")
    return "\n".join(parts)


def as_object(runs: Sequence[RunRow]) -> dict[str, Any]:
    """One object for programs; metrics are fractions, settings are listed in the order of runs."""
    return {
        "runs": [
            {
                "id": run.id,
                "name": run.name,
                "state": run.state,
                "dataset": run.dataset,
                "tags": list(run.tags),
                "last": asdict(run.last) if run.last else None,
                "best": asdict(run.best) if run.best else None,
            }
            for run in runs
        ],
        "differences": differences(runs),
    }


def results_table(runs: Sequence[RunRow]) -> Table:
    """Name, state, data set and metrics, a column per run."""
    rows = [
        ["name", *(printable(run.name) for run in runs)],
        ["state", *(state(run) for run in runs)],
        ["dataset", *(printable(run.dataset) or NONE for run in runs)],
    ]
    for which in ("last", "best"):
        evaluations = [getattr(run, which) for run in runs]
        places = [f"{row.stage} {row.epoch}" if row else NONE for row in evaluations]
        rows.append([f"{which} at", *places])
        for name, head in METRICS.items():
            values = [percent(getattr(row, name, None)) for row in evaluations]
            rows.append([f"{head} {which}", *values])
    return Table(_heads("Result", runs), rows)


def settings_table(runs: Sequence[RunRow]) -> Table:
    """Settings that differ, a column per run."""
    rows = [
        [printable(key), *(_value(value) for value in values)]
        for key, values in differences(runs).items()
    ]
    return Table(_heads("Setting", runs), rows)


def _heads(first: str, runs: Sequence[RunRow]) -> list[str]:
    return [first, *(f"run {run.id}" for run in runs)]


def _value(value: Any) -> str:
    return NONE if value is None else printable(json.dumps(value, ensure_ascii=False))
