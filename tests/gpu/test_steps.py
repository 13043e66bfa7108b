"""What a training step and an evaluation do on a GPU, in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from ccafl import presets, ranking
from ccafl.config import STAGES as NAMES
from ccafl.config import Stage
from ccafl.datasets import camera_labels, scan
from ccafl.images import Images
from ccafl.ranking import evaluate
from ccafl.stages import STAGES
from ccafl.stages.training import Training

pytestmark = [
    pytest.mark.usefixtures("as_in_a_worker"),
    pytest.mark.filterwarnings("ignore:.*deterministic"),
]
WARM_UP = 2  # steps of the epoch that may wait: kernels are chosen, memory is asked for
SHORT = (  # several steps in each epoch, and every term from the first inter epoch on
    "model.weights=random",
    "prompt.batch=8",
    "prompt.epochs=1",
    "train.iterations=5",
    "intra.epochs=1",
    "inter.epochs=2",
    "inter.text_from=1",
    "inter.ical.window=[1, 3]",
)


def new_training(data: Path, device: torch.device, *settings: str) -> Training:
    records = scan(data).train
    images = Images([record.path for record in records], (64, 32))
    images.decode_all(lambda done, total: None)
    config = presets.resolve("smoke", settings=[*SHORT, *settings])
    return Training(config, images, camera_labels(records), device)


def steps_of(training: Training, name: Stage) -> Iterator[object]:
    """The steps of a stage, after the stages before it."""
    for before in NAMES[: NAMES.index(name)]:
        for _ in STAGES[before](training).steps():
            pass
    return STAGES[name](training).steps()


@pytest.mark.parametrize("precision", ["fp32", "auto", "fp16"])
@pytest.mark.parametrize("name", NAMES)
def test_a_step_inside_an_epoch_never_waits_for_the_gpu(
    drawn_set: Path, name: Stage, precision: str
) -> None:
    """Between epochs it may: embeddings, association and the starting means are read there."""
    training = new_training(drawn_set, torch.device("cuda", 0), f"model.precision={precision}")
    steps = steps_of(training, name)
    for _ in range(WARM_UP):
        next(steps)
    torch.cuda.set_sync_debug_mode("error")
    try:
        next(steps)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_images_reach_the_encoder_in_channels_last_order(drawn_set: Path) -> None:
    training = new_training(drawn_set, torch.device("cuda", 0))
    batch = training.next_batch()
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    weight = training.encoder.visual.layer1[0].conv2.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_low_precision_ends_before_the_embedding(drawn_set: Path) -> None:
    training = new_training(drawn_set, torch.device("cuda", 0), "model.precision=auto")
    batch = training.next_batch()
    with training.autocast():
        encoded = training.encoder(batch.images, project=True)
    assert training.dtype != torch.float32
    assert encoded.embedding.dtype == encoded.joint.dtype == torch.float32
    torch.testing.assert_close(
        encoded.embedding.norm(dim=1), torch.ones_like(batch.images[:, 0, 0, 0])
    )


def test_evaluation_is_full_float32_whatever_the_process_allows() -> None:
    generator = torch.Generator().manual_seed(0)
    people = torch.randn(60, 512, generator=generator)
    pid, camid = torch.arange(60).repeat(20), torch.arange(1200) % 7 % 5
    x = normalize(people[pid] + 3 * torch.randn(1200, 512, generator=generator))
    numbers = {
        "query_pid": pid[:200],
        "query_camid": camid[:200],
        "gallery_pid": pid[200:],
        "gallery_camid": camid[200:],
    }
    expected = evaluate(x[:200], x[200:], **numbers, camera_pairs=True)
    torch.set_float32_matmul_precision("medium")
    try:
        found = evaluate(x[:200].cuda(), x[200:].cuda(), **numbers, camera_pairs=True)
    finally:
        torch.set_float32_matmul_precision("highest")
    assert found.mean_ap == pytest.approx(expected.mean_ap, abs=1e-6)
    assert found.camera_pairs == pytest.approx(expected.camera_pairs)
    assert ranking.BLOCK > 200  # one block, so that both products have the same shape
