"""What is typed above the history, and the runs that match it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.messages import Filter, HistoryRead

if TYPE_CHECKING:
    from ccafl.store import RunRow, Store

FIELDS = ("dataset", "tag", "state", "backbone", "seed")


@dataclass(frozen=True, slots=True)
class Words:
    """A filter taken apart: `field:value` pairs, and words of name or note; all must match."""

    fields: tuple[tuple[str, str], ...]
    texts: tuple[str, ...]

    def matches(self, run: RunRow) -> bool:
        """Whether a run has all of them."""
        text = f"{run.name}\n{run.note}".casefold()
        return all(word.casefold() in text for word in self.texts) and all(
            _has(run, name, value) for name, value in self.fields
        )

    def first(self, name: str) -> str | None:
        """The first value of a field, for SQL."""
        return next((value for field, value in self.fields if field == name), None)


def parse(text: str) -> tuple[Words, str]:
    """The words of a filter, and a sentence about one that is not understood, or nothing."""
    fields, texts, problem = [], [], ""
    for word in text.split():
        name, colon, value = word.partition(":")
        if colon and name not in FIELDS:
            problem = f"no field {name!r}; fields are {', '.join(FIELDS)}"
        elif colon and value:
            fields.append((name, value))
        elif not colon:
            texts.append(word)
    return Words(tuple(fields), tuple(texts)), problem


def read_history(store: Store, asked: Filter) -> HistoryRead:
    """Ended runs that match, sorted by the database, at most `limit` of them."""
    words, problem = parse(asked.words)
    dataset, tag = words.first("dataset"), words.first("tag")
    # what SQL does not know is looked for in all rows, so no match is missed
    is_sql = not words.texts and all(name in ("dataset", "tag") for name, _ in words.fields)
    limit = asked.limit + 1 if is_sql else None
    found = store.history(dataset=dataset, tag=tag, sort=asked.sort, limit=limit)
    runs = [run for run in found if words.matches(run)]
    return HistoryRead(asked, runs[: asked.limit], len(runs) > asked.limit, problem)


def _has(run: RunRow, name: str, value: str) -> bool:
    if name == "tag":
        return value in run.tags
    if name in ("dataset", "state"):
        return str(getattr(run, name)) == value
    key = {"backbone": "model.backbone", "seed": "run.seed"}[name]
    from ccafl.overview import flatten_stored

    return str(flatten_stored(run).get(key)).casefold() == value.casefold()
