"""Runs side by side in the app."""

from collections.abc import Sequence

import pytest
from recorded import Recorded, epoch, evaluation, loss, recorded
from tui_screen import LARGE, SMALL, Screen, opened, serving

from ccafl.comparison import View, settings_text
from tui.compared import read_curves

__all__ = ["recorded", "serving"]


@pytest.fixture
def past(recorded: Recorded) -> Recorded:
    """Two runs on MSMT17 with curves, which differ in the seed, and one on other data."""
    for seed, value in ((1, 0.551), (2, 0.579)):
        run_id = recorded.start(
            name=f"seed {seed}", settings=(f"run.seed={seed}",), dataset="MSMT17"
        )
        recorded.tell(
            run_id,
            loss("intra", 1, 150, intra=1.0),
            loss("inter", 1, 175, inter=2.0),
            loss("inter", 1, 176, inter=4.0),
            epoch("inter", 1, 176),
            evaluation("inter", 3, 204, value + 0.01),
            evaluation("inter", 6, 234, value),
        )
        recorded.end(run_id)
    recorded.finished(evaluation("inter", 6, 234, 0.9), name="other", dataset="Market-1501")
    return recorded


async def compare(screen: Screen, *rows: int, of: int = 3) -> None:
    """Mark rows of the history, counted from 1, and compare them."""
    await screen.press("3")
    await screen.sees(f"{of} of {of}")
    for row in rows:
        await screen.press("g", *["j"] * (row - 1), "space")
    await screen.press("c")


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_results_stand_beside_those_published(past: Recorded, size: tuple[int, int]) -> None:
    async with opened(past.home, size=size) as screen:
        await compare(screen, 2, 3)
        text = await screen.sees("3 History > compare 2 runs", "[mAP]", "base A run 2", "run.seed")
        words = [line.split() for line in text.splitlines()]
        assert "A 2 seed 2 *57.9 - *67.9 - *77.9 *79.9 *28.9 6".split() in words
        assert "B 1 seed 1 55.1 -2.8 65.1 -2.8 75.1 77.1 27.6 6".split() in words
        assert "CCAFL published 58.9 +1.0 82.9 +15.0 90.7 92.8 - -".split() in words
        assert "CMT published 51.3 -6.6".split() in [line[:4] for line in words]


async def test_keys_change_base_evaluation_settings_and_curve(past: Recorded) -> None:
    async with opened(past.home, size=LARGE) as screen:
        await compare(screen, 2, 3)
        await screen.sees("last evaluation   base A run 2", "settings that differ")
        await screen.misses("train.p")
        await screen.press("m")
        await screen.sees("base B run 1", "+2.8")
        await screen.press("b")
        await screen.sees("best on test", "*58.9")
        await screen.press("equals_sign")
        await screen.sees("all settings", "model.backbone")
        await screen.press("l")
        await screen.sees("[intra]")
        await screen.press("l", "l")
        await screen.sees("[inter]", "by epoch of intra and inter")
        await screen.press("h")
        await screen.sees("[intra]")


async def test_curves_carry_letters_and_one_is_shown_alone(past: Recorded) -> None:
    async with opened(past.home, size=LARGE) as screen:
        await compare(screen, 2, 3)
        await screen.sees("[mAP]")
        await screen.until(lambda: letters(screen.text) == {"A", "B"}, "both letters stand there")
        await screen.press("B")
        await screen.until(lambda: letters(screen.text) == {"B"}, "one letter stands there")
        await screen.press("B")
        await screen.until(lambda: letters(screen.text) == {"A", "B"}, "both are back")


async def test_an_unfinished_run_is_marked_and_followed(past: Recorded) -> None:
    running = past.start(name="at work", dataset="MSMT17")
    past.tell(running, evaluation("inter", 3, 204, 0.5))
    waiting = past.add(name="waits", dataset="MSMT17")
    async with opened(past.home) as screen:
        await screen.sees("at work")
        await screen.press("space", "space", "c")
        await screen.sees("1 Queue > compare 2 runs", "3 ●", "- ●", "● has not finished")
        past.tell(running, evaluation("inter", 6, 234, 0.7))
        await screen.sees("*70.0", "6 ●", f"B {waiting}")


