"""Runs side by side: results with the distance to a base, settings that differ, curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content

from tui.commands import Command
from tui.compared import MEAN_AP
from tui.frame import PANES, Line, Opened
from tui.messages import ComparedRead, Interest
from tui.texts import Lines

if TYPE_CHECKING:
    from textual.message import Message
    from textual.widget import Widget

    from ccafl.comparison import View
    from ccafl.listings import Listing
    from tui.compare_curves import Curves

LETTERS = "ABCDEF"
CURVES_WIDTH = 70  # where they stand beside the settings, as in the style sheet
BEST = r"\*\d+\.\d"
_MOUNT_S = 0.05  # until a chart that was just made can be drawn on


class CompareScreen(Opened):
    """Two to six runs; the first one is the base until another is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "which", "last/best", tooltip="last evaluation, or best on test"),
        Binding("m", "base", "next base", tooltip="measure the distance from the next run"),
        Binding("equals_sign", "settings", "all settings", tooltip="all or only differences"),
        Binding("h,left", "curve(-1)", "previous curve", show=False),
        Binding("l,right", "curve(1)", "curve", tooltip="next curve"),
        *(
            Binding(letter, f"only('{letter}')", f"only run {letter}, again all", show=False)
            for letter in LETTERS
        ),
        Binding("w", "export", "export", tooltip="write the results to a file or the clipboard"),
        Binding("y", "copy", "copy", tooltip="copy the results", show=False),
    ]
    COMMANDS: ClassVar[Sequence[Command]] = (  # type: ignore[assignment]  # as in Framed
        Command("Group by seed", "by_seed", "mean and deviation of runs that differ in the seed"),
        Command("Reference rows on, off", "references", "what was published on this data set"),
    )

    def __init__(self, run_ids: Sequence[int], pane: str) -> None:
        from ccafl.comparison import View

        super().__init__()
        self._run_ids = tuple(run_ids)
        self._view = View()
        self._has_references = True
        self._curve, self._only = MEAN_AP, ""
        self._message: ComparedRead | None = None
        number = list(PANES).index(pane) + 1
        self.path = f"{number} {PANES[pane]} > compare {len(run_ids)} runs"

    def body(self) -> Iterator[Widget]:
        """Results above; settings and curves below them or side by side."""
        yield Line("compare-results", " Reading the runs …")
        with Container(id="compare-lower"):
            with Lines(id="compared"):
                yield Line("compared-text")
            with Vertical(id="curve-side"):
                yield Line("curve-names")

    def on_mount(self) -> None:
        """Scrolling works at once."""
        self.query_one(Lines).focus()

    def on_resize(self) -> None:
        """Tables are made for the width."""
        self._draw()

    def interest(self) -> Interest:
        """The runs."""
        return Interest(compared=self._run_ids)

    def take(self, message: Message) -> None:
        """Show the runs."""
        if not isinstance(message, ComparedRead) or message.ids != self._run_ids:
            return
        if message != self._message:
            self._message = message
            self._draw()

    def action_which(self) -> None:
        """Show the last evaluation of each run, or the best one."""
        self._show(replace(self._view, which="best" if self._view.which == "last" else "last"))

    def action_base(self) -> None:
        """Measure from the next run."""
        self._show(replace(self._view, base=(self._view.base + 1) % len(self._run_ids)))

    def action_settings(self) -> None:
        """Show all settings, or only those that differ."""
        self._show(replace(self._view, all_settings=not self._view.all_settings))

    def action_by_seed(self) -> None:
        """Take runs together that differ in nothing but the seed, or show each again."""
        self._show(replace(self._view, by_seed=not self._view.by_seed))

    def action_references(self) -> None:
        """Show what was published, or leave it out."""
        self._has_references = not self._has_references
        self._draw()

    def action_curve(self, by: int) -> None:
        """Show the curves of another measure."""
        names = self._names()
        if self._curve in names:
            place = names.index(self._curve) + by
            self._curve = names[min(max(place, 0), len(names) - 1)]
            self._draw_curves()

    def action_only(self, letter: str) -> None:
        """Show the curve of one run alone, or all again."""
        self._only = "" if self._only == letter else letter
        self._draw_curves()

    def action_export(self) -> None:
        """Write the results."""
        listing = self._listing()
        if listing is not None:
            self.app.export(lambda _: listing, "comparison")

    def action_copy(self) -> None:
        """Copy the results."""
        from ccafl.tables import as_tabs

        listing = self._listing()
        if listing is not None:
            self.app.copy(as_tabs(listing.table), f"{len(listing.table.rows)} rows")

    def _show(self, view: View) -> None:
        self._view = view
        self._draw()

    def _shown_view(self) -> View:
        assert self._message is not None
        return replace(
            self._view, references=self._message.references if self._has_references else ()
        )

    def _listing(self) -> Listing | None:
        from ccafl.comparison import listing

        return listing(self._message.runs, self._shown_view()) if self._message else None

    def _draw(self) -> None:
        if self._message is None:
            return
        from ccafl.comparison import results_text, settings_text

        runs, view, width = self._message.runs, self._shown_view(), self.app.size.width - 2
        results = Content(results_text(runs, view, width).rstrip())
        shown = results.highlight_regex(BEST, style="bold")
        self.query_one("#compare-results", Line).show(shown)
        beside = CURVES_WIDTH + 2 if self.is_wide else 0
        settings = settings_text(runs, view, width - 1 - beside)
        self.query_one("#compared-text", Line).show(settings.rstrip())
        self._draw_curves()

    def _names(self) -> list[str]:
        """Measures that any of the runs has."""
        if self._message is None:
            return []
        return list(dict.fromkeys(name for curves in self._message.curves for name in curves))

    def _draw_curves(self) -> None:
        names = self._names()
        if self._message is None or not names:
            return
        self._curve = self._curve if self._curve in names else names[0]
        shown = [f"[{name}]" if name == self._curve else f" {name} " for name in names]
        self.query_one("#curve-names", Line).show("".join(shown) + "  by epoch of intra and inter")
        chart = self._chart()
        if chart is None:
            return
        curves = zip(LETTERS, self._message.curves, strict=False)
        found = {letter: curve[self._curve] for letter, curve in curves if self._curve in curve}
        self._only = self._only if self._only in found else ""
        chart.draw_runs(
            {letter: curve for letter, curve in found.items() if self._only in ("", letter)}
        )

    def _chart(self) -> Curves | None:
        """The chart, made with the first curve because its library takes long to load."""
        from tui.compare_curves import Curves

        found = self.query(Curves)
        if found and found.first().is_ready:
            return found.first()
        if not found:
            self.query_one("#curve-side").mount(Curves())
        self.set_timer(_MOUNT_S, self._draw_curves)
        return None
