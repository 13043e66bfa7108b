"""What a reader sees of a run."""

import dataclasses
from datetime import datetime
from typing import Any

import pytest

from ccafl.sentences import describe, printable, progress, state, waits
from ccafl.store import RunRow

RUN = RunRow(
    id=12,
    name="x",
    note="",
    tags=(),
    dataset="market1501",
    preset="",
    gpu="auto",
    source=None,
    state="running",
    place=1,
    hold=False,
    created=0.0,
    started=1.0,
    ended=None,
    attempt=1,
    lost_in_row=0,
    host=None,
    pid=None,
    device=None,
    threads=None,
    versions={},
    cancel_requested=0,
    reason=None,
    exit_kind=None,
    exit_code=None,
    last_event=None,
    stage="inter",
    epoch=3,
    step=1340,
    steps=64000,
    checkpoint=1200,
    activity=None,
    activity_done=None,
    activity_total=None,
    warning=None,
    bad_lines=0,
    config="{}",
    last=None,
    best=None,
)
WHERE = "inter, epoch 3, step 1,340 of 64,000"
ENDED = 1_800_000_000.0
AT = f"{datetime.fromtimestamp(ENDED):%H:%M}"
ENDED_WHERE = f"inter, epoch 3, {AT}"
LOST = "killed by signal 9. Host memory was 125.8 of 126 GB: probably out of memory"


def run(**changes: Any) -> RunRow:
    return dataclasses.replace(RUN, **changes)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 42 %", "plain text, 42 %"),
        ("Zürich 渋谷 \N{GRINNING FACE}", "Zürich 渋谷 \N{GRINNING FACE}"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("\x9b31mred", "\\x9b31mred"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("abc\u202egpj.exe", "abc\\u202egpj.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("line\u2028end", "line\\u2028end"),
        ("family \N{MAN}\u200d\N{WOMAN}", "family \N{MAN}\u200d\N{WOMAN}"),
        ("caf\udce9", "caf\\udce9"),
        ("nul\0", "nul\\x00"),
    ],
)
def test_fault_42_nothing_from_outside_steers_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"reason": "run 3 holds the CPU"}, "Run 12 waits: run 3 holds the CPU."),
        ({"hold": True}, "Run 12 waits: it is held until you release it."),
        ({}, "Run 12 waits: the queue has not come to it yet."),
        ({"reason": "\x1b[2J"}, "Run 12 waits: \\x1b[2J."),
    ],
)
def test_a_queued_run_says_why_it_waits(changes: dict[str, Any], sentence: str) -> None:
    assert describe(run(state="queued", stage=None, **changes)) == sentence


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, f"Run 12 is running: {WHERE}."),
        ({"state": "starting", "stage": None}, "Run 12 is starting: its worker begins."),
        (
            {"activity": "decoding images", "activity_done": 512, "activity_total": 1891},
            f"Run 12 is running: {WHERE}, decoding images 512/1,891.",
        ),
        (
            {"state": "cancelling", "activity": "saving", "stage": None},
            "Run 12 is cancelling: saving.",
        ),
    ],
)
def test_an_active_run_says_where_it_is(changes: dict[str, Any], sentence: str) -> None:
    assert describe(run(**changes)) == sentence


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"state": "finished"}, "Run 12 finished. `ccafl show 12` shows its results."),
        (
            {"state": "failed", "exit_kind": "error", "reason": "NonFiniteLossError: it broke."},
            f"Run 12 failed in {ENDED_WHERE}: NonFiniteLossError: it broke. "
            "Correct the cause first: a setting by adding the run again (`ccafl show 12` has the "
            "command), anything else before `ccafl queue resume 12`, which goes on from the "
            "checkpoint of step 1,200. `ccafl log 12` shows what it printed.",
        ),
        (
            {
                "state": "failed",
                "exit_kind": "error",
                "reason": "There is no weights file 'x'.",
                "stage": None,
                "checkpoint": None,
            },
            f"Run 12 failed before its first step, {AT}: There is no weights file 'x'. "
            "Correct the cause first: a setting by adding the run again (`ccafl show 12` has the "
            "command), anything else before `ccafl queue resume 12`, which starts it again. "
            "`ccafl log 12` shows what it printed.",
        ),
        (
            {"state": "failed", "exit_kind": "gpu_memory", "reason": "CUDA out of memory"},
            f"Run 12 failed in {ENDED_WHERE}: the GPU ran out of memory; lower train.p or "
            "model.image_size (CUDA out of memory). "
            "The checkpoint of step 1,200 is safe; `ccafl queue resume 12` goes on from it. "
            "`ccafl log 12` shows what it printed.",
        ),
        (
            {"state": "lost", "reason": LOST, "lost_in_row": 3},
            f"Run 12 was lost in {ENDED_WHERE}: {LOST}. "
            "The checkpoint of step 1,200 is safe; `ccafl queue resume 12` goes on from it. "
            "Resumed by itself 2 of 3 times. `ccafl log 12` shows what it printed.",
        ),
        (
            {"state": "cancelled", "stage": None, "checkpoint": None},
            f"Run 12 was cancelled before its first step, {AT}. "
            "It had saved no checkpoint; `ccafl queue resume 12` starts it again. "
            "`ccafl log 12` shows what it printed.",
        ),
        (
            {"state": "cancelled", "attempt": 0},
            "Run 12 was cancelled before it started. "
            "Nothing was computed; `ccafl queue resume 12` queues it again.",
        ),
    ],
)
def test_an_ended_run_says_how_and_where_it_ended_and_what_is_safe(
    changes: dict[str, Any], sentence: str
) -> None:
    assert describe(run(ended=ENDED, **changes)) == sentence


def test_a_held_run_has_a_word_of_its_own() -> None:
    assert [state(run(state="queued", hold=hold)) for hold in (False, True)] == ["queued", "held"]


def test_parts_stand_alone_in_lists() -> None:
    assert progress(run(stage=None)) == ""
    assert progress(run()) == WHERE
    assert waits(run(state="queued", reason="the queue is paused")) == "waits: the queue is paused"
