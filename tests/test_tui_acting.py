"""Actions on runs: what they ask, what they do, and what they say when they come too late."""

from typing import NoReturn

import pytest
from recorded import Recorded, recorded
from tui_screen import SMALL, Screen, opened, serving

from ccafl.errors import BusyError

__all__ = ["recorded", "serving"]


def freeze(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the screen learns nothing, as when another window is faster."""

    def busy(store: object) -> NoReturn:
        raise BusyError("locked")

    monkeypatch.setattr("ccafl.store.Store.data_version", busy)


def start(recorded: Recorded, run_id: int) -> None:
    """Let another process start a run."""
    with recorded.store.writing() as connection:
        connection.exec_driver_sql(f"UPDATE run SET state = 'running' WHERE id = {run_id}")


async def ask(screen: Screen, command: str) -> None:
    """Choose a command of the palette."""
    await screen.press("ctrl+p", *command)
    await screen.pilot.pause(0.1)
    await screen.press("enter")


async def test_the_question_says_what_becomes_of_a_running_run(recorded: Recorded) -> None:
    recorded.start(name="at work")
    async with opened(recorded.home) as screen:
        await screen.sees("at work")
        await screen.press("x")
        await screen.sees(
            "Cancel run 1 at work? It saves at the end of this iteration and",
            "y cancel it    esc keep running",
        )


async def test_answers_are_clicked(recorded: Recorded) -> None:
    run_id = recorded.add(name="waits")
    async with opened(recorded.home) as screen:
        await screen.sees("waits")
        for answer in ("esc leave", "y cancel it"):
            await screen.press("x")
            lines = (await screen.sees(answer)).splitlines()
            row = next(number for number, line in enumerate(lines) if answer in line)
            await screen.pilot.click(offset=(lines[row].index(answer), row))
            await screen.misses(answer)
            assert recorded.store.run(run_id).state == "queued" or answer != "esc leave"
        await screen.sees("Run 1 is cancelled")


async def test_retry_starts_from_the_beginning_after_a_question(recorded: Recorded) -> None:
    run_id = recorded.start(name="broken")
    recorded.end(run_id, "failed")
    with recorded.store.writing() as connection:
        connection.exec_driver_sql("UPDATE run SET checkpoint = 200")
    async with opened(recorded.home) as screen:
        await screen.press("3")
        await screen.sees("broken")
        await ask(screen, "retry")
        await screen.sees("Start run 1 broken again", "its checkpoint of step 200 are replaced")
        await screen.press("escape")
        assert recorded.store.run(run_id).state == "failed"
        await ask(screen, "retry")
        await screen.sees("y start again")
        await screen.press("y")
        await screen.sees("Run 1 is queued again and starts from the beginning")
    assert recorded.store.run(run_id).state == "queued"


async def test_delete_shows_the_bytes_and_takes_the_number_only(recorded: Recorded) -> None:
    recorded.finished(name="first")
    run_id = recorded.finished(name="[red]doomed[/]")
    folder = recorded.home.run(run_id).root
    async with opened(recorded.home) as screen:
        await screen.press("3")
        await screen.sees("doomed")
        await ask(screen, "delete")
        await screen.sees("Delete run 2 [red]doomed[/] (finished) for good", "This frees", "kB")
        await screen.press("1", "enter")
        await screen.sees("Nothing was deleted: 1 was typed, not 2.")
        assert folder.exists()
        await screen.press("backspace", "2", "enter")
        await screen.sees("Run 2 is deleted:", "3 History 1")
    assert not folder.exists()
    assert [run.id for run in recorded.store.runs()] == [1]


async def test_what_cannot_be_done_is_not_offered(recorded: Recorded) -> None:
    recorded.start()
    async with opened(recorded.home) as screen:
        await screen.sees("2 Live 1")
        await screen.press("ctrl+p")
        await screen.sees("add a run")
        await screen.misses("Retry run", "Delete run", "change the run while it waits")


async def test_tags_and_duplicates_are_of_the_highlighted_run(recorded: Recorded) -> None:
    for seed in (1, 2, 3):
        recorded.add(name=f"seed {seed}", settings=(f"run.seed={seed}",))
    async with opened(recorded.home) as screen:
        await screen.sees("seed 3")
        await screen.press("space", "space", "t")  # the highlight is on the third one
        await screen.sees("Run 3 seed 3", "tags, separated by spaces")
        await screen.press("escape", "d")
        await screen.sees("new run", "Seeds 3")
        await screen.press("escape", "x")
        await screen.sees("Cancel 2 runs (1, 2)?")


@pytest.mark.parametrize("key", ["p", "T"])
async def test_places_and_holds_that_come_too_late_say_so(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    run_id = recorded.add()
    async with opened(recorded.home) as screen:
        await screen.sees("queued")
        freeze(monkeypatch)
        start(recorded, run_id)
        await screen.press(key)
        await screen.sees("Run 1 already started (another window). Nothing was changed.")
    assert not recorded.store.run(run_id).hold


async def test_a_run_that_started_meanwhile_is_not_cancelled(recorded: Recorded) -> None:
    run_id = recorded.add()
    async with opened(recorded.home) as screen:
        await screen.sees("queued")
        await screen.press("x")
        await screen.sees("It has not started")
        start(recorded, run_id)
        await screen.press("y")
        await screen.sees("Run 1 already started (another window). Nothing was changed.")
    assert recorded.store.run(run_id).cancel_requested == 0


async def test_two_windows_that_cancel_do_not_kill(recorded: Recorded) -> None:
    run_id = recorded.start()
    async with opened(recorded.home) as screen:
        await screen.sees("running")
        await screen.press("x")
        await screen.sees("keep running")
        recorded.store.cancel(run_id)
        await screen.press("y")
        await screen.sees("Run 1 is being cancelled already (another window).")
    assert recorded.store.run(run_id).cancel_requested == 1


async def test_a_run_that_is_queued_again_already_says_so(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = recorded.end(recorded.start(), "failed")
    async with opened(recorded.home) as screen:
        await screen.press("3")
        await screen.sees("failed")
        freeze(monkeypatch)
        recorded.store.resume(run_id)
        await screen.press("r")
        await screen.sees("Run 1 is in the queue already (another window). Nothing was changed.")


async def test_tags_and_note_are_saved_and_controls_are_shown(recorded: Recorded) -> None:
    run_id = recorded.add(note="old \x1b[31m", tags=("one",))
    async with opened(recorded.home, size=SMALL) as screen:
        await screen.sees("queued")
        await screen.press("t")
        text = await screen.sees("tags, separated by spaces", "old \\x1b[31m")
        assert "\x1b" not in text
        await screen.press("space", *"q2", "ctrl+o")
        await screen.sees("Run 1 has the tags one, q2.")
    assert recorded.store.run(run_id).tags == ("one", "q2")
