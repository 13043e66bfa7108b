"""What queries give back: frozen rows, so that a reader holds facts and no connection."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ccafl.store.states import ExitKind, State


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationRow:
    """Metrics in [0, 1] after a step; `last` is the highest step, `best` the highest mAP.

    The row after the prompt stage shows the untouched image tower and is never `best`, unless
    nothing is trained after it.
    """

    stage: str
    epoch: int
    step: int
    seconds: float
    mean_ap: float
    rank1: float
    rank5: float
    rank10: float
    mean_inp: float
    queries: int
    left_out: int
    last: bool
    best: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRow:
    """A run with its tags, its last and its best evaluation.

    Times are unix seconds; `step` counts optimiser steps of the configured run from 1, `epoch`
    from 1 inside `stage`; `checkpoint` is the step of the newest complete checkpoint. `reason`
    says why a queued run waits, or how an ended one ended, without a full stop. `lost_in_row`
    counts lost attempts since the last checkpoint. `cancel_requested` is 1 after the first request
    and 2 after a second one. `config` is the JSON that `ccafl.config.from_json` reads.
    """

    id: int
    name: str
    note: str
    tags: tuple[str, ...]
    dataset: str
    preset: str
    gpu: str
    source: int | None
    state: State
    place: int
    hold: bool
    created: float
    started: float | None
    ended: float | None
    attempt: int
    lost_in_row: int
    host: str | None
    pid: int | None
    device: str | None
    threads: int | None
    versions: Mapping[str, str]
    cancel_requested: int
    reason: str | None
    exit_kind: ExitKind | None
    exit_code: int | None
    last_event: float | None
    stage: str | None
    epoch: int | None
    step: int
    steps: int | None
    checkpoint: int | None
    activity: str | None
    activity_done: int | None
    activity_total: int | None
    warning: str | None
    bad_lines: int
    config: str
    last: EvaluationRow | None
    best: EvaluationRow | None


class ProblemRow(NamedTuple):
    """A run that failed or was lost, and when; one that is resumed and fails again is another."""

    run_id: int
    ended: float
    state: State


class LossRow(NamedTuple):
    """Losses of one step; `total` is the sum of the terms, None where a term was off."""

    step: int
    stage: str
    epoch: int
    time: float
    total: float | None
    i2t: float | None
    t2i: float | None
    gid: float | None
    intra: float | None
    memory_triplet: float | None
    triplet: float | None
    text: float | None
    inter: float | None
    ical: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochRow:
    """The end of a stage epoch; the last five are None outside the inter stage.

    `peak_memory` is bytes; `precision` and `recall` are over pairs of camera identities of
    different cameras in one group.
    """

    stage: str
    epoch: int
    step: int
    seconds: float
    images_per_s: float
    lr: float
    peak_memory: int
    linked: int | None
    groups: int | None
    conflicts: int | None
    precision: float | None
    recall: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraPairRow:
    """Retrieval from one query camera in one gallery camera; metrics in [0, 1]."""

    query_camid: int
    gallery_camid: int
    queries: int
    mean_ap: float
    rank1: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceRow:
    """A published result, metrics in [0, 1]; never mixed with measured rows.

    `setting` is the supervision, `image_size` is height x width, `source` says where we read it.
    """

    dataset: str
    setting: str
    method: str
    venue: str
    backbone: str
    image_size: str
    mean_ap: float
    rank1: float | None
    rank5: float | None
    rank10: float | None
    note: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SupervisorRow:
    """The process that serves the queue; `beat` is when it was last known to live."""

    host: str
    boot_id: str
    pid: int
    pid_start: int
    version: str
    started: float
    beat: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseRow:
    """A device that a run holds; the CPU is the one named `cpu`.

    It stays for a while after the run has ended (`ended`, unix seconds); `stuck` says that its
    memory was not given back for long.
    """

    gpu_uuid: str
    run_id: int
    ended: float | None
    stuck: bool
