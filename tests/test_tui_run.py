"""The view of a run, live and opened: stages, losses, evaluations, log, settings."""

from functools import partial

import pytest
from recorded import Recorded, epoch, evaluation, loss, recorded
from tui_screen import LARGE, SMALL, opened, serving, training

from tui.losses_panel import LossesPanel
from tui.messages import Trouble
from tui.program import CcaflApp

__all__ = ["recorded", "serving", "training"]

VIEWS_ROW = 4  # the row of the screen that names the views of a run at work


async def test_live_shows_stages_losses_evaluations_and_association(
    recorded: Recorded, training: int
) -> None:
    async with opened(recorded.home) as screen:
        await screen.press("2")
        text = await screen.sees("1 at work  ● running", "inter ● 2/6", "640 img/s", "A text")
        await screen.sees("inter · all terms · smooth 0.6", "B inter", "⠒", "it 5/10   lr 2.0e-03")
        assert "intra ✓ 2 s" in text
        await screen.sees("last, inter 1    54.8  64.8  27.4", "the newest line")
        await screen.sees("linked 151  groups 36  conflicts 6  precision 70.9 %  recall 76.3 %")
        recorded.tell(training, loss("inter", 2, 26, inter=1.0, text=1.0), epoch("inter", 2, 26))
        recorded.tell(training, evaluation("inter", 2, 26, 0.6))
        await screen.sees("inter ● 2/6", "last, inter 2    60.0")
        with recorded.home.run(training).console.open("a") as log:
            log.write("a line from [red]now[/red] \x1b[31m\n")
        await screen.sees("a line from [red]now[/red] \\x1b[31m")


async def test_a_large_terminal_shows_panels_and_z_fills_the_body_with_one(
    recorded: Recorded, training: int
) -> None:
    async with opened(recorded.home, size=LARGE) as screen:
        await screen.press("2")
        await screen.sees("demo-0  tiny  seed 0", "[Losses]", "Evaluations", "Association", "Log")
        await screen.sees("all terms", "A text 1", "⠒", "*54.8", "151", "the newest line")
        for name in ("Evaluations", "Association", "Log"):
            await screen.press("tab")
            await screen.sees(f"[{name}]", "all terms", "the newest line")
        await screen.press("z")
        await screen.misses("all terms")
        await screen.sees("[Log]", "following   2 lines")
        await screen.press("escape", "shift+tab", "shift+tab", "shift+tab")
        await screen.sees("[Losses]", "all terms")
        await screen.press("shift+tab")
        await screen.sees("[Config]", "All settings are those of preset smoke")
        await screen.misses("all terms")


async def test_a_run_that_ends_while_watched_stays_with_its_result(
    recorded: Recorded, training: int
) -> None:
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("● running")
        recorded.end(training)
        await screen.sees("✓ finished", "last, best mAP 54.8 Rank-1 64.8", "Run 1 finished.")
        await screen.misses("● running")


async def test_a_lost_run_says_why_where_it_goes_on_and_with_which_key(
    recorded: Recorded, training: int
) -> None:
    recorded.end(training, "lost", "killed by signal 9")
    with recorded.store.writing() as connection:
        connection.exec_driver_sql("UPDATE run SET checkpoint = 20, lost_in_row = 3")
    for read_only in (False, True):
        async with opened(recorded.home, read_only=read_only) as screen:
            await screen.press("3")
            await screen.sees("! ", "at work")
            await screen.press("enter")
            await screen.sees("1 at work  ! lost", "last, best mAP 54.8 Rank-1 64.8")
            text = await screen.sees("! lost in inter, epoch 2, ", "2 of 3 times.")
            said = "killed by signal 9. Checkpoint: inter epoch 1. Resumed by itself 2 of 3 times."
            assert said in " ".join(text.split())
            assert ("times.  r resume" in text) != read_only


async def test_a_long_name_leaves_room_for_the_state_and_the_result(recorded: Recorded) -> None:
    recorded.finished(evaluation("inter", 1, 200, 0.5), name="long " * 50, tags=("t" * 100,))
    for size in (SMALL, LARGE):
        async with opened(recorded.home, size=size) as screen:
            await screen.press("3")
            await screen.sees("✓")
            await screen.press("enter")
            await screen.sees("…  ✓ finished", "last, best mAP 50.0 Rank-1 60.0")
            await screen.press("escape", "q")


async def test_a_run_of_another_version_is_shown_and_concerns_no_other_run(
    recorded: Recorded,
) -> None:
    for name in ("old one", "new one"):
        recorded.add(name=name)
    with recorded.store.writing() as connection:
        old = "UPDATE run SET config = json_set(config, '$.train.gone', 1) WHERE id = 1"
        connection.exec_driver_sql(old)
    async with opened(recorded.home) as screen:
        await screen.sees("differs from preset: train.gone 1")
        await screen.press("enter")
        await screen.sees(
            "Another version of ccafl stored", "intra 0/3", "train.gone  1", "preset -"
        )
        await screen.press("greater_than_sign")
        await screen.sees("2 new one  ○ queued", "[Config]", "= all settings")
        await screen.misses("Another version")


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
        names = screen.text.splitlines()[VIEWS_ROW]
        await screen.pilot.click(offset=(names.index("Config"), VIEWS_ROW))
        await screen.sees("[Config]", "All settings are those of preset smoke", "= all settings")


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
        for key in ("0", "escape"):
            await screen.press(key)
            await screen.misses("zoom 2x")
            await screen.press("plus")
            await screen.sees("zoom 2x")


