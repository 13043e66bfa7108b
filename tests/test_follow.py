"""Following a run: plain lines, the live view, signals, the end."""

import io
import os
import signal
import time
from collections.abc import Callable
from typing import NoReturn

import pytest
from recorded import Recorded, epoch, evaluation, loss, recorded
from rich.console import Console

from ccafl import events
from ccafl.errors import BusyError, WorkerError
from ccafl.events import Event
from ccafl.follow import (
    LiveView,
    LogTail,
    PlainView,
    Signals,
    Snapshot,
    Watcher,
    closing_text,
    exit_code,
    follow,
)
from ccafl.follow.live import picture
from ccafl.store import Store

__all__ = ["recorded"]

Step = Callable[[], object]


class Script:
    """Does one thing each time the follower waits; the follower must end before the script."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)

    def __call__(self, seconds: float) -> None:
        self.steps.pop(0)()


def follow_plainly(recorded: Recorded, run_id: int, *steps: Step) -> list[str]:
    """What the plain view writes while the steps happen."""
    written: list[str] = []
    with Signals() as signals:
        follow(recorded.store, run_id, PlainView(written.append), signals, wait=Script(*steps))
    return written


def telling(recorded: Recorded, run_id: int, *told: Event) -> Step:
    return lambda: recorded.tell(run_id, *told)


def ending(recorded: Recorded, run_id: int, state: str = "finished") -> Step:
    return lambda: recorded.end(run_id, state)


def interrupting(number: signal.Signals = signal.SIGINT) -> Step:
    return lambda: os.kill(os.getpid(), number)


def drawn(snapshot: Snapshot, width: int, said: str = "", *, now: float = 1e9) -> list[str]:
    """The lines of the live view on a terminal of some width, without styles."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(picture(snapshot, said, now))
    return capture.get().splitlines()


def halfway(recorded: Recorded, **words: str) -> Snapshot:
    """A run in its second intra epoch."""
    run_id = recorded.start(**words)
    terms = {"gid": 0.6, "intra": 0.4, "memory_triplet": 0.1, "triplet": 0.09, "text": 1.1}
    recorded.tell(
        run_id,
        loss("prompt", 8, 144, i2t=3.0, t2i=2.0),
        epoch("prompt", 8, 144, seconds=0.5),
        evaluation("prompt", 8, 144, 0.215),
        *(loss("intra", 1, step, **terms) for step in range(145, 155)),
        epoch("intra", 1, 154, seconds=2.0),
        *(loss("intra", 2, step, **terms) for step in range(155, 160)),
    )
    return Watcher(recorded.store, run_id).read()


def test_plain_lines_tell_each_stage_epoch_and_evaluation_once(recorded: Recorded) -> None:
    run_id = recorded.start()
    first = (loss("prompt", 1, 1, i2t=2.0, t2i=1.0), loss("prompt", 1, 18, i2t=1.0, t2i=1.0))
    written = follow_plainly(
        recorded,
        run_id,
        telling(recorded, run_id, *first, epoch("prompt", 1, 18)),
        telling(recorded, run_id, epoch("intra", 3, 174)),
        telling(recorded, run_id, evaluation("intra", 3, 174, 0.45)),
        ending(recorded, run_id),
    )
    assert written == [
        "Run 1 is running: its worker begins.",
        "stage prompt: 8 epochs",
        "prompt epoch 1/8  total 2.500  i2t 1.500  t2i 1.000  640 img/s  lr 2.0e-03",
        "stage intra: 3 epochs",
        "intra epoch 3/3    640 img/s  lr 2.0e-03",
        "intra epoch 3 evaluation  mAP 45.0  Rank-1 55.0  Rank-5 65.0  Rank-10 67.0  mINP 22.5"
        "  (166 queries, 4 left out)",
    ]


def test_plain_lines_hold_no_row_back_when_many_come_at_once(recorded: Recorded) -> None:
    run_id = recorded.start()
    end_of_intra = (epoch("intra", 3, 174), evaluation("intra", 3, 174, 0.4))
    everything = (*end_of_intra, epoch("inter", 1, 184, groups=5, linked=12))
    written = follow_plainly(
        recorded, run_id, telling(recorded, run_id, *everything), ending(recorded, run_id)
    )
    assert [line.split("  ")[0] for line in written[1:]] == [
        "stage intra: 3 epochs",
        "intra epoch 3/3",
        "intra epoch 3 evaluation",
        "stage inter: 6 epochs",
        "inter epoch 1/6",
    ]
    assert "groups 5  linked 12" in written[-1]


