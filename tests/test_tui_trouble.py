"""What is wrong with the database or the disk is a sentence, and the app goes on."""

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest
from recorded import Recorded, recorded
from tui_screen import opened, serving

from ccafl.errors import BusyError
from ccafl.store import database, open_store

__all__ = ["recorded", "serving"]


async def test_a_locked_database_is_a_sentence_and_the_keys_work(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccafl.store.database.BUSY_S", 0.05)
    monkeypatch.setattr("tui.signs.BUSY_SHOWN_S", 0.1)
    recorded.add(name="waiting one")
    async with opened(recorded.home) as screen:
        await screen.sees("waiting one")
        monkeypatch.setattr("ccafl.store.Store.data_version", locked)
        await screen.sees("database busy", "as of")
        await screen.press("3")
        await screen.sees("[3 History 0]")
        monkeypatch.undo()
        await screen.misses("database busy")


async def test_a_full_disk_is_said_until_there_is_room(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.reader.REFRESH_S", 0.1)
    monkeypatch.setattr("tui.problems.shutil.disk_usage", lambda _: SimpleNamespace(free=5 << 20))
    recorded.add(name="waiting one")
    async with opened(recorded.home) as screen:
        await screen.sees("Disk full", "0.0 GB free", "waiting one")
        monkeypatch.undo()
        recorded.add(name="other one")
        await screen.sees("other one")
        await screen.misses("Disk full")


async def test_a_newer_database_is_a_full_page_and_is_not_touched(
    recorded: Recorded, serving: list[object]
) -> None:
    recorded.start(name="from the future")
    with recorded.store.writing() as connection:
        connection.exec_driver_sql("PRAGMA user_version = 7")
    stored = [recorded.home.database, recorded.home.database.with_name("runs.db-wal")]
    before = [path.read_bytes() for path in stored]
    async with opened(recorded.home) as screen:
        await screen.sees("has schema version 7", "pip install -U ccafl", "nothing was changed")
        for key in ("2", "3", "P", "x", "1"):
            await screen.press(key)
        text = await screen.sees("has schema version 7", "[1 Queue] 2 Live")
        assert "a add" not in text
        assert "from the future" not in text
        await screen.press("q")
    assert screen.app.return_code == 0
    assert not screen.app.farewell
    assert not serving
    assert [path.read_bytes() for path in stored] == before


async def test_a_mistake_while_reading_is_said_and_the_app_goes_on(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.add(name="waiting one")
    async with opened(recorded.home) as screen:
        await screen.sees("waiting one")
        monkeypatch.setattr("ccafl.store.Store.runs", mistaken)
        recorded.add(name="other one")
        await screen.sees("That failed (RuntimeError: nobody foresaw this)", "waiting one")
        monkeypatch.undo()
        await screen.sees("other one")
        await screen.misses("nobody foresaw this")


async def test_a_mistake_in_an_action_is_said_and_the_next_one_is_done(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = recorded.add(name="waiting one")
    async with opened(recorded.home) as screen:
        await screen.sees("waiting one")
        monkeypatch.setattr("ccafl.store.Store.hold", mistaken)
        await screen.press("p")
        await screen.sees("That failed (RuntimeError: nobody foresaw this)")
        monkeypatch.undo()
        await screen.press("p")
        await screen.until(lambda: recorded.store.run(run_id).hold, "the run is held")


async def test_a_damaged_database_is_a_sentence_and_the_app_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "runs.db").write_bytes(b"this is no database, whatever its name says" * 30)
    async with opened(home) as screen:
        await screen.sees("is damaged", "Nothing was changed")
        await screen.press("2")
        await screen.sees("[2 Live]", "is damaged")
        await screen.misses("h stage")


async def test_an_outdated_database_is_brought_up_to_date(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.add(name="from before")
    scripts = [*database.migrations(), "CREATE TABLE novelty (id INTEGER) STRICT;"]
    monkeypatch.setattr("ccafl.store.database.migrations", lambda: scripts)
    monkeypatch.setattr(
        "ccafl.supervisor.ensure_supervisor", lambda home: open_store(home, create=True).close()
    )
    async with opened(recorded.home, read_only=True) as screen:
        await screen.sees("has schema version 1, this ccafl writes 2")
    async with opened(recorded.home) as screen:
        await screen.sees("from before", "○")


async def test_an_error_of_the_disk_is_said_and_the_next_action_is_done(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    run = recorded.store.run(recorded.finished())
    monkeypatch.setattr("ccafl.store.removal.flush", fail)
    async with opened(recorded.home) as screen:
        await screen.sees("3 History 1")
        screen.app.act([run], lambda store, run_id: str(store.delete(run_id)))
        await screen.sees("That failed: No space left on device")
        screen.app.act([run], lambda store, run_id: store.set_note(run_id, "kept"))
        await screen.until(lambda: recorded.store.run(run.id).note == "kept", "it is kept")


def locked(_store: object) -> int:
    """A store that is always busy."""
    raise BusyError("locked")


def mistaken(*_: object, **__: object) -> None:
    """Stands for a method with a mistake."""
    raise RuntimeError("nobody foresaw this")