async def test_a_run_that_is_deleted_ends_the_comparison(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await compare(screen, 2, 3)
        await screen.sees("base A run 2")
        past.store.delete(1)
        await screen.sees("There is no run 1.", "[3 History 2]")


async def test_other_data_are_shown_without_a_distance(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await compare(screen, 1, 2)
        await screen.sees("on different data sets; their metrics do not compare", "90.0")
        text = await screen.misses("*", "Δ", "m base", "published")
        words = [line.split()[:5] for line in text.splitlines()]
        assert "A 3 other Market-1501 90.0".split() in words
        assert "B 2 seed 2 MSMT17".split() in words


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_six_runs_fit_with_all_settings(past: Recorded, size: tuple[int, int]) -> None:
    for seed in range(3, 7):
        past.finished(
            evaluation("inter", 6, 234, 0.5), dataset="MSMT17", settings=(f"run.seed={seed}",)
        )
    async with opened(past.home, size=size) as screen:
        await screen.press("3")
        await screen.sees("7 of 7")
        await screen.press("slash")
        await screen.paste("dataset:msmt")
        await screen.sees("6 of 7")
        await screen.press("enter", *["space"] * 6, "c", "equals_sign")
        if size == SMALL:  # too low for curves below the settings
            await screen.sees("F 1 seed 1", "all settings", "run.stages")
            await screen.misses("[mAP]")
            await screen.press("z")
            await screen.sees("[mAP]")
            return
        text = await screen.sees("all settings", "model.backbone", "[mAP]")
        words = [line.split()[:4] for line in text.splitlines()]
        assert "run.threads 1".split() in [line[:2] for line in words]
        assert "6 A 5 B".split() in words


@pytest.mark.parametrize("rows", [(6, 7), (4, 6, 7), (1, 2, 3, 4, 6, 7)])
async def test_curves_stand_70_cells_wide_beside_the_settings(
    past: Recorded, rows: Sequence[int]
) -> None:
    for number in range(4):
        settings = (f"run.seed={number + 3}", f"intra.lam=0.{number}")
        past.finished(evaluation("inter", 6, 234, 0.5), dataset="MSMT17", settings=settings)
    async with opened(past.home, size=LARGE) as screen:
        await compare(screen, *rows, of=7)
        await screen.sees(f"compare {len(rows)} runs", "run.seed", "[mAP]")
        side = screen.app.screen.query_one("#curve-side")
        await screen.until(lambda: side.size.width == 70, "the curves are 70 cells wide")
        await screen.press("equals_sign")
        await screen.sees("all settings")
        await screen.until(lambda: side.size.width == 70, "they are so beside all settings")
        await screen.pilot.resize_terminal(112, 36)
        await screen.until(lambda: side.size.width == 62, "they give way to the settings")


async def test_curves_take_what_settings_leave_of_a_wider_terminal(past: Recorded) -> None:
    async with opened(past.home, size=(160, 45)) as screen:
        await compare(screen, 2, 3)
        await screen.sees("run.seed", "[mAP]")
        side = screen.app.screen.query_one("#curve-side")
        await screen.until(lambda: side.size.width == 110, "short settings leave 110 cells")
        await screen.press("equals_sign")
        await screen.sees("all settings")
        await screen.until(lambda: 70 <= side.size.width < 110, "long ones leave fewer")


async def test_curves_or_settings_fill_the_body_until_one_goes_back(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await compare(screen, 2, 3)
        await screen.sees("last evaluation", "run.seed", "[mAP]")
        await screen.sees("z curves")
        await screen.press("z")
        await screen.misses("last evaluation", "run.seed")
        await screen.sees("z settings")
        await screen.press("z")
        await screen.sees(
            "z results", "CCAFL published: ICS, RN50, CLIP, 256x128, TCSVT 2025, best epoch on"
        )
        await screen.sees("CMT published: ICS, RN50, ImageNet, 384x128", "run.seed")
        await screen.misses("[mAP]", "last evaluation")
        await screen.press("escape")
        await screen.sees("last evaluation", "run.seed", "[mAP]", "3 History > compare 2 runs")


async def test_the_palette_groups_seeds_and_leaves_published_rows_out(past: Recorded) -> None:
    async with opened(past.home) as screen:
        await compare(screen, 2, 3)
        await screen.sees("CCAFL published")
        await screen.press("colon", *"reference", "enter")
        await screen.misses("published")
        await screen.press("colon", *"group by", "enter")
        await screen.sees("A B", "56.5 ± 2.0", "mean ± standard deviation (n - 1)")


async def test_the_results_are_copied_and_written(
    past: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    async with opened(past.home) as screen:
        await compare(screen, 2, 3)
        await screen.sees("[mAP]")
        await screen.press("y")
        await screen.until(lambda: "A 2 seed 2\t57.9" in screen.app.clipboard, "rows are copied")
        await screen.press("w", "down", "down", "y")
        await screen.until(lambda: r"\textbf{57.9}" in screen.app.clipboard, "LaTeX is copied")


def test_curves_count_the_epochs_of_intra_and_inter_together(past: Recorded) -> None:
    past.finished(evaluation("prompt", 8, 144, 0.25), evaluation("intra", 3, 174, 0.5))
    curves = read_curves(past.store, past.store.run(1))
    assert curves["intra"] == [(1, 1.0)]
    assert curves["inter"] == [(4, 3.0)]  # three epochs of intra before; the mean of 2 and 4
    assert [place for place, _ in curves["mAP"]] == [6, 9]
    assert read_curves(past.store, past.store.run(4)) == {"mAP": [(0, 25.0), (3, 50.0)]}


def test_settings_too_wide_for_columns_are_grouped_by_value(recorded: Recorded) -> None:
    folder = "data.root=/scratch/of/the/whole/laboratory/for/reid"
    for settings in (
        (f"{folder}/one",),
        (f"{folder}/two", "intra.lam=0.3"),
        (f"{folder}/one", "inter.ical.enabled=false"),
        (f"{folder}/one", "intra.lam=0.5"),
        (f"{folder}/one", "intra.lam=0.3"),
        (f"{folder}/one", "inter.ical.enabled=false", "intra.lam=0.3"),
    ):
        recorded.finished(settings=settings)
    runs = recorded.store.history()
    assert (
        settings_text(runs, View(base=3), 47)
        == """\
settings that differ
A 6   B 5   C 4   D 3   E 2   F 1
data.root
  /scratch/of/…le/laboratory/for/reid/one ABCDF
  /scratch/of/th…hole/laboratory/for/reid/two E
intra.lam            0.6 DF   0.3 ABE   0.5 C
inter.ical.enabled   false AD   true BCEF
"""
    )
    lines = settings_text(runs, View(all_settings=True), 47).splitlines()
    assert "run.threads                1" in lines, "what all runs have needs no letters"


def letters(text: str) -> set[str]:
    """Letters that stand among the dots of the chart."""
    return {letter for letter in "AB" for line in text.splitlines()[14:] if letter in line[50:]}
