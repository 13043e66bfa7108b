"""The view of a run, live and opened: stages, losses, evaluations, log, settings."""

from functools import partial

import pytest
from recorded import Recorded, epoch, evaluation, loss, recorded
from textual.widgets import Log
from tui_screen import LARGE, SMALL, opened, serving, training

from tui.run_view import RunView

__all__ = ["recorded", "serving", "training"]


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_live_shows_stages_losses_evaluations_and_association(
    recorded: Recorded, training: int, size: tuple[int, int]
) -> None:
    async with opened(recorded.home, size=size) as screen:
        await screen.press("2")
        text = await screen.sees("1 at work   ● running", "inter ● 2/6", "640 img/s", "A text")
        await screen.sees("inter · all terms · smooth 0.6", "B inter", "⠒")
        assert "intra ✓ 2 s" in text
        await screen.sees("last, inter 1     54.8  64.8  27.4", "the newest line")
        await screen.sees("linked 151  groups 36  conflicts 6  precision 70.9 %  recall 76.3 %")
        recorded.tell(training, loss("inter", 2, 26, inter=1.0, text=1.0), epoch("inter", 2, 26))
        recorded.tell(training, evaluation("inter", 2, 26, 0.6))
        await screen.sees("inter ● 2/6", "last, inter 2     60.0")
        with recorded.home.run(training).console.open("a") as log:
            log.write("a line from [red]now[/red] \x1b[31m\n")
        await screen.sees("a line from [red]now[/red] \\x1b[31m")


async def test_a_run_that_ends_while_watched_stays_with_its_result(
    recorded: Recorded, training: int
) -> None:
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("● running")
        recorded.end(training)
        await screen.sees("✓ finished", "Run 1 finished.", "54.8")
        await screen.misses("● running")


async def test_tab_changes_the_view(recorded: Recorded, training: int) -> None:
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("[Losses]", "all terms")
        await screen.press("tab")
        await screen.sees("[Log]", "first line of the log")
        await screen.press("tab")
        await screen.sees("[Evaluations]", "Rank-10", "association", "70.9")
        await screen.press("tab")
        await screen.sees("[Config]", "All settings are those of preset smoke")
        await screen.press("equals_sign")
        await screen.sees("run.threads")
        await screen.press("equals_sign")
        await screen.misses("run.threads")
        await screen.press("shift+tab")
        await screen.sees("[Evaluations]")
        await screen.press("tab", "tab")
        await screen.sees("[Losses]", "all terms")


async def test_keys_of_the_chart(recorded: Recorded, training: int) -> None:
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("inter · all terms · smooth 0.6", "B inter")
        for keys, shown in (
            ("h", "intra · all terms"), ("l", "inter · all terms"),
            ("left", "intra · all terms"), ("right", "inter · all terms"),
            ("comma", "not smoothed"), ("full_stop", "smooth 0.6"), ("full_stop", "smooth 0.9"),
            ("plus", "zoom 2x"), ("plus", "zoom 4x"), ("minus", "zoom 2x"),
            ("B", "inter · inter"), ("B", "inter · all terms"), ("A", "inter · text"),
            ("A", "inter · all terms"), ("L", "log axis"),
        ):  # fmt: skip
            await screen.press(keys)
            await screen.sees(shown)
        await screen.press("0")
        await screen.misses("zoom")


async def test_letters_of_up_to_six_terms(recorded: Recorded) -> None:
    names = ("gid", "memory_triplet", "triplet", "text", "inter", "ical")
    run_id = recorded.start()
    recorded.tell(
        run_id, *(loss("inter", 1, n, **dict.fromkeys(names, float(n))) for n in range(1, 9))
    )
    async with opened(recorded.home) as screen:
        await screen.press("2")
        for letter, name in zip("ABCDEF", names, strict=True):
            await screen.sees("all terms", f"{letter} {name}")
            await screen.press(letter)
            await screen.sees(f"inter · {name}")
            await screen.press(letter)


