"""What the form does in the end, in a thread: it queues runs, or changes one that waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from textual.message import Message

from ccafl.errors import BusyError, ConfigError, StoreError
from tui.actor import PATIENCE_S
from tui.form_check import warnings

if TYPE_CHECKING:
    from ccafl.datasets.check import Tell
    from ccafl.paths import Home
    from ccafl.store import RunRow
    from tui.draft import Draft

Done = TypeVar("Done")


@dataclass
class Ordered(Message):
    """What was asked for is done."""

    sentence: str
    remarks: Sequence[str] = ()


@dataclass
class Refused(Message):
    """It was not done, and why."""

    reason: str


def add(draft: Draft, home: Home, tell: Tell) -> Ordered:
    """Queue the runs of a draft."""
    from ccafl.orders import Planner, prepare, submit

    ready = prepare(Planner(home).plan(draft.order()), home, tell)
    hold, first = draft.hold, draft.is_next
    run_ids = _patiently(lambda: submit(ready, home, hold=hold, first=first), tell)
    names = ", ".join(map(str, run_ids))
    sentence = f"Run {names} is queued." if len(run_ids) == 1 else f"Runs {names} are queued."
    return Ordered(sentence, warnings(ready))


def change(run_id: int, first: Draft, draft: Draft, home: Home, tell: Tell) -> Ordered:
    """Make a run that was opened as one draft another one."""
    from ccafl import orders

    plans = orders.Planner(home).plan(draft.order())
    if len(plans) > 1:
        raise ConfigError("This changes one run; name one seed, and one value of each setting.")
    seen = _unchanged(run_id, first, home)
    ready = orders.prepare(plans, home, tell)
    sentence = _patiently(lambda: orders.change(seen, ready[0], home, hold=draft.hold), tell)
    return Ordered(sentence, warnings(ready))


def _patiently(act: Callable[[], Done], tell: Tell) -> Done:
    """Do it; while the database is busy it is tried again, as long as other actions are."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return act()
        except BusyError as error:
            if time.monotonic() > deadline:
                raise BusyError(f"Nothing was changed. {error}") from error
            tell("the database is busy; this is tried for half a minute", 0, 0)


def _unchanged(run_id: int, first: Draft, home: Home) -> RunRow:
    """The run, if the fields still were the same when they were filled in from it now."""
    from ccafl.store import open_store
    from ccafl.store.edit import changed_meanwhile
    from tui.draft import draft_of

    with open_store(home) as store:
        run = store.run(run_id)
    if run.state == "queued" and draft_of(run, home) != first:
        raise StoreError(changed_meanwhile(run_id))
    return run
