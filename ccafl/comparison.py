"""Runs side by side: results with the distance to one of them, and the settings that differ."""

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.cells import cell_len

from ccafl.listings import Listing, record
from ccafl.overview import flatten_stored
from ccafl.seeds import groups_listing
from ccafl.sentences import printable
from ccafl.store import ENDED, EvaluationRow, ReferenceRow, RunRow, Store
from ccafl.store.queries import Which
from ccafl.tables import GAP, METRICS, NONE, Table, best_rows, percent, shorten_name
from ccafl.tables import as_text as table_text

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
UNFINISHED = "●"
MOST_REFERENCES = 2
PART_GAP = "   "  # wider than what stands between a value and its letters
MEASURED_FROM_BASE = ("mean_ap", "rank1")
TITLES = {"last": "last evaluation", "best": "best on test"}
_NAME = "run.name"  # differs in every run and heads its row


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What of a comparison is shown; `base` is the place of the run to measure from."""

    base: int = 0
    which: Which = "last"
    all_settings: bool = False
    by_seed: bool = False
    references: Sequence[ReferenceRow] = ()


def differences(runs: Sequence[RunRow], *, all_of_them: bool = False) -> dict[str, list[Any]]:
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
        if all_of_them or any(value != values[0] for value in values[1:])
    }


def references(store: Store, dataset: str) -> list[ReferenceRow]:
    """What CCAFL's authors published on a data set, and the best other method of its setting."""
    ours = store.published().get(dataset)
    if ours is None:
        return []
    others = [row for row in store.references(dataset) if row.setting == ours.setting]
    return [ours, *(row for row in others if row != ours)][:MOST_REFERENCES]


def problem(runs: Sequence[RunRow], which: Which) -> str:
    """Why the metrics of runs do not compare; empty if they do."""
    if len({run.dataset for run in runs}) > 1:
        return "These runs are on different data sets; their metrics do not compare."
    rows = [row for row in _evaluations(runs, which) if row]
    if len({row.queries + row.left_out for row in rows}) > 1:
        return "These runs were evaluated with different queries; their metrics do not compare."
    return ""


def as_text(runs: Sequence[RunRow], views: Sequence[View], width: int | None = None) -> str:
    """Results in each view, settings, sources; with a width they are made to fit it."""
    parts = [results_text(runs, view, width) for view in views]
    parts += [settings_text(runs, views[-1], width), references_text(runs, views[-1], width)]
    return "\n".join(filter(None, parts))


def results_text(runs: Sequence[RunRow], view: View, width: int | None = None) -> str:
    """Title, table, and what its signs mean; groups of seeds instead of runs if asked for."""
    if view.by_seed:
        table = groups_listing(runs, LETTERS, view.which).table
        legend = "mean ± standard deviation (n - 1) over runs that differ only in the seed"
        return f"{TITLES[view.which]}\n{table_text(table, width)}{legend}\n"
    base = runs[view.base]
    warning = problem(runs, view.which)
    title = TITLES[view.which]
    if not warning:
        where = printable(base.dataset) or NONE
        title += f"   base {LETTERS[view.base]} run {base.id}   {where}"
    table = results_table(runs, view)
    starred = [
        [f"*{cell}" if (line, column) in table.bold else cell for column, cell in enumerate(row)]
        for line, row in enumerate(table.rows)
    ]
    signs = [] if warning else ["* best of these runs", "Δ points from the base"]
    signs += [f"{UNFINISHED} has not finished"] * any(run.state not in ENDED for run in runs)
    notes = [warning] * bool(warning) + ["   ".join(signs)] * bool(signs)
    text = table_text(replace(table, rows=starred), width)
    return f"{title}\n{text}" + "".join(f"{note}\n" for note in notes)


def settings_text(runs: Sequence[RunRow], view: View, width: int | None = None) -> str:
    """Settings that differ, or all: a column per run, or grouped by value if that is too wide."""
    table = settings_table(runs, all_of_them=view.all_settings)
    if not table.rows:
        return "settings: no difference\n"
    text = table_text(table)
    if width is not None and max(map(cell_len, text.splitlines())) > width:
        text = _grouped_by_value(table, view.base, width)
    return f"{'all settings' if view.all_settings else 'settings that differ'}\n{text}"


def references_text(runs: Sequence[RunRow], view: View, width: int | None = None) -> str:
    """What the published results shown were measured with, and where we read them."""
    if view.by_seed or problem(runs, view.which):
        return ""
    lines = []
    for row in view.references:
        found = (row.setting, row.backbone, row.image_size, row.venue, row.note, row.source)
        text = printable(f"{row.method} published: {', '.join(filter(None, found))}")
        lines += textwrap.wrap(text, width or len(text), subsequent_indent=GAP)
    return "".join(f"{line}\n" for line in lines)


