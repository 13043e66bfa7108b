"""The form, comparisons and data folders as text."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from recorded import Recorded, evaluation, loss, recorded
from snapshots import DAY, GPUS, MSMT17, SIZES, busy, gpubox, looks, past, screens, walk
from syrupy.assertion import SnapshotAssertion
from tui_screen import NOON, Screen, opened, serving

from ccafl.datasets.published import Count, Published
from ccafl.datasets.records import Split
from tui.draft import Draft

__all__ = ["busy", "gpubox", "past", "recorded", "screens", "serving"]


@pytest.fixture
def set_folder(drawn_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A data folder whose name is the same everywhere."""
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "small").symlink_to(drawn_set)
    monkeypatch.setattr("ccafl.datasets.report.data_root", Path)
    monkeypatch.setattr("ccafl.orders.order.data_root", Path)
    return "sets/small"


@SIZES
async def test_form(
    busy: Recorded, screens: SnapshotAssertion, size: tuple[int, int], set_folder: str
) -> None:
    draft = Draft(root=set_folder, preset="smoke", gpu="cpu", overrides="inter.ical.margin = 0.3")
    async with opened(busy.home, size=size, gpus=GPUS) as screen:
        screen.app.remembered = replace(screen.app.remembered, draft=asdict(draft))
        await screen.sees("msmt-lam03", "GPU 0")
        await walk(screen, screens, ("new run", "a", "new run | ✓ 121 | 1 run"))
        await screen.press("escape")
        wrong = replace(draft, overrides="inter.ical.margin = 0.3\nintra.lamda = 0.5")
        screen.app.remembered = replace(screen.app.remembered, draft=asdict(wrong))
        await walk(screen, screens, ("wrong setting", "a", "did you mean | ✓ 121"))


@pytest.fixture
def many(past: Recorded) -> Recorded:
    """Six runs on MSMT17, of which three differ in the seed alone, and one on other data."""
    past.now = NOON - DAY / 2
    for number, (setting, mean_ap) in enumerate(
        (("run.seed=2", 0.562), ("inter.ical.enabled=false", 0.531), ("intra.lam=0.3", 0.576))
    ):
        run_id = past.start(name=f"msmt-more-{number}", settings=(setting,), **MSMT17)
        past.tell(
            run_id,
            *(loss("inter", n, 100 * n, inter=3 / n, text=number + 3 / n) for n in range(1, 9)),
            *(evaluation("inter", n, 100 * n, mean_ap - 0.2 / n) for n in (2, 4, 6)),
            evaluation("inter", 8, 800, mean_ap),
        )
        past.end(run_id)
    past.finished(evaluation("inter", 6, 234, 0.7), name="market", dataset="Market-1501")
    return past


async def mark(screen: Screen, rows: Sequence[int]) -> None:
    """Mark rows of the history and compare them; `rows` are counted from 0."""
    await screen.press("escape", "escape")
    for row in rows:
        await screen.press("g", *["j"] * row, "space")
    await screen.press("c")


@SIZES
async def test_compare(many: Recorded, screens: SnapshotAssertion, size: tuple[int, int]) -> None:
    async with opened(many.home, size=size, gpus=GPUS) as screen:
        await screen.press("3")
        await screen.sees("7 of 7", "GPU 0")
        await mark(screen, [5, 6])
        await walk(screen, screens, ("two runs", "", "compare 2 runs | CCAFL published | ⠤"))
        await mark(screen, [0, 6])
        await walk(screen, screens, ("other data", "", "do not compare | ⠤"))
        await mark(screen, [1, 2, 3, 4, 5, 6])
        await walk(
            screen,
            screens,
            ("six runs", "", "compare 6 runs | CCAFL published"),
            ("another base", "m b", "base B | best on test"),
            ("curves alone", "z l", "[text]"),
            ("all settings", "z equals_sign", "all settings | run.stages"),
        )
        await screen.press("escape", "equals_sign", "colon", *"group by", "enter")
        await screen.sees("±")
        await looks(screen, screens, "groups")


@SIZES
async def test_datasets(
    recorded: Recorded,
    screens: SnapshotAssertion,
    size: tuple[int, int],
    set_folder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    splits: dict[Split, Count] = {
        "train": Count(121, 8, 3),
        "query": Count(21, 8, 3),
        "gallery": Count(83, 9, 3),
    }
    known = Published(name="Small", layouts=("market1501",), splits=splits, camera_identities=19)
    shutil.copytree(set_folder, "sets/broken")
    for path in sorted(Path("sets/broken/query").iterdir())[:2]:
        path.write_bytes(b"")
    async with opened(recorded.home, size=size) as screen:
        await screen.sees("No GPU", "No runs yet")
        await screen.press("v")
        await screen.paste(set_folder)
        await walk(screen, screens, ("good", "enter", "Images opened | It can be used"))
        if size[0] == 80:
            await walk(screen, screens, ("cameras", "tab", "identities"))
        await screen.press("escape", *["backspace"] * len(set_folder))
        monkeypatch.setattr("ccafl.datasets.published.PUBLISHED", (known,))
        await screen.paste("sets/broken")
        await walk(screen, screens, ("wrong", "enter", "things are wrong"))
