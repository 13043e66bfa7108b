"""The numbers behind the chart of losses, and what the chart says of them."""

import math
from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
import pytest
from recorded import Recorded, evaluation, loss, recorded
from textual.events import MouseScrollDown, MouseScrollUp
from tui_screen import opened, serving

from ccafl.presets import resolve
from ccafl.store import LossRow, Store
from tui import loss_text, pace
from tui.chart import Chart, LogAxis, Look, Piece
from tui.curves import Average, first_point, logarithms, positions, segments, thin, values
from tui.following import Followed
from tui.series import Axis, Series, StageSeries

__all__ = ["recorded", "serving"]

NAN = math.nan


def row(step: int, epoch: int, inter: float | None, stage: str = "inter") -> LossRow:
    terms: dict[str, float | None] = dict.fromkeys(LossRow._fields[4:])
    terms |= {"total": inter, "inter": inter}
    return LossRow(step, stage, epoch, 1000.0 + 10 * step, **terms)


def stage(*rows: LossRow) -> StageSeries:
    found = StageSeries()
    for one in rows:
        found.take(one)
    return found


@pytest.mark.parametrize("weight", [0.0, 0.6, 0.9, 0.97])
def test_a_constant_stays_the_same_constant_however_smooth(weight: float) -> None:
    raw = np.full(1000, 0.1)
    assert Average(weight)(raw).tolist() == raw.tolist()


def test_smoothing_begins_at_the_first_value_and_passes_over_gaps() -> None:
    found = Average(0.5)(np.array([4.0, NAN, 2.0]))
    assert found[0] == 4.0
    assert math.isnan(found[1])
    assert found[2] == pytest.approx((0.5 * 4.0 * 0.5 + 0.5 * 2.0) / 0.75)


@pytest.mark.parametrize("changed", [-1, 1, 3])
def test_smoothing_goes_on_from_what_it_knows_or_begins_anew(changed: int) -> None:
    raw = np.array([4.0, NAN, 2.0, 5.0, NAN, 1.0])
    growing = Average(0.9)
    assert growing(raw[:4].copy())[3] != 5.0
    if changed >= 0:  # a resume gave other values from there on
        raw[changed:] = np.arange(changed, 6.0)
    assert np.array_equal(growing(raw), Average(0.9)(raw), equal_nan=True)
    assert np.array_equal(growing(raw[:3]), Average(0.9)(raw[:3]), equal_nan=True)


@pytest.mark.parametrize(
    ("axis", "expected"),
    [("epoch", [0.5, 1.0, 1.5]), ("step", [7.0, 8.0, 9.0]), ("time", [0.0, 10.0, 20.0])],
)
def test_steps_lie_on_the_axis_of_epochs_steps_or_time(axis: Axis, expected: list[float]) -> None:
    series = stage(row(7, 1, 3.0), row(8, 1, 2.0), row(9, 2, 1.0))
    assert positions(series, axis).tolist() == expected


def test_a_logarithm_leaves_out_what_has_none() -> None:
    found = logarithms(np.array([100.0, 0.0, -1.0, NAN]))
    assert found[0] == 2.0
    assert np.isnan(found[1:]).all()


def test_no_line_joins_what_a_gap_separates() -> None:
    parts = list(segments(np.arange(5.0), np.array([1.0, 2.0, NAN, 4.0, NAN])))
    assert [(x.tolist(), y.tolist()) for x, y in parts] == [([0, 1], [1, 2]), ([3], [4])]


