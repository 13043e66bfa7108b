"""What every client may ask of and write to the database of runs."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine

from ccafl.config import RunConfig
from ccafl.errors import OutdatedError, StoreError
from ccafl.paths import Home
from ccafl.store import again, changes, database, edit, order, queries, removal
from ccafl.store.changes import NewRun
from ccafl.store.queries import SORTS, Which
from ccafl.store.rows import (
    CameraPairRow,
    EpochRow,
    EvaluationRow,
    LeaseRow,
    LossRow,
    ProblemRow,
    ReferenceRow,
    RunRow,
    SupervisorRow,
)
from ccafl.store.states import State
from ccafl.store.where import conditions

__all__ = ["SORTS", "Store", "is_current", "open_store"]


def open_store(home: Home, *, create: bool = False) -> "Store":
    """The database of a state folder; close it, or use it as a context manager.

    A missing database reads as empty. Only the supervisor passes `create`: it creates or
    migrates the file and searches it for damage.

    Raises:
        StoreError: the state folder is open to others, or the database is damaged, of another
            program, or of another version.
        BusyError: another program holds it locked.
    """
    if create:
        database.secure_folder(home.root)
        _create(home)
        with Store(home) as store:
            removal.finish(store.writing(), home)
    elif home.root.exists():
        database.secure_folder(home.root)
    return Store(home)


def is_current(home: Home) -> bool:
    """Whether the database exists and has this program's schema; if not, start the supervisor.

    Raises:
        StoreError: it exists and cannot be used.
    """
    path = home.database
    return path.exists() and database.check(path) == len(database.migrations())


class Store:
    """The database of one state folder; it holds no transaction between two calls.

    Every method can raise StoreError (damaged, full, unreadable) and BusyError (locked for
    longer than five seconds).
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self._empty: Engine | None = None  # as long as there is no database
        self._readers: Engine | None = None
        self._writers: Engine | None = None
        self._watch: sqlite3.Connection | None = None
        self._moment: Connection | None = None  # that several reads share
        self._open_readers()

    def close(self) -> None:
        """Close all connections."""
        if self._watch is not None:
            self._watch.close()
        for engine in (self._empty, self._readers, self._writers):
            if engine is not None:
                engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def add_run(
        self,
        config: RunConfig,
        *,
        name: str = "",
        note: str = "",
        preset: str = "",
        dataset: str = "",
        gpu: str = "auto",
        tags: Sequence[str] = (),
        source: int | None = None,
    ) -> int:
        """Queue a run: its row and its folder with `config.json`, both or neither.

        Args:
            config: what to train.
            name: shown in lists; empty: made from preset and seed.
            note: free text.
            preset: name of the preset the config came from, empty if none.
            dataset: name under which results are compared, such as Market-1501.
            gpu: auto, cpu, an index of NVML, or a UUID.
            tags: words to find the run by.
            source: the run of `--from`, whose prompts or intra stage it starts from; it need not
                have ended.

        Returns:
            The number of the run.

        Raises:
            ConfigError: `gpu` names no device.
            StoreError: there is no run `source`.
        """
        run = NewRun(
            config=config,
            name=name,
            note=note,
            preset=preset,
            dataset=dataset,
            gpu=gpu,
            tags=tags,
            source=source,
        )
        return self.add_runs([run])[0]

    def add_runs(self, runs: Sequence[NewRun], *, first: bool = False) -> list[int]:
        """Queue runs in one transaction, in order: all of them or none; gives their numbers.

        They come last in the queue, or before all runs that wait already.

        Raises:
            ConfigError: a `gpu` names no device.
            StoreError: a `source` does not exist.
        """
        return changes.add_runs(self.writing(), self.home, runs, time.time(), first=first)

    def edit(self, seen: RunRow, run: NewRun) -> str:
        """Replace what a queued run was asked for; the answer is a sentence for the user.

        Args:
            seen: the run as it was when the user began to change it.
            run: what it becomes.

        Raises:
            StoreError: there is no such run, it is not queued any more or was changed since, it
                goes on from a checkpoint, or its source is unknown or starts from it.
        """
        with self.writing() as connection:
            return edit.edit(connection, self.home, seen, run)

    def cancel(self, run_id: int) -> str:
        """Ask for the end of a run; the answer is a sentence for the user.

        A queued run is cancelled at once. A started one saves a checkpoint and stops; a second
        request kills it at once.

        Raises:
            StoreError: there is no such run, or it ended already.
        """
        with self.writing() as connection:
            requests = changes.cancel(connection, self.home, run_id, time.time())
        return changes.announce_cancel(self.home.run(run_id), run_id, requests)

    def resume(self, run_id: int) -> str:
        """Queue a failed, cancelled or lost run; it goes on from its newest checkpoint.

        Without a checkpoint it starts from the beginning. The answer is a sentence for the user.

        Raises:
            StoreError: there is no such run, it has not ended, or it finished.
        """
        with self.writing() as connection:
            return again.resume(connection, self.home, run_id)

    def retry(self, run_id: int) -> str:
        """Queue a failed, cancelled or lost run from the start; ask the user before.

        What it saved and recorded is replaced when the new attempt starts, not before. The answer
        is a sentence for the user.

        Raises:
            StoreError: there is no such run, it has not ended, or it finished.
        """
        with self.writing() as connection:
            return again.retry(connection, self.home, run_id)

    def hold(self, run_id: int) -> str:
        """Keep a queued run from starting; this and the next methods answer with a sentence.

        Raises:
            StoreError: there is no such run, or it is not queued.
        """
        with self.writing() as connection:
            return order.hold(connection, run_id, True)

    def release(self, run_id: int) -> str:
        """Let a held run start when the queue comes to it."""
        with self.writing() as connection:
            return order.hold(connection, run_id, False)

    def up(self, run_id: int) -> str:
        """Move a queued run one place towards the front."""
        return self._move(run_id, "up")

    def down(self, run_id: int) -> str:
        """Move a queued run one place towards the end."""
        return self._move(run_id, "down")

    def top(self, run_id: int) -> str:
        """Make a queued run the first one."""
        return self._move(run_id, "top")

    def bottom(self, run_id: int) -> str:
        """Make a queued run the last one."""
        return self._move(run_id, "bottom")

    def pause(self) -> str:
        """Start no run until `unpause`; those that have started go on."""
        with self.writing() as connection:
            return order.pause(connection, True)

    def unpause(self) -> str:
        """Start runs again."""
        with self.writing() as connection:
            return order.pause(connection, False)

    def paused(self) -> bool:
        """Whether the queue is paused."""
        with self.reading() as connection:
            return order.paused(connection)

    def set_tags(self, run_id: int, tags: Sequence[str]) -> str:
        """Replace the tags of a run, whatever its state."""
        with self.writing() as connection:
            return order.set_tags(connection, run_id, tags)

    def add_tag(self, run_id: int, tag: str) -> str:
        """Put a tag on a run; nothing changes when it has it."""
        with self.writing() as connection:
            return order.add_tag(connection, run_id, tag)

    def remove_tag(self, run_id: int, tag: str) -> str:
        """Take a tag off a run; StoreError when it does not have it."""
        with self.writing() as connection:
            return order.remove_tag(connection, run_id, tag)

    def set_note(self, run_id: int, text: str) -> str:
        """Replace the note of a run, whatever its state."""
        with self.writing() as connection:
            return order.set_note(connection, run_id, text)

    def size(self, run_id: int) -> int:
        """Bytes of everything a run wrote, which is what `delete` gives back."""
        with self.reading() as connection:
            removal.check_known(connection, run_id)
        return removal.size(self.home.run(run_id).root)

    def delete(self, run_id: int) -> int:
        """Remove an ended run with everything it wrote; gives the bytes. Ask the user before.

        Killed in the middle, it is finished when the queue is served the next time.

        Raises:
            StoreError: there is no such run, it has not ended, or others start from it.
        """
        with (
            removal.setting_aside(self.home, run_id) as set_aside,
            self.writing() as connection,
        ):
            removal.delete_rows(connection, run_id)
            doomed = set_aside()
        return removal.remove(doomed)

    def runs(
        self, states: Sequence[State] | None = None, *, limit: int | None = None
    ) -> list[RunRow]:
        """Runs in the given states (None: all): active, then the queue in order, then ended.

        Active ones begin with the oldest, ended ones with the newest.
        """
        with self.reading() as connection:
            return queries.runs(connection, states, limit)

    def run(self, run_id: int) -> RunRow:
        """One run.

        Raises:
            StoreError: there is no such run.
        """
        with self.reading() as connection:
            return queries.run(connection, run_id)

    def history(
        self,
        *,
        where: str = "",
        dataset: str | None = None,
        tag: str | None = None,
        sort: str = "ended",
        reverse: bool = False,
        which: Which = "last",
        limit: int | None = None,
    ) -> list[RunRow]:
        """Ended runs, sorted by a key of `SORTS`: newest, best or alphabetically first.

        `where` are words as in `ccafl.store.where`; `which` is the evaluation whose metrics they
        and the sort key mean.

        Raises:
            ConfigError: an unknown sort key, or a word without a meaning.
        """
        filters = conditions(where, dataset=dataset, tag=tag, which=which)
        with self.reading() as connection:
            return queries.history(
                connection, filters, sort=sort, reverse=reverse, which=which, limit=limit
            )

    def ended(self) -> int:
        """How many runs have ended."""
        with self.reading() as connection:
            return queries.ended(connection)

    def count(self, where: str, *, which: Which = "last") -> int:
        """How many ended runs there are that match words.

        Raises:
            ConfigError: a word without a meaning.
        """
        filters = conditions(where, which=which)
        with self.reading() as connection:
            return queries.count(connection, filters)

    def problems(self, limit: int) -> list[ProblemRow]:
        """The newest runs that failed or were lost, newest first."""
        with self.reading() as connection:
            return queries.problems(connection, limit)

    def evaluations(self, run_id: int) -> list[EvaluationRow]:
        """Evaluations of a run by step."""
        with self.reading() as connection:
            return queries.evaluations(connection, run_id)

    def camera_pairs(self, run_id: int, step: int) -> list[CameraPairRow]:
        """Metrics per pair of cameras of the evaluation after `step`."""
        with self.reading() as connection:
            return queries.camera_pairs(connection, run_id, step)

    def losses(self, run_id: int, *, after_step: int = 0) -> list[LossRow]:
        """Losses of a run after a step, in order."""
        with self.reading() as connection:
            return queries.losses(connection, run_id, after_step)

    def loss_means(self, run_id: int) -> list[LossRow]:
        """Mean losses of each epoch, in order."""
        with self.reading() as connection:
            return queries.loss_means(connection, run_id)

    def latest_loss(self, run_id: int) -> LossRow | None:
        """The losses of the newest step."""
        with self.reading() as connection:
            return queries.latest_loss(connection, run_id)

    def epochs(self, run_id: int) -> list[EpochRow]:
        """Ended epochs of a run, in order."""
        with self.reading() as connection:
            return queries.epochs(connection, run_id)

    def references(self, dataset: str | None = None) -> list[ReferenceRow]:
        """Published results, best mAP first within a data set."""
        with self.reading() as connection:
            return queries.references(connection, dataset)

    def published(self) -> dict[str, ReferenceRow]:
        """What CCAFL's authors published, by data set: the result that ours stand beside."""
        return {row.dataset: row for row in self.references() if row.method == "CCAFL"}

    def leases(self) -> list[LeaseRow]:
        """Devices that runs hold, also those that ended runs have not given back yet."""
        with self.reading() as connection:
            return queries.leases(connection)

    def supervisor(self) -> SupervisorRow | None:
        """The process that serves the queue or did so last, None if there never was one."""
        with self.reading() as connection:
            return queries.supervisor(connection)

    def data_version(self) -> int:
        """A number that differs from the last call's when another process wrote in between.

        It costs microseconds, so a screen can ask several times per second. Call it from one
        thread; 0 as long as there is no database.
        """
        with database.translated(self.home.database):
            if self._watch is None:
                if not self.home.database.exists():
                    return 0
                self._watch = database.connect(self.home.database, "ro")
            return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read-only transaction; fetch and leave, a held one lets the WAL grow."""
        if self._moment is not None:
            yield self._moment
            return
        with database.translated(self.home.database), self._open_readers().begin() as connection:
            yield connection

    @contextmanager
    def moment(self) -> Iterator[None]:
        """All reads inside see the database as it is at one moment; call it from one thread."""
        with self.reading() as connection:
            before, self._moment = self._moment, connection
            try:
                yield
            finally:
                self._moment = before

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its first line to its commit.

        Raises:
            StoreError: there is no database yet.
        """
        with database.translated(self.home.database), self._open_writers().begin() as connection:
            yield connection

    def _move(self, run_id: int, where: order.Move) -> str:
        with self.writing() as connection:
            return order.move(connection, run_id, where)

    def _open_readers(self) -> Engine:
        if self._readers is None:
            if not self.home.database.exists():
                self._empty = self._empty or database.empty_engine()
                return self._empty
            _require_newest(self.home.database)
            self._readers = database.open_engine(self.home.database, "ro")
        return self._readers

    def _open_writers(self) -> Engine:
        if self._writers is None:
            if not self.home.database.exists():
                raise StoreError(
                    f"There is no database in {str(self.home.root)!r} yet; it is created when "
                    "the queue is served for the first time."
                )
            _require_newest(self.home.database)
            self._writers = database.open_engine(self.home.database, "rw")
        return self._writers


def _create(home: Home) -> None:
    path = home.database
    if not path.exists():
        database.create(path)
    database.check(path)
    database.check_pages(path)
    database.update(path, home.backups)


def _require_newest(path: Path) -> None:
    version, newest = database.check(path), len(database.migrations())
    if version < newest:
        raise OutdatedError(
            f"{str(path)!r} has schema version {version}, this ccafl writes {newest}. "
            "It is brought up to date when the queue is served: `ccafl queue` sees to that.",
            path.parent,
        )
