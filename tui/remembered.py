"""What the app remembers between two starts, in a small file of the state folder."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from ccafl.paths import replace_text

if TYPE_CHECKING:
    from pathlib import Path


PERIOD_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """How the screen was left; every field has the type of its default, in the file too.

    `run` is the run that was open, 0 if none; `smooth` is an index of the chart's steps and
    `axis` what its x axis counts; `since` and `seen` are the times of problems that need not be
    shown again; `draft` belongs to the form.
    """

    pane: str = "queue"
    run: int = 0
    words: str = ""
    sort: str = "ended"
    reverse: bool = False
    smooth: int = 1
    log_axis: bool = False
    axis: str = "epoch"
    theme: str = ""
    ascii: bool = False
    since: float = 0.0
    seen: list[float] = field(default_factory=list)
    draft: dict[str, Any] = field(default_factory=dict)  # values of widgets, as JSON has them


def recall(path: Path) -> Remembered:
    """What the file says; fields that are missing, unknown or of another type are as at first."""
    first = Remembered()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return first
    if not isinstance(found, dict):
        return first
    names = [entry.name for entry in fields(first)]
    usable = {name: found[name] for name in names if _fits(found.get(name), getattr(first, name))}
    return replace(first, **usable)


def remember(path: Path, what: Remembered) -> None:
    """Write the file as a whole; where that cannot be done, nothing is lost but comfort."""
    with suppress(OSError):
        if path.parent.is_dir():  # looking creates no state folder
            replace_text(path, json.dumps(asdict(what)) + "\n")


class Notebook:
    """The file of what is remembered, written when it has changed and not too often."""

    def __init__(self, path: Path, *, is_kept: bool) -> None:
        self.first = self._written = recall(path)
        self._path, self._is_kept, self._written_at = path, is_kept, 0.0

    def is_due(self, what: Remembered) -> bool:
        """Whether it is time to write."""
        is_early = time.monotonic() - self._written_at <= PERIOD_S
        return what != self._written and self._is_kept and not is_early

    def write(self, what: Remembered) -> None:
        """Write it, unless the file says so already or is not to be changed."""
        if what != self._written and self._is_kept:
            self._written, self._written_at = what, time.monotonic()
            remember(self._path, what)


def _fits(value: object, like: object) -> bool:
    if isinstance(value, list):
        return isinstance(like, list) and all(isinstance(item, float) for item in value)
    return type(value) is type(like)
