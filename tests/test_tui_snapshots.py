"""The screens as text, at both sizes; `pytest --snapshot-update` writes them anew.

They lie beside this file, so that a change of a screen is read as a change of the screen.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from recorded import Recorded, epoch, evaluation, loss, recorded
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from tui_screen import LARGE, NO_GPU, NOON, SMALL, Screen, opened, serving

from tui.draft import Draft

__all__ = ["recorded", "serving"]

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x36"])
MSMT17 = {"preset": "msmt17", "dataset": "MSMT17", "gpu": "auto"}


class Text(SingleFileSnapshotExtension):
    """A screen in a file of its own."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@pytest.fixture
def screens(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """The screens of the last time."""
    return snapshot.use_extension(Text)


@pytest.fixture(autouse=True)
def gpubox(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A host, a time zone and a moment that are the same everywhere."""
    monkeypatch.setattr("tui.frame.HOST", "gpubox")
    monkeypatch.setattr("ccafl.events.time.time", lambda: NOON - 10)
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


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


GPUS = json.dumps({"gpus": [card(0, 0.84, 61, {1: 61}), card(1, 0.0, 0, {})]})


async def looks(screen: Screen, screens: SnapshotAssertion) -> None:
    """Compare the screen when it has come to rest."""
    before, since = "", time.monotonic()
    while time.monotonic() - since < 0.25:
        await screen.pilot.pause(0.05)
        if screen.text != before:
            before, since = screen.text, time.monotonic()
    assert before == screens


@pytest.fixture
def busy(recorded: Recorded) -> Recorded:
    """A queue as in the middle of a week: one run at work, four that wait, three that ended."""
    for seed, mean_ap in ((0, 0.579), (1, 0.551)):
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
        recorded.end(ended)
    recorded.end(recorded.start(name="market-lam05", **MSMT17), "failed", "out of luck")
    at_work = recorded.start(name="msmt-rn50-s2", settings=("run.seed=2",), **MSMT17)
    recorded.tell(
        at_work,
        *(loss("intra", 1, step, intra=2.0, text=1.5) for step in range(1, 5)),
        epoch("intra", 1, 5, seconds=1300.0),
        evaluation("intra", 1, 5, 0.31),
        *(loss("inter", 1, n, inter=40 / n, text=1.0, ical=None) for n in range(6, 21)),
        epoch("inter", 1, 20, linked=881, groups=212, conflicts=6, seconds=500.0),
        evaluation("inter", 1, 20, 0.548),
        *(loss("inter", 2, n, inter=40 / n, text=1.0) for n in range(21, 26)),
    )
    recorded.home.run(at_work).console.write_text(
        "".join(f"14:0{n}:58 INFO inter epoch 2 it {n} loss 2.257\n" for n in range(1, 7)),
        encoding="utf-8",
    )
    recorded.add(name="msmt-rn50-s3", settings=("run.seed=3",), **MSMT17)
    recorded.add(
        name="msmt-no-ical",
        settings=('run.stages=["inter"]', "inter.ical.enabled=false"),
        source=at_work,
        **MSMT17,
    )
    held = recorded.add(name="msmt-lam03", settings=("intra.lam=0.3",), tags=("lam",), **MSMT17)
    recorded.store.hold(held)
    return recorded


@SIZES
async def test_queue(busy: Recorded, screens: SnapshotAssertion, size: tuple[int, int]) -> None:
    async with opened(busy.home, size=size, gpus=GPUS) as screen:
        await screen.sees("msmt-lam03", "GPU 0")
        await screen.press("j")
        await looks(screen, screens)


@SIZES
async def test_queue_without_runs_and_without_gpu(
    recorded: Recorded, screens: SnapshotAssertion, size: tuple[int, int]
) -> None:
    async with opened(recorded.home, size=size, gpus=NO_GPU) as screen:
        await screen.sees("No runs yet", "No GPU")
        await looks(screen, screens)


@SIZES
async def test_live(busy: Recorded, screens: SnapshotAssertion, size: tuple[int, int]) -> None:
    async with opened(busy.home, size=size, gpus=GPUS) as screen:
        await screen.press("2")
        await screen.sees("img/s", "54.8", "GPU 0")
        await looks(screen, screens)


@SIZES
async def test_live_with_nothing_running(
    recorded: Recorded, screens: SnapshotAssertion, size: tuple[int, int]
) -> None:
    recorded.store.hold(recorded.add(name="held one"))
    async with opened(recorded.home, size=size) as screen:
        await screen.press("2")
        await screen.sees("Nothing is running")
        await looks(screen, screens)


@pytest.mark.parametrize("view", ["Log", "Evaluations", "Config"])
async def test_views_of_a_run(busy: Recorded, screens: SnapshotAssertion, view: str) -> None:
    async with opened(busy.home, gpus=GPUS) as screen:
        await screen.press("2")
        await screen.sees("[Losses]")
        await screen.press(*["tab"] * (["Log", "Evaluations", "Config"].index(view) + 1))
        await screen.sees(f"[{view}]")
        await looks(screen, screens)


@SIZES
async def test_history(busy: Recorded, screens: SnapshotAssertion, size: tuple[int, int]) -> None:
    async with opened(busy.home, size=size, gpus=GPUS) as screen:
        await screen.press("3")
        await screen.sees("3 of 3")
        await screen.press("slash")
        await screen.paste("msmt17 map>50")
        await screen.press("enter")
        await screen.sees("2 of 3")
        await looks(screen, screens)


@SIZES
async def test_compare(busy: Recorded, screens: SnapshotAssertion, size: tuple[int, int]) -> None:
    async with opened(busy.home, size=size, gpus=GPUS) as screen:
        await screen.press("3")
        await screen.sees("3 of 3")
        await screen.press("G", "space", "k", "space", "c")
        await screen.sees("compare 2 runs", "CCAFL published")
        await looks(screen, screens)


@pytest.fixture
def set_folder(drawn_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A data folder whose name is the same everywhere."""
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "small").symlink_to(drawn_set)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ccafl.datasets.report.data_root", Path)
    monkeypatch.setattr("ccafl.orders.order.data_root", Path)
    return "sets/small"


@SIZES
async def test_new_run(
    busy: Recorded, screens: SnapshotAssertion, size: tuple[int, int], set_folder: str
) -> None:
    draft = Draft(root=set_folder, preset="smoke", gpu="cpu", overrides="inter.ical.margin = 0.3")
    async with opened(busy.home, size=size, gpus=GPUS) as screen:
        screen.app.remembered = replace(screen.app.remembered, draft=asdict(draft))
        await screen.sees("msmt-lam03")
        await screen.press("a")
        await screen.sees("new run", "✓", "1 run")
        await looks(screen, screens)


async def test_new_run_with_a_wrong_setting(
    busy: Recorded, screens: SnapshotAssertion, set_folder: str
) -> None:
    draft = Draft(root=set_folder, preset="smoke", gpu="cpu", overrides="intra.lamda = 0.5")
    async with opened(busy.home, gpus=GPUS) as screen:
        screen.app.remembered = replace(screen.app.remembered, draft=asdict(draft))
        await screen.sees("msmt-lam03")
        await screen.press("a")
        await screen.sees("new run", "did you mean")
        await looks(screen, screens)


@SIZES
async def test_datasets(
    recorded: Recorded, screens: SnapshotAssertion, size: tuple[int, int], set_folder: str
) -> None:
    async with opened(recorded.home, size=size) as screen:
        await screen.sees("No runs yet")
        await screen.press("v")
        await screen.paste(set_folder)
        await screen.press("enter")
        await screen.sees("Images opened", "It can be used")
        await looks(screen, screens)


@SIZES
async def test_palette(busy: Recorded, screens: SnapshotAssertion, size: tuple[int, int]) -> None:
    async with opened(busy.home, size=size, gpus=GPUS) as screen:
        await screen.sees("msmt-lam03")
        await screen.press("colon", *"run")
        await looks(screen, screens)


@SIZES
async def test_help(recorded: Recorded, screens: SnapshotAssertion, size: tuple[int, int]) -> None:
    async with opened(recorded.home, size=size) as screen:
        await screen.sees("No runs yet")
        await screen.press("question_mark")
        await screen.sees("keys")
        await looks(screen, screens)


@SIZES
async def test_gpu_use(busy: Recorded, screens: SnapshotAssertion, size: tuple[int, int]) -> None:
    async with opened(busy.home, size=size, gpus=GPUS) as screen:
        await screen.sees("GPU 0")
        await screen.press("u")
        await looks(screen, screens)


@SIZES
async def test_cancel_question(
    busy: Recorded, screens: SnapshotAssertion, size: tuple[int, int]
) -> None:
    async with opened(busy.home, size=size, gpus=GPUS) as screen:
        await screen.sees("msmt-lam03")
        await screen.press("x")
        await screen.sees("cancel it")
        await looks(screen, screens)


async def test_too_small(recorded: Recorded, screens: SnapshotAssertion) -> None:
    async with opened(recorded.home, size=(58, 14)) as screen:
        await screen.sees("too small")
        await looks(screen, screens)


async def test_smallest(busy: Recorded, screens: SnapshotAssertion) -> None:
    async with opened(busy.home, size=(60, 16), gpus=GPUS) as screen:
        await screen.sees("msmt-lam03")
        await looks(screen, screens)
