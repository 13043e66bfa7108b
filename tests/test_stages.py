"""The stages on a small drawn data set and the tiny model with random weights."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ccafl import presets
from ccafl.config import STAGES as NAMES
from ccafl.config import RunConfig, Stage
from ccafl.datasets import CameraLabels, Record, camera_labels, scan
from ccafl.images import Images
from ccafl.stages import STAGES, AnyStage
from ccafl.stages.training import Progress, Training, stage_steps, steps_before

CPU = torch.device("cpu")
SMALL = (
    "model.weights=random",
    "prompt.epochs=2",
    "train.iterations=3",
    "intra.epochs=2",
    "inter.epochs=3",
    "inter.text_from=2",
    "inter.ical.window=[3, 5]",
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def records(drawn_set: Path) -> tuple[Record, ...]:
    return scan(drawn_set).train


@pytest.fixture(scope="module")
def images(records: tuple[Record, ...]) -> Images:
    loaded = Images([record.path for record in records], (64, 32))
    loaded.decode_all(lambda done, total: None)
    return loaded


def config(*settings: str) -> RunConfig:
    return presets.resolve("smoke", settings=[*SMALL, *settings])


# what makes the host wait for a GPU: reading a value back, or an output whose size depends on
# values; and in deterministic mode the backward passes that end in a scatter
WAITING = (
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "unique",
    "scatter",
    "value_selecting",
)


class Operations(TorchDispatchMode):
    """Notes every operation that torch runs, backward passes included."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no types there
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        indices = [value for value in args if isinstance(value, list | tuple)]
        by_mask = any(isinstance(v, Tensor) and v.dtype == torch.bool for vs in indices for v in vs)
        self.names.add("nonzero" if by_mask and "index" in func.name() else func.name())
        return func(*args, **(kwargs or {}))


@pytest.fixture
def training(images: Images, records: tuple[Record, ...]) -> Training:
    return Training(config(), images, camera_labels(records), CPU)


def build(images: Images, labels: CameraLabels, *settings: str) -> Training:
    return Training(config(*settings), images, labels, CPU)


def run(training: Training, names: Sequence[Stage] = NAMES) -> dict[str, list[Progress]]:
    """Train stages one after the other; gives the progress of each."""
    return {name: list(STAGES[name](training).steps()) for name in names}


def weights(training: Training) -> Tensor:
    parts = (
        *training.encoder.state_dict().values(),
        training.classifier.weight,
        training.prompts.learned,
    )
    return torch.cat([part.detach().double().flatten() for part in parts])


def test_steps_are_counted_over_the_whole_run(training: Training) -> None:
    found = run(training)
    steps = [progress.step for name in NAMES for progress in found[name]]
    assert steps == list(range(1, len(steps) + 1))
    count = len(training.images)
    assert [len(found[name]) for name in NAMES] == [
        stage_steps(training.config, name, count) for name in NAMES
    ]
    assert found["inter"][0].step == steps_before(training.config, "inter", count) + 1


def test_epochs_are_counted_from_one_and_their_ends_are_marked(training: Training) -> None:
    ends = [progress.epoch for progress in run(training)["intra"] if progress.epoch_end]
    assert ends == [1, 2]


def test_each_stage_reports_its_terms_and_their_sum(training: Training) -> None:
    found = run(training)
    assert set(found["prompt"][0].losses) == {"i2t", "t2i", "total"}
    intra = {"gid", "intra", "memory_triplet", "triplet", "text", "total"}
    assert set(found["intra"][0].losses) == intra
    inter = {"gid", "inter", "triplet", "text", "total"}
    assert [set(found["inter"][i].losses) for i in (0, 3)] == [inter, inter | {"ical"}]
    for progress in found["inter"]:
        terms = [value for name, value in progress.losses.items() if name != "total"]
        torch.testing.assert_close(progress.losses["total"], torch.stack(terms).sum())


def test_windows_open_and_close_at_their_loop_epochs(
    images: Images, records: tuple[Record, ...]
) -> None:
    training = build(
        images, camera_labels(records), "inter.text_from=4", "inter.ical.window=[3, 4]"
    )
    terms = {
        progress.epoch: set(progress.losses) & {"text", "ical"}
        for progress in run(training)["inter"]
    }
    assert terms == {1: set(), 2: {"ical"}, 3: {"text"}}


@pytest.mark.parametrize("name", NAMES)
def test_a_step_inside_an_epoch_has_no_operation_that_waits_for_a_gpu(
    images: Images, records: tuple[Record, ...], name: Stage
) -> None:
    always = ("inter.text_from=2", "inter.ical.window=[2, 5]", "prompt.batch=8")
    training = build(images, camera_labels(records), *always)
    run(training, NAMES[: NAMES.index(name)])
    steps = STAGES[name](training).steps()
    next(steps)
    with Operations() as found:
        next(steps)
    assert found.names
    assert [used for used in sorted(found.names) if any(word in used for word in WAITING)] == []


def test_switched_off_terms_are_absent(images: Images, records: tuple[Record, ...]) -> None:
    off = (
        "intra.memory_triplet",
        "intra.triplet",
        "intra.text",
        "inter.triplet",
        "inter.text",
        "inter.ical.enabled",
    )
    training = build(images, camera_labels(records), *(f"{key}=false" for key in off))
    found = run(training)
    assert set(found["intra"][0].losses) == {"gid", "intra", "total"}
    assert set(found["inter"][0].losses) == {"gid", "inter", "total"}