async def test_zeros_do_not_stop_a_logarithmic_axis(recorded: Recorded) -> None:
    run_id = recorded.start()
    values = [3.0, 0.0, 2.0, 0.0, 1.0]
    recorded.tell(run_id, *(loss("intra", 1, n, intra=v) for n, v in enumerate(values, start=1)))
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("all terms")
        await screen.press("L")
        await screen.sees("log axis · 2 values <= 0 left out")


async def test_the_log_is_scrolled_and_followed(recorded: Recorded, training: int) -> None:
    log = recorded.home.run(training).console
    log.write_text("".join(f"line {number}\n" for number in range(1, 101)), encoding="utf-8")
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("all terms")
        await screen.press("tab")
        await screen.sees("line 100")

        def first() -> str:
            return " ".join(screen.text.splitlines()[6].split()[:2])

        def is_first(line: str) -> bool:
            return first() == line

        bottom = first()
        for keys, line in (
            *(("g", "line 1"), ("j", "line 2"), ("end", bottom), ("home", "line 1")),
            *(("down", "line 2"), ("up", "line 1"), ("G", bottom), ("k", "line 85")),
            *(("g", "line 1"), ("pagedown", "line 16"), ("pageup", "line 1")),
            *(("ctrl+d", "line 16"), ("ctrl+u", "line 1")),
        ):
            await screen.press(keys)
            await screen.until(partial(is_first, line), f"{line} is first after {keys}")
        with log.open("a") as file:
            file.write("line 101\n")
        await screen.until(lambda: "line 101" in str(screen.app.query_one(Log).lines), "it is read")
        assert first() == "line 1"
        await screen.press("f")
        await screen.sees("line 101")


async def test_enter_opens_a_run_and_angles_go_through_the_list(recorded: Recorded) -> None:
    recorded.add(name="first one", settings=("train.lr=0.5",))
    recorded.add(name="second one")
    async with opened(recorded.home) as screen:
        await screen.sees("second one")
        await screen.press("enter")
        await screen.sees("1 Queue > run 1", "[Config]", "train.lr", "0.5", "Run 1 waits")
        await screen.press("greater_than_sign")
        await screen.sees("1 Queue > run 2", "second one", "All settings are those of preset")
        await screen.press("less_than_sign")
        await screen.sees("1 Queue > run 1", "first one")
        await screen.press("x", "y")
        await screen.sees("Run 1 is cancelled", "– cancelled")
        await screen.press("escape")
        await screen.sees("[1 Queue 1]", "second one")
        assert recorded.store.run(1).state == "cancelled"


async def test_live_goes_through_the_runs_that_train(recorded: Recorded) -> None:
    for name in ("one", "two"):
        recorded.tell(recorded.start(name=name), loss("intra", 1, 1, intra=1.0))
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("2 two   ● running")
        await screen.press("less_than_sign")
        await screen.sees("1 one   ● running")
        await screen.press("greater_than_sign")
        await screen.sees("2 two   ● running")


async def test_nothing_running_names_what_comes_next(recorded: Recorded) -> None:
    recorded.add()
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("Nothing is running. Next: Run 1 waits")


async def test_a_silent_run_says_how_long(recorded: Recorded, training: int) -> None:
    async with opened(recorded.home) as screen:
        screen.app.clock = lambda: (recorded.store.run(training).last_event or 0) + 660
        await screen.press("2")
        await screen.sees("No progress for 11 m (last: epoch 2, step 25).")


async def test_a_view_that_is_hidden_is_not_drawn_again_and_again(
    recorded: Recorded, training: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[RunView] = []
    whole = RunView._chart

    def counted(view: RunView) -> object:
        drawn.append(view)
        return whole(view)

    monkeypatch.setattr(RunView, "_chart", counted)
    async with opened(recorded.home) as screen:
        await screen.sees("● running")
        await screen.press("enter")
        await screen.sees("all terms", "⠒")
        await screen.press("escape", "3")
        await screen.sees("[3 History")
        before = len(drawn)
        for _ in range(50):
            await screen.pilot.pause(0.01)
        assert len(drawn) - before < 10
