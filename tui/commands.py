"""Actions without a key, which the palette offers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """An action of the screen or part of it whose `KEYLESS` hold this."""

    name: str
    action: str
    help: str
