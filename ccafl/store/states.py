"""The states of a run and the only ways from one to another."""

from typing import Literal

State = Literal[
    "queued", "starting", "running", "cancelling", "finished", "failed", "cancelled", "lost"
]
STATES: tuple[State, ...] = (
    "queued",
    "starting",
    "running",
    "cancelling",
    "finished",
    "failed",
    "cancelled",
    "lost",
)
ACTIVE: tuple[State, ...] = ("starting", "running", "cancelling")
ENDED: tuple[State, ...] = ("finished", "failed", "cancelled", "lost")

TRANSITIONS: frozenset[tuple[State, State]] = frozenset(
    {
        ("queued", "starting"),  # claimed, with its lease
        ("queued", "cancelled"),  # by the user
        ("starting", "running"),  # its process is known
        ("starting", "failed"),  # it could not be executed
        ("starting", "cancelling"),
        ("starting", "lost"),
        ("running", "cancelling"),
        ("running", "finished"),
        ("running", "failed"),
        ("running", "lost"),
        ("cancelling", "cancelled"),
        ("cancelling", "finished"),  # the result was there first
        ("lost", "queued"),  # goes on from its newest checkpoint
        ("failed", "queued"),  # by the user
        ("cancelled", "queued"),  # by the user
    }
)

ExitKind = Literal[
    "ok",
    "error",
    "gpu_memory",
    "host_memory",
    "signal",
    "cancelled",
    "node",
    "timeout",
    "lost",
]
EXIT_KINDS: tuple[ExitKind, ...] = (
    "ok",
    "error",
    "gpu_memory",
    "host_memory",
    "signal",
    "cancelled",
    "node",
    "timeout",
    "lost",
)


def check_transition(old: State, new: State) -> None:
    """Refuse a way between two states that the table does not hold.

    Raises:
        ValueError: a programmer's mistake; the supervisor and the store only ask for known ways.
    """
    if (old, new) not in TRANSITIONS:
        raise ValueError(f"a run never goes from {old!r} to {new!r}")
