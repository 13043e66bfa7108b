"""The new-run form: what is typed is checked, completed, kept, and queued or refused."""

import json
import shutil
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from recorded import Recorded, epoch, recorded
from tui_screen import LARGE, SMALL, Screen, opened, serving

from ccafl.config import from_json
from ccafl.errors import BusyError, ConfigError
from ccafl.gpu import parse_line
from ccafl.orders import Planner
from ccafl.paths import Home
from ccafl.store import RunRow
from tui.draft import Draft, draft_of, restore
from tui.form_check import Checked, check, explain
from tui.form_memory import memory_text
from tui.form_offers import find_offers
from tui.messages import GpusRead

__all__ = ["recorded", "serving"]

NASTY = "[red]x[/] \x1b]52;c;aGk=\x07 \u202e"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed is checked at once."""
    monkeypatch.setattr("tui.form.PAUSE_S", 0.02)


def gpus(*used: int) -> str:
    """GPUs of 80 GB as their helper tells them, with so many GB in use."""
    nothing = dict.fromkeys(("uuid", "name", "utilisation", "temperature", "power", "processes"))
    memory = [{"memory_total": 80 << 30, "memory_used": size << 30} for size in used]
    told = [{"index": index, **nothing, **one} for index, one in enumerate(memory)]
    return json.dumps({"gpus": told})


def kept(screen: Screen, **fields: Any) -> None:
    """Let the form open with these fields, as if they had been typed before."""
    smoke: dict[str, Any] = {"preset": "smoke", "gpu": "cpu", "backbone": "tiny"}
    draft = asdict(Draft(**smoke | fields))
    screen.app.remembered = replace(screen.app.remembered, draft=draft)


def only_run(recorded: Recorded) -> RunRow:
    """The one run that waits."""
    (run,) = recorded.store.runs(["queued"])
    return run


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_every_field_is_seen_without_scrolling(
    recorded: Recorded, size: tuple[int, int]
) -> None:
    async with opened(recorded.home, size=size) as screen:
        await screen.press("a")
        text = await screen.sees("drawn before it is queued", "1 run.", "ctrl+o queue")
        for words in (
            *("Dataset    another folder", "Preset demo", "Name", "tags", "start scratch"),
            *("[x] prompt 15", "[x] intra 5", "[x] inter 15", "(*) tiny", "Seeds 0"),
            *("( ) auto  (*) cpu", "(*) last  ( ) next", "[ ] hold", "note", "Overrides"),
            *("[ Queue run ]", "[ Back ]"),
        ):
            assert words in text
        assert ("differs from preset demo" in text) == (size == LARGE)


async def test_the_smallest_terminal_shows_every_field_that_has_focus(recorded: Recorded) -> None:
    async with opened(recorded.home, size=(60, 16)) as screen:
        await screen.press("a")
        await screen.sees("Dataset", "Preset", "start", "1 run.", "[ Queue run ]")
        await screen.press(*["tab"] * 15, *"last")
        await screen.sees("note last", "1 run.", "[ Queue run ]")
        await screen.press("tab", *"train.p=8")
        await screen.sees("train.p=8", "1 run.", "[ Queue run ]")


async def test_letters_and_digits_are_typed_into_fields(recorded: Recorded) -> None:
    async with opened(recorded.home) as screen:
        await screen.press("a")
        await screen.sees("1 run.")
        await screen.press("1", "q", "a", "question_mark", "v")
        await screen.sees("Root       1qa?v", "✗ see below", "is no folder")
        await screen.press("enter", "x", "2", "tab", "P", "enter", "space", "enter", "7")
        await screen.sees("Name       x2", "tags P", "[ ] prompt 7")
        assert not recorded.store.paused()


async def test_a_run_is_queued_with_everything_that_was_typed(
    recorded: Recorded, drawn_set: Path
) -> None:
    waiting = recorded.add(name="waits already")
    async with opened(recorded.home) as screen:
        await screen.press("a")
        await screen.sees("1 run.")
        await screen.paste(str(drawn_set))
        await screen.pilot.click("#preset")
        await screen.press("end", "enter")
        await screen.sees("Preset smoke", "[x] prompt 8", "training images")
        await screen.pilot.click("#name")
        await screen.press(*"mine", "tab", *"one", "space", *"two")
        await screen.pilot.click("#inter-epochs")
        await screen.press("7")
        await screen.pilot.click("#place")
        await screen.press("right", "tab", "space", "tab", *"why")
        await screen.pilot.click("#overrides")
        await screen.paste("inter.ical.margin = 0.3\nintra.lam=0.1\n")
        await screen.sees("inter.ical.margin = 0.3", "intra.lam=0.1", "(*) next", "[x] hold")
        await screen.press("ctrl+o")
        await screen.sees("Run 2 is queued.", "[1 Queue 2]", "‖", "held", "mine")
        await screen.press("a")
        await screen.sees("Preset demo", "made from preset and seed")  # the draft was used
    first, second = recorded.store.runs(["queued"])
    assert second.id == waiting
    assert (first.name, first.tags, first.note) == ("mine", ("one", "two"), "why")
    assert (first.dataset, first.preset, first.gpu) == ("small", "smoke", "cpu")
    config = from_json(first.config)
    assert (config.inter.epochs, config.inter.ical.margin, config.intra.lam) == (7, 0.3, 0.1)
    assert config.data.root == str(drawn_set)


async def test_seeds_queue_a_run_each_and_many_runs_are_asked_for(
    recorded: Recorded, drawn_set: Path
) -> None:
    async with opened(recorded.home) as screen:
        kept(screen, root=str(drawn_set), seeds=",".join(map(str, range(21))))
        await screen.press("a")
        await screen.sees("[ Queue run ]")
        await screen.press("ctrl+o")  # before it was checked
        await screen.sees("Queue 21 runs?", "esc back")
        await screen.press("escape")
        await screen.misses("Queue 21 runs?")
        assert not recorded.store.runs()
        await screen.pilot.click("#seeds")
        await screen.press("end", "ctrl+u", "3", "comma", "4")
        await screen.sees("2 runs.")
        await screen.press("ctrl+o")
        await screen.sees("Runs 1, 2 are queued.")
    assert [from_json(run.config).run.seed for run in recorded.store.runs()] == [3, 4]


async def test_an_error_names_its_line_and_nothing_is_queued_while_it_stands(
    recorded: Recorded, drawn_set: Path
) -> None:
    async with opened(recorded.home) as screen:
        kept(screen, root=str(drawn_set), overrides="inter.ical.margin = 0.3\n\nintra.lamda = 0.5")
        await screen.press("a")
        await screen.sees(
            "✗ line 3: there is no setting 'intra.lamda'; did you mean 'intra.lam'?",
            "Nothing can be queued yet.",
            "training images",
        )
        await screen.press("ctrl+o")
        await screen.sees("Not queued. line 3:")
        assert not recorded.store.runs()
        await screen.pilot.click("#overrides")
        await screen.press("down", "down", "end", *["backspace"] * 8, "equals_sign", "0")
        await screen.sees("1 run.")
        await screen.misses("✗ line 3")


async def test_settings_stay_in_sight_while_something_is_wrong(recorded: Recorded) -> None:
    async with opened(recorded.home, size=LARGE) as screen:
        kept(screen, root="/no1", overrides="intra.lam = 0.1, 0.2\nintra.lamda = 0.5")
        await screen.press("a")
        text = await screen.sees("✗ line 2", "left out because it is wrong", "│  intra.lamda = 0.5")
        assert "intra.lam  0.1 (0.6)" in text
        assert 'data.root  "/no1" ("")' in text
        await screen.pilot.click("#overrides")
        await screen.press("down", "end", *["backspace"] * 8, *" = 0.7")
        await screen.sees("is no folder", "intra.lam  0.7 (0.6)")
        await screen.misses("left out because")
        await screen.pilot.click("#prompt")
        await screen.pilot.click("#intra")
        await screen.pilot.click("#inter")
        await screen.sees("Tick at least one of the stages.", "│  run.stages=[]")


async def test_a_folder_that_was_put_right_is_looked_at_again(
    recorded: Recorded, drawn_set: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    shutil.copytree(drawn_set, folder)
    (folder / "query").rename(tmp_path / "query")
    async with opened(recorded.home) as screen:
        kept(screen, root=str(folder))
        await screen.press("a")
        await screen.sees("✗ see below", "Nothing can be queued yet.")
        (tmp_path / "query").rename(folder / "query")
        await screen.press("ctrl+o")
        await screen.sees("Not queued.", "training images", "1 run.")


async def test_names_of_settings_complete_and_say_what_they_mean(recorded: Recorded) -> None:
    async with opened(recorded.home, size=LARGE) as screen:
        await screen.press("a")
        await screen.sees("1 run.")
        await screen.pilot.click("#overrides")
        await screen.press(*"margin")
        await screen.sees("Overrides  inter.ical.margin")
        await screen.press(*["backspace"] * 6, *"inter", "full_stop", *"ical", "full_stop", "m")
        await screen.sees(" inter.ical.margin  ")  # the rest of the name behind the cursor
        await screen.press("right", "space")
        await screen.sees("inter.ical.margin: additive angle, radians")
        await screen.press("equals_sign", "0", "full_stop", "2", "5")
        await screen.sees("inter.ical.margin  0.25 (0.7)")


async def test_a_known_data_folder_fills_in_root_and_preset(
    recorded: Recorded, drawn_set: Path
) -> None:
    recorded.finished(settings=(f"data.root={drawn_set}",), dataset="small")
    async with opened(recorded.home) as screen:
        await screen.press("a")
        await screen.sees("1 run.")
        await screen.pilot.click("#dataset")
        await screen.sees("small  /")
        await screen.press("down", "enter")
        await screen.sees(f"Root       {drawn_set}"[:40], "Preset smoke", "Dataset    small")
        await screen.pilot.click("#root")
        await screen.press("end", "x")
        await screen.sees("another folder", "✗ see below")
        await screen.press("backspace")
        await screen.sees("Dataset    small", "✓")
        await screen.pilot.click("#dataset")
        await screen.press("home", "enter", *"other")
        await screen.sees("another folder", "Root       other ")


async def test_a_run_starts_from_stages_of_another_one(recorded: Recorded, drawn_set: Path) -> None:
    source = recorded.start(name="first", settings=(f"data.root={drawn_set}",))
    recorded.add(name="elsewhere")
    async with opened(recorded.home) as screen:
        kept(screen, root=str(drawn_set))
        await screen.press("a")
        await screen.sees("1 run.")
        await screen.pilot.click("#start")
        assert "elsewhere" not in await screen.sees("run 1 first: prompt and intra (running)")
        await screen.press("down", "enter")
        await screen.sees("[ ] prompt", "[ ] intra", "[x] inter", "1 run.")
        await screen.pilot.click("#intra")
        await screen.sees("[x] intra", "1 run.")
        await screen.press("ctrl+o")
        await screen.sees("Run 3 is queued.")
    run = recorded.store.run(3)
    assert (run.source, from_json(run.config).run.stages) == (source, ("intra", "inter"))


async def test_from_scratch_the_stages_are_trained_that_a_start_had_given(
    recorded: Recorded, drawn_set: Path
) -> None:
    recorded.start(settings=(f"data.root={drawn_set}",))
    async with opened(recorded.home) as screen:
        kept(screen, root=str(drawn_set), stages=("intra", "inter"))
        await screen.press("a")
        await screen.sees("training images")
        await screen.pilot.click("#start")
        await screen.sees("run 1")
        await screen.press("down", "enter")
        await screen.sees("[ ] prompt", "[ ] intra", "1 run.")
        await screen.pilot.click("#start")
        await screen.press("home", "enter")
        await screen.sees("[ ] prompt", "[x] intra", "begins with intra needs learned prompts")


def test_runs_of_the_same_data_and_backbone_are_offered_as_a_start(
    recorded: Recorded, drawn_set: Path
) -> None:
    larger = ("model.backbone=RN50-quickgelu", "model.weights=random")
    recorded.add(settings=(f"data.root={drawn_set}",))
    recorded.add(settings=(f"data.root={drawn_set}", *larger))
    recorded.add(settings=(f"data.root={recorded.home.demo(0)}",))
    edited = recorded.add(settings=(f"data.root={drawn_set}",))
    starts = find_offers(recorded.home, edited).starts

    def fitting(**fields: Any) -> list[int]:
        return [start.run_id for start in starts if start.fits(Draft(**fields))]

    assert fitting(root=f" {drawn_set}/") == [1]
    assert fitting(root=str(drawn_set), backbone="RN50-quickgelu") == [2]
    assert fitting() == [3]
    assert fitting(root="~nobody-at-all/x") == []


async def test_esc_keeps_what_was_typed_and_the_palette_clears_it(recorded: Recorded) -> None:
    async with opened(recorded.home) as screen:
        await screen.press("a", "x", "backspace", "escape", "a")
        await screen.sees("drawn before it is queued")
        await screen.press(*"some")
        await screen.sees("Root       some")
        await screen.press("escape")
        await screen.sees("[1 Queue 0]")
        await screen.press("a")
        await screen.sees("Root       some")
        await screen.press("ctrl+p", *"clear", "enter")
        await screen.sees("drawn before it is queued")
        await screen.misses("some")


async def test_esc_stops_the_work_and_the_fields_stay(
    recorded: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(plans: object, home: object, tell: Any) -> None:
        for done in range(10_000):
            tell("opening images", done, 10_000)
            time.sleep(0.005)

    monkeypatch.setattr("ccafl.orders.prepare", prepare)
    async with opened(recorded.home) as screen:
        kept(screen, root=str(drawn_set), name="mine")
        await screen.press("a")
        await screen.sees("1 run.")
        await screen.press("ctrl+o")
        await screen.sees("opening images ░", "of 10,000", "esc stop")
        await screen.press("escape")
        await screen.sees("It was stopped. Nothing was changed.", "[ Queue run ]", "mine")
    assert not recorded.store.runs()


async def test_fields_cannot_be_changed_while_a_run_is_queued(
    recorded: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def prepare(plans: object, home: object, tell: Any) -> None:
        tell("opening images", 1, 10)
        go_on.wait()
        raise ConfigError("No.")

    monkeypatch.setattr("ccafl.orders.prepare", prepare)
    async with opened(recorded.home) as screen:
        kept(screen, root=str(drawn_set), name="mine")
        await screen.press("a")
        await screen.sees("1 run.")
        await screen.press("tab", "end", "ctrl+o")
        await screen.sees("opening images")
        await screen.press("x")
        go_on.set()
        await screen.sees("No.", "[ Queue run ]")
        await screen.press("y")
        await screen.sees("Name       miney")


async def test_what_was_found_of_another_text_is_not_shown(
    recorded: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def slow(draft: Draft, planner: Planner, home: Home) -> Checked:
        if draft.name == "x":
            at_work.set()
            go_on.wait()
        return Checked(draft, problem="" if not draft.name else f"{draft.name} is wrong.")

    monkeypatch.setattr("tui.form.check", slow)
    async with opened(recorded.home) as screen:
        kept(screen, root=str(drawn_set))
        await screen.press("a", "tab", "x")
        await screen.until(at_work.is_set, "the check of x is at work")
        await screen.press("y")
        await screen.sees("xy is wrong.")
        go_on.set()
        await screen.press("ctrl+o")
        await screen.sees("Not queued. xy is wrong.")
        await screen.misses("✗ x is wrong.")


async def test_typing_on_withdraws_ctrl_o(
    recorded: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def slow(draft: Draft, planner: Planner, home: Home) -> Checked:
        go_on.wait()
        return check(draft, planner, home)

    monkeypatch.setattr("tui.form.check", slow)
    async with opened(recorded.home) as screen:
        kept(screen, root=str(drawn_set))
        await screen.press("a", "tab", "ctrl+o")
        await screen.sees("checking …", "esc back")
        await screen.press("x")
        await screen.sees("[ Queue run ]")
        go_on.set()
        await screen.sees("1 run.")
    assert not recorded.store.runs()


async def test_a_busy_database_is_tried_again(
    recorded: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([BusyError("runs.db is busy."), [7]])

    def submit(*runs: object, **words: object) -> Any:
        if isinstance(answer := next(answers), BusyError):
            raise answer
        return answer

    monkeypatch.setattr("ccafl.orders.submit", submit)
    async with opened(recorded.home) as screen:
        kept(screen, root=str(drawn_set))
        await screen.press("a")
        await screen.sees("1 run.")
        await screen.press("ctrl+o")
        await screen.sees("Run 7 is queued.")


async def test_a_full_disk_is_said_and_the_fields_stay(
    recorded: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(*runs: object, **words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ccafl.orders.submit", submit)
    async with opened(recorded.home) as screen:
        kept(screen, root=str(drawn_set), name="mine")
        await screen.press("a")
        await screen.sees("1 run.")
        await screen.press("ctrl+o")
        await screen.sees("No space left on device", "[ Queue run ]", "Name       mine")


async def test_every_gpu_can_be_chosen(
    recorded: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccafl.orders.order.read_gpus", lambda: parse_line(gpus(0, 0)))
    async with opened(recorded.home, gpus=gpus(0, 0)) as screen:
        kept(screen, root=str(drawn_set))
        await screen.press("a")
        await screen.sees("( ) auto  ( ) 0  ( ) 1  (*) cpu", "1 run.")
        await screen.pilot.click("#gpu", offset=(len("( ) auto  ( ) 0  "), 0))
        await screen.sees("(*) 1  ( ) cpu")
        await screen.press("ctrl+o")
        await screen.sees("Run 1 is queued.")
    assert only_run(recorded).gpu == "1"


async def test_the_gpu_line_says_what_a_run_needs_and_which_gpu_has_it(
    recorded: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = parse_line(gpus(61, 1))
    monkeypatch.setattr("ccafl.orders.order.read_gpus", lambda: answer)
    told = [epoch("prompt", 1, 18), epoch("intra", 1, 154)]
    recorded.finished(*told, epoch("inter", 1, 184, peak_memory=24 << 30), dataset="small")
    async with opened(recorded.home, gpus=gpus(61, 1)) as screen:
        kept(screen, root=str(drawn_set), gpu="auto")
        await screen.press("a")
        await screen.sees("(*) auto  ( ) 0  ( ) 1  ( ) cpu needs about 24 GB, GPU 1 has 79.0")
        await screen.pilot.click("#gpu", offset=(len("(*) auto  "), 0))
        await screen.sees("needs about 24 GB, GPU 0 has 19.0", "as run 1 took")
        screen.app.post_message(GpusRead(parse_line(gpus(40, 1))))
        await screen.sees("needs about 24 GB, GPU 0 has 40.0")
        await screen.press("right", "right")
        await screen.sees("(*) cpu")
        await screen.misses("needs about")


@pytest.mark.parametrize(
    ("gib", "asked", "text"),
    [
        (24, "auto", "needs about 24 GB, none has it now"),
        (0.3, "auto", "needs about 0.3 GB, GPU 1 has 10.0"),
        (90, "auto", "needs about 90 GB, more than the 80.0 of any GPU"),
        (90, "1", "needs about 90 GB, more than the 80.0 of GPU 1"),
        (24, "7", "needs about 24 GB"),
    ],
)
def test_needs_of_memory_in_words(gib: float, asked: str, text: str) -> None:
    assert memory_text(int(gib * (1 << 30)), asked, parse_line(gpus(76, 70)).gpus) == text


async def test_an_image_that_cannot_be_read_is_refused(
    recorded: Recorded, drawn_set: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(drawn_set, broken)
    next((broken / "query").iterdir()).write_bytes(b"")
    async with opened(recorded.home) as screen:
        kept(screen, root=str(broken))
        await screen.press("a")
        await screen.sees("1 run.")
        await screen.press("ctrl+o")
        await screen.sees("is empty (0 bytes)", "[ Queue run ]")
    assert not recorded.store.runs()


async def test_d_opens_the_form_with_the_same_settings(recorded: Recorded, drawn_set: Path) -> None:
    settings = (f"data.root={drawn_set}", "run.name=old", "run.seed=5", "train.p=8")
    recorded.finished(name="old", settings=settings, note="why", gpu="cpu")
    async with opened(recorded.home) as screen:
        await screen.press("3")
        await screen.sees("✓ finished")
        await screen.press("d")
        await screen.sees("new run", "Name       old", "Seeds 5", "train.p = 8", "note why")
        await screen.press("ctrl+o")
        await screen.sees("Run 2 is queued.", "[1 Queue 1]")
    run = only_run(recorded)
    assert (run.id, run.name, run.note) == (2, "old", "why")
    assert from_json(run.config) == from_json(recorded.store.run(1).config)


async def test_e_changes_a_run_that_waits(recorded: Recorded, drawn_set: Path) -> None:
    recorded.add(settings=(f"data.root={drawn_set}", "run.name=old"), gpu="cpu")
    async with opened(recorded.home) as screen:
        await screen.sees("○ queued")
        await screen.press("e")
        await screen.sees("edit run 1", "Place      as it is", "[ Save change ]", "1 run.")
        await screen.pilot.click("#overrides")
        await screen.press("x")
        await screen.sees("Nothing can be saved yet.")
        await screen.press("backspace")
        await screen.sees("1 run.")
        await screen.pilot.click("#name")
        await screen.press("end", "e", "r")
        await screen.sees("Name       older")
        await screen.pilot.click("#form-buttons", offset=(3, 0))
        await screen.sees("Run 1 is changed", "older", "[1 Queue 1]")
    assert from_json(only_run(recorded).config).run.name == "older"


async def test_the_fields_of_a_run_that_is_changed_are_not_cleared(
    recorded: Recorded, drawn_set: Path
) -> None:
    recorded.add(settings=(f"data.root={drawn_set}",), gpu="cpu")
    async with opened(recorded.home) as screen:
        await screen.sees("○ queued")
        await screen.press("e")
        await screen.sees("edit run 1")
        await screen.press("ctrl+p", *"clear form")
        await screen.sees("No matches found")


async def test_a_change_that_comes_too_late_says_so(
    recorded: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = recorded.add(settings=(f"data.root={drawn_set}",), gpu="cpu")
    async with opened(recorded.home) as screen:
        await screen.sees("○ queued")
        await screen.press("e")
        await screen.sees("1 run.")
        with recorded.store.writing() as connection:
            connection.exec_driver_sql("UPDATE run SET state = 'running'")
        await screen.press("ctrl+o")
        await screen.sees("Run 1 already started (another window). Nothing was changed.")
        with recorded.store.writing() as connection:
            connection.exec_driver_sql("UPDATE run SET state = 'queued'")
        await screen.pilot.click("#seeds")
        await screen.press("1", "comma", "2", "ctrl+o")
        await screen.sees("This changes one run; name one seed")
    assert recorded.store.run(run_id).state == "queued"


async def test_a_run_that_another_window_changed_stays_as_it_made_it(
    recorded: Recorded, drawn_set: Path
) -> None:
    run_id = recorded.add(settings=(f"data.root={drawn_set}",), gpu="cpu")
    async with opened(recorded.home) as screen:
        await screen.sees("○ queued")
        await screen.press("e")
        await screen.sees("1 run.")
        recorded.store.set_note(run_id, "of another window")
        await screen.press("ctrl+o")
        await screen.sees("Run 1 was changed in another window meanwhile. Nothing was changed;")
        await screen.press("escape")
        await screen.sees("[1 Queue 1]")
        await screen.press("e")
        await screen.sees("note of another window", "1 run.")
        await screen.press("ctrl+o")
        await screen.sees("Run 1 is changed")


async def test_texts_from_outside_are_shown_literally(recorded: Recorded) -> None:
    recorded.add(settings=("run.name=" + repr(NASTY),), note=NASTY, gpu="cpu", dataset=NASTY)
    async with opened(recorded.home, size=LARGE) as screen:
        await screen.sees("○ queued")
        await screen.press("e")
        await screen.sees("Nothing can be saved yet.")
        await screen.pilot.click("#overrides")
        await screen.paste(NASTY)
        text = await screen.sees("[red]x[/] \\x1b]52;c;aGk=\\x07 \\u202e")
        assert text.count("[red]x[/] \\x1b]52") >= 2
        assert "\x1b" not in text
        assert "\u202e" not in text


async def test_read_only_offers_no_form(recorded: Recorded) -> None:
    recorded.add(name="waiting one")
    async with opened(recorded.home, read_only=True) as screen:
        await screen.sees("waiting one")
        await screen.press("a", "e", "d", "colon")
        await screen.sees("part of a name")
        text = await screen.misses("add a run", "change the run", "Retry", "Delete")
        assert "new run" not in text


def test_a_draft_asks_for_the_run_it_was_made_of(recorded: Recorded, drawn_set: Path) -> None:
    settings = (f"data.root={drawn_set}", "intra.epochs=4", 'run.name="[a], b"', "train.pad=0")
    stages = ('run.stages=["intra", "inter"]', "intra.text=false", "inter.text=false")
    run = recorded.store.run(recorded.add(settings=(*settings, *stages), gpu="cpu"))
    draft = draft_of(run, recorded.home)
    assert draft.epochs == ("", "4", "")
    (plan,) = Planner(recorded.home).plan(draft.order())
    assert plan.config == from_json(run.config)
    assert restore(json.loads(json.dumps(asdict(draft)))) == draft


@pytest.mark.parametrize("kept", [{"preset": "gone"}, {"epochs": []}, {"stages": 3}, {"hold": []}])
def test_a_draft_that_cannot_be_understood_is_dropped(kept: dict[str, Any]) -> None:
    assert restore(kept) == Draft()


def test_a_backbone_that_the_preset_lacks_comes_with_its_weights(
    recorded: Recorded, drawn_set: Path
) -> None:
    draft = Draft(preset="default", backbone="tiny", root=str(drawn_set), gpu="cpu")
    (plan,) = Planner(recorded.home).plan(draft.order())
    assert (plan.config.model.backbone, plan.config.model.weights) == ("tiny", "shipped")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"stages": ()}, "Tick at least one"),
        ({"stages": ("prompt", "inter")}, "Stages 'prompt,inter': a run trains neighbours"),
        ({"seeds": "-1"}, "Seeds cannot be -1"),
        ({"seeds": "1,no"}, "Seeds cannot be 'no'"),
        ({"epochs": ("", "few", "")}, "intra.epochs cannot be 'few'"),
        ({"seeds": "1,1"}, "Seeds 1,1: a value stands there twice"),
        ({"overrides": "train.p = 8,9\ntrain.k = no"}, "line 2: train.k cannot be 'no'"),
        ({"overrides": "\nmargin"}, "line 2: write name = value"),
        ({"overrides": "train.p = 8,8"}, "line 1: a value stands there twice"),
        ({"preset": "default", "gpu": "auto"}, "Pass Root, the folder"),
    ],
)
def test_errors_speak_of_fields(recorded: Recorded, fields: dict[str, Any], words: str) -> None:
    draft = Draft(**{"preset": "smoke", "gpu": "cpu"} | fields)
    found = check(draft, Planner(recorded.home), recorded.home)
    assert words in found.problem
    assert "--" not in found.problem
    assert ": intra.epochs" not in found.problem
    assert found.count == 0


def test_an_explained_error_is_printable() -> None:
    assert explain(Draft(), "bad \x1b[31m") == "bad \\x1b[31m"


def test_warnings_and_times_of_earlier_runs_are_told(recorded: Recorded, drawn_set: Path) -> None:
    told = [epoch("prompt", 1, 18), epoch("intra", 1, 154), epoch("inter", 1, 184)]
    recorded.finished(*told, dataset="small", gpu="cpu")
    draft = Draft(preset="smoke", gpu="cpu", root=str(drawn_set), overrides="inter.ical.weight = 2")
    found = check(draft, Planner(recorded.home), recorded.home)
    assert any("inter.ical.weight is 2" in remark for remark in found.remarks)
    assert "as run 1 took" in found.duration
