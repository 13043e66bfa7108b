"""The columns of the history; heads of columns that it can be sorted by say so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from ccafl.sentences import printable
from tui.columns import Column
from tui.evaluation_text import SHORT
from tui.frame import WIDE
from tui.run_cells import backbone, dataset, seed, short_dataset, short_percent, tags

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


def columns(which: Callable[[], Which]) -> tuple[Column, ...]:
    """What a list of ended runs shows, as far as there is room; metrics are of one evaluation."""

    def metric(name: str, *, from_width: int = 0) -> Column:
        def cell(run: RunRow) -> str:
            from ccafl.tables import percent

            return percent(getattr(getattr(run, which()), name, None))

        return Column(
            head=SORTS[name],
            cell=cell,
            width=4,
            most=max(5, len(SORTS[name])),
            short_head=SHORT[name],
            cut=short_percent,
            is_right=True,
            from_width=from_width,
            sort=name,
        )

    return (
        Column(head="ID", cell=lambda run: str(run.id), width=4, is_right=True, sort="id"),
        Column(head="Name", cell=lambda run: printable(run.name), width=0, sort="name"),
        Column(head="Dataset", cell=dataset, width=8, most=11, cut=short_dataset, sort="dataset"),
        Column(head="Bkb", cell=backbone, width=4),
        metric("mean_ap"),
        metric("rank1"),
        metric("rank5", from_width=WIDE),
        metric("rank10", from_width=WIDE),
        metric("mean_inp"),
        Column(head="Ended", cell=_day, width=6, sort="ended"),
        Column(head="Took", cell=_took, width=4, is_right=True, sort="took"),
        Column(head="Seed", cell=seed, width=4, is_right=True, from_width=WIDE),
        Column(head="Tags", cell=tags, width=5, most=16, from_width=WIDE),
        Column(head="Note", cell=_note, width=5, most=40, from_width=WIDE),
    )


def _note(run: RunRow) -> str:
    return printable(run.note)


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
