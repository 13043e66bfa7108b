"""The log of a run: a window of its lines that follows the end, moves, and finds words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from ccafl.sentences import printable
from tui.following import KEPT
from tui.messages import HeadChanged
from tui.pace import Pace
from tui.text_log import TextLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from textual.app import ComposeResult

    from tui.messages import RunRead
    from tui.program import CcaflApp

WRITE_PERIOD_S = 0.5


@dataclass(kw_only=True, slots=True)
class Search:
    """Words, the numbers of the lines that hold them, and which of these is shown."""

    words: str = ""
    matches: Sequence[int] = ()
    at: int = 0


class LogView(Vertical):
    """Keeps the newest lines; older ones are read from the file when one scrolls up to them."""

    app: CcaflApp

    @dataclass
    class Loaded(Message):
        """Lines of the file from the number `first` on; line `top` is to be the first in view."""

        path: Path
        first: int
        lines: Sequence[str]
        top: int

    @dataclass
    class Searched(Message):
        """A search of the whole file is over."""

        path: Path
        found: Search

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "follow", tooltip="follow the end of the log"),
        Binding("slash", "find", "find", tooltip="find words in the whole log"),
        Binding("n", "match(1)", "next match", show=False),
        Binding("N", "match(-1)", "previous match", show=False),
        Binding("escape", "unfind", "leave the search", show=False),
    ]

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._path: Path | None = None
        self._first, self._count = 0, 0  # number of the first line here; lines of the file
        self._waiting: list[str] = []
        self._pace = Pace(self, WRITE_PERIOD_S, self._write)
        self._is_following = True
        self._search = Search()

    def compose(self) -> ComposeResult:
        """Lines, and a field for words to find."""
        field = Input(id="log-find", placeholder="words to find", compact=True)
        field.display = False
        yield TextLog("log-lines")
        yield field

    @property
    def log_lines(self) -> TextLog:
        """The widget with the lines."""
        return self.query_one(TextLog)

    @property
    def head(self) -> str:
        """Whether the end is followed, how long the log is, and what was found."""
        search, length = self._search, f"{self._count:,} line{'s' * (self._count != 1)}"
        if search.words and not search.matches:
            return f"{length}   no match of {printable(search.words)}"
        if search.matches:
            return f"{search.at + 1:,} of {len(search.matches):,}   {length}"
        follows = "following" if self._is_following else "not following"
        return f"{follows}   {length}   / find"

    def show(self, message: RunRead) -> None:
        """Take new lines; they are written together, at most twice a second."""
        path = self.app.home.run(message.snapshot.run.id).console
        is_other = path != self._path or message.line_count < self._count
        if is_other:
            self._begin(path, message)
        else:
            known = max(len(message.lines) - (message.line_count - self._count), 0)
            if self._has_end and (self._is_following or len(self.log_lines.lines) < KEPT):
                self._waiting += map(printable, message.lines[known:])
            self._count = message.line_count
        if len(self._waiting) >= KEPT:  # all that is here is older than what is kept
            self.log_lines.clear()
            self._waiting = self._waiting[-KEPT:]
            self._first = self._count - KEPT
        if self._waiting:
            self._pace.ask(now=is_other)

    def text(self) -> str:
        """What `y` copies: what is in view."""
        return "\n".join(self.log_lines.in_view())

    def on_show(self) -> None:
        """What came while it was hidden was not written."""
        self._pace.ask(now=True)

    def on_resize(self) -> None:
        """The end is elsewhere now."""
        if self._is_following:
            self.call_after_refresh(self.log_lines.to_end)

    def action_follow(self) -> None:
        """Go to the end of the log and stay there."""
        self._show_search(Search())
        self._is_following = True
        if self._has_end:
            self.log_lines.to_end()
            self.post_message(HeadChanged())
        else:
            self._load(max(0, self._count - KEPT), self._count)

    def action_find(self) -> None:
        """Type words to find."""
        field = self.query_one(Input)
        field.display = True
        field.focus()

    def action_match(self, by: int) -> None:
        """Go to the next or previous match, round the ends."""
        search = self._search
        search.at = (search.at + by) % len(search.matches)
        self._go_to(search.matches[search.at])

    def action_unfind(self) -> None:
        """Forget what was looked for."""
        self._show_search(Search())
        self.query_one(Input).value = ""
        self._close_field()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Matches need a search."""
        del parameters
        if action == "match":
            return bool(self._search.matches)
        if action == "unfind":
            return bool(self._search.words) or self.query_one(Input).display
        return True

    @property
    def _has_end(self) -> bool:
        return self._first + len(self.log_lines.lines) >= self._count - len(self._waiting)

    def _begin(self, path: Path, message: RunRead) -> None:
        """Another run, or a log that was cut; its end is shown at once."""
        self._path = path
        self._waiting = [printable(line) for line in message.lines]
        self._count = message.line_count
        self._first = self._count - len(self._waiting)
        self._is_following = True
        self._show_search(Search())
        self.log_lines.clear()

    def _write(self) -> None:
        if not (self.is_mounted and self.is_on_screen):
            return
        lines = self.log_lines
        self.post_message(HeadChanged())
        if self._waiting:
            excess = max(0, len(lines.lines) + len(self._waiting) - KEPT)
            top = lines.top - excess
            lines.write_lines(self._waiting)
            self._first, self._waiting = self._first + excess, []
            if excess and not self._is_following:
                lines.to_line(top)
        if self._is_following:
            lines.to_end()

    @on(TextLog.Moved)
    def _move(self) -> None:
        """Whoever scrolls up stops following; who comes to an end of the window gets more."""
        lines = self.log_lines
        if not lines.size.height:
            return
        is_last = lines.is_vertical_scroll_end
        # a match at the end of the log is to stay where it is
        follows = is_last and self._has_end and not self._search.matches
        if self._is_following != follows:
            self._is_following = follows
            self.post_message(HeadChanged())
        if lines.top == 0 and self._first > 0 and not self._is_following:
            self._load(max(0, self._first - KEPT // 2), self._first)
        elif is_last and not self._has_end:
            self._load(self._first + KEPT // 2, self._first + lines.top)

    @on(TextLog.EndWanted)
    def _go_to_end(self, event: TextLog.EndWanted) -> None:
        if event.is_last:
            self.action_follow()
        else:
            self._go_to(0)

    def _go_to(self, number: int) -> None:
        """Bring a line into view, reading it from the file if it is not here."""
        self._is_following = False
        self.post_message(HeadChanged())
        if self._first <= number < self._first + len(self.log_lines.lines):
            self.log_lines.to_line(number - self._first)
        else:
            self._load(max(0, number - KEPT // 2), number)

    def _load(self, first: int, top: int) -> None:
        """Read a window of the file; line `top` comes first in view."""
        if self._path is not None:
            self._begin_work("log", partial(self._read_window, self._path, first, top))

    def _begin_work(self, group: str, work: Callable[[], None]) -> None:
        """Work in a thread, on the screen, which says it when that fails."""
        self.screen.run_worker(work, group=group, thread=True, exclusive=True, exit_on_error=False)

    def _read_window(self, path: Path, first: int, top: int) -> None:
        from ccafl.follow import read_lines

        found = [printable(line) for line in read_lines(path, first, KEPT)]
        self.post_message(self.Loaded(path, first, found, top))

    @on(Loaded)
    def _take_window(self, event: Loaded) -> None:
        """Show the window, without lines that were not told of yet: the last may be unfinished."""
        told = event.lines[: max(self._count - event.first, 0)]
        if event.path == self._path and told:
            self._first, self._waiting = event.first, []
            self.log_lines.show(told, event.top - event.first)

    @on(Input.Submitted)
    def _find(self, event: Input.Submitted) -> None:
        self._close_field()
        if event.value and self._path is not None:
            self._begin_work("find", partial(self._find_all, self._path, event.value))
        else:
            self.action_unfind()

    def _close_field(self) -> None:
        self.query_one(Input).display = False
        self.log_lines.focus()

    def _find_all(self, path: Path, words: str) -> None:
        """Search the whole file."""
        from ccafl.follow import find_lines

        self.post_message(self.Searched(path, Search(words=words, matches=find_lines(path, words))))

    @on(Searched)
    def _take_search(self, event: Searched) -> None:
        """Show what was found, from the first match below the top of the screen on."""
        found = event.found
        if event.path != self._path:
            return
        here = self._first + self.log_lines.top
        below = (index for index, number in enumerate(found.matches) if number >= here)
        found.at = next(below, 0)
        self._show_search(found)
        if found.matches:
            self._go_to(found.matches[found.at])

    def _show_search(self, search: Search) -> None:
        self._search = search
        self.log_lines.mark(search.words)
        self.post_message(HeadChanged())
        self.refresh_bindings()