def test_plain_lines_tell_the_evaluation_of_a_stage_that_was_taken(recorded: Recorded) -> None:
    run_id = recorded.start(settings=("run.stages=['inter']",))
    written = follow_plainly(
        recorded,
        run_id,
        telling(recorded, run_id, evaluation("intra", 3, 174, 0.45), epoch("inter", 1, 184)),
        ending(recorded, run_id),
    )
    assert [line.split("  ")[0] for line in written[1:]] == [
        "intra epoch 3 evaluation",
        "stage inter: 6 epochs",
        "inter epoch 1/6",
    ]


def test_plain_lines_tell_again_what_is_done_again_after_a_resume(recorded: Recorded) -> None:
    run_id = recorded.start()
    written = follow_plainly(
        recorded,
        run_id,
        telling(recorded, run_id, epoch("intra", 1, 154), epoch("intra", 2, 164)),
        telling(recorded, run_id, events.Resume(step=154)),
        telling(recorded, run_id, epoch("intra", 2, 164)),
        ending(recorded, run_id),
    )
    assert [line[:15] for line in written if "img/s" in line] == [
        "intra epoch 1/3",
        "intra epoch 2/3",
        "intra epoch 2/3",
    ]


def test_plain_lines_tell_an_activity_once_and_every_warning(recorded: Recorded) -> None:
    run_id = recorded.start()
    decoding = [events.Activity(text="decoding images", done=n, total=9) for n in (1, 9)]
    written = follow_plainly(
        recorded,
        run_id,
        telling(recorded, run_id, decoding[0]),
        telling(recorded, run_id, decoding[1], events.Warning(text="3 images \x1b[1m unlinked")),
        ending(recorded, run_id),
    )
    assert written.count("decoding images") == 1
    assert written[-1] == r"warning: 3 images \x1b[1m unlinked"


def test_a_waiting_run_says_why_it_waits(recorded: Recorded) -> None:
    run_id = recorded.add()
    written = follow_plainly(recorded, run_id, lambda: recorded.store.cancel(run_id))
    assert written == [f"Run {run_id} waits: the queue has not come to it yet."]


@pytest.mark.parametrize(
    ("state", "code"), [("finished", 0), ("failed", 1), ("lost", 1), ("cancelled", 130)]
)
def test_the_exit_code_says_how_the_run_ended(recorded: Recorded, state: str, code: int) -> None:
    run_id = recorded.start()
    with Signals() as signals:
        last = follow(
            recorded.store,
            run_id,
            PlainView(lambda line: None),
            signals,
            wait=Script(ending(recorded, run_id, state)),
        )
    assert last is not None
    assert (last.run.state, exit_code(last.run.state)) == (state, code)


def test_one_interrupt_cancels_and_a_second_one_kills(recorded: Recorded) -> None:
    run_id = recorded.start()
    asked: list[int] = []
    written = follow_plainly(
        recorded,
        run_id,
        interrupting(),
        lambda: asked.append(recorded.store.run(run_id).cancel_requested),
        interrupting(),
        lambda: asked.append(recorded.store.run(run_id).cancel_requested),
        ending(recorded, run_id, "cancelled"),
    )
    assert asked == [1, 2]
    assert [line for line in written if "checkpoint and stops" in line or "is killed" in line] == [
        f"Run {run_id} saves a checkpoint and stops after its step. "
        "Cancel it again to kill it at once.",
        f"Run {run_id} is killed; its newest complete checkpoint stays.",
    ]