async def test_the_chart_looks_as_it_was_left(recorded: Recorded, training: int) -> None:
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("smooth 0.6")
        await screen.press("full_stop", "L", "colon", *"axis:", "space", *"step")
        await screen.sees("Chart x axis: step")
        await screen.press("enter")
        await screen.sees("smooth 0.9 · by step · log axis")
        await screen.press("1", "enter")  # another place where losses are shown
        await screen.sees("1 Queue > run 1", "smooth 0.9 · by step · log axis")
        await screen.press("escape", "2", "q")
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("smooth 0.9 · by step · log axis")


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
        await screen.sees("2 two  ● running")
        await screen.press("less_than_sign")
        await screen.sees("1 one  ● running")
        await screen.press("greater_than_sign")
        await screen.sees("2 two  ● running")


async def test_live_stays_with_a_run_that_ended_until_another_one_begins(
    recorded: Recorded,
) -> None:
    for name in ("one", "two"):
        recorded.tell(recorded.start(name=name), loss("intra", 1, 1, intra=1.0))
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("2 two  ● running")
        recorded.end(2)
        await screen.sees("2 two  ✓ finished", "[2 Live 1]")
        recorded.start(name="three")
        await screen.sees("3 three  ● running")


async def test_nothing_running_names_what_comes_next(recorded: Recorded) -> None:
    recorded.store.hold(recorded.add())
    recorded.add()
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees(
            "Nothing is running. Next: run 2, waits: the queue has not come to it yet."
        )


async def test_a_silent_run_says_how_long(recorded: Recorded, training: int) -> None:
    async with opened(recorded.home) as screen:
        screen.app.clock = lambda: (recorded.store.run(training).last_event or 0) + 660
        await screen.press("2")
        await screen.sees("● running, no progress for 11 m (last: epoch 2 it 5)")


async def test_a_view_below_another_screen_is_not_drawn(
    recorded: Recorded, training: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[LossesPanel] = []
    whole = LossesPanel._draw_chart

    def counted(panel: LossesPanel, stage: str, names: dict[str, str]) -> None:
        drawn.append(panel)
        whole(panel, stage, names)

    monkeypatch.setattr(LossesPanel, "_draw_chart", counted)
    monkeypatch.setattr("tui.pace.DRAW_PERIOD_S", 1e-6)
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("all terms", "⠒")
        below = screen.app.screen.query_one(LossesPanel)
        await screen.press("colon", str(training), "enter")
        await screen.sees(f"palette > run {training}", "all terms", "⠒")
        before = drawn.count(below), len(drawn)
        recorded.tell(training, *(loss("inter", 2, n, inter=1.0) for n in range(26, 31)))
        await screen.sees("it 10/10")
        await screen.rests()
        assert drawn.count(below) == before[0]
        assert len(drawn) > before[1]  # the one in front is


async def test_b_measures_from_the_last_or_the_best_evaluation(recorded: Recorded) -> None:
    run_id = recorded.start(dataset="Market-1501")
    recorded.tell(run_id, loss("intra", 1, 1, intra=1.0))
    recorded.tell(run_id, evaluation("intra", 1, 1, 0.5), evaluation("intra", 2, 2, 0.4))
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("[Losses]", "published")
        await screen.press("tab", "tab")
        await screen.sees("[last]  best   * best on test   left out: 4", "*50.0", "kept", "Δ last")
        before = [line for line in screen.text.splitlines() if "Δ last" in line]
        await screen.press("b")
        await screen.sees("last  [best]", "Δ best")
        after = [line for line in screen.text.splitlines() if "Δ best" in line]
        change = [float(line[0].split()[2]) for line in (before, after)]
        assert round(change[1] - change[0], 1) == 10.0
        await screen.press("w")
        await screen.sees("Write evaluations-1 as")


async def test_values_that_cannot_be_read_again_show_their_time(
    recorded: Recorded, training: int
) -> None:
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("it 5/10")
        screen.app.post_message(Trouble("somebody holds it", is_busy=True))
        await screen.sees("as of 08:00:00")
        screen.app.post_message(Trouble(""))
        await screen.sees("it 5/10")


async def test_y_and_the_palette_copy(
    recorded: Recorded, training: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[tuple[str, str]] = []
    monkeypatch.setattr(CcaflApp, "copy", lambda app, text, what: copied.append((text, what)))
    async with opened(recorded.home) as screen:
        await screen.press("2", "y")
        await screen.sees("all terms")
        await screen.press("y", "tab", "y")
        await screen.sees("[Log]")
        assert copied[-2][0].startswith("mean of epoch 2")
        assert copied[-1] == ("first line of the log\nthe newest line", "2 lines of Log")
        folder = recorded.home.run(training)
        await screen.press("colon")
        await screen.paste("Copy checkpoint path")
        await screen.sees("No matches found")  # nothing is saved yet
        await screen.press("escape")
        folder.checkpoints.mkdir()
        for typed, text in (
            ("Copy log path", str(folder.console)),
            ("Copy checkpoint path", str(folder.checkpoints)),
            ("Copy ccafl command", "ccafl queue add --preset smoke --data /sets/demo-0"),
        ):
            await screen.press("colon")
            await screen.paste(typed)
            await screen.sees(f"{typed}:")
            await screen.press("enter")
            begins = partial(_begins_with, copied, text)
            await screen.until(begins, f"{text} is copied")


def _begins_with(copied: list[tuple[str, str]], text: str) -> bool:
    return copied[-1][0].startswith(text)
