"""Disks that are full, read-only or flooded; databases that others hold; the clock; settings."""

import contextlib
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_supervisor import FOREVER
from toy_queue import ToyQueue, queue, wait_until

from ccafl import events
from ccafl.errors import ConfigError, StoreError
from ccafl.events import EventWriter
from ccafl.paths import Home
from ccafl.presets import resolve
from ccafl.store import Store, database, open_store
from ccafl.store.claims import Queued
from ccafl.supervisor import process, upkeep, waiting
from ccafl.supervisor.pace import Pace
from ccafl.supervisor.settings import read_settings
from ccafl.supervisor.upkeep import Upkeep, cut_console

__all__ = ["queue"]  # a fixture

ENDED = ("finished", "failed", "cancelled", "lost")
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change user or to mount")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    root = tmp_path / "small"
    root.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", root],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip("needs a machine on which root may mount a tmpfs")
    yield root
    subprocess.run(["umount", "--lazy", root], check=True)


@needs_root
def test_fault_21_a_full_disk_stops_neither_run_nor_supervisor(
    small_disk: Path,
) -> None:
    toys = ToyQueue(small_disk / "h")
    try:
        run_id = toys.add(steps=250, delay_s=0.01)
        toys.serve(free=0)
        toys.wait_for_step(run_id, 20)
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        wait_until(lambda: toys.family(run_id) == [])
        assert toys.supervisors[-1].poll() is None, "it lives on the full disk"
        filler.unlink()
        run = toys.wait_for(run_id, *ENDED)
        rows = toys.steps(run_id)
        assert rows == sorted(set(rows)), "none twice"
        assert rows[:20] == list(range(1, 21))
        assert run.bad_lines <= 1
    finally:
        toys.close()


@pytest.mark.parametrize(
    ("free", "checkpoint", "reason"),
    [
        (1 << 30, None, None),
        ((1 << 30) - 1, None, "the disk of the state folder has 1.1 GB free, 1.1 GB are needed"),
        (4 << 30, 1 << 30, None),
        (2 << 30, 1 << 30, "the disk of the state folder has 2.1 GB free, 4.3 GB are needed"),
    ],
)
def test_fault_23_a_run_waits_for_room_on_the_disk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    checkpoint: int | None,
    reason: str | None,
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    run = Queued(1, "cpu", 1, "prompt", None, None, checkpoint)
    assert waiting.reason_to_wait(run, Home(tmp_path)) == reason


def as_nobody(action: Callable[[], str]) -> str:
    """What an action answers when another user does it; an error answers with its words."""

    def act(answer: Any) -> None:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            answer.put(action())
        except StoreError as error:
            answer.put(f"{type(error).__name__}: {error}")

    fork = multiprocessing.get_context("fork")
    answer = fork.SimpleQueue()
    child = fork.Process(target=act, args=(answer,))
    child.start()
    child.join()
    return str(answer.get()) if not answer.empty() else "it broke"


@pytest.fixture
def foreign_home(tmp_path: Path) -> Iterator[Home]:
    """A state folder of another user, who may not write to it; it holds two runs."""
    home = Home(Path("/tmp") / f"ccafl-{os.getpid()}-{tmp_path.name}")
    with open_store(home, create=True) as store:
        store.add_run(resolve("smoke"))
        store.add_run(resolve("smoke"))
        store.runs()
    database.checkpoint(home.database)
    for path in [home.root, *home.root.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
        path.chmod(0o500 if path.is_dir() else 0o400)
    yield home
    shutil.rmtree(home.root)


def read_and_write(home: Home) -> str:
    with open_store(home) as store:
        found = [run.id for run in store.runs()]
        try:
            store.set_note(1, "x")
        except StoreError as error:
            return f"{found} {error}"
    return "written"


@needs_root
def test_fault_24_a_read_only_folder_is_read_and_writes_are_refused(foreign_home: Home) -> None:
    answer = as_nobody(lambda: read_and_write(foreign_home))
    assert answer.startswith("[1, 2] ")
    assert "cannot be used: attempt to write a readonly database" in answer


@needs_root
def test_a_folder_that_cannot_be_looked_into_keeps_only_those_waiting_who_need_it(
    foreign_home: Home,
) -> None:
    foreign_home.run(1).root.chmod(0)
    run = Queued(2, "cpu", 1, "intra", 1, "finished", None)
    answer = as_nobody(lambda: str(waiting.reason_to_wait(run, foreign_home)))
    assert answer.startswith("run 1 ended (finished) without its prompt stage")


@needs_root
def test_fault_41_a_folder_of_somebody_else_is_refused(foreign_home: Home) -> None:
    for path in [foreign_home.root, *foreign_home.root.rglob("*")]:
        os.chown(path, 0, 0)
    answer = as_nobody(lambda: read_and_write(foreign_home))
    assert "StoreError" in answer
    assert "belongs to another user" in answer


def test_fault_19_a_reader_that_stays_is_named_and_the_log_is_emptied_after(
    queue: ToyQueue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database, "WAL_LIMIT", 100_000)
    reader = database.connect(queue.home.database, "ro")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM run").fetchone()
    run_id = queue.add()
    for count in range(300):
        queue.store.set_note(run_id, str(count))
    care = Upkeep(queue.home, Pace())
    care.care_for_database()
    assert "because a program keeps it open" in caplog.text
    reader.close()
    assert database.checkpoint(queue.home.database) == 0


def test_a_backup_is_made_each_day_and_three_are_kept(queue: ToyQueue) -> None:
    queue.home.backups.mkdir()
    for day in range(1, 6):
        (queue.home.backups / f"runs-2026-01-0{day}.db").touch()
    Upkeep(queue.home, Pace()).care_for_database()
    names = sorted(path.name for path in queue.home.backups.iterdir())
    today = time.strftime("runs-%Y-%m-%d.db")
    assert names == ["runs-2026-01-04.db", "runs-2026-01-05.db", today]


def test_fault_44_a_flooded_console_is_cut_and_its_writer_goes_on(queue: ToyQueue) -> None:
    run_id = queue.add(flood=200, steps=50, delay_s=0.01)
    queue.serve()
    assert queue.wait_for(run_id, *ENDED).state == "finished"
    assert queue.home.run(run_id).console.stat().st_size < 2 * upkeep.CONSOLE_LIMIT
    assert queue.steps(run_id) == list(range(1, 51))


def test_a_cut_console_keeps_its_end_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    cut_console(path, 10)
    path.write_bytes(b"short")
    cut_console(path, 10)
    assert path.read_bytes() == b"short"
    path.write_bytes(b"x" * (3 << 20) + b"the end\n")
    cut_console(path, 10)
    assert path.read_bytes().startswith(b"[the beginning was dropped")
    assert path.read_bytes().endswith(b"the end\n")
    assert path.stat().st_size < (1 << 20) + 100


def test_an_event_file_has_a_limit_beyond_which_only_losses_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "FILE_LIMIT", 1000)
    loss = events.Loss(stage="intra", epoch=1, step=1, loss={"total": 1.0})
    with EventWriter(tmp_path / "events-1.jsonl") as writer:
        for _ in range(50):
            writer.write(loss)
        writer.write(events.End(exit="ok"))
        assert writer.dropped > 30
    lines = events.read_events(tmp_path / "events-1.jsonl", 0).lines
    assert isinstance(lines[-1].event, events.End)
    assert (tmp_path / "events-1.jsonl").stat().st_size < 1300


