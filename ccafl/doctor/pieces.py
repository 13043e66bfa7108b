"""The runs: rows without folders, folders without rows, and files that are missing or damaged."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from ccafl.config import from_json
from ccafl.doctor.findings import Finding, ok, problem, remark
from ccafl.errors import CcaflError
from ccafl.paths import Home, RunFolder
from ccafl.store import RunRow, open_store
from ccafl.store.queries import ATTEMPT

_HEADER_LIMIT = 100 << 20  # bytes; what the format itself allows


def examine(home: Home) -> Iterator[Finding]:
    """Look at every run; nothing where the database cannot be read, which is told elsewhere."""
    if not home.database.exists():
        return
    try:
        with open_store(home) as store:
            runs = store.runs()
            with store.reading() as connection:
                cut = connection.execute(select(ATTEMPT.c.run_id).where(ATTEMPT.c.damaged == 1))
                lost_events = set(cut.scalars())
    except CcaflError:
        return
    found = [*_strays(home, runs)]
    for run in sorted(runs, key=lambda run: run.id):
        folder = home.run(run.id)
        if folder.root.is_dir():
            found += _damage(run, folder)
        if run.id in lost_events:
            found.append(
                problem(
                    f"run {run.id}",
                    "Its event file was cut or replaced; what was read before is kept.",
                    f"To have every row again: ccafl queue retry {run.id}",
                )
            )
        if run.bad_lines:
            found.append(
                remark(f"run {run.id}", f"{run.bad_lines:,} lines of its events were unreadable.")
            )
    yield from found
    if not any(finding.level == "problem" for finding in found):
        yield ok("runs", f"{len(runs):,} looked at, nothing is missing or damaged")


def _strays(home: Home, runs: list[RunRow]) -> Iterator[Finding]:
    """Rows without folders, folders without rows, and what deletions left."""
    folders, rows = set(home.all_runs()), {run.id for run in runs}
    for run_id in sorted(rows - folders):
        yield problem(
            f"run {run_id}",
            "Its folder is gone, with its weights and its log.",
            f"Bring {str(home.run(run_id).root)!r} back, or forget the run: ccafl delete {run_id}",
        )
    for run_id in sorted(folders - rows):
        folder = str(home.run(run_id).root)
        yield problem(
            f"run {run_id}",
            f"The folder {folder!r} belongs to no run of the database.",
            f"If the database was deleted before, move {home.database.name!r} away: `ccafl doctor` "
            "then makes it again from all folders. Else move the folder away, or remove it.",
        )
    for run_id in home.all_doomed():
        yield problem(
            f"run {run_id}",
            "Its deletion broke off.",
            "It is finished when the queue is served the next time; if that fails, remove the "
            f"folder {str(home.doomed(run_id))!r}.",
        )


def _damage(run: RunRow, folder: RunFolder) -> Iterator[Finding]:
    """Files of one run that are missing or cannot be read."""
    again = f"ccafl queue retry {run.id}"
    remedy = (
        f"Add the run again, and remove this one: ccafl delete {run.id}"
        if run.state == "finished"
        else f"Train it again: {again}"
    )
    if not _is_config(folder.config):
        yield problem(f"run {run.id}", f"{folder.config.name} is missing or damaged.", remedy)
    if run.state == "finished" and not folder.weights.exists():
        yield problem(f"run {run.id}", "It finished, and its weights are missing.", remedy)
    for path in (folder.result, folder.model, RunFolder(folder.best).model):
        if path.exists() and not _is_json(path):
            yield problem(f"run {run.id}", f"{path.relative_to(folder.root)} is damaged.", remedy)
    for path in sorted(folder.root.rglob("*.safetensors")):
        if not is_whole(path):
            yield problem(
                f"run {run.id}",
                f"{path.relative_to(folder.root)} is damaged.",
                "A resume goes on from an earlier checkpoint."
                if folder.checkpoints in path.parents
                else remedy,
            )


def is_whole(path: Path) -> bool:
    """Whether a safetensors file has the length that its header says; no tensor is read."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length)) if length <= _HEADER_LIMIT else {}
        header.pop("__metadata__", None)
        ends = [int(tensor["data_offsets"][1]) for tensor in header.values()]
    except (OSError, ValueError, RecursionError, struct.error):
        return False
    except (AttributeError, KeyError, TypeError, IndexError):  # a header of another shape
        return False
    return bool(size == 8 + length + max(ends, default=0))


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return True


def _is_config(path: Path) -> bool:
    """Whether a worker could begin with this file."""
    try:
        from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    except CcaflError:
        return _is_json(path)  # of another version
    return True
