"""The app: it starts the threads, gives what they read to the screens, and asks for actions."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import App
from textual.binding import Binding, BindingType

from ccafl.sentences import describe
from tui.acting import ACTIVE, WRITING, or_too_late
from tui.actor import Actor
from tui.commands import Command
from tui.frame import SMALLEST, TALL, WIDE, Framed, TooSmall
from tui.glyphs import Ascii, is_utf8
from tui.gpus import COMMAND, SILENT_S, GpuWatch
from tui.keys import key_row, offered
from tui.leaving import LEAVE_S, watch_signals
from tui.main_screen import MainScreen
from tui.messages import GpusRead, Looked, QueueRead, Said, Trouble
from tui.pace import is_due
from tui.problems import Problems
from tui.reader import SLOW_PERIOD_S, Reader
from tui.remembered import Notebook
from tui.signs import Signs
from tui.themes import Colourless, set_colours

if TYPE_CHECKING:
    from textual.filter import LineFilter
    from textual.message import Message
    from textual.theme import Theme

    from ccafl.paths import Home
    from ccafl.store import RunRow
    from tui.acting import Attempt
    from tui.draft import Draft
    from tui.exporting import Make

SERVE_S = 10.0
IDLE_S = 600.0
TICK_S = 0.02  # after whole seconds, when what is read at them is drawn
TICK_PERIOD_S = 1.0
LOADED_S = 5.0  # after which all libraries are there


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
        Binding("a", "add", "add a run", show=False),
        Binding("v", "datasets", "verify a data folder", show=False),
        Binding("ctrl+l", "redraw", "draw the screen again", show=False),
        Binding("q", "quit", "quit", tooltip="quit; training goes on"),
        Binding("question_mark", "keys", "keys", tooltip="show the keys"),
    ]
    KEYLESS: ClassVar[Sequence[Command]] = (
        Command("Theme", "change_theme", "choose the colours"),
        Command("ASCII on, off", "ascii", "for terminals that draw glyphs badly"),
    )

    def __init__(
        self,
        home: Home,
        *,
        read_only: bool = False,
        ascii_only: bool = False,
        clock: Callable[[], float] = time.time,
        gpu_command: Sequence[str] = COMMAND,
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self.home, self.read_only, self.clock = home, read_only, clock
        self.farewell = ""
        self._notebook = Notebook(home.viewer, is_kept=not read_only)
        self.remembered = self._notebook.first
        self._ascii = Ascii(enabled=ascii_only or self.remembered.ascii or not is_utf8())
        set_colours(self, self.remembered.theme)
        problems = Problems(self.remembered.since or clock(), self.remembered.seen)
        self.signs = Signs(problems, read_only=read_only)
        self._main = MainScreen(self.remembered.pane)
        self._served_at, self._key_at, self._drawn_at = -SERVE_S, 0.0, 0.0
        self._reader = Reader(home, self._hear)
        self._actor = Actor(home, self._hear)
        self._gpus = GpuWatch(self._hear, gpu_command)

    def get_default_screen(self) -> Framed:
        """The screen with the panes."""
        return self._main

    def on_mount(self) -> None:
        """Watch for signals and time; the threads start when the panes are there."""
        watch_signals(self._leave)
        self._key_at = time.monotonic()
        self.theme_changed_signal.subscribe(self, self._remember_theme)
        rest_s = TICK_PERIOD_S - time.monotonic() % TICK_PERIOD_S
        self.set_timer(rest_s + TICK_S, self._begin_to_tick)
        self.set_timer(LOADED_S, _collect_from_now)

    def on_unmount(self) -> None:
        """End the threads; an action at work is finished."""
        self._notebook.write(self.remembered)
        for thread in (self._reader, self._actor, self._gpus):
            thread.stop()
        for thread in (self._reader, self._gpus):
            if thread.is_alive():
                thread.join(LEAVE_S)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every drawn line goes through."""
        own = [self._ascii] if self._ascii.enabled else []
        if self.no_color:  # Textual's filter keeps greys, and fails where a chart has no style
            return [*own, Colourless()]
        return [*super().get_line_filters(), *own]

    # --- what screens ask for

    def start(self) -> None:
        """Begin to read, as soon as there are panes to show what was read."""
        self._reader.start()
        self._actor.start()
        self._gpus.start()
        self.look(anew=True)
        if run := self._notebook.first.run:
            self.open_run(run, "last time", [run])

    @property
    def is_large(self) -> bool:
        """Whether there is room for panels side by side."""
        return self.size.width >= WIDE and self.size.height >= TALL

    @property
    def frame(self) -> Framed | None:
        """The topmost screen that is not a dialog; None while the app ends."""
        screens = self.screen_stack if self.is_running else []
        return next((screen for screen in reversed(screens) if isinstance(screen, Framed)), None)

    def look(self, *, anew: bool = False) -> None:
        """Let the reader look at what the screen shows now; `anew`: at all of it again."""
        if self.frame is not None:
            self._reader.look(self.frame.interest(), anew=anew)

    def act(self, runs: Sequence[RunRow], attempt: Attempt, *, serve: bool = False) -> None:
        """Do something to runs; what it says is shown when it is done."""
        for run in runs:
            self._actor.do(or_too_late(run, attempt))
        if serve:
            self._actor.serve()

    def say(self, sentence: str, *, is_error: bool = False) -> None:
        """Show a sentence above the key line for some seconds."""
        self.signs.say(sentence, is_error=is_error)
        self.draw_frame(self.frame)

    def open_run(self, run_id: int, origin: str, run_ids: Sequence[int]) -> None:
        """Show a run above the pane."""
        from tui.run_screen import RunScreen

        self.open_above(RunScreen(run_id, origin, run_ids))

    def open_form(self, draft: Draft, edited: int | None = None) -> None:
        """Show the form that queues runs, or changes the run that is named."""
        from tui.form import FormScreen

        if not isinstance(self.screen, FormScreen):
            self.open_above(FormScreen(draft, edited))

    def compare(self, run_ids: Sequence[int]) -> None:
        """Show runs side by side."""
        from tui.compare import CompareScreen

        self.open_above(CompareScreen(run_ids, self._main.pane))

    def copy(self, text: str, what: str) -> None:
        """Put text on the clipboard; `what` is for the sentence, such as `6 rows`."""
        from tui.copying import copy

        copy(self, text, what)

    def export(self, make: Make, name: str) -> None:
        """Ask for form and place, then write or copy a listing; `name` is for the file."""
        from tui.exporting import ask

        ask(self, make, name)

    def draw_frame(self, screen: Framed | None) -> None:
        """Bring title, strip and sentences of a screen up to date."""
        if screen is not None and screen.is_mounted:
            self._drawn_at = time.monotonic()
            if self.app_focus:
                self.signs.problems.look_at(screen.interest().run)
            screen.draw(self.signs, self._main.pane)

    # --- keys

    def action_pane(self, pane: str) -> None:
        """Show a pane; what was opened above it is left."""
        while len(self.screen_stack) > 1 and isinstance(self.screen, Framed):
            self.pop_screen()
        if self.screen is self._main:
            self._main.show_pane(pane)
            self.draw_frame(self._main)
            self.look(anew=True)

    def action_add(self) -> None:
        """Fill in a new run, from where one left it."""
        from tui.draft import restore

        self.open_form(restore(self.remembered.draft))

    def action_datasets(self) -> None:
        """Choose a data folder to check."""
        from tui.datasets_screen import DatasetsScreen

        if not isinstance(self.screen, DatasetsScreen):
            self.open_above(DatasetsScreen())

    def action_pause(self) -> None:
        """Pause the queue, or let it go on."""
        if self.signs.queue is not None:
            is_paused = self.signs.queue.is_paused
            self._actor.do(lambda store: store.unpause() if is_paused else store.pause())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Looking only takes away what changes the queue; digits never leave a form."""
        del parameters
        if isinstance(self.screen, TooSmall):  # what cannot be seen is not done
            return action in ("quit", "help_quit", "redraw")
        if action == "pane" and self.frame is not None and self.frame.is_typed_into:
            return False
        return not ((self.read_only or self.signs.is_closed) and action in WRITING)

    def action_keys(self) -> None:
        """Show the keys, those of this place first."""
        from tui.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.open_above(HelpScreen([key_row(key, "here") for _, key in offered(self.screen)]))

    def action_ascii(self) -> None:
        """Draw with ASCII signs only, or with all glyphs again."""
        self._ascii.enabled = not self._ascii.enabled
        self.remembered = replace(self.remembered, ascii=self._ascii.enabled)
        for screen in self.screen_stack:
            for part in screen.walk_children(with_self=True):
                part.refresh()

    def action_redraw(self) -> None:
        """Draw the screen again, after another program wrote on it."""
        self.refresh(repaint=True, layout=True)

    def action_help_quit(self) -> None:
        """What ctrl+c does where there is nothing to copy."""
        self.say("q quits; training goes on")

    async def action_quit(self) -> None:
        """Leave, at once."""
        self._take_note()
        self.farewell = self.signs.farewell()
        self.exit()

    # --- events and messages

    def on_resize(self, event: events.Resize) -> None:
        """Below the smallest size show only a message."""
        is_small = event.size.width < SMALLEST[0] or event.size.height < SMALLEST[1]
        if is_small and not isinstance(self.screen, TooSmall):
            self.push_screen(TooSmall())
        elif not is_small and isinstance(self.screen, TooSmall):
            self.pop_screen()

    async def on_event(self, event: events.Event) -> None:
        """Keys and the mouse say that somebody is here; fields keep the keys they take."""
        if isinstance(event, events.InputEvent):
            self._key_at = time.monotonic()
            self._set_pace()
        await super().on_event(event)

    @on(events.AppFocus)
    @on(events.AppBlur)
    def _set_pace(self) -> None:
        idle = time.monotonic() - self._key_at > IDLE_S
        was_slow, self._reader.is_slow = self._reader.is_slow, idle or not self.app_focus
        if was_slow and not self._reader.is_slow:  # back at once
            self.look()
            self.draw_frame(self.frame)

    @on(Looked)
    def _take_look(self, message: Looked) -> None:
        for found in message.found:
            if isinstance(found, QueueRead):
                self._take_queue(found)
            self._give(found)
        self.draw_frame(self.frame)

    def _take_queue(self, message: QueueRead) -> None:
        before = self.signs.queue
        self.signs.take_queue(message)
        if before is not None:
            self._report_ends(before.runs, message.runs)
        self._serve()

    def _give(self, message: Message) -> None:
        for screen in self.screen_stack if self.is_running else ():
            if isinstance(screen, Framed) and screen.is_mounted:
                screen.take(message)

    @on(Trouble)
    def _take_trouble(self, message: Trouble) -> None:
        self.signs.take_trouble(message)
        self._serve()
        self._give(message)
        self.draw_frame(self.frame)

    @on(Said)
    def _take_answer(self, message: Said) -> None:
        self.say(message.sentence, is_error=message.is_error)
        self.look()

    @on(GpusRead)
    def _take_gpus(self, message: GpusRead) -> None:
        strip = self.signs.strip
        before = bool(strip.gpus), strip.trouble
        self.signs.take_gpus(message, self.clock())
        self._give(message)
        if (bool(strip.gpus), strip.trouble) != before:  # else the next tick draws them
            self.draw_frame(self.frame)

    # --- the rest

    def open_above(self, screen: Framed) -> None:
        """Show a screen above this one; what is below is read anew when it is left."""
        is_small = isinstance(self.screen, TooSmall)
        if is_small:
            self.pop_screen()
        self.push_screen(screen, lambda _: self.look(anew=True))
        if is_small:
            self.push_screen(TooSmall())

    def _hear(self, message: Message) -> None:
        """Take what a thread tells; once the loop has ended nobody is there to be told."""
        with suppress(RuntimeError):
            self.post_message(message)

    def _begin_to_tick(self) -> None:
        self.set_interval(TICK_PERIOD_S, self._tick)

    def _tick(self) -> None:
        self._set_pace()
        if self._gpus.ident is not None and time.monotonic() - self._gpus.heard > SILENT_S:
            self._take_gpus(GpusRead(None))
        period_s = SLOW_PERIOD_S if self._reader.is_slow else TICK_PERIOD_S
        if is_due(self._drawn_at, time.monotonic(), period_s):
            self.draw_frame(self.frame)
        self._remember()

    def _remember_theme(self, theme: Theme) -> None:
        self.remembered = replace(self.remembered, theme=theme.name)

    def _take_note(self) -> None:
        """How the screen is now, for the next start."""
        screen = self.frame
        if screen is None or not self._reader.is_alive():
            return
        self.remembered = replace(
            self._main.as_left(self.remembered),
            run=(screen.path and screen.interest().run) or 0,
            since=self.signs.problems.since,
            seen=list(self.signs.problems.seen),
        )

    def _remember(self) -> None:
        """Write what changed, every few seconds, off the loop."""
        self._take_note()
        if self._notebook.is_due(self.remembered):
            write = partial(self._notebook.write, self.remembered)
            self.run_worker(write, group="remember", thread=True, exit_on_error=False)

    def _serve(self) -> None:
        """Start a supervisor as `ccafl queue` does, when work waits and nobody serves it."""
        now = time.monotonic()
        is_due = now - self._served_at > SERVE_S
        if self.signs.needs_serving and is_due and not self.read_only:
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
        self._take_note()
        if number == signal.SIGTERM:
            self.farewell = self.signs.farewell()
        self.exit(return_code=128 + number)


def _collect_from_now() -> None:
    """Search for garbage again, but not among the libraries, which is most of what there is."""
    gc.freeze()
    gc.enable()
