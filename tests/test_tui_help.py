"""The page of keys holds every text in full."""

from pathlib import Path

import pytest
from tui_screen import LARGE, SMALL, opened, serving

from tui.frame import Line
from tui.keys import key_rows

__all__ = ["serving"]


@pytest.mark.parametrize("size", [(60, 16), SMALL, LARGE])
async def test_texts_that_are_too_long_for_a_line_go_on_below(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with opened(tmp_path / "none", size=size) as screen:
        await screen.press("question_mark")
        await screen.sees(" here")
        text = screen.app.screen.query_one("#help-text", Line).text
        assert max(map(len, text.splitlines())) <= size[0] - 3
        words = {word for row in key_rows() for word in row.does.split()}
        assert words <= set(text.split())
        await screen.press("slash", *"distance")
        shown = await screen.misses("quit; training")
        assert "measure the distance from the next run" in " ".join(shown.split())