def test_thinning_loses_no_spike() -> None:
    y = np.ones(16_000)
    y[7_777], y[9_999] = 50.0, -50.0
    thin_x, thin_y = thin(np.arange(16_000.0), y, (0.0, 16_000.0), 60)
    assert len(thin_x) == len(thin_y) == 120
    cell = 16_000 / 60
    for value, place in ((50.0, 7_777), (-50.0, 9_999)):
        assert [int(x // cell) for x in thin_x[thin_y == value]] == [place // cell]


def test_thinning_keeps_the_way_a_curve_goes() -> None:
    x = np.arange(1_000.0)
    for y in (x, -x):
        steps = np.diff(thin(x, y, (0.0, 1_000.0), 10)[1])
        assert (np.sign(steps) == np.sign(y[1] - y[0])).all()


def test_points_that_follow_change_only_the_last_cell() -> None:
    x, y = np.arange(900.0), np.random.default_rng(0).normal(size=900)
    before, after = (thin(x[:end], y[:end], (0.0, 1_000.0), 10) for end in (880, 900))
    for one, other in zip(before, after, strict=True):
        assert one[:16].tolist() == other[:16].tolist()


def test_letters_stand_at_the_first_point_from_a_place_on() -> None:
    x, y = np.arange(6.0), np.array([NAN, 5.0, 4.0, NAN, 2.0, NAN])
    found = [first_point(x, y, after) for after in (-1.0, 1.5, 3.0, 9.0)]
    assert found == [(1.0, 5.0), (2.0, 4.0), (4.0, 2.0), (4.0, 2.0)]


def test_losses_that_are_not_finite_are_gaps_and_remembered() -> None:
    series = stage(row(1, 1, 3.0), row(2, 1, None), row(3, 1, 2.0))
    assert series.broken == [1]
    assert np.isnan(values(series, "inter")).tolist() == [False, True, False]


def test_a_run_that_goes_back_to_a_checkpoint_begins_anew() -> None:
    series = Series()
    series.take([row(step, 1, 1.0) for step in range(1, 11)], is_anew=True)
    series.take([row(11, 2, 1.0)], is_anew=False)
    assert series.copy()["inter"].steps.tolist() == list(range(1, 12))
    series.take([row(5, 1, 1.0)], is_anew=True)
    assert series.copy()["inter"].steps.tolist() == [5]


def test_letters_stay_when_a_term_joins_later() -> None:
    config = resolve("market1501")
    series = stage(row(1, 1, 3.0))
    letters = loss_text.letters(series, config, "inter")
    assert letters == {"text": "A", "inter": "B", "ical": "C"}
    assert loss_text.upcoming(config, "inter") == {"text": 6, "ical": 36}


def test_labels_of_a_logarithmic_axis_are_the_values() -> None:
    axis = LogAxis()
    assert axis.get_labels_for_ticks(axis.get_ticks(-2.1, 1.2)) == ["0.01", "0.1", "1", "10"]


async def test_a_loss_that_is_not_finite_is_marked_and_warned_of(recorded: Recorded) -> None:
    run_id = recorded.start()
    recorded.tell(run_id, *(loss("intra", 1, n, intra=3.0) for n in range(1, 10)))
    recorded.tell(run_id, loss("intra", 1, 10, intra=math.nan))
    async with opened(recorded.home) as screen:
        await screen.press("2")
        text = await screen.sees("warning: 1 not finite, x on the axis", "⠉")
        above_axis = next(line for line in text.splitlines()[::-1] if "┃" in line[:12])
        assert above_axis.split("┃")[1].rstrip().endswith("x")


async def test_a_run_that_breaks_at_once_is_warned_of(recorded: Recorded) -> None:
    recorded.tell(recorded.start(), loss("intra", 1, 1, intra=math.nan))
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("warning: 1 not finite, x on the axis")


@pytest.mark.parametrize("width", [80, 60])
async def test_labels_of_the_axis_never_touch(recorded: Recorded, width: int) -> None:
    run_id = recorded.start()
    recorded.tell(run_id, *(loss("intra", 1, n, intra=3.0e9 / n) for n in range(1, 11)))
    async with opened(recorded.home, size=(width, 24)) as screen:
        await screen.press("2")
        text = await screen.sees("A intra", "2.5e+09 ┫", "┛")
        below = text[text.rindex("┛") :].splitlines()[1]
        labels = [float(label) for label in below.split()]
        assert labels == sorted(labels)
        assert labels[-1] == 1.0


async def test_the_palette_chooses_the_axis_and_the_wheel_zooms(recorded: Recorded) -> None:
    run_id = recorded.start()
    recorded.tell(run_id, *(loss("intra", 1, n, intra=30 / n) for n in range(1, 31)))
    recorded.tell(run_id, evaluation("intra", 1, 30, 0.5))
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("all terms")
        for axis in ("step", "time"):
            await screen.press("colon")
            await screen.paste(f"axis: {axis}")
            await screen.sees(f"Chart x axis: {axis}")
            await screen.press("enter")
            await screen.sees(f"by {axis}")
        chart = screen.app.screen.query_one(Chart)
        for kind, shown in ((MouseScrollUp, "zoom 2x"), (MouseScrollUp, "zoom 4x")):
            chart.post_message(kind(chart, 9, 3, 0, 0, 0, False, False, False))
            await screen.sees(shown)
        chart.post_message(MouseScrollDown(chart, 9, 3, 0, 0, 0, False, False, False))
        await screen.sees("zoom 2x")


def test_losses_that_arrive_while_a_run_is_read_take_none_away(recorded: Recorded) -> None:
    run_id, read = recorded.start(), Store.losses
    recorded.tell(run_id, loss("intra", 1, 1, intra=1.0))

    def arrive(store: Store, number: int, *, after_step: int = 0) -> list[LossRow]:
        recorded.tell(run_id, loss("intra", 1, after_step + 2, intra=1.0))
        return read(store, number, after_step=after_step)

    followed = Followed(recorded.store, run_id)
    with patch.object(Store, "losses", arrive), patch.object(pace, "DRAW_PERIOD_S", 1e-6):
        first, second = followed.read(1), followed.read(2)
    assert first is not None
    assert second is not None
    before, after = first.series["intra"].steps, second.series["intra"].steps
    assert (before.tolist(), after.tolist()) == ([1], [1, 2])  # each look sees one moment


def test_losses_read_between_two_drawings_are_given_with_the_next(recorded: Recorded) -> None:
    run_id = recorded.start()
    recorded.tell(run_id, loss("intra", 1, 1, intra=1.0))
    followed = Followed(recorded.store, run_id)
    with patch.object(pace, "DRAW_PERIOD_S", 1e9):
        assert followed.read(1) is not None
        recorded.tell(run_id, loss("intra", 1, 2, intra=1.0))
        assert followed.read(2) is None
    with patch.object(pace, "DRAW_PERIOD_S", 1e-6):
        found = followed.read(2)
        assert found is not None
        assert found.series["intra"].steps.tolist() == [1, 2]
        assert followed.read(2) is None


async def test_a_picture_is_drawn_again_when_it_differs_by_a_row(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    plot = Chart._plot

    def counted(chart: Chart, pieces: Sequence[Piece]) -> None:
        drawn.append(len(pieces))
        plot(chart, pieces)

    monkeypatch.setattr(Chart, "_plot", counted)
    recorded.tell(recorded.start(), loss("intra", 1, 1, intra=1.0))
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("all terms", "┻")
        await screen.rests()
        chart, series = screen.app.screen.query_one(Chart), Series()
        series.take([row(n + 1, 1 + n // 200, 2.0 + n % 2) for n in range(990)], is_anew=True)
        for step, (value, expected) in enumerate([(2.0, 1), (2.5, 0), (9.0, 1), (2.5, 0)], 991):
            series.take([row(step, 5, value)], is_anew=False)
            before = len(drawn)
            chart.draw(series.copy()["inter"], {"inter": "A"}, Look())
            assert len(drawn) - before == expected, step


async def test_a_stage_without_a_finite_loss_changes_its_axis(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = recorded.start()
    recorded.tell(run_id, *(loss("intra", 1, n, intra=math.nan) for n in range(1, 9)))
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("warning: 8 not finite", "0.6 ┫")
        await screen.press("L")
        await screen.sees("log axis", " 10 ┫")


@pytest.mark.parametrize(
    ("value", "smooth", "zoom", "count"), [(1.0, 0.9, 3, 370), (0.693, 0.97, 4, 1105)]
)
async def test_a_loss_that_settles_can_be_drawn(
    recorded: Recorded, value: float, smooth: float, zoom: int, count: int
) -> None:
    run_id = recorded.start()
    recorded.tell(run_id, *(loss("intra", 1, n, intra=9.0) for n in range(1, 4)))
    async with opened(recorded.home) as screen:
        await screen.press("2")
        await screen.sees("all terms", "⠉")
        chart, series = screen.app.screen.query_one(Chart), Series()
        rows = [row(n, 1, 9.0 if n < 4 else value) for n in range(1, count)]
        series.take(rows, is_anew=True)
        chart.draw(series.copy()["inter"], {"inter": "A"}, Look(smooth=smooth, zoom=zoom))
        chart.draw(series.copy()["inter"], {"inter": "A"}, Look(is_log=True))