def test_an_interrupt_is_asked_again_while_the_database_is_busy(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = recorded.start()
    answers: list[object] = [BusyError("The database is locked."), "cancelled now"]

    def cancel(_: int) -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    monkeypatch.setattr(recorded.store, "cancel", cancel)
    end = ending(recorded, run_id, "cancelled")
    written = follow_plainly(recorded, run_id, interrupting(), lambda: None, end)
    assert written[-2:] == ["The database is locked.", "cancelled now"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_termination_leaves_the_run_alone(recorded: Recorded, number: signal.Signals) -> None:
    run_id, view = recorded.start(), PlainView(lambda line: None)
    with Signals() as signals:
        script = Script(interrupting(number))
        assert follow(recorded.store, run_id, view, signals, wait=script) is None
        assert signals.leaving == number
    run = recorded.store.run(run_id)
    assert (run.state, run.cancel_requested) == ("running", 0)


def test_a_hangup_that_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
        assert signals.leaving is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_of_signals_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Signals():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_a_terminal_that_is_gone_is_no_failure(recorded: Recorded) -> None:
    run_id = recorded.start()

    def write(_: str) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        raise OSError(5, "Input/output error")

    with Signals() as signals:
        assert follow(recorded.store, run_id, PlainView(write), signals, wait=Script()) is None


def test_a_supervisor_that_cannot_be_started_is_told_and_waited_for(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve() -> None:
        raise WorkerError("The supervisor stopped at once.")

    monkeypatch.setattr("ccafl.follow.SERVE_S", 0.0)
    run_id, written = recorded.start(), list[str]()
    view, script = PlainView(written.append), Script(ending(recorded, run_id))
    with Signals() as signals:
        assert follow(recorded.store, run_id, view, signals, serve=serve, wait=script)
    assert written == ["Run 1 is running: its worker begins.", "The supervisor stopped at once."]


def test_bars_show_each_stage_as_far_as_it_is(recorded: Recorded) -> None:
    found = [(stage.name, stage.epoch, stage.share) for stage in halfway(recorded).stages()]
    assert found == [("prompt", 8, 1.0), ("intra", 2, 0.5), ("inter", 0, 0.0)]


def test_bars_of_a_run_that_begins_with_inter_start_at_zero(recorded: Recorded) -> None:
    run_id = recorded.start()
    recorded.tell(run_id, loss("inter", 1, 175, inter=1.0), loss("inter", 1, 176, inter=1.0))
    (*_, inter) = Watcher(recorded.store, run_id).read().stages()
    assert inter.epoch == 1
    assert inter.share == pytest.approx(2 / 60)


def test_the_time_left_counts_the_stages_to_come(recorded: Recorded) -> None:
    left = halfway(recorded).time_left()
    assert left is not None
    assert left.of_run
    assert left.seconds == pytest.approx(1.5 * 2.0 + 6 * 2.0)


def test_the_prompt_stage_says_nothing_about_the_time_of_the_others(recorded: Recorded) -> None:
    run_id = recorded.start()
    recorded.tell(run_id, loss("prompt", 1, 18, i2t=1.0), epoch("prompt", 1, 18, seconds=2.0))
    left = Watcher(recorded.store, run_id).read().time_left()
    assert left is not None
    assert left.seconds == pytest.approx(7 * 2.0)
    assert not left.of_run


def test_no_time_is_named_before_an_epoch_has_ended(recorded: Recorded) -> None:
    run_id = recorded.start()
    recorded.tell(run_id, loss("prompt", 1, 1, i2t=1.0))
    assert Watcher(recorded.store, run_id).read().time_left() is None


def test_smoothing_leaves_a_constant_as_it_is_and_forgets_other_stages(recorded: Recorded) -> None:
    smooth = halfway(recorded).smooth
    assert smooth["gid"] == pytest.approx(0.6)
    assert smooth["total"] == pytest.approx(2.29)
    assert "i2t" not in smooth


def test_losses_made_void_by_a_resume_are_forgotten(recorded: Recorded) -> None:
    run_id = recorded.start()
    recorded.tell(run_id, *(loss("intra", 1, step, intra=9.0) for step in range(145, 155)))
    watcher = Watcher(recorded.store, run_id)
    watcher.read()
    recorded.tell(run_id, events.Resume(step=144), loss("intra", 1, 145, intra=1.0))
    assert watcher.read().means["intra", 1] == {"total": 1.0, "intra": 1.0}


def test_a_look_gives_losses_once_and_one_that_fails_loses_none(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = recorded.start()
    recorded.tell(run_id, *(loss("intra", 1, step, intra=9.0) for step in (145, 146)))
    watcher = Watcher(recorded.store, run_id)
    first = watcher.read()
    assert ([row.step for row in first.new_losses], first.is_anew) == ([145, 146], True)
    recorded.tell(run_id, loss("intra", 1, 147, intra=9.0))
    for query in ("run", "epochs", "losses"):
        with monkeypatch.context() as patch:
            patch.setattr(Store, query, _refuse)
            with pytest.raises(BusyError):
                watcher.read()
    second = watcher.read()
    assert ([row.step for row in second.new_losses], second.is_anew) == ([147], False)


def _refuse(*_: object, **__: object) -> NoReturn:
    raise BusyError("locked")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_live_view_fits_the_terminal(recorded: Recorded, width: int) -> None:
    snapshot = halfway(recorded, name="a long name " * 20, dataset="d" * 90)
    lines = drawn(snapshot, width, "x " * 60)
    assert all(len(line) <= width for line in lines)
    assert len(lines) <= 15


def test_the_live_view_shows_what_one_wants_to_know(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    text = "\n".join(drawn(halfway(recorded, name="demo seed 0"), 80))
    for words in (
        "run 1  demo seed 0  demo-0",
        "running, started 01:46: intra, epoch 2, step 159 of 234",
        "prompt 8/8",
        "intra  2/3",
        "50 %",
        "gid 0.6",
        "640 img/s   lr 2.0e-03   about 15 s left, ends at 01:46",
        "prompt 8: mAP 21.5  Rank-1 31.5",
        "ctrl-c cancels",
    ):
        assert words in text


def test_the_live_view_shows_names_and_warnings_literally(recorded: Recorded) -> None:
    run_id = recorded.start(name="[bold]x[/] \x1b[31m", dataset=":smile: [/]")
    recorded.tell(run_id, events.Warning(text="[red]hot\x07"))
    text = "\n".join(drawn(Watcher(recorded.store, run_id).read(), 80))
    assert r"[bold]x[/] \x1b[31m  :smile: [/]" in text
    assert r"warning: [red]hot\x07" in text


def test_the_live_view_counts_what_is_decoded(recorded: Recorded) -> None:
    run_id = recorded.start()
    recorded.tell(run_id, events.Activity(text="decoding images", done=512, total=2048))
    line = next(x for x in drawn(Watcher(recorded.store, run_id).read(), 80) if "decoding" in x)
    assert line.startswith("decoding images 512/2,048 ")
    assert line.endswith(" 25 %")


def test_the_live_view_keeps_its_height_while_a_stage_lasts(recorded: Recorded) -> None:
    run_id = recorded.start()
    heights = set()
    for event in (
        events.Activity(text="decoding images", done=1, total=2),
        loss("prompt", 1, 1, i2t=1.0),
        epoch("prompt", 1, 18),
        evaluation("prompt", 8, 144, 0.2),
    ):
        recorded.tell(run_id, event)
        heights.add(len(drawn(Watcher(recorded.store, run_id).read(), 80)))
    assert len(heights) == 1


def test_without_colour_the_live_view_holds_no_colour_code(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor")
    with console.capture() as capture:
        console.print(picture(halfway(recorded), "", 1e9))
    assert not [code for code in ("[3", "[9", "[38", ";3") if f"\x1b{code}" in capture.get()]


def test_the_live_view_leaves_the_terminal_as_it_was(recorded: Recorded) -> None:
    file = io.StringIO()
    run_id, view = recorded.start(), LiveView(Console(file=file, force_terminal=True, width=80))
    with Signals() as signals:
        follow(recorded.store, run_id, view, signals, wait=Script(ending(recorded, run_id)))
    text = file.getvalue()
    assert text.index("\x1b[?25l") < text.rindex("\x1b[?25h")  # the cursor is hidden, then shown


def test_the_end_names_results_and_what_to_do_next(recorded: Recorded) -> None:
    run_id = recorded.finished(evaluation("intra", 3, 174, 0.45), evaluation("inter", 6, 234, 0.78))
    text = closing_text(Watcher(recorded.store, run_id).read())
    assert "intra      3  last" in text
    assert "inter      6  last, best" in text
    assert text.endswith(
        "Run 1 finished. `ccafl show 1` shows its results. `ccafl history` lists all results.\n"
    )


def test_the_end_of_a_failed_run_gives_its_reason_and_its_log(recorded: Recorded) -> None:
    run_id = recorded.end(recorded.start(), "failed", "ToyError: it broke")
    text = closing_text(Watcher(recorded.store, run_id).read(), 60)
    assert "ToyError: it broke" in " ".join(text.split())
    assert "`ccafl log 1`" in text
    assert all(len(line) <= 60 for line in text.splitlines())


def test_a_log_is_given_line_by_line_and_each_line_once(recorded: Recorded) -> None:
    path = recorded.home.root / "console.log"
    tail = LogTail(path)
    assert list(tail.read(is_complete=True)) == []
    path.write_bytes(b"one\ntw")
    assert list(tail.read(is_complete=False)) == ["one"]
    path.write_bytes(b"one\ntwo\r\nbad \xff")
    assert list(tail.read(is_complete=False)) == ["two"]
    assert list(tail.read(is_complete=True)) == [r"bad \xff"]
    path.write_bytes(b"cut\n")
    assert list(tail.read(is_complete=False)) == ["cut"]
