"""Screens as text, compared with those of the last time; what they show is the same everywhere.

They lie beside the tests, so that a change of a screen is read as a change of the screen;
`pytest --snapshot-update` writes them anew.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recorded import Recorded, epoch, evaluation, loss
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from tui_screen import LARGE, NOON, SMALL, Screen

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x36"])
MSMT17: dict[str, Any] = {"preset": "msmt17", "dataset": "MSMT17", "gpu": "auto"}
HOUR, DAY = 3600.0, 86400.0

Step = tuple[str, str, str]  # name of the screen; keys that lead there from the one before; words


class Text(SingleFileSnapshotExtension):
    """A screen in a file of its own."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@pytest.fixture
def screens(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """The screens of the last time."""
    return snapshot.use_extension(Text)


@pytest.fixture(autouse=True)
def gpubox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A host, a folder, a time zone and a moment that are the same everywhere."""
    monkeypatch.setattr("tui.frame.HOST", "gpubox")
    monkeypatch.setattr("tui.program.SILENT_S", 600.0)  # the helper of a test says all at once
    monkeypatch.setattr("tui.pace.DRAW_PERIOD_S", 1e-6)
    monkeypatch.setattr("ccafl.events.time.time", lambda: NOON - 10)
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


async def looks(screen: Screen, screens: SnapshotAssertion, name: str | None = None) -> None:
    """Compare the screen when it has come to rest."""
    assert await screen.rests() == screens(name=name)


async def walk(screen: Screen, screens: SnapshotAssertion, *steps: Step) -> None:
    """Go from screen to screen and compare each, once it shows the words."""
    for name, keys, words in steps:
        await screen.press(*keys.split())
        await screen.sees(*words.split(" | "))
        await looks(screen, screens, name)


def card(index: int, used: float, memory: int, pids: dict[int, int]) -> dict[str, object]:
    """A GPU as the helper describes it; memory in GiB."""
    return {
        "index": index,
        "uuid": f"GPU-{index}",
        "name": "NVIDIA H100 80GB HBM3",
        "memory_used": memory << 30,
        "memory_total": 80 << 30,
        "utilisation": used,
        "temperature": 31 + round(32 * used),
        "power": 71.0 + 441 * used,
        "power_limit": 700.0,
        "processes": [{"pid": pid, "memory": held << 30} for pid, held in pids.items()],
    }


def answer(used: float) -> str:
    """A line of the helper: run 4 on one GPU, somebody else on the other."""
    return json.dumps({"gpus": [card(0, used, 61, {1: 61}), card(1, 0.21, 12, {2**22 + 1: 12})]})


GPUS = "\n".join(answer(0.5 + second / 160) for second in range(55))


@pytest.fixture
def past(recorded: Recorded) -> Recorded:
    """Three runs that have ended: two with results and curves, one that failed."""
    recorded.serve()
    for seed, mean_ap in ((0, 0.579), (1, 0.551)):
        recorded.now = NOON - (5 - seed) * DAY
        ended = recorded.start(
            name=f"msmt-rn50-s{seed}", tags=("main",), settings=(f"run.seed={seed}",), **MSMT17
        )
        recorded.tell(
            ended,
            *(epoch("inter", number, 100 * number) for number in range(1, 9)),
            *(loss("inter", n, 100 * n, inter=3 / n, text=2 / n) for n in range(1, 9)),
            evaluation("inter", 4, 400, mean_ap - 0.1),
            evaluation("inter", 8, 800, mean_ap),
        )
        recorded.end(ended, after_s=11.7 * HOUR)
    recorded.now = NOON - DAY
    settings = ("intra.lam=0.5", "train.p=32")
    failed = recorded.start(name="msmt-lam05", settings=settings, **MSMT17)
    recorded.tell(failed, loss("intra", 1, 150, intra=2.0))
    recorded.end(failed, "failed", "tried to allocate 2.1 GB", kind="gpu_memory", after_s=190.0)
    return recorded


@pytest.fixture
def busy(past: Recorded) -> Recorded:
    """A queue as in the middle of a week: one run at work, four that wait, three that ended."""
    past.now = NOON - 6.3 * HOUR
    at_work = past.start(name="msmt-rn50-s2", settings=("run.seed=2",), tags=("main",), **MSMT17)
    past.tell(
        at_work,
        *(loss("intra", 1, step, intra=2.0, text=1.5) for step in range(1, 5)),
        epoch("intra", 1, 5, seconds=1300.0),
        evaluation("intra", 1, 5, 0.31, seconds=41.0),
        *(loss("inter", 1, n, inter=40 / n, text=1.0, ical=None) for n in range(6, 21)),
        epoch("inter", 1, 20, linked=881, groups=212, conflicts=6, seconds=500.0),
        evaluation("inter", 1, 20, 0.548, seconds=41.0),
        *(loss("inter", 2, n, inter=40 / n, text=1.0) for n in range(21, 26)),
    )
    past.home.run(at_work).console.write_text(
        "".join(f"14:0{n}:58 INFO inter epoch 2 it {n} loss 2.257\n" for n in range(1, 7)),
        encoding="utf-8",
    )
    following = past.add(name="msmt-rn50-s3", settings=("run.seed=3",), **MSMT17)
    ablation = past.add(
        name="msmt-no-ical",
        settings=('run.stages=["inter"]', "inter.ical.enabled=false"),
        source=following,
        **MSMT17,
    )
    past.add(name="smoke-s0", gpu="1", note="does it start at all?")
    held = past.add(name="msmt-lam03", settings=("intra.lam=0.3",), tags=("lam",), **MSMT17)
    past.store.hold(held)
    taken = f"run {at_work} holds GPU 0", "others use 12.9 GB of GPU 1"
    past.wait(
        {
            following: ", ".join(taken),
            ablation: f"for run {following} to finish its intra stage",
            ablation + 1: taken[1],
        }
    )
    return past
