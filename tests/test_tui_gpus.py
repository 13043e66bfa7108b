"""GPUs on the screen: the strip, the page of processes, and what is said without them."""

import json
import os

import pytest
from recorded import Recorded, recorded
from tui_screen import LARGE, SMALL, opened, serving

from ccafl.gpu import GpuAnswer, parse_line
from tui.gpus import read_owners
from tui.strip import BLOCKS, Strip

__all__ = ["recorded", "serving"]

NOON = 1_800_000_000.0


def card(index: int, processes: list[dict[str, int]] | None, **other: object) -> dict[str, object]:
    """A GPU as the helper describes it."""
    return {
        "index": index,
        "uuid": f"GPU-{index}",
        "name": "NVIDIA H100",
        "memory_used": 60 << 30,
        "memory_total": 80 << 30,
        "utilisation": 0.84,
        "temperature": 63,
        "power": 512.0,
        "power_limit": 700.0,
        "processes": processes,
    } | other


def answer(*cards: dict[str, object]) -> str:
    """The line of the helper."""
    return json.dumps({"gpus": cards})


def lines(*cards: dict[str, object], most: int = 2, width: int = 80) -> list[str]:
    """The strip without runs."""
    strip = Strip()
    strip.take(parse_line(answer(*cards)), NOON)
    return strip.lines((), most, width)


async def test_a_silent_helper_makes_the_page_of_processes_say_so(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(recorded.home, gpus=answer(card(0, []))) as screen:
        await screen.sees("84 %")
        await screen.press("u")
        await screen.sees("GPU use", "no process names")
        monkeypatch.setattr("tui.program.SILENT_S", 0.0)
        text = await screen.sees("no answer since 08:00:00")
        assert text.count("no answer") == 2  # the strip, and the page


async def test_gpus_are_shown_with_who_uses_them(recorded: Recorded) -> None:
    run_id = recorded.start()
    ours = recorded.store.run(run_id).pid
    assert ours is not None
    others = {"pid": 77, "memory": 12 << 30}
    gpus = [card(0, []), card(1, [{"pid": ours, "memory": 20 << 30}, others]), card(2, [others])]
    async with opened(recorded.home, gpus=answer(*gpus), size=LARGE) as screen:
        text = await screen.sees("run 1, other 12.0 GB", "free")
        first = text.splitlines()[1]
        assert first.startswith(" GPU 1 H100")  # ours first
        assert all(part in first for part in ("84 %", "60.0/80.0 GB", "63 °C", "512/700 W"))
        await screen.pilot.resize_terminal(80, 24)
        await screen.sees("+ 2 GPUs, 1 free")


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_every_process_is_listed_with_its_owner(
    recorded: Recorded, size: tuple[int, int]
) -> None:
    run_id = recorded.start(name="at work")
    ours, here = recorded.store.run(run_id).pid, os.getpid()
    assert ours is not None
    processes = [{"pid": pid, "memory": 3 << 30} for pid in (ours, here, 2**22 + 1)]
    gpus = answer(card(0, processes), card(1, []), card(2, None))
    async with opened(recorded.home, size=size, gpus=gpus) as screen:
        await screen.sees("GPU 0")
        await screen.press("u")
        text = await screen.sees("GPU use", f"run {run_id} at work", "not visible from here")
        assert any(str(here) in line and "python" in line for line in text.splitlines())
        assert "no process names" in text  # memory is in use that nobody accounts for
        assert "this driver names no processes" in text
        await screen.press("y")
        await screen.sees("Copied GPU use")
        await screen.press("escape")
        await screen.sees("[1 Queue 1]")


async def test_a_machine_without_gpus_says_so_on_the_page_too(recorded: Recorded) -> None:
    async with opened(recorded.home) as screen:
        await screen.sees("No GPU: NVML Shared Library Not Found. Runs on the CPU go on")
        await screen.press("u")
        await screen.sees("GPU use", "go on, others wait")


def test_the_owner_of_a_process_that_is_gone_is_unknown() -> None:
    found = read_owners(parse_line(answer(card(0, [{"pid": 2**22 + 1, "memory": 1}]))), {})
    assert found == {}


def test_what_nvml_does_not_give_is_a_dash() -> None:
    unknown = dict.fromkeys(("utilisation", "temperature", "power", "memory_used"), None)
    (line,) = lines(card(0, None, **unknown))
    assert line.split()[3] == "-"
    assert line.rstrip().endswith("-")
    assert "-/80.0 GB" in line


def test_columns_leave_from_the_right_but_who_is_there_stays() -> None:
    one = card(0, [{"pid": 77, "memory": 12 << 30}])
    (whole,) = lines(one, width=80)
    assert whole.endswith("63 °C  512/700 W  other 12.0 GB")
    (narrow,) = lines(one, width=70)
    assert narrow.endswith("63 °C  other 12.0 GB")
    (narrowest,) = lines(one, width=40)
    assert narrowest.split() == ["GPU", "0", "H100", "84", "%", "other", "12.0", "GB"]


def test_lines_have_their_columns_below_each_other() -> None:
    first, second = lines(card(0, []), card(10, [], utilisation=0.0, power=9.0))
    assert first.index("60.0/80.0") == second.index("60.0/80.0")
    assert first.index("free") == second.index("free")


def test_the_last_minute_has_8_cells_and_30_where_there_is_room() -> None:
    strip = Strip()
    for use in (0.0, 1.0, 1.0):
        strip.take(parse_line(answer(card(0, [], utilisation=use))), NOON)
    (narrow,), (wide,) = (strip.lines((), 2, width) for width in (80, 120))
    assert sum(mark in BLOCKS for mark in narrow) == 8
    assert sum(mark in BLOCKS for mark in wide) == 30
    assert wide[: wide.index("60.0")].rstrip().endswith("█")


def test_a_silent_helper_is_said_with_the_time_of_its_last_answer() -> None:
    strip = Strip()
    strip.take(None, NOON)
    assert "no answer:" in strip.lines((), 2, 80)[0]
    strip.take(parse_line(answer(card(0, []))), NOON)
    strip.take(None, NOON + 9)
    assert "no answer since" in strip.lines((), 2, 80)[0]


def test_a_broken_driver_is_said_with_its_cure() -> None:
    strip = Strip()
    strip.take(GpuAnswer(error="Driver/library version mismatch"), NOON)
    assert "mismatch: reboot, or reload the driver" in strip.lines((), 2, 80)[0]
