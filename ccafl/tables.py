"""Rows of the database as tables, and tables as text, CSV, Markdown, LaTeX.

Pure functions. Cells are made printable here, so that no name from outside moves the cursor.
Metrics are percent with one decimal for people and fractions for programs (JSON, CSV).
"""

import csv
import io
import json
import re
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len, set_cell_size

from ccafl.sentences import printable, progress, state, waits
from ccafl.store.rows import CameraPairRow, EpochRow, EvaluationRow, RunRow

NONE = "-"
GAP = "  "
METRICS = {
    "mean_ap": "mAP",
    "rank1": "Rank-1",
    "rank5": "Rank-5",
    "rank10": "Rank-10",
    "mean_inp": "mINP",
}
NARROWEST_NAME, NARROWEST_PROSE, FEWEST_COLUMNS = 14, 24, 2
_NUMBER = re.compile(r"-|[+*-]?[\d,]+(\.\d+)?( ± \d+\.\d+)?")
_LATEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "Δ": r"$\Delta$",
    "±": r"$\pm$",
    "●": r"$\bullet$",
}


@dataclass(frozen=True, slots=True)
class Table:
    """Heads and rows of printable cells; a newline in a head breaks it where there is room.

    `ends_in_prose`: the last column holds sentences, which may be wrapped. `bold`: row and column
    of cells that stand out where the form has bold letters.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    ends_in_prose: bool = False
    bold: Collection[tuple[int, int]] = ()


def queue_table(runs: Iterable[RunRow]) -> Table:
    """Runs that wait or work, with the sentence why or what."""
    heads = ("ID", "Name", "State", "Dataset", "GPU", "What it does, or why it waits")
    rows = [
        _printable(str(run.id), run.name, state(run), run.dataset or NONE, run.gpu, _doing(run))
        for run in runs
    ]
    return Table(heads, rows, ends_in_prose=True)


def queue_objects(runs: Iterable[RunRow]) -> list[dict[str, Any]]:
    """One object per run that waits or works."""
    kept = ["id", "name", "state", "place", "hold", "dataset", "preset", "gpu", "stage", "epoch"]
    kept += ["step", "steps", "warning"]
    return [
        {name: getattr(run, name) for name in kept}
        | {
            "tags": list(run.tags),
            "sentence": _doing(run),
            "created": iso_time(run.created),
            "started": iso_time(run.started),
        }
        for run in runs
    ]


def stage_results(evaluations: Sequence[EvaluationRow]) -> list[EvaluationRow]:
    """The last evaluation of each stage, and the best one, by step."""
    last_of_stage = {row.stage: row for row in evaluations}
    return [row for row in evaluations if row.best or last_of_stage[row.stage] is row]


def evaluation_table(evaluations: Sequence[EvaluationRow]) -> Table:
    """Evaluations in percent; the last one of each stage and the best one are labelled."""
    last_steps = {row.stage: row.step for row in evaluations}
    heads = ("Stage", "Epoch", "Which", *METRICS.values(), "Queries", "Left\nout")
    rows = []
    for row in evaluations:
        labels = ["last"] * (row.step == last_steps[row.stage]) + ["best"] * row.best
        metrics = [percent(getattr(row, name)) for name in METRICS]
        counts = [_count(row.queries), _count(row.left_out)]
        rows.append([row.stage, str(row.epoch), ", ".join(labels) or NONE, *metrics, *counts])
    return Table(heads, rows)


def camera_table(pairs: Sequence[CameraPairRow]) -> Table:
    """mAP from each query camera (rows) in each gallery camera (columns)."""
    values = {(pair.query_camid, pair.gallery_camid): percent(pair.mean_ap) for pair in pairs}
    queries = sorted({query for query, _ in values})
    galleries = sorted({gallery for _, gallery in values})
    heads = ("Query camera", *(f"in {gallery}" for gallery in galleries))
    return Table(heads, [(str(q), *(values.get((q, g), NONE) for g in galleries)) for q in queries])


def association_table(epochs: Iterable[EpochRow]) -> Table:
    """How well camera identities were linked across cameras, epoch by epoch."""
    heads = ("Epoch", "Linked", "Groups", "Conflicts", "Precision", "Recall")
    rows = [
        (
            str(row.epoch),
            _count(row.linked),
            _count(row.groups),
            _count(row.conflicts),
            percent(row.precision),
            percent(row.recall),
        )
        for row in epochs
        if row.groups is not None
    ]
    return Table(heads, rows)


def as_text(table: Table, width: int | None = None) -> str:
    """Aligned columns. With a width (a terminal's) they are made to fit it.

    Names are shortened; then prose is wrapped, or columns are left out from the right, which a
    last line says.
    """
    table, left_out = _fit(table, width) if width else (table, [])
    lines = [
        *_head_lines(table),
        *(line for row in table.rows for line in _row_lines(row, table, width)),
    ]
    widths, right = _widths(table), _numeric(table)
    text = "".join(_line(line, widths, right) for line in lines)
    return text + (f"Left out for want of width: {', '.join(left_out)}.\n" if left_out else "")


def as_markdown(table: Table) -> str:
    """A Markdown table."""
    rule = ["---:" if is_right else "---" for is_right in _numeric(table)]
    cells = _marked_up(table, _escape_markdown, "**{}**")
    rows = [[_escape_markdown(_one_line(head)) for head in table.heads], rule, *cells]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def as_latex(table: Table) -> str:
    """A LaTeX tabular; it needs the package booktabs."""
    columns = "".join("r" if is_right else "l" for is_right in _numeric(table))
    cells = _marked_up(table, _escape_latex, r"\textbf{{{}}}")
    rows = [" & ".join(row) + r" \\" for row in cells]
    head = " & ".join(_escape_latex(_one_line(head)) for head in table.heads) + r" \\"
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def as_tabs(table: Table) -> str:
    """Cells with tabs between them, which spreadsheets take when they are pasted."""
    rows = [[_one_line(head) for head in table.heads], *table.rows]
    return "".join("\t".join(row) + "\n" for row in rows)


def as_csv(records: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """CSV with a head line; without columns it has those of the first record, if there is one."""
    text = io.StringIO()
    names = columns or (list(records[0]) if records else [])
    if names:
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    return text.getvalue()


def as_json(value: Any) -> str:
    """Indented JSON; bytes of a terminal's language are escaped by JSON's own rules."""
    return json.dumps(value, indent=2) + "\n"


def percent(share: float | None) -> str:
    """`57.9` for 0.579."""
    return NONE if share is None else f"{100 * share:.1f}"


def loss_value(value: float) -> str:
    """`0.4120` for 0.412: four digits, also zeros, so that a value that changes stays in place."""
    return f"{value:#.4g}".rstrip(".")


def best_rows(shares: Sequence[float | None]) -> set[int]:
    """Where the highest of several values stands; those that are printed alike share the place."""
    printed = [None if share is None else round(100 * share, 1) for share in shares]
    highest = max((value for value in printed if value is not None), default=None)
    return {row for row, value in enumerate(printed) if value is not None and value == highest}


def shorten(text: str, room: int) -> str:
    """The text in at most so many cells; an ellipsis stands for what is cut off."""
    return text if cell_len(text) <= room else set_cell_size(text, room - 1).rstrip() + "…"


def shorten_name(name: str, room: int) -> str:
    """The name in at most so many cells; most of them show its end, where sweeps differ."""
    if cell_len(name) <= room:
        return name
    first = (room - 1) // 3
    start = set_cell_size(name, first).rstrip()
    end = set_cell_size(name[::-1], room - 1 - first)[::-1].lstrip()
    return f"{start}…{end}"


def duration(seconds: float) -> str:
    """`5 h 12 m`, `41 m`, `12 s`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours >= 72:
        return f"{round(hours / 24)} d"
    return f"{hours} h {minutes} m" if hours else f"{minutes} m"


def byte_count(size: int) -> str:
    """`3.4 GB`, `512 bytes`, in powers of a thousand as disks are sold."""
    if size < 1000:
        return f"{size} bytes"
    amount, units = size / 1000, iter(("kB", "MB", "GB", "TB", "PB"))
    unit = next(units)
    while amount >= 999.5 and unit != "PB":
        amount, unit = amount / 1000, next(units)
    return f"{amount:.0f} {unit}" if amount >= 99.5 else f"{amount:.1f} {unit}"


def local_time(seconds: float | None) -> str:
    """`2026-11-24 07:05` in the reader's time zone."""
    if seconds is None:
        return NONE
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def iso_time(seconds: float | None) -> str | None:
    """ISO 8601 in UTC, for programs."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def _doing(run: RunRow) -> str:
    return waits(run) if run.state == "queued" else progress(run) or "is being started"


def _count(number: int | None) -> str:
    return NONE if number is None else f"{number:,}"


def _printable(*cells: str) -> list[str]:
    return [printable(cell) for cell in cells]


def _fit(table: Table, width: int) -> tuple[Table, list[str]]:
    """The table with columns left out and names shortened until it fits, and heads left out."""
    left_out: list[str] = []
    while not table.ends_in_prose and _width(_shorten_names(table, width)) > width:
        if len(table.heads) <= FEWEST_COLUMNS:
            break
        left_out.insert(0, _one_line(table.heads[-1]))
        table = Table(table.heads[:-1], [row[:-1] for row in table.rows])
    return _shorten_names(table, width), left_out


def _shorten_names(table: Table, width: int) -> Table:
    """Names only as long as there is room for them."""
    excess = _width(table) - width
    if excess <= 0 or "Name" not in table.heads:
        return table
    column = table.heads.index("Name")
    room = max(NARROWEST_NAME, _widths(table)[column] - excess)
    rows = [
        [*row[:column], shorten_name(row[column], room), *row[column + 1 :]] for row in table.rows
    ]
    return Table(table.heads, rows, table.ends_in_prose)


def _head_lines(table: Table) -> list[list[str]]:
    parts = [head.split("\n") for head in table.heads]
    height = max(map(len, parts))
    filled = [[""] * (height - len(part)) + part for part in parts]
    return [[part[line] for part in filled] for line in range(height)]


def _row_lines(row: Sequence[str], table: Table, width: int | None) -> list[list[str]]:
    """The row in one line, or in several when its prose is wrapped."""
    if not (table.ends_in_prose and width):
        return [list(row)]
    before = sum(_widths(table)[:-1]) + len(GAP) * (len(row) - 1)
    parts = textwrap.wrap(row[-1], max(NARROWEST_PROSE, width - before)) or [""]
    blank = [""] * (len(row) - 1)
    return [[*(row[:-1] if index == 0 else blank), part] for index, part in enumerate(parts)]


def _width(table: Table) -> int:
    """Cells that a table takes when its prose is wrapped as narrowly as it may be."""
    widths = _widths(table)
    if table.ends_in_prose:
        widths[-1] = min(widths[-1], NARROWEST_PROSE)
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _widths(table: Table) -> list[int]:
    lines = [*_head_lines(table), *table.rows]
    return [max(cell_len(line[column]) for line in lines) for column in range(len(table.heads))]


def _numeric(table: Table) -> list[bool]:
    """For each column, whether it holds numbers, and nothing but them and dashes."""
    columns = [{row[column] for row in table.rows} for column in range(len(table.heads))]
    return [cells != {NONE} and all(map(_NUMBER.fullmatch, cells)) for cells in columns]


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = []
    for cell, width, is_right in zip(cells, widths, right, strict=True):
        blank = " " * (width - cell_len(cell))
        padded.append(blank + cell if is_right else cell + blank)
    return GAP.join(padded).rstrip() + "\n"


def _marked_up(table: Table, escape: Callable[[str], str], bold: str) -> list[list[str]]:
    return [
        [
            bold.format(escape(cell)) if (line, column) in table.bold else escape(cell)
            for column, cell in enumerate(row)
        ]
        for line, row in enumerate(table.rows)
    ]


def _one_line(head: str) -> str:
    return head.replace("\n", " ")


def _escape_markdown(cell: str) -> str:
    return re.sub(r"([\\|`*_<>\[\]])", r"\\\1", cell)


def _escape_latex(cell: str) -> str:
    return "".join(_LATEX.get(character, character) for character in cell)
