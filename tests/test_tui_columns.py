"""Names in lists, cut so that they can be told apart."""

import pytest
from recorded import Recorded, evaluation, recorded
from rich.cells import cell_len
from tui_screen import LARGE, SMALL, opened, serving

from ccafl.tables import shorten_name

__all__ = ["recorded", "serving"]


async def test_runs_of_a_sweep_are_told_apart_in_a_narrow_list(recorded: Recorded) -> None:
    for seed in (1, 2, 3):
        recorded.finished(
            evaluation("inter", 6, 234, 0.5), name=f"market-rn50-lam0.1-margin0.3-seed{seed}"
        )
    async with opened(recorded.home) as screen:
        await screen.press("3")
        text = await screen.sees("3 of 3")
        names = [line.split()[2] for line in text.splitlines() if "market" in line]
        assert [name[-6:] for name in names] == ["-seed3", "-seed2", "-seed1"]
        assert all("…" in name for name in names)


async def test_data_sets_have_the_short_names_of_the_field_where_there_is_no_room(
    recorded: Recorded,
) -> None:
    names = ("Market-1501", "DukeMTMC-reID", "CUHK03-NP-detected", "CUHK03-NP-labeled")
    for name in (*names, "warehouse-of-may"):
        recorded.finished(evaluation("inter", 6, 234, 0.9), name="one", dataset=name)
    async with opened(recorded.home, size=LARGE) as screen:
        await screen.press("3")
        text = await screen.sees("5 of 5", "│ warehouse-of-may")
        rows = [line.split() for line in text.splitlines() if " one " in line]
        short = ["wa…f-may", "CUHK03-L", "CUHK03-D", "Duke", "Market"]
        assert [row[3] for row in rows] == short
        assert {row[6] for row in rows} == {"100"}  # 100.0, which needs a cell more
        await screen.pilot.resize_terminal(*SMALL)
        await screen.sees("Market-1501", "CUHK03-D", "Rank-1", "100.0")


@pytest.mark.parametrize(
    ("name", "room", "shown"),
    [
        ("seed1", 5, "seed1"),
        ("market-rn50-lam0.1-seed1", 16, "marke…m0.1-seed1"),
        ("行人重识别实验一", 16, "行人重识别实验一"),
        ("行人重识别实验一", 12, "行…别实验一"),
    ],
)
def test_a_name_keeps_its_end_in_cells_of_the_terminal(name: str, room: int, shown: str) -> None:
    assert shorten_name(name, room) == shown
    assert cell_len(shown) <= room
