"""Editing a run that waits: row and folder change together, and never once it has started."""

import json

import pytest
from recorded import Recorded, recorded

from ccafl.config import from_json
from ccafl.errors import StoreError
from ccafl.presets import resolve
from ccafl.store import NewRun

__all__ = ["recorded"]


def changed(*settings: str, source: int | None = None, hold: bool = False) -> NewRun:
    """What a run is changed to."""
    config = resolve("smoke", settings=["data.root=/sets/other", *settings])
    return NewRun(
        config=config,
        name="after",
        note="why",
        preset="smoke",
        dataset="other",
        gpu="cpu",
        tags=("b",),
        source=source,
        hold=hold,
    )


def test_row_and_folder_change_together(recorded: Recorded) -> None:
    recorded.add()
    run_id = recorded.add(name="before", tags=("a",))
    sentence = recorded.store.edit(run_id, changed("run.seed=7", hold=True))
    run = recorded.store.run(run_id)
    assert (run.name, run.note, run.tags, run.dataset) == ("after", "why", ("b",), "other")
    assert (run.gpu, run.hold, run.place, run.state) == ("cpu", True, 2, "queued")
    assert from_json(run.config).run.seed == 7
    folder = recorded.home.run(run_id)
    assert folder.config.read_text() == run.config
    record = json.loads(folder.record.read_text())
    assert (record["run"]["name"], record["run"]["hold"], record["tags"]) == ("after", 1, ["b"])
    assert folder.config.stat().st_mode & 0o777 == 0o600
    assert "Run 2 is changed" in sentence


def test_a_run_that_has_started_is_not_changed(recorded: Recorded) -> None:
    run_id = recorded.start(name="before")
    before = recorded.store.run(run_id)
    text = recorded.home.run(run_id).config.read_text()
    with pytest.raises(StoreError, match=r"1 already started \(another window\)\. Nothing was"):
        recorded.store.edit(run_id, changed())
    assert recorded.store.run(run_id) == before
    assert recorded.home.run(run_id).config.read_text() == text


def test_a_run_that_has_ended_or_is_unknown_is_not_changed(recorded: Recorded) -> None:
    run_id = recorded.finished()
    with pytest.raises(StoreError, match=r"Run 1 ended already \(finished\)\. Nothing was changed"):
        recorded.store.edit(run_id, changed())
    with pytest.raises(StoreError, match="There is no run 9"):
        recorded.store.edit(9, changed())


def test_a_run_that_goes_on_from_a_checkpoint_keeps_its_settings(recorded: Recorded) -> None:
    run_id = recorded.start()
    recorded.end(run_id, "failed")
    with recorded.store.writing() as connection:
        connection.exec_driver_sql("UPDATE run SET checkpoint = 200")
    recorded.store.resume(run_id)
    with pytest.raises(StoreError, match="checkpoint of step 200"):
        recorded.store.edit(run_id, changed())
    recorded.store.cancel(run_id)
    recorded.store.retry(run_id)
    recorded.store.edit(run_id, changed())
    assert recorded.store.run(run_id).name == "after"


def test_runs_never_wait_for_each_other(recorded: Recorded) -> None:
    first = recorded.add()
    middle = recorded.add(source=first)
    last = recorded.add(source=middle)
    for source in (first, last):
        with pytest.raises(StoreError, match=f"cannot start from run {source}"):
            recorded.store.edit(first, changed(source=source))
    with pytest.raises(StoreError, match="There is no run 99"):
        recorded.store.edit(first, changed(source=99))
    recorded.store.edit(last, changed(source=first))
    assert recorded.store.run(last).source == first


def test_runs_are_added_held(recorded: Recorded) -> None:
    free = recorded.add()
    held = recorded.store.add_runs([changed(hold=True), changed(hold=True)])
    assert [recorded.store.run(run_id).hold for run_id in (free, *held)] == [False, True, True]