def test_fault_40_a_clock_that_jumps_back_a_day_delays_no_cancel(queue: ToyQueue) -> None:
    run_id = queue.add(deaf=True, **FOREVER)
    queue.serve(clock_back=86_400, patience={"save_s": 0.3, "term_s": 0.3})
    queue.wait_for_step(run_id, 3)
    began = time.monotonic()
    queue.store.cancel(run_id)
    assert queue.wait_for(run_id, *ENDED).state == "cancelled"
    assert time.monotonic() - began < 10


def test_a_silent_run_is_warned_of_and_not_stopped(queue: ToyQueue) -> None:
    run_id = queue.add(steps=2, delay_s=1.2)
    queue.serve(pace={"quiet_s": 0.5})
    wait_until(lambda: "no progress for" in str(queue.store.run(run_id).warning))
    assert queue.wait_for(run_id, *ENDED).state == "finished"


NOTIFY = """
[notify]
command = [{python!r}, "-c", {script!r}, "{{id}} {{name}} {{state}} [{{map}}]"]
[supervisor]
save_s = 0.2
term_s = 0
"""


def test_a_command_is_told_of_every_end_without_a_shell(queue: ToyQueue) -> None:
    told = queue.home.root.parent / "told"
    script = (
        f"import os, sys; open({str(told)!r}, 'a').write(sys.argv[1] + ' ' + "
        "os.environ['CCAFL_RUN_STATE'] + chr(10))"
    )
    queue.home.settings.write_text(NOTIFY.format(python=sys.executable, script=script))
    run_id = queue.add(steps=4, save_every=1, delay_s=0.1)
    queue.change("UPDATE run SET name = '$(id) {state}; x'")
    queue.serve()
    queue.wait_for_step(run_id, 2)
    process.kill_members(queue.token(run_id))  # lost and queued again is no end
    assert queue.wait_for(run_id, *ENDED).attempt == 2
    wait_until(lambda: told.exists() and told.read_text().endswith("\n"))
    assert told.read_text() == f"{run_id} $(id) {{state}}; x finished [] finished\n"
    deaf = queue.add(deaf=True, **FOREVER)
    queue.wait_for_step(deaf, 2)
    queue.store.cancel(deaf)
    assert queue.wait_for(deaf, *ENDED).state == "cancelled", "in the time of settings.toml"
    wait_until(lambda: "cancelled" in told.read_text())


def test_a_command_that_cannot_be_started_is_logged_only(queue: ToyQueue) -> None:
    queue.home.settings.write_text('[notify]\ncommand = ["/no/such/program"]\n')
    queue.serve()
    run_id = queue.add(steps=1)
    assert queue.wait_for(run_id, *ENDED).state == "finished"
    wait_until(lambda: "notify command could not be started" in queue.home.log.read_text())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[notify", "cannot be read"),
        ("[notify]\ncomand = []", "there is no setting 'notify.comand'"),
        ('[notify]\ncommand = "say"', "notify.command cannot be 'say'"),
        ("[supervisor]\nsave_s = -1", "supervisor.save_s cannot be -1"),
        ("[supervisor]\nidle_s = inf", "supervisor.idle_s cannot be inf"),
        ("color = 1", "there is no setting 'color'"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path, content: str, words: str) -> None:
    home = Home(tmp_path)
    assert read_settings(home).supervisor.save_s == 300
    home.settings.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_settings(home)
    assert "settings.toml" in str(caught.value)
    assert words in str(caught.value)


def test_the_record_of_a_run_says_how_it_ended(queue: ToyQueue) -> None:
    run_id = queue.add(steps=2)
    queue.serve()
    queue.wait_for(run_id, *ENDED)
    wait_until(lambda: record(queue.store, run_id)["run"]["state"] == "finished")
    assert record(queue.store, run_id)["attempts"][0]["exit_kind"] == "ok"


def record(store: Store, run_id: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(store.home.run(run_id).record.read_text())
    return found