def test_the_prompt_stage_changes_prompts_alone(training: Training) -> None:
    encoder = deepcopy(training.encoder.state_dict())
    learned = training.prompts.learned.detach().clone()
    run(training, ["prompt"])
    after = training.encoder.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in encoder.items())
    assert not torch.equal(training.prompts.learned, learned)


def test_later_stages_leave_the_prompts_and_train_encoder_and_classifier(
    training: Training,
) -> None:
    run(training, ["prompt"])
    learned = training.prompts.learned.detach().clone()
    before = weights(training)
    run(training, ["intra", "inter"])
    assert torch.equal(training.prompts.learned, learned)
    assert not torch.equal(weights(training), before)


def test_without_text_the_attention_pool_is_not_even_decayed(
    images: Images, records: tuple[Record, ...]
) -> None:
    training = build(images, camera_labels(records), "intra.text=false", "inter.text=false")
    pool = training.encoder.visual.attnpool
    before = deepcopy(pool.state_dict())
    run(training, ["intra", "inter"])
    assert all(torch.equal(value, before[name]) for name, value in pool.state_dict().items())


def test_the_neck_keeps_its_bias_at_zero_and_learns_its_weight(training: Training) -> None:
    run(training, ["intra"])
    assert (training.encoder.neck.bias == 0).all()
    assert (training.encoder.neck.weight != 1).any()


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(
    images: Images, records: tuple[Record, ...]
) -> None:
    found = []
    for seed in (1, 1, 2):
        training = build(images, camera_labels(records), f"run.seed={seed}")
        run(training)
        found.append(weights(training))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_training_does_not_know_which_camera_identities_are_one_person(
    images: Images, records: tuple[Record, ...]
) -> None:
    """METHOD: persons renumbered independently in every camera, order inside a camera kept."""
    stranger = [Record(r.path, 10_000 * r.camid + r.pid, r.camid) for r in records]
    found = []
    for known in (records, stranger):
        training = build(images, camera_labels(known))
        progress = run(training)
        losses = [
            value for stage in progress.values() for p in stage for value in p.losses.values()
        ]
        found.append((weights(training), torch.stack(losses)))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_an_epoch_without_links_trains_the_classifier_only(
    images: Images, records: tuple[Record, ...]
) -> None:
    training = build(images, camera_labels(records), "inter.association.rate=0.001")
    run(training, ["intra"])
    encoder = {name: value.detach().clone() for name, value in training.encoder.named_parameters()}
    classifier = training.classifier.weight.detach().clone()
    progress = run(training, ["inter"])["inter"]
    assert {frozenset(p.losses) for p in progress} == {frozenset({"gid", "total"})}
    after = dict(training.encoder.named_parameters())
    assert all(torch.equal(value, after[name]) for name, value in encoder.items())
    assert not torch.equal(training.classifier.weight, classifier)


def test_unlinked_images_take_no_part_in_inter_terms(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []

    def spy(x: Tensor, centroid: Tensor, group: Tensor, *, temperature: float) -> Tensor:
        seen.append(group)
        return x.sum()

    monkeypatch.setattr("ccafl.stages.inter.inter_loss", spy)
    progress = run(training, ["intra", "inter"])["inter"]
    assert progress[0].association is not None
    assert progress[0].association.linked < training.labels.count
    assert all((group >= 0).all() for group in seen)
    assert any(len(group) < p.images for group, p in zip(seen, progress, strict=True))


def test_one_per_camera_leaves_no_conflict(images: Images, records: tuple[Record, ...]) -> None:
    settings = ("inter.association.rate=4.0", "inter.association.one_per_camera=true")
    training = build(images, camera_labels(records), *settings)
    progress = run(training, ["inter"])["inter"]
    assert {p.association.conflicts for p in progress if p.association} == {0}


def test_lr_warms_up_and_drops_over_intra_and_inter_together(training: Training) -> None:
    found = run(training)
    rates = [p.lr for name in ("intra", "inter") for p in found[name] if p.epoch_end]
    assert rates == pytest.approx([2e-4, 1.1e-3, 2e-3, 2e-3, 2e-3])


def stop_after(stage: AnyStage, steps: int) -> None:
    """Take some steps and leave the rest."""
    progress = stage.steps()
    for _ in range(steps):
        next(progress)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 3, 4])
def test_a_stage_restored_at_any_step_ends_with_the_same_bits(
    images: Images, records: tuple[Record, ...], name: Stage, steps: int
) -> None:
    labels = camera_labels(records)
    straight = build(images, labels)
    earlier = NAMES[: NAMES.index(name)]
    run(straight, earlier)
    stage = STAGES[name](straight)
    stop_after(stage, steps)
    saved = deepcopy(stage.state_dict())
    rest = [p.losses["total"].item() for p in stage.steps()]
    other = build(images, labels)
    run(other, ["prompt", "intra"])  # everything a restore has to overwrite
    restored = STAGES[name](other)
    restored.load_state_dict(saved)
    assert [p.losses["total"].item() for p in restored.steps()] == rest
    assert torch.equal(weights(straight), weights(other))
