"""Editing a run that waits: row and folder change together, and never once it has started."""

import json
from dataclasses import replace

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


def edit(recorded: Recorded, run_id: int, run: NewRun) -> str:
    """Change a run as it is now."""
    return recorded.store.edit(recorded.store.run(run_id), run)


def test_row_and_folder_change_together(recorded: Recorded) -> None:
    recorded.add()
    run_id = recorded.add(name="before", tags=("a",))
    sentence = edit(recorded, run_id, changed("run.seed=7", hold=True))
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
        edit(recorded, run_id, changed())
    assert recorded.store.run(run_id) == before
    assert recorded.home.run(run_id).config.read_text() == text


@pytest.mark.parametrize("what", ["note", "tags", "hold", "edit"])
def test_a_run_that_was_changed_since_it_was_seen_is_not_changed(
    recorded: Recorded, what: str
) -> None:
    run_id = recorded.add(name="before")
    seen = recorded.store.run(run_id)
    if what == "note":
        recorded.store.set_note(run_id, "meanwhile")
    elif what == "tags":
        recorded.store.add_tag(run_id, "meanwhile")
    elif what == "hold":
        recorded.store.hold(run_id)
    else:
        recorded.store.edit(seen, changed("run.seed=9"))
    now = recorded.store.run(run_id)
    with pytest.raises(StoreError, match="Run 1 was changed in another window meanwhile"):
        recorded.store.edit(seen, changed())
    assert recorded.store.run(run_id) == now


def test_a_run_that_was_moved_since_it_was_seen_is_changed(recorded: Recorded) -> None:
    run_id = recorded.add()
    recorded.add()
    seen = recorded.store.run(run_id)
    recorded.store.down(run_id)
    assert "Run 1 is changed" in recorded.store.edit(seen, changed())
    assert recorded.store.run(run_id).place == 2


def test_a_run_that_has_ended_or_is_unknown_is_not_changed(recorded: Recorded) -> None:
    run_id = recorded.finished()
    with pytest.raises(StoreError, match=r"Run 1 ended already \(finished\)\. Nothing was changed"):
        edit(recorded, run_id, changed())
    seen = replace(recorded.store.run(run_id), id=9)
    with pytest.raises(StoreError, match="There is no run 9"):
        recorded.store.edit(seen, changed())


def test_a_run_that_goes_on_from_a_checkpoint_keeps_its_settings(recorded: Recorded) -> None:
    run_id = recorded.start()
    recorded.end(run_id, "failed")
    with recorded.store.writing() as connection:
        connection.exec_driver_sql("UPDATE run SET checkpoint = 200")
    recorded.store.resume(run_id)
    with pytest.raises(StoreError, match="checkpoint of step 200"):
        edit(recorded, run_id, changed())
    recorded.store.cancel(run_id)
    recorded.store.retry(run_id)
    edit(recorded, run_id, changed())
    assert recorded.store.run(run_id).name == "after"


def test_runs_never_wait_for_each_other(recorded: Recorded) -> None:
    first = recorded.add()
    middle = recorded.add(source=first)
    last = recorded.add(source=middle)
    for source in (first, last):
        with pytest.raises(StoreError, match=f"cannot start from run {source}"):
            edit(recorded, first, changed(source=source))
    with pytest.raises(StoreError, match="There is no run 99"):
        edit(recorded, first, changed(source=99))
    edit(recorded, last, changed(source=first))
    assert recorded.store.run(last).source == first


def test_runs_are_added_held(recorded: Recorded) -> None:
    free = recorded.add()
    held = recorded.store.add_runs([changed(hold=True), changed(hold=True)])
    assert [recorded.store.run(run_id).hold for run_id in (free, *held)] == [False, True, True]


def test_runs_are_added_before_those_that_wait(recorded: Recorded) -> None:
    waiting = [recorded.add() for _ in range(2)]
    recorded.store.top(waiting[1])
    added = recorded.store.add_runs([changed(), changed()], first=True)
    queue = recorded.store.runs(["queued"])
    assert [run.id for run in queue] == [*added, waiting[1], waiting[0]]
    assert [run.place for run in queue] == [1, 2, 3, 4]


def test_the_queue_stays_as_it_is_when_runs_cannot_be_added_before_it(recorded: Recorded) -> None:
    recorded.add()
    before = recorded.store.runs()
    with pytest.raises(StoreError, match="There is no run 99"):
        recorded.store.add_runs([changed(), changed(source=99)], first=True)
    assert recorded.store.runs() == before
