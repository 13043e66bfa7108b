"""Ended runs, evaluations and published results, each as a table for people and for programs.

Pure functions; `ccafl history` prints what they give, and the app writes it to files.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ccafl.sentences import printable
from ccafl.store.queries import Which
from ccafl.store.rows import EvaluationRow, ReferenceRow, RunRow
from ccafl.tables import (
    METRICS,
    NONE,
    Table,
    as_csv,
    as_json,
    as_latex,
    as_markdown,
    best_rows,
    evaluation_table,
    iso_time,
    local_time,
    percent,
)

Form = Literal["csv", "markdown", "latex", "json"]
_MEASURED = ("stage", "epoch", *METRICS)
_HISTORY = (
    *("id", "name", "state", "dataset", "tags"),
    *_MEASURED,
    *(f"best_{name}" for name in _MEASURED),
    *("preset", "note", "reason", "started", "ended"),
)


@dataclass(frozen=True, slots=True)
class Listing:
    """The same rows for the screen, as objects for JSON, in one level for CSV, and for a paper.

    `columns` are those of the CSV where there may be no record.
    """

    table: Table
    objects: Any
    records: Sequence[Mapping[str, Any]]
    paper: Table
    columns: Sequence[str] = ()

    def text(self, form: Form) -> str:
        """What a file of that form holds; metrics are fractions in JSON and CSV, else percent."""
        if form == "json":
            return as_json(self.objects)
        if form == "csv":
            return as_csv(self.records, self.columns)
        return as_markdown(self.paper) if form == "markdown" else as_latex(self.paper)


def history(runs: Sequence[RunRow], which: Which = "last") -> Listing:
    """Ended runs: on the screen with their last and best evaluation, in a paper with one."""
    heads = ["ID", "Name", "State", "Dataset", "mAP\nlast", "Rank-1\nlast", "mAP\nbest"]
    heads += ["Rank-1\nbest", "Last at", "Ended", "Tags"]
    table = Table(heads, [_history_cells(run) for run in runs])
    objects = [_history_object(run) for run in runs]
    records = [record(found) for found in objects]
    return Listing(table, objects, records, _paper(runs, which), _HISTORY)


def published(references: Iterable[ReferenceRow]) -> Listing:
    """Published results with what they were measured with, and where we read them."""
    heads = ["Dataset", "Method", "Setting", "Backbone", "Input", "mAP", "Rank-1", "Rank-5"]
    heads += ["Rank-10", "Venue", "Note", "Source"]
    rows, objects = [], []
    for row in references:
        texts = (row.dataset, row.method, row.setting, row.backbone, row.image_size)
        metrics = (row.mean_ap, row.rank1, row.rank5, row.rank10)
        ends = (row.venue, row.note, row.source)
        rows.append(
            [
                *(printable(text) or NONE for text in texts),
                *map(percent, metrics),
                *(printable(text) or NONE for text in ends),
            ]
        )
        objects.append({"published": True} | asdict(row))
    table = Table(heads, rows)
    return Listing(table, objects, objects, table)


def evaluations(rows: Sequence[EvaluationRow]) -> Listing:
    """All evaluations of a run."""
    objects, table = [asdict(row) for row in rows], evaluation_table(rows)
    return Listing(table, objects, objects, table, list(EvaluationRow.__dataclass_fields__))


def record(found: Mapping[str, Any]) -> dict[str, Any]:
    """An object in one level: tags joined by spaces, `best_...` beside the rest, no config."""
    flat: dict[str, Any] = {}
    for key, value in found.items():
        if key in ("last", "best"):
            measured = value or dict.fromkeys(_MEASURED)
            flat |= {f"{key}_{name}": measured[name] for name in _MEASURED}
        elif key != "config":
            flat[key] = " ".join(value) if key == "tags" else value
    return flat


def _history_cells(run: RunRow) -> list[str]:
    cells = [str(run.id), run.name, run.state, run.dataset or NONE]
    for row in (run.last, run.best):
        cells += [percent(row.mean_ap), percent(row.rank1)] if row else [NONE, NONE]
    cells += [_place(run.last), local_time(run.ended), " ".join(run.tags) or NONE]
    return [printable(cell) for cell in cells]


def _paper(runs: Sequence[RunRow], which: Which) -> Table:
    """All metrics of one evaluation; the best of each data set that several runs share is bold."""
    evaluations = [run.last if which == "last" else run.best for run in runs]
    rows, bold = [], set()
    for run, row in zip(runs, evaluations, strict=True):
        metrics = [percent(getattr(row, name, None)) for name in METRICS]
        texts = (str(run.id), run.name, run.dataset or NONE)
        rows.append([*map(printable, texts), *metrics, _place(row)])
    for dataset in {run.dataset for run in runs}:
        same = [place for place, run in enumerate(runs) if run.dataset == dataset]
        for column, name in enumerate(METRICS, start=3):
            values = [getattr(evaluations[place], name, None) for place in same]
            if len(same) > 1:
                bold |= {(same[place], column) for place in best_rows(values)}
    heads = ["ID", "Name", "Dataset", *METRICS.values(), f"{which.title()} at"]
    return Table(heads, rows, bold=bold)


def _place(row: EvaluationRow | None) -> str:
    return f"{row.stage} {row.epoch}" if row else NONE


def _history_object(run: RunRow) -> dict[str, Any]:
    """The metrics of the last evaluation, and `best` beside them."""
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "dataset": run.dataset,
        "tags": list(run.tags),
        **_measures(run.last),
        "best": _measures(run.best),
        "preset": run.preset,
        "note": run.note,
        "reason": run.reason,
        "config": json.loads(run.config),
        "started": iso_time(run.started),
        "ended": iso_time(run.ended),
    }


def _measures(row: EvaluationRow | None) -> dict[str, Any]:
    return {name: getattr(row, name, None) for name in _MEASURED}
