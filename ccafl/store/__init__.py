"""The database of runs: what clients ask and write, and what the supervisor records.

`Store` is for every client. `claims` and `ingest` are for the supervisor, the only writer of a
claimed run.
"""

from ccafl.store.changes import NewRun
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
from ccafl.store.states import ACTIVE, ENDED, STATES, State
from ccafl.store.store import SORTS, Store, is_current, open_store

__all__ = [
    "ACTIVE",
    "ENDED",
    "SORTS",
    "STATES",
    "CameraPairRow",
    "EpochRow",
    "EvaluationRow",
    "LeaseRow",
    "LossRow",
    "NewRun",
    "ProblemRow",
    "ReferenceRow",
    "RunRow",
    "State",
    "Store",
    "SupervisorRow",
    "is_current",
    "open_store",
]
