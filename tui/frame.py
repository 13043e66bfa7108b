"""What every screen has around its body: title line, GPU strip, a place for trouble, key line."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.style import Style
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from ccafl.sentences import printable
from tui.commands import Command
from tui.key_line import KeyLine
from tui.messages import Interest, mistake

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.events import DescendantFocus
    from textual.message import Message
    from textual.widget import Widget

    from tui.program import CcaflApp
    from tui.signs import Signs

PANES = {"queue": "Queue", "live": "Live", "history": "History"}
WIDE, TALL = 110, 30
SMALLEST = (60, 16)
HOST = printable(socket.gethostname().split(".")[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """What the title line says."""

    counts: Sequence[int] = ()
    pane: str = "queue"
    path: str = ""
    unseen: str = ""
    badges: Sequence[str] = ()
    clock: str = ""

    def content(self, width: int) -> Content:
        """One line; panes on the left, badges, host and clock on the right."""
        left = f" {self.path}" if self.path else Content.assemble(" ccafl  ", *self._panes())
        for rest in (f"  {HOST}  {self.clock} ", f"  {self.clock} ", ""):
            line = Content.assemble(left, "  ", self._badges(), rest)
            if line.cell_length <= width:
                gap = width - line.cell_length
                return Content.assemble(left, " " * (gap + 2), self._badges(), rest)
        return line

    def _panes(self) -> Iterator[Content]:
        counts = [f" {count}" for count in self.counts] or [""] * len(PANES)  # not known yet
        for number, (pane, name) in enumerate(PANES.items(), start=1):
            text = f"{number} {name}{counts[number - 1]}"
            shown = f"[{text}]" if pane == self.pane else f" {text} "
            yield button(shown, f"app.pane('{pane}')")

    def _badges(self) -> Content:
        unseen = [button(self.unseen, "screen.unseen")] if self.unseen else []
        return Content(", ").join([*unseen, *map(Content, self.badges)])


def button(text: str, action: str) -> Content:
    """Text that does something when it is clicked."""
    return Content.styled(text, Style.from_meta({"@click": action}))


class Line(Static):
    """Text from outside, drawn only when it has changed, never read as markup."""

    def __init__(self, id: str, text: str = "") -> None:
        super().__init__(text, id=id, markup=False)
        self.auto_links = False
        self._shown: str | Content = text

    @property
    def text(self) -> str:
        """What is shown."""
        return str(self._shown)

    def show(self, shown: str | Content) -> None:
        """Show another text."""
        if shown != self._shown:
            self._shown = shown
            self.update(shown, layout=not self._has_room(shown))

    def _has_room(self, shown: str | Content) -> bool:
        """Whether a text needs as much room as there is; else all of the screen is drawn anew."""
        if self.styles.is_auto_width:
            return False
        if not self.size.width or not self.styles.is_auto_height:  # a hidden line needs none
            return True
        content = Content(shown) if isinstance(shown, str) else shown
        return content.get_height(self.styles.get_rules(), self.size.width) == self.size.height


class Framed(Screen[None]):
    """A screen with the common frame; `path` is empty for the panes."""

    app: CcaflApp
    path = ""
    is_typed_into = False  # digits are for its fields, also beside them, and choose no pane
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "gpus", "GPU use", show=False),
        Binding("exclamation_mark", "unseen", "newest problem", show=False),
        Binding("colon,ctrl+p", "palette", "do", tooltip="find what can be done here by name"),
    ]
    KEYLESS: ClassVar[Sequence[Command]] = (
        Command("Open run", "palette", "type its number"),
        Command("Failed runs", "failed_runs", "the history of runs that failed"),
        Command("About", "about", "version and folders"),
    )

    def __init__(self) -> None:
        super().__init__()
        # kept, because looking for them once a second would be most of what an idle app does
        self._title, self._strip = Line("title"), Line("strip")
        self._problem, self._said = Line("problem"), Line("said")
        self._drawn: tuple[Heading, int] | None = None

    def compose(self) -> ComposeResult:
        """Lay out the frame around the body."""
        yield self._title
        yield self._strip
        yield self._problem
        yield from self.body()
        yield self._said
        yield KeyLine()

    def body(self) -> Iterator[Widget]:
        """What stands between strip and key line; nothing, unless a screen says."""
        return iter(())

    def interest(self) -> Interest:
        """What of the database this screen shows."""
        return Interest()

    def take(self, message: Message) -> None:
        """Show what a thread has read."""

    def on_mount(self) -> None:
        """Fill the frame at once; the rest comes with the first answers."""
        self.app.draw_frame(self)
        self.call_after_refresh(self.app.look, anew=True)  # what was read before is lost

    def on_resize(self) -> None:
        """Fit the frame to the terminal."""
        self.app.draw_frame(self)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """The terminal's cursor stands where the keys go, for those who hear the screen."""
        if event.widget.region:
            self._place_cursor(event.widget)
        else:  # just mounted, and not laid out yet
            self.call_after_refresh(self._place_cursor, event.widget)

    @on(Worker.StateChanged)
    def _admit(self, event: Worker.StateChanged) -> None:
        """Say what broke a thread of this screen; nothing else would."""
        if event.state == WorkerState.ERROR and event.worker.error is not None:
            self.app.say(printable(mistake(event.worker.error)), is_error=True)

    def _place_cursor(self, part: Widget) -> None:
        place = getattr(part, "cursor_screen_offset", part.region.offset)
        self.app.cursor_position = place

    def draw(self, signs: Signs, pane: str) -> None:
        """Bring title, strip and sentences up to date."""
        width, height = self.app.size
        heading = signs.heading(pane, self.path, self.app.clock())
        if (heading, width) != self._drawn:
            self._drawn = heading, width
            self._title.show(heading.content(width))
        strip = button(signs.strip_text(width, height), "screen.gpus")
        self._strip.show(strip)
        for line, text in ((self._problem, signs.problem()), (self._said, signs.said())):
            line.show(text)
            line.display = bool(text)
        if signs.is_closed != self.has_class("-closed"):
            self.set_class(signs.is_closed, "-closed")
            self.refresh_bindings()

    def action_palette(self) -> None:
        """Find what can be done here."""
        from tui.palette import open_palette

        open_palette(self.app)

    def action_open_number(self, number: int) -> None:
        """Show the run of a number that was typed in the palette."""
        self.app.open_run(number, "palette", [number])

    def action_failed_runs(self) -> None:
        """Show ended runs that failed."""
        from tui.history_pane import HistoryPane

        self.app.action_pane("history")
        self.app.screen.query_one(HistoryPane).filter_by("state:failed")

    def action_about(self) -> None:
        """Say which program this is and where its files are."""
        from tui.about import About

        self.app.push_screen(About())

    def action_gpus(self) -> None:
        """Show every GPU with its processes."""
        from tui.gpu_screen import GpuScreen

        if not isinstance(self, GpuScreen):
            self.app.open_above(GpuScreen())

    def action_unseen(self) -> None:
        """Show the newest run that ended badly while nobody looked."""
        unseen = self.app.signs.problems.unseen()
        if unseen:
            self.app.open_run(unseen[0].run_id, "!", [problem.run_id for problem in unseen])
        else:
            self.app.say("No run failed or was lost since you looked.")


class Opened(Framed):
    """A screen that was opened above another one and is left with `esc`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back")]

    def action_leave(self) -> None:
        """Go back to where one came from."""
        self.dismiss()


class TooSmall(Screen[None]):
    """Shown instead of everything while the terminal is too small."""

    def compose(self) -> ComposeResult:
        """One message."""
        yield Line("too-small")

    def on_mount(self) -> None:
        """Say the size."""
        self.on_resize()

    def on_resize(self) -> None:
        """Say the size again."""
        width, height = self.app.size
        self.query_one("#too-small", Line).show(
            f"{width}x{height} is too small; {SMALLEST[0]}x{SMALLEST[1]} works, 80x24 is "
            "comfortable. Training is not affected."
        )
