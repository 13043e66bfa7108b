"""One thing that was looked at."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What was seen, and for a problem what to do.

    `note`: worth knowing, nothing to repair. `rebuild`: the remedy is to make the database again.
    """

    subject: str
    level: Level
    text: str
    remedy: str = ""
    rebuild: bool = False


def ok(subject: str, text: str) -> Finding:
    """Something that is as it should be."""
    return Finding(subject=subject, level="ok", text=text)


def remark(subject: str, text: str) -> Finding:
    """Something worth knowing."""
    return Finding(subject=subject, level="note", text=text)


def problem(subject: str, text: str, remedy: str, *, rebuild: bool = False) -> Finding:
    """Something that is wrong, and what to do."""
    return Finding(subject=subject, level="problem", text=text, remedy=remedy, rebuild=rebuild)
