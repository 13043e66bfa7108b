"""Orders: what is looked at when they are planned, prepared and queued."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from recorded import Recorded, recorded

from ccafl.errors import BusyError, ConfigError
from ccafl.gpu import GpuAnswer
from ccafl.orders import Order, Planner, change, offers, prepare, remarks, submit, variants
from ccafl.paths import Home

__all__ = ["recorded"]


@pytest.fixture(autouse=True)
def unserved(monkeypatch: pytest.MonkeyPatch) -> None:
    """No supervisor starts."""
    monkeypatch.setattr("ccafl.supervisor.ensure_supervisor", lambda home: None)


def order(data: Path, *settings: str, **words: Any) -> Order:
    """An order of the preset smoke."""
    common: dict[str, Any] = {"preset": "smoke", "data": data, "gpu": "cpu"}
    return Order(**common | {"variants": variants((), settings)} | words)


def quiet(activity: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


def test_planning_fetches_no_weights_and_preparing_does(
    recorded: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(name: str, tell: object) -> Path:
        raise ConfigError(f"{name} cannot be fetched")

    monkeypatch.setattr("ccafl.hub.fetch_openai", no_network)
    wanted = order(drawn_set, "model.backbone=RN50-quickgelu", "model.weights=openai")
    plans = Planner(recorded.home).plan(wanted)
    with pytest.raises(ConfigError, match="RN50-quickgelu cannot be fetched"):
        prepare(plans, recorded.home, quiet)
    with pytest.raises(ConfigError, match="there is no such file"):
        Planner(recorded.home).plan(order(drawn_set, "model.weights=/no/such.pt"))


@pytest.mark.parametrize("weights", ["tiny.pt", "~/tiny.pt"])
def test_a_file_of_weights_is_found_from_every_folder(
    recorded: Recorded,
    drawn_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    weights: str,
) -> None:
    (tmp_path / "tiny.pt").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    wanted = order(drawn_set, f"model.weights={weights}")
    (plan,) = Planner(recorded.home).plan(wanted)
    assert plan.config.model.weights == str(tmp_path / "tiny.pt")


def test_a_planner_looks_at_folder_and_gpus_once(
    recorded: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def read_gpus() -> GpuAnswer:
        asked.append("gpus")
        return GpuAnswer(error="not now")

    monkeypatch.setattr("ccafl.orders.order.read_gpus", read_gpus)
    planner = Planner(recorded.home)
    for seed in range(2):
        planner.plan(order(drawn_set, f"run.seed={seed}", gpu="0"))
    assert asked == ["gpus"]


@pytest.mark.parametrize(
    ("visible", "asked", "note"),
    [
        (
            "1",
            None,
            "CUDA_VISIBLE_DEVICES is not used: the queue takes the next free GPU. --gpu 1 ",
        ),
        ("GPU-a-1,0", None, "--gpu GPU-a-1 chooses one."),
        ("1", "auto", None),
        ("-1", None, None),
        ("", None, None),
    ],
)
def test_a_gpu_that_cuda_was_told_is_said_not_to_be_used(
    recorded: Recorded,
    drawn_set: Path,
    monkeypatch: pytest.MonkeyPatch,
    visible: str,
    asked: str | None,
    note: str | None,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr("ccafl.orders.order.read_gpus", lambda: GpuAnswer(error="not now"))
    wanted = order(drawn_set, gpu=asked, preset="default")
    tiny = variants((), ["model.backbone=tiny", "model.weights=shipped"])
    plans = Planner(recorded.home).plan(replace(wanted, variants=tiny))
    said = "\n".join(remarks(prepare(plans, recorded.home, quiet)))
    assert ("CUDA_VISIBLE_DEVICES" in said) == (note is not None)
    assert (note or "") in said


def test_runs_are_queued_first_and_held(recorded: Recorded, drawn_set: Path) -> None:
    waiting = recorded.add()
    plans = Planner(recorded.home).plan(order(drawn_set, "run.seed=1,2"))
    ready = prepare(plans, recorded.home, quiet)
    run_ids = submit(ready, recorded.home, hold=True, first=True)
    queue = recorded.store.runs(["queued"])
    assert [run.id for run in queue] == [*run_ids, waiting]
    assert [run.hold for run in queue] == [True, True, False]


def test_a_queued_run_is_changed_to_what_was_made_ready(
    recorded: Recorded, drawn_set: Path
) -> None:
    run_id = recorded.add(name="before")
    plans = Planner(recorded.home).plan(order(drawn_set, "run.seed=5", name="after"))
    ready = prepare(plans, recorded.home, quiet)
    seen = recorded.store.run(run_id)
    assert "is changed" in change(seen, ready[0], recorded.home, hold=False)
    run = recorded.store.run(run_id)
    assert (run.name, run.dataset, '"seed":5' in run.config) == ("after", "small", True)


def test_runs_offer_what_they_left_and_what_they_will_leave(recorded: Recorded) -> None:
    def offered(run_id: int) -> list[str]:
        return list(offers(recorded.store.run(run_id), recorded.home))

    whole = recorded.start()
    assert offered(whole) == ["intra", "inter"]
    recorded.end(whole, "failed")
    assert offered(whole) == []
    recorded.home.run(whole).prompts.touch()
    assert offered(whole) == ["intra"]
    no_text = ('run.stages=["inter"]', "intra.text=false", "inter.text=false")
    assert offered(recorded.add(settings=no_text)) == []


def test_a_run_of_another_version_offers_nothing(recorded: Recorded) -> None:
    run_id = recorded.add()
    with recorded.store.writing() as connection:
        connection.exec_driver_sql("UPDATE run SET config = '{\"old\": 1}'")
    assert offers(recorded.store.run(run_id), Home(recorded.home.root)) == []


def test_more_runs_than_anybody_means_are_refused_at_once() -> None:
    ten = ",".join(map(str, range(10)))
    keys = ("run.seed", "train.p", "train.k", "eval.every")
    assert len(variants((), [f"{key}={ten}" for key in keys[:3]])) == 1_000
    with pytest.raises(ConfigError, match="make 10,000 runs, and at most 1,000 are queued at once"):
        variants((), [f"{key}={ten}" for key in keys])


def test_a_run_that_is_queued_is_not_said_to_be_refused(
    recorded: Recorded, drawn_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([None, BusyError("The database is busy.")])

    def ensure_supervisor(home: Home) -> None:
        if (answer := next(answers)) is not None:
            raise answer

    monkeypatch.setattr("ccafl.supervisor.ensure_supervisor", ensure_supervisor)
    ready = prepare(Planner(recorded.home).plan(order(drawn_set)), recorded.home, quiet)
    assert submit(ready, recorded.home) == [1]
