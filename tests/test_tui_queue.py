"""The queue pane: what waits and works, why, and the keys that change it."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from recorded import Recorded, epoch, recorded
from rich.text import Text
from tui_screen import LARGE, NOON, SMALL, Screen, opened, serving, training

from ccafl.store import ACTIVE
from tui.queue_pane import listing
from tui.starts import Times, when

__all__ = ["recorded", "serving", "training"]

FIRST_ROW = 4  # of the screen that shows a run
NASTY = "[red]x[/] [0] \x1b]52;c;aGk=\x07 \u202e" + "long " * 2000


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_runs_stand_in_order_with_the_sentence_why_they_wait(
    recorded: Recorded, size: tuple[int, int]
) -> None:
    recorded.start(name="at work")
    recorded.add(name="next one", settings=("run.seed=7",))
    held = recorded.add(name="held one")
    recorded.store.hold(held)
    async with opened(recorded.home, size=size) as screen:
        text = await screen.sees("●", "○", "‖")
        assert text.index("at work") < text.index("next one") < text.index("held one")
        await screen.press("j")
        await screen.sees("differs from preset: run.seed 7", "the queue has not come to it yet")
        await screen.press("j")
        await screen.sees("waits: it is held until you release it")
        await screen.press("k", "k")
        await screen.sees("● running   Run 1 is running")


async def test_a_row_says_stages_place_and_when_it_starts_or_ends(recorded: Recorded) -> None:
    run_id = recorded.start(name="at work")
    recorded.tell(run_id, epoch("inter", 1, 184, seconds=3600.0))
    recorded.home.run(run_id).intra_end.mkdir()
    recorded.add(name="takes its intra", settings=('run.stages=["inter"]',), source=run_id)
    recorded.add(name="from prompts", settings=('run.stages=["intra"]',), source=run_id)
    held = recorded.add(name="held one")
    recorded.store.hold(held)
    async with opened(recorded.home) as screen:
        text = await screen.sees("at work", "held one")
        rows = [" ".join(line.split()) for line in text.splitlines()]
        assert "● 1 at work demo-0 prompt intra [inter] auto in 5 h 0 m" in rows
        assert "○ 1 2 takes its intra demo-0 inter (from run 1) auto next" in rows
        assert "○ 2 3 from prompts demo-0 intra (from run 1) auto after run 1" in rows
        assert "‖ 4 held one demo-0 prompt intra inter auto held" in rows
        await screen.sees("tiny", "root /sets/demo-0")
        recorded.end(run_id, "failed")
        await screen.sees("needs run 1")


def test_later_runs_start_when_the_device_they_asked_for_is_free(recorded: Recorded) -> None:
    recorded.start(gpu="0")
    for gpu in ("auto", "0", "1", "cpu"):
        recorded.add(gpu=gpu)
    first, *waiting = recorded.store.runs()
    runs = [first, *(replace(run, reason="for a free device") for run in waiting)]
    times = Times(left={1: 3600.0}, lengths={2: 7200.0})
    found = when(runs, times, NOON, is_paused=False)
    started = datetime.fromtimestamp(NOON + 3600 + 7200).strftime("%H:%M")
    assert found == {1: "in 1 h 0 m", 2: "next", 3: f"~ {started}", 4: "-", 5: "-"}
    assert when(runs, times, NOON, is_paused=True)[3] == "queue paused"


async def test_a_large_terminal_previews_the_highlighted_run(
    recorded: Recorded, training: int
) -> None:
    recorded.add(name="next one", settings=("run.seed=7",), tags=("main",))
    async with opened(recorded.home, size=LARGE) as screen:
        await screen.sees(
            "● running ", "inter ● 2/6", "inter 2.395", "the newest line", "Seed", "Added"
        )
        await screen.press("j")
        await screen.sees("no losses yet", "run.seed  7  yours", "main", "inter 0/6")
        await screen.misses("the newest line")


async def test_nothing_ever_added_says_how_to_begin(recorded: Recorded) -> None:
    async with opened(recorded.home) as screen:
        await screen.sees("No runs yet.  a  add the first one,  v  verify a dataset")


async def test_names_from_outside_appear_literally(recorded: Recorded) -> None:
    recorded.add(name=NASTY, tags=("[b]t[/b]",))
    async with opened(recorded.home, size=LARGE) as screen:
        text = await screen.sees("[red]x[/] [0] \\x1b]52;c;aGk=\\x07 \\u202e", "[b]t[/b]")
        assert "\x1b" not in text
        await screen.press("x")
        await screen.sees("Cancel run 1 [red]x[/]")


async def test_cancelling_asks_and_only_y_does_it(recorded: Recorded) -> None:
    run_id = recorded.add(name="doomed")
    async with opened(recorded.home) as screen:
        await screen.sees("doomed", "x cancel")
        for answer in ("escape", "n"):
            await screen.press("x")
            await screen.sees("Cancel run 1 doomed?", "y cancel it")
            await screen.press(answer)
            await screen.misses("y cancel it")
        assert recorded.store.run(run_id).state == "queued"
        await screen.press("x", "y")
        await screen.sees("Run 1 is cancelled; it had not started.", "No runs wait or work.")
    assert recorded.store.run(run_id).state == "cancelled"


async def test_a_second_cancel_says_that_it_kills_and_kills_no_run_among_others(
    recorded: Recorded,
) -> None:
    run_id = recorded.start()
    recorded.store.cancel(run_id)
    waiting = recorded.add()
    async with opened(recorded.home) as screen:
        await screen.sees("x cancel", "○")
        await screen.press("x")
        await screen.sees("killed at once")
        await screen.press("escape", "space", "space", "x")
        await screen.sees(f"Cancel run {waiting}")
        await screen.press("y")
        await screen.sees(f"Run {waiting} is cancelled")
    assert recorded.store.run(run_id).cancel_requested == 1


async def test_w_writes_the_queue(recorded: Recorded) -> None:
    recorded.add(name="in line", tags=("main", "ical"))
    async with opened(recorded.home) as screen:
        await screen.sees("in line")
        await screen.press("w")
        await screen.sees("Write queue as")
    written = listing(recorded.store)
    assert "waits: the queue" in written.text("markdown")
    assert "ical main" in written.text("csv")


async def test_p_holds_and_releases(recorded: Recorded) -> None:
    run_id = recorded.add()
    async with opened(recorded.home) as screen:
        await screen.sees("p hold")
        await screen.press("p")
        await screen.sees("‖ held", "Run 1 is held")
        assert recorded.store.run(run_id).hold
        await screen.press("p")
        await screen.sees("○ queued", "Run 1 is released")


async def test_places_change_and_the_highlight_stays_on_its_run(recorded: Recorded) -> None:
    for name in ("one", "two", "three"):
        recorded.add(name=name)
    async with opened(recorded.home) as screen:
        await screen.sees("three")
        await screen.press("J", "J")
        await in_order(screen, recorded, [2, 3, 1])
        await screen.press("K")
        await in_order(screen, recorded, [2, 1, 3])
        await screen.press("T")
        await in_order(screen, recorded, [1, 2, 3])
        await screen.press("J")
        await in_order(screen, recorded, [2, 1, 3])


async def test_keys_act_on_all_marked_runs(recorded: Recorded) -> None:
    for name in ("one", "two", "three"):
        recorded.add(name=name)
    async with opened(recorded.home) as screen:
        await screen.sees("three")
        await screen.press("j", "space", "space", "T")
        await in_order(screen, recorded, [2, 3, 1])
        for key, order in (("K", [2, 3, 1]), ("J", [1, 2, 3]), ("J", [1, 2, 3]), ("K", [2, 3, 1])):
            await screen.press(key)
            await in_order(screen, recorded, order)
        await screen.press("p")
        await screen.until(lambda: recorded.store.run(3).hold, "the marked run is held")
        assert recorded.store.run(2).hold
        assert not recorded.store.run(1).hold
        await screen.press("x")
        await screen.sees("Cancel 2 runs (2, 3)?")
        await screen.press("escape", "escape", "g", "x")
        await screen.sees("Cancel run 2 two?")  # esc took the marks away


async def test_the_queue_is_paused_and_goes_on(recorded: Recorded) -> None:
    recorded.add()
    async with opened(recorded.home) as screen:
        await screen.sees("○ queued")
        await screen.press("P")
        await screen.sees("queue paused", "The queue is paused")
        await screen.press("P")
        await screen.sees("The queue goes on.")
        await screen.misses("queue paused,", "queue paused  ")
    assert not recorded.store.paused()


async def test_keys_move_through_a_long_list(recorded: Recorded) -> None:
    for number in range(1, 41):
        recorded.add(name=f"number {number}")
    async with opened(recorded.home) as screen:
        await screen.sees("number 1")
        keys = {"G": 40, "g": 1, "end": 40, "home": 1, "down": 2, "up": 1, "j": 2, "k": 1}
        for key, first in keys.items():
            await screen.press(key)
            await screen.sees(f"\n {first} number {first}   differs")
        for down, up in (("ctrl+d", "ctrl+u"), ("pagedown", "pageup")):
            await screen.press(down)
            await screen.misses("\n 1 number 1   differs")
            await screen.press(up)
            await screen.sees("\n 1 number 1   differs")


async def test_the_highlighted_row_stays_in_view_when_it_moves_or_the_list_shrinks(
    recorded: Recorded,
) -> None:
    for number in range(1, 41):
        recorded.add(name=f"number {number}")
    async with opened(recorded.home) as screen:
        await screen.sees("number 1")
        await screen.press("G", "K")
        await screen.sees("Run 40 is number 39 of 40 in the queue.", "39   40 number 40")
        await screen.press("p")
        await screen.sees("Run 40 is held", "‖        40 number 40")
        await screen.press("k", "k", "k", "k")
        before = screen.text.splitlines()[FIRST_ROW]
        await screen.press("K")
        await screen.sees("Run 35 is number 34 of 40 in the queue.", "34   35 number 35")
        assert screen.text.splitlines()[FIRST_ROW] == before  # the list did not jump


async def test_a_look_at_a_long_queue_makes_only_the_cells_that_changed(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 41):
        recorded.add(name=f"number {number}")
    made: list[str] = []

    def counted(text: str, **words: Any) -> Text:
        made.append(text)
        return Text(text, **words)

    async with opened(recorded.home) as screen:
        await screen.sees("number 1")
        await screen.rests()
        for module in ("lists", "columns"):
            monkeypatch.setattr(f"tui.{module}.Text", counted)
        recorded.store.hold(2)
        await screen.sees("‖")
        assert made == [" ‖", "", "held"]


async def test_an_action_that_comes_too_late_says_so(recorded: Recorded) -> None:
    run_id = recorded.add()
    async with opened(recorded.home) as screen:
        await screen.sees("○ queued")
        await screen.press("x")
        recorded.store.cancel(run_id)
        await screen.press("y")
        await screen.sees("Run 1 ended already (cancelled)")


async def test_a_run_that_ends_is_said(recorded: Recorded) -> None:
    run_id = recorded.start(name="at work")
    async with opened(recorded.home) as screen:
        await screen.sees("at work")
        recorded.end(run_id, "failed", "out of luck")
        await screen.sees("Run 1 failed before its first step, ", ": out of luck.", "3 History 1")


async def in_order(screen: Screen, recorded: Recorded, run_ids: list[int]) -> None:
    """Wait until database and screen show runs in this order."""

    def look() -> bool:
        ids = [run.id for run in recorded.store.runs((*ACTIVE, "queued"))]
        table = screen.app.screen.query_one("#queue-table")
        return ids == run_ids == [run.id for run in table.runs]  # type: ignore[attr-defined]

    await screen.until(look, f"the order is {run_ids}")


async def test_places_are_counted_and_the_gpu_that_a_run_has_is_named(recorded: Recorded) -> None:
    gpu = {"index": 3, "uuid": "toy-2", "name": None, "memory_used": None, "memory_total": None}
    nothing = dict.fromkeys(("utilisation", "temperature", "power", "processes"))
    recorded.end(recorded.start())
    recorded.start(name="at work")
    recorded.add(name="first")
    recorded.add(name="second")
    line = json.dumps({"gpus": [gpu | nothing]})
    async with opened(recorded.home, gpus=line) as screen:
        await screen.sees("GPU 3", "second")
        text = await screen.sees("first")
        rows = [line.split() for line in text.splitlines()]
        assert [row[:2] for row in rows if "first" in row or "second" in row] == [
            ["○", "1"],
            ["○", "2"],
        ]
        await screen.until(
            lambda: any(
                row[3:4] == ["work"] and "3" in row[4:]
                for row in map(str.split, screen.text.splitlines())
            ),
            "the index of the GPU",
        )


async def test_keys_go_on_when_the_last_run_has_left_the_queue(recorded: Recorded) -> None:
    run_id = recorded.start(name="at work")
    async with opened(recorded.home) as screen:
        await screen.sees("at work", "x cancel")
        recorded.end(run_id)
        await screen.sees("No runs wait or work", "a add")
