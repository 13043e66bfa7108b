"""The app: it starts the threads, gives what they read to the screens, and asks for actions."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import App
from textual.binding import Binding, BindingType

from ccafl.sentences import describe
from tui.acting import ACTIVE
from tui.actor import Act, Actor
from tui.compare import CompareScreen
from tui.frame import SMALLEST, TALL, WIDE, Framed, Line, TooSmall
from tui.gpus import COMMAND, SILENT_S, GpuWatch
from tui.help import HelpScreen
from tui.main_screen import MainScreen
from tui.messages import (
    ComparedRead,
    GpusRead,
    HistoryRead,
    QueueRead,
    RunGone,
    RunRead,
    Said,
    Trouble,
)
from tui.reader import Reader
from tui.run_screen import RunScreen
from tui.signs import Signs

if TYPE_CHECKING:
    from textual.message import Message

    from ccafl.paths import Home
    from ccafl.store import RunRow

SERVE_S = 10.0
IDLE_S = 600.0
LEAVE_S = 1.0


class CcaflApp(App[None]):
    """Watch, compare and steer runs; a client that owns none of them."""

    CSS_PATH = "app.tcss"
    TITLE = "ccafl"
    ENABLE_COMMAND_PALETTE = False
    # class attributes whose types Textual gives
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (TALL, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "pane('queue')", "Queue", show=False),
        Binding("2", "pane('live')", "Live", show=False),
        Binding("3", "pane('history')", "History", show=False),
        Binding(
            "P", "pause", "pause queue", tooltip="pause the queue, or let it go on", show=False
        ),
        Binding("ctrl+l", "redraw", "draw the screen again", show=False),
        Binding("q", "quit", "quit", tooltip="quit; training goes on"),
        Binding("question_mark", "keys", "keys", tooltip="show the keys"),
    ]

    def __init__(
        self,
        home: Home,
        *,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
        gpu_command: Sequence[str] = COMMAND,
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self.home, self.read_only, self.clock = home, read_only, clock
        self.farewell = ""
        self._signs = Signs(read_only=read_only)
        self._served_at = self._key_at = 0.0
        self._reader = Reader(home, self.post_message)
        self._actor = Actor(home, self.post_message)
        self._gpus = GpuWatch(self.post_message, gpu_command)

    def get_default_screen(self) -> Framed:
        """The screen with the panes."""
        return MainScreen()

    def on_mount(self) -> None:
        """Watch for signals and time; the threads start when the panes are there."""
        for number in (signal.SIGHUP, signal.SIGTERM):
            if threading.current_thread() is threading.main_thread():
                asyncio.get_running_loop().add_signal_handler(number, self._leave, number)
        self._key_at = time.monotonic()
        self.set_interval(1.0, self._tick)

    def on_unmount(self) -> None:
        """End the threads; an action at work is finished."""
        for thread in (self._reader, self._actor, self._gpus):
            thread.stop()
        for thread in (self._reader, self._gpus):
            if thread.is_alive():
                thread.join(LEAVE_S)

    # --- what screens ask for

    def start(self) -> None:
        """Begin to read, as soon as there are panes to show what was read."""
        self._reader.start()
        self._actor.start()
        self._gpus.start()
        self.look(anew=True)

    @property
    def frame(self) -> Framed | None:
        """The topmost screen that is not a dialog; None while the app ends."""
        screens = self.screen_stack if self.is_running else []
        return next((screen for screen in reversed(screens) if isinstance(screen, Framed)), None)

    def look(self, *, anew: bool = False) -> None:
        """Let the reader look at what the screen shows now; `anew`: at all of it again."""
        if self.frame is not None:
            self._reader.look(self.frame.interest(), anew=anew)

    def act(self, runs: Sequence[RunRow], what: Act, *, serve: bool = False) -> None:
        """Do something to runs; what it says is shown when it is done."""
        self._actor.do(what, [run.id for run in runs], serve=serve)

    def say(self, sentence: str, *, is_error: bool = False) -> None:
        """Show a sentence above the key line for some seconds."""
        self._signs.say(sentence, is_error=is_error)
        self.draw_frame(self.frame)

    def open_run(self, run_id: int, origin: str, run_ids: Sequence[int]) -> None:
        """Show a run above the pane."""
        self._open(RunScreen(run_id, origin, run_ids))

    def compare(self, run_ids: Sequence[int]) -> None:
        """Show runs side by side."""
        self._open(CompareScreen(run_ids))

    def draw_frame(self, screen: Framed | None) -> None:
        """Bring title, strip and sentences of a screen up to date."""
        if screen is None or not screen.is_mounted or not screen.query("#title"):
            return
        signs, (width, height) = self._signs, self.size
        main = self.screen_stack[0]
        pane = main.pane if isinstance(main, MainScreen) and main.is_mounted else "queue"
        heading = signs.heading(pane, screen.path, self.clock())
        screen.query_one("#title", Line).show(heading.text(width))
        screen.query_one("#strip", Line).show(signs.strip_text(width, height))
        for name, text in (("problem", signs.problem()), ("said", signs.said())):
            screen.query_one(f"#{name}", Line).show(text)
            screen.query_one(f"#{name}").display = bool(text)

    # --- keys

    def action_pane(self, pane: str) -> None:
        """Show a pane; what was opened above it is left."""
        while len(self.screen_stack) > 1 and isinstance(self.screen, Framed):
            self.pop_screen()
        main = self.screen
        if isinstance(main, MainScreen):
            main.show_pane(pane)
            self.draw_frame(main)
            self.look()

    def action_pause(self) -> None:
        """Pause the queue, or let it go on."""
        if not self.read_only and self._signs.queue is not None:
            is_paused = self._signs.queue.paused
            self._actor.do(lambda store, _: store.unpause() if is_paused else store.pause(), [0])

    def action_keys(self) -> None:
        """Show the keys."""
        if not isinstance(self.screen, HelpScreen):
            self._open(HelpScreen())

    def action_redraw(self) -> None:
        """Draw the screen again, after another program wrote on it."""
        self.refresh(repaint=True, layout=True)

    def action_help_quit(self) -> None:
        """What ctrl+c does where there is nothing to copy."""
        self.say("q quits; training goes on")

    async def action_quit(self) -> None:
        """Leave, at once."""
        self.farewell = self._signs.farewell()
        self.exit()

    # --- events and messages

    def on_resize(self, event: events.Resize) -> None:
        """Below the smallest size show only a message."""
        is_small = event.size.width < SMALLEST[0] or event.size.height < SMALLEST[1]
        if is_small and not isinstance(self.screen, TooSmall):
            self.push_screen(TooSmall())
        elif not is_small and isinstance(self.screen, TooSmall):
            self.pop_screen()

    def on_key(self) -> None:
        """Somebody is here."""
        self._key_at = time.monotonic()
        self._set_pace()

    @on(events.AppFocus)
    @on(events.AppBlur)
    def _set_pace(self) -> None:
        idle = time.monotonic() - self._key_at > IDLE_S
        self._reader.is_slow = idle or not self.app_focus

    @on(QueueRead)
    def _take_queue(self, message: QueueRead) -> None:
        before, self._signs.queue = self._signs.queue, message
        if before is not None:
            self._report_ends(before.runs, message.runs)
        self._serve()
        self._give(message)
        self.draw_frame(self.frame)

    @on(HistoryRead)
    @on(ComparedRead)
    @on(RunRead)
    @on(RunGone)
    def _give(self, message: Message) -> None:
        for screen in self.screen_stack if self.is_running else ():
            if isinstance(screen, Framed) and screen.is_mounted:
                screen.take(message)

    @on(Trouble)
    def _take_trouble(self, message: Trouble) -> None:
        self._signs.take_trouble(message)
        self.draw_frame(self.frame)

    @on(Said)
    def _take_answer(self, message: Said) -> None:
        self.say(message.sentence, is_error=message.is_error)
        self.look()

    @on(GpusRead)
    def _take_gpus(self, message: GpusRead) -> None:
        self._signs.strip.take(message.answer)
        self.draw_frame(self.frame)

    # --- the rest

    def _open(self, screen: Framed) -> None:
        self.push_screen(screen, lambda _: self.look(anew=True))

    def _tick(self) -> None:
        self._set_pace()
        if self._gpus.is_alive() and time.monotonic() - self._gpus.heard > SILENT_S:
            self._signs.strip.take(None)
        self.draw_frame(self.frame)

    def _serve(self) -> None:
        """Start a supervisor as `ccafl queue` does, when work waits and nobody serves it."""
        now = time.monotonic()
        is_due = now - self._served_at > SERVE_S or not self._served_at
        if self._signs.needs_serving and is_due and not self.read_only:
            self._served_at = now
            self._actor.serve()

    def _report_ends(self, before: Sequence[RunRow], now: Sequence[RunRow]) -> None:
        """Say that runs have ended, and how, with a bell."""
        still = {run.id for run in now}
        for run in before:
            if run.state in ACTIVE and run.id not in still:
                self.act([run], lambda store, run_id: describe(store.run(run_id)))
                self.bell()

    def _leave(self, number: signal.Signals) -> None:
        """The terminal is gone, or somebody wants us gone: leave within a second."""
        if number == signal.SIGTERM:
            self.farewell = self._signs.farewell()
        leave = threading.Timer(LEAVE_S, os._exit, (128 + number,))
        leave.daemon = True
        leave.start()
        self.exit(return_code=128 + number)
