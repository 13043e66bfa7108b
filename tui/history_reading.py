"""What the history pane shows and writes out, read from the database."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ccafl.errors import ConfigError
from tui.messages import Filter, FilterUnclear, HistoryRead

if TYPE_CHECKING:
    from ccafl.listings import Listing
    from ccafl.store import RunRow, Store


def read_history(store: Store, asked: Filter) -> HistoryRead | FilterUnclear:
    """Ended runs that match, or the sentence why the words say nothing."""
    try:
        runs, matching = _runs(store, asked), store.count(asked.words, which=asked.which)
    except ConfigError as error:
        return FilterUnclear(asked, str(error))
    return HistoryRead(asked, runs, matching, store.ended(), store.published())


def all_listed(store: Store, asked: Filter) -> Listing:
    """Every run that matches, also those that were not loaded."""
    from ccafl import listings

    return listings.history(_runs(store, replace(asked, limit=None)), asked.which)


def _runs(store: Store, asked: Filter) -> list[RunRow]:
    return store.history(
        where=asked.words,
        sort=asked.sort,
        reverse=asked.reverse,
        which=asked.which,
        limit=asked.limit,
    )
