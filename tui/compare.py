"""Runs side by side: results with the distance to a base, settings that differ, curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content

from tui.commands import Command
from tui.compared import MEAN_AP
from tui.frame import PANES, Line, Opened
from tui.messages import ComparedRead, Interest, RunGone
from tui.series import LETTERS
from tui.texts import Lines

if TYPE_CHECKING:
    from textual.message import Message
    from textual.widget import Widget

    from ccafl.comparison import View
    from ccafl.listings import Listing
    from tui.compare_curves import Curves

CURVES_WIDTH, SETTINGS_WIDTH = 70, 50  # the least, side by side; curves give way below 120
EDGES = 3  # cells of padding and scroll bar beside the settings
LEAST_LOWER = 11  # lines that hold settings and, below them, curves worth a look
FILLING = {"": "-curves", "-curves": "-settings", "-settings": ""}  # what fills the body after what
BEST = r"\*\d+\.\d"


class CompareScreen(Opened):
    """Two to six runs; the first one is the base until another is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "which", "last/best", tooltip="last evaluation, or best on test"),
        Binding("m", "base", "base", tooltip="measure the distance from the next run"),
        Binding("equals_sign", "settings", "settings", tooltip="all or only differences"),
        Binding("h,left", "curve(-1)", "previous curve", show=False),
        Binding("l,right", "curve(1)", "curve", tooltip="next curve"),
        *(
            Binding(letter, f"only('{letter}')", "only this run, again all", show=False)
            for letter in LETTERS
        ),
        Binding("z", "fill('-curves')", "curves", tooltip="fill the body with the curves"),
        Binding("z", "fill('-settings')", "settings", tooltip="fill the body with the settings"),
        Binding("z", "fill('')", "results", tooltip="show results, settings and curves again"),
        Binding("w", "export", "export", tooltip="write what is listed, or copy it"),
        Binding("y", "copy", "copy", tooltip="copy the results", show=False),
    ]
    KEYLESS: ClassVar[Sequence[Command]] = (
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
        self._filled, self._is_cramped = "", False
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

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A base needs runs that compare; curves, settings and all fill the body in turn."""
        if action == "fill":
            return parameters == (FILLING[self._filled],)
        if action == "base" and self._message is not None:
            from ccafl.comparison import problem

            return not (self._view.by_seed or problem(self._message.runs, self._view.which))
        return super().check_action(action, parameters)

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
        """Show the runs; leave when one of them was deleted."""
        if isinstance(message, RunGone) and not message.run_id and self.is_current:
            self.app.say(message.reason, is_error=True)
            self.dismiss()
        if not isinstance(message, ComparedRead) or message.ids != self._run_ids:
            return
        if message != self._message:
            self._message = message
            self._draw()

    def on_chart_ready(self) -> None:
        """What was drawn before had another size."""
        self._draw_curves()

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

    def action_fill(self, what: str) -> None:
        """Let the curves or the settings fill the body, or show all again."""
        self._filled = what
        for name in filter(None, FILLING):
            self.set_class(name == what, name)
        self.query_one(Lines).focus()
        self._draw()

    def action_leave(self) -> None:
        """Show all again, else go back."""
        if self._filled:
            self.action_fill("")
        else:
            super().action_leave()

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
        from ccafl.comparison import results_text

        width, height = self.app.size
        text = results_text(self._message.runs, self._shown_view(), width - 2).rstrip()
        shown = Content(text).highlight_regex(BEST, style="bold")
        self.query_one("#compare-results", Line).show(shown)
        lower = height - self._strip.size.height - text.count("\n") - 4
        self._is_cramped = lower < LEAST_LOWER and not self._filled
        self.set_class(self._is_cramped, "-cramped")
        self._draw_settings(width)
        self.refresh_bindings()
        self.call_after_refresh(self._draw_curves)

    def _draw_settings(self, width: int) -> None:
        """Settings and references; beside them the curves have what they leave."""
        assert self._message is not None
        from ccafl.comparison import references_text, settings_text

        runs, view = self._message.runs, self._shown_view()
        is_beside = self.app.is_large and not self._filled
        room = max(SETTINGS_WIDTH, width - CURVES_WIDTH) if is_beside else width
        settings = settings_text(runs, view, room - EDGES)
        if is_beside:
            room = max(SETTINGS_WIDTH, EDGES + max(map(cell_len, settings.splitlines())))
        self.query_one("#curve-side").styles.width = width - room if is_beside else "1fr"
        parts = (settings, references_text(runs, view, room - EDGES))
        self.query_one("#compared-text", Line).show("\n".join(filter(None, parts)).rstrip())

    def _names(self) -> list[str]:
        """Measures that any of the runs has."""
        if self._message is None:
            return []
        return list(dict.fromkeys(name for curves in self._message.curves for name in curves))

    def _draw_curves(self) -> None:
        names = self._names()
        is_hidden = self._is_cramped or self._filled == "-settings"
        if self._message is None or not names or is_hidden:
            return
        self._curve = self._curve if self._curve in names else names[0]
        line = self.query_one("#curve-names", Line)
        line.show(_names_line(names, self._curve, line.size.width))
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
        if not found:
            self.query_one("#curve-side").mount(Curves())
        return next((curves for curves in found if curves.is_ready), None)


def _names_line(names: Sequence[str], chosen: str, width: int) -> str:
    """The measures that fit, the chosen one among them; beside them what the axis is."""
    shown = [f"[{name}]" if name == chosen else f" {name} " for name in names]
    while len(shown) > 1 and len("".join(shown).rstrip()) > width:
        shown.pop(-1 if shown[0].startswith("[") else 0)
    line, axis = "".join(shown), "   by epoch of intra and inter"
    return line + axis if len(line + axis) <= width else line