def results_table(runs: Sequence[RunRow], view: View) -> Table:
    """A row per run and per published result; the best of the runs is bold.

    Runs that do not compare have no distances, and stand beside their data sets.
    """
    rows, compares = _evaluations(runs, view.which), not problem(runs, view.which)
    base = rows[view.base] if compares else None
    heads = ["Name"] if compares else ["Name", "Dataset"]
    for name, head in METRICS.items():
        heads += [head, "Δ"] if compares and name in MEASURED_FROM_BASE else [head]
    table = []
    for letter, run, row in zip(LETTERS, runs, rows, strict=False):
        names = [f"{letter} {run.id} {printable(run.name)}"]
        names += [] if compares else [printable(run.dataset) or NONE]
        table.append([*names, *_cells(row, base, compares=compares), _place(run, row)])
    table += [
        [f"{printable(row.method)} published", *_cells(row, base, compares=True), NONE]
        for row in (view.references if compares else ())
    ]
    bold = {
        (line, heads.index(head))
        for name, head in METRICS.items()
        for line in best_rows([getattr(row, name, None) for row in rows])
        if compares
    }
    return Table([*heads, "Epoch"], table, bold=bold)


def settings_table(runs: Sequence[RunRow], *, all_of_them: bool = False) -> Table:
    """Settings, a column per run."""
    rows = [
        [printable(key), *map(_value, values)]
        for key, values in differences(runs, all_of_them=all_of_them).items()
    ]
    heads = [f"{letter} {run.id}" for letter, run in zip(LETTERS, runs, strict=False)]
    return Table(["Setting", *heads], rows)


def listing(runs: Sequence[RunRow], view: View) -> Listing:
    """Results in the forms of a file: runs, or groups of seeds, as the view shows them."""
    if view.by_seed:
        return groups_listing(runs, LETTERS, view.which)
    records, table = [record(found) for found in _objects(runs)], results_table(runs, view)
    return Listing(table, as_object(runs), records, table)


def as_object(runs: Sequence[RunRow]) -> dict[str, Any]:
    """One object for programs; metrics are fractions, settings are listed in the order of runs."""
    return {"runs": _objects(runs), "differences": differences(runs)}


def _objects(runs: Sequence[RunRow]) -> list[dict[str, Any]]:
    return [
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
    ]


def _evaluations(runs: Sequence[RunRow], which: Which) -> list[EvaluationRow | None]:
    return [run.last if which == "last" else run.best for run in runs]


def _cells(
    row: EvaluationRow | ReferenceRow | None, base: EvaluationRow | None, *, compares: bool
) -> list[str]:
    cells = []
    for name in METRICS:
        share = getattr(row, name, None)
        cells.append(percent(share))
        if compares and name in MEASURED_FROM_BASE:
            cells.append(_distance(share, None if row is base else getattr(base, name, None)))
    return cells


def _distance(share: float | None, base: float | None) -> str:
    if share is None or base is None:
        return NONE
    return f"{round(100 * (share - base), 1) + 0.0:+.1f}"  # adding zero leaves no -0.0


def _place(run: RunRow, row: EvaluationRow | None) -> str:
    """The epoch of inter, or stage and epoch; a sign while the run goes on."""
    place = NONE if row is None else f"{'' if row.stage == 'inter' else f'{row.stage} '}{row.epoch}"
    return place if run.state in ENDED else f"{place} {UNFINISHED}"


def _grouped_by_value(table: Table, base: int, width: int) -> str:
    """Settings with their values behind them, or below where they do not fit."""
    lengths = [len(key) for key, *_ in table.rows]
    column = max((length for length in lengths if length <= (width + 1) // 2), default=0)
    lines = _filled(table.heads[1:], width)
    for key, *cells in table.rows:
        values = _values_with_letters(cells, base, width - len(GAP))
        line = PART_GAP.join([f"{key:<{column}}", *values])
        if cell_len(line) <= width:
            lines.append(line)
        else:
            below = _filled(values, width - len(GAP))
            lines += [shorten_name(key, width), *(GAP + line for line in below)]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _values_with_letters(cells: Sequence[str], base: int, room: int) -> list[str]:
    """Each value, the base's first, and the runs that have it; no letters where all share one."""
    found = {cells[base]: ""}
    for letter, value in zip(LETTERS, cells, strict=False):
        found[value] = found.get(value, "") + letter
    if len(found) == 1:
        return [shorten_name(cells[base], room)]
    return [
        f"{shorten_name(value, room - len(letters) - 1)} {letters}"
        for value, letters in found.items()
    ]


def _filled(parts: Sequence[str], width: int) -> list[str]:
    """Parts side by side, in as few lines as they take."""
    lines = [parts[0]]
    for part in parts[1:]:
        longer = f"{lines[-1]}{PART_GAP}{part}"
        if cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def _value(value: Any) -> str:
    if value is None:
        return NONE
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
