"""From event lines to rows: each line once, with the place in the file in the same transaction."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import Any

from sqlalchemy import Connection, Table, select, text, update
from sqlalchemy.dialects import sqlite

from ccafl import events
from ccafl.config import STAGES
from ccafl.events import Batch, Event, Line, read_events
from ccafl.paths import RunFolder
from ccafl.store.queries import ATTEMPT, CAMERA_PAIR, EPOCH, EVALUATION, LOSS, RUN
from ccafl.store.store import Store

_QUIET = {"activity": None, "activity_done": None, "activity_total": None}

# Compiled once and run by the driver: half the time of an executemany through SQLAlchemy. OR
# REPLACE, because a worker that goes on from a checkpoint repeats steps, which fall on their key.
_STATEMENTS = {
    table: str(table.insert().prefix_with("OR REPLACE").compile(dialect=sqlite.dialect()))
    for table in (LOSS, EPOCH, EVALUATION, CAMERA_PAIR)
}

# `last` and `best` are kept here and nowhere else; the rule on prompt rows is that of
# RunConfig.counts_for_best, in SQL because a config of an older version need not load.
_RELABEL = text(
    """
    WITH counted AS (
        SELECT step, mean_ap FROM evaluation WHERE run_id = :run_id AND (
            stage != 'prompt' OR 'prompt' = (
                SELECT json_extract(config, '$.run.stages[#-1]') FROM run WHERE id = :run_id
            )
        )
    )
    UPDATE evaluation SET
        last = step IS (SELECT max(step) FROM evaluation WHERE run_id = :run_id),
        best = step IS (SELECT step FROM counted ORDER BY mean_ap DESC, step LIMIT 1)
    WHERE run_id = :run_id
    """
)


def ingest(store: Store, run_id: int, attempt: int, offset: int) -> int:
    """Take in the next complete lines of an attempt, at most 1 MiB; gives the new offset.

    Only one process does this for a run. Nothing is written when there is nothing new.
    """
    folder: RunFolder = store.home.run(run_id)
    batch = read_events(folder.events(attempt), offset)
    if batch.offset == offset:
        return offset
    with store.writing() as connection:
        known = _known_offset(connection, run_id, attempt)
        if known != offset:
            return known  # another supervisor, from before the lock file was deleted, was here
        _advance(connection, run_id, attempt, batch)
    return batch.offset


def _known_offset(connection: Connection, run_id: int, attempt: int) -> int:
    query = select(ATTEMPT.c.offset).where(ATTEMPT.c.run_id == run_id, ATTEMPT.c.n == attempt)
    return int(connection.execute(query).scalar_one())


def _advance(connection: Connection, run_id: int, attempt: int, batch: Batch) -> None:
    lines = [line for line in batch.lines if getattr(line.event, "stage", "prompt") in STAGES]
    bad_lines = batch.bad_lines + len(batch.lines) - len(lines)
    connection.execute(
        update(ATTEMPT)
        .where(ATTEMPT.c.run_id == run_id, ATTEMPT.c.n == attempt)
        .values(offset=batch.offset, bad_lines=ATTEMPT.c.bad_lines + bad_lines)
    )
    _store_rows(connection, run_id, lines)
    _store_progress(connection, run_id, attempt, lines)
    if any(isinstance(line.event, events.Evaluation | events.Resume) for line in lines):
        connection.execute(_RELABEL, {"run_id": run_id})


def _store_rows(connection: Connection, run_id: int, lines: Sequence[Line]) -> None:
    waiting: dict[Table, list[tuple[Any, ...]]] = {}
    for line in lines:
        if isinstance(line.event, events.Resume):
            _insert(connection, waiting)
            _drop_after(connection, run_id, line.event.step)
        for table, row in _rows(run_id, line):
            waiting.setdefault(table, []).append(row)
    _insert(connection, waiting)


def _rows(run_id: int, line: Line) -> Iterator[tuple[Table, tuple[Any, ...]]]:
    """The rows of an event, values in the order of the table's columns."""
    match line.event:
        case events.Loss() as event:
            terms = [event.loss.get(name) for name in ("total", *events.TERMS)]
            yield LOSS, (run_id, event.step, event.stage, event.epoch, line.time, *terms)
        case events.Epoch() as event:
            yield EPOCH, (run_id, *(getattr(event, column.name) for column in list(EPOCH.c)[1:]))
        case events.Evaluation() as event:
            values = [getattr(event, column.name) for column in list(EVALUATION.c)[1:-2]]
            yield EVALUATION, (run_id, *values, 0, 0)
            for pair in event.camera_pairs:
                yield CAMERA_PAIR, (run_id, event.step, *astuple(pair))


def _insert(connection: Connection, waiting: dict[Table, list[tuple[Any, ...]]]) -> None:
    for table, rows in waiting.items():
        connection.exec_driver_sql(_STATEMENTS[table], rows)
    waiting.clear()


def _drop_after(connection: Connection, run_id: int, step: int) -> None:
    for table in (LOSS, EPOCH, EVALUATION, CAMERA_PAIR):
        connection.execute(table.delete().where(table.c.run_id == run_id, table.c.step > step))


def _store_progress(
    connection: Connection, run_id: int, attempt: int, lines: Sequence[Line]
) -> None:
    progress: dict[str, Any] = {}
    for line in lines:
        progress |= _progress(line.event)
        progress["last_event"] = line.time
    if progress:
        connection.execute(update(RUN).where(RUN.c.id == run_id).values(progress))
    saved = [line.event.step for line in lines if isinstance(line.event, events.Checkpoint)]
    if saved:
        this = (ATTEMPT.c.run_id == run_id, ATTEMPT.c.n == attempt)
        connection.execute(update(ATTEMPT).where(*this).values(checkpoint=saved[-1]))


def _progress(event: Event) -> dict[str, Any]:
    """What an event changes in the row of its run; an activity ends with the next event."""
    found: dict[str, Any] = {} if isinstance(event, events.Warning) else dict(_QUIET)
    match event:
        case events.Warning():
            found["warning"] = event.text
        case events.Activity():
            found["activity"] = event.text
            found["activity_done"] = event.done
            found["activity_total"] = event.total
        case events.Start():
            found["device"] = event.device
            found["threads"] = event.threads
            found["versions"] = json.dumps(dict(event.versions))
            found["steps"] = event.steps
        case events.Resume():
            found |= {"step": event.step, "checkpoint": event.step or None}
            if event.step == 0:
                found["checkpoint_bytes"] = None
        case events.Stage():
            found |= {"stage": event.stage, "epoch": None, "step": event.step}
        case events.Loss() | events.Epoch() | events.Evaluation():
            found |= {"stage": event.stage, "epoch": event.epoch, "step": event.step}
        case events.Checkpoint():
            found |= {"checkpoint": event.step, "checkpoint_bytes": event.bytes}
    return found
