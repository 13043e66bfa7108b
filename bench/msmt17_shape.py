"""What everything but the encoder costs at the size of MSMT17, on a CPU.

    python -m bench.msmt17_shape --output bench/results/msmt17_shape.md

Stand-ins have the published counts of images, persons, cameras and camera identities: files are
links to four tiny pictures, embeddings are drawn (person + camera + noise). Each part runs in a
process of its own, so that no peak of memory hides another.
"""

import argparse
import gc
import io
import math
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ccafl import presets
from ccafl.association import audit, link_cameras
from ccafl.checkpoint import load_checkpoint, save_checkpoint
from ccafl.datasets import Record, camera_labels, examine, identity_pids
from ccafl.datasets.check import check, work_off
from ccafl.images import Images
from ccafl.losses import prompt_losses
from ccafl.memory import label_centroid
from ccafl.model import Encoded
from ccafl.orders.opened import Opened
from ccafl.paths import Home
from ccafl.ranking import BLOCK, evaluate
from ccafl.sampler import IdentitySampler
from ccafl.stages.inter import InterStage
from ccafl.stages.intra import IntraStage
from ccafl.stages.training import Batch, Training

Ints = NDArray[np.int64]

CAMERAS, D, E = 15, 2_048, 1_024
TRAIN_IMAGES, PERSONS, IDENTITIES = 32_621, 1_041, 4_821
VALIDATION_IMAGES = 2_373  # of the training images, in a list of their own
QUERIES, GALLERY, TEST_PERSONS, TEST_IDENTITIES = 11_659, 82_161, 3_060, 14_000
ALL_IMAGES = TRAIN_IMAGES + QUERIES + GALLERY
LINKS_PER_FILE = 40_000  # ext4 allows 65,000
NO_TARGET = "-"
SETTINGS = (  # so that the first inter epoch has all terms
    "model.weights=random",
    "inter.text_from=5",
    "inter.ical.window=[5, 80]",
)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    time: str
    memory: str = NO_TARGET
    target: str = NO_TARGET


@dataclass(frozen=True)
class Measured:
    """The shortest time, and the memory at the peak beside what was held before."""

    seconds: float
    memory: int

    @property
    def time(self) -> str:
        """With a unit that fits."""
        if self.seconds < 1:
            return f"{1000 * self.seconds:.0f} ms"
        return f"{self.seconds:.1f} s"

    @property
    def size(self) -> str:
        """With a unit that fits."""
        if self.memory < 1e8:
            return f"{max(0, self.memory) / 1e6:.0f} MB"
        return f"{self.memory / 1e9:.2f} GB"

    def row(self, what: str, target: str = NO_TARGET) -> Row:
        """As a line of the table."""
        return Row(what, self.time, self.size, target)


def measure(action: Callable[[], Any], *, times: int = 1) -> Measured:
    """Run an action so many times; the shortest counts, because others use the machine as well."""
    gc.collect()
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return Measured(min(seconds), _status("VmHWM") - before)


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def draw_pairs(persons: int, count: int, seed: int) -> tuple[Ints, Ints]:
    """Person and camera (from 0) of `count` camera identities; each person has two or more."""
    rng = np.random.default_rng(seed)
    cameras = rng.permuted(np.tile(np.arange(CAMERAS), (persons, 1)), axis=1)  # (persons, C)
    sure = np.stack([np.repeat(np.arange(persons), 2), cameras[:, :2].ravel()])
    rest = np.stack([np.repeat(np.arange(persons), CAMERAS - 2), cameras[:, 2:].ravel()])
    more = rng.choice(rest.shape[1], count - sure.shape[1], replace=False)
    person, camera = np.concatenate([sure, rest[:, more]], axis=1)
    return person, camera


def draw_images(pairs: int, count: int, seed: int) -> Ints:
    """Camera identity of each of `count` images; each has one or more."""
    rest = np.random.default_rng(seed).integers(0, pairs, count - pairs)
    return np.concatenate([np.arange(pairs), rest])


def train_records() -> list[Record]:
    """Training records without files, in the order of a scan: by person, then by number."""
    person, camera = draw_pairs(PERSONS, IDENTITIES, seed=0)
    of_image = draw_images(IDENTITIES, TRAIN_IMAGES, seed=1)
    of_image = of_image[person[of_image].argsort(kind="stable")]
    pairs = zip(person[of_image].tolist(), camera[of_image].tolist(), strict=True)
    return [Record(Path("stand-in.jpg"), pid, camid + 1) for pid, camid in pairs]


def test_numbers() -> tuple[Ints, Ints]:
    """Person and camera number of query and then gallery images."""
    person, camera = draw_pairs(TEST_PERSONS, TEST_IDENTITIES, seed=2)
    query = draw_images(TEST_PERSONS * 2, QUERIES, seed=3)  # each person in two cameras, and more
    gallery = draw_images(TEST_IDENTITIES, GALLERY, seed=4)
    chosen = np.concatenate([query, gallery])
    return person[chosen], camera[chosen] + 1


def draw_embeddings(person: Ints, camera: Ints, seed: int) -> Tensor:
    """(N, D) unit rows: a vector of the person, one of the camera, and noise."""
    generator = torch.Generator().manual_seed(seed)
    people = torch.randn(int(person.max()) + 1, D, generator=generator)
    cameras = torch.randn(int(camera.max()) + 1, D, generator=generator)
    x = torch.empty(len(person), D)
    for start in range(0, len(x), 4096):
        rows = slice(start, start + 4096)
        part = x[rows].normal_(std=3.0, generator=generator)
        part += people[torch.from_numpy(person[rows])]
        part += cameras[torch.from_numpy(camera[rows])]
        part /= part.norm(dim=1, keepdim=True)
    return x


def write_folder(root: Path) -> None:
    """MSMT17 with list files, each image a link to one of a few tiny pictures."""
    sources = []
    for number in range(1 + ALL_IMAGES // LINKS_PER_FILE):
        sources.append(root / f".picture-{number}.jpg")
        Image.new("RGB", (8, 16), (60 * number, 90, 120)).save(sources[-1])
    train = [(record.pid, record.camid) for record in train_records()]
    person, camid = test_numbers()
    test = list(zip(person.tolist(), camid.tolist(), strict=True))
    written = 0
    for folder, rows, lists in (
        ("train", train, {"list_train": TRAIN_IMAGES - VALIDATION_IMAGES, "list_val": None}),
        ("test", test, {"list_query": QUERIES, "list_gallery": None}),
    ):
        for pid in range(TEST_PERSONS if folder == "test" else PERSONS):
            (root / folder / f"{pid:04d}").mkdir(parents=True)
        lines = []
        for number, (pid, camera) in enumerate(rows):
            name = f"{pid:04d}/{pid:04d}_{number:05d}_{camera:02d}_0303morning_0015_0.jpg"
            os.link(sources[written // LINKS_PER_FILE], root / folder / name)
            written += 1
            lines.append(f"{name} {pid}\n")
        first = 0
        for file, count in lists.items():
            part = lines[first : None if count is None else first + count]
            (root / f"{file}.txt").write_text("".join(part), encoding="utf-8")
            first += len(part)


def check_folder(root: Path) -> list[Row]:
    """The check before a run, the one that opens every file, and what a second run costs."""

    def run(fast: bool) -> None:
        report = work_off(check(root, fast=fast), lambda *_: None)
        assert report.usable().name == "MSMT17", report.warnings

    report, home = examine(root), Home(root.parent / "state")
    return [
        measure(lambda: run(fast=True), times=2).row(
            f"check --fast of {ALL_IMAGES:,} files", "60 s"
        ),
        measure(lambda: run(fast=False)).row("check that opens them all (tiny pictures)"),
        measure(lambda: Opened.of(report, home)).row(
            "- instead, before a later run: that none of them has changed"
        ),
    ]


def decode_sample(root: Path) -> list[Row]:
    """Decoding pictures of the usual size and weight, 400 x 200 and about 25 kB."""
    paths = [root / f"sample-{seed}.jpg" for seed in range(100)]
    for seed, path in enumerate(paths):
        path.write_bytes(_picture(seed))
    size = presets.resolve("msmt17").model.image_size
    images = Images(paths * 15, size)
    measured = measure(lambda: images.decode_all(lambda _done, _total: None), times=3)
    rate = len(images) / measured.seconds
    kilobytes = statistics.mean(path.stat().st_size for path in paths) / 1000
    what = f"decoding to 256 x 128 (400 x 200 JPEG, {kilobytes:.0f} kB each)"
    rows = [Row(what, f"{rate:,.0f} images/s")]
    for count, side in ((TRAIN_IMAGES, "training"), (QUERIES + GALLERY, "test")):
        decoded = Measured(count / rate, count * size[0] * size[1] * 3)
        rows.append(decoded.row(f"- so {count:,} {side} images, once"))
    return rows


def _picture(seed: int) -> bytes:
    """Noise whose spectrum falls about as that of photographs does."""
    rng = np.random.default_rng(seed)
    height, width = 400, 200
    distance = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    weight = np.maximum(distance, 1 / height) ** -1.35
    spectrum = np.fft.rfft2(rng.standard_normal((4, height, width))) * weight
    grey, *colours = np.fft.irfft2(spectrum, s=(height, width))
    values = grey + 0.2 * np.stack(colours)
    pixels = 128 + 45 * values / values.std()
    picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=88)
    return file.getvalue()


class GivenEmbeddings(Training):
    """A run's training state with RN50, whose encoders are never asked."""

    def __init__(self) -> None:
        records = train_records()
        labels = camera_labels(records)
        config = presets.resolve("msmt17", settings=SETTINGS)
        images = Images([record.path for record in records], config.model.image_size)
        super().__init__(config, images, labels, torch.device("cpu"))
        self.pid = torch.from_numpy(identity_pids(records))  # (A,), for the audit
        person = self.pid.numpy()[labels.camera_identity]
        self.x = draw_embeddings(person, labels.camera, seed=5)  # (N, D)
        self.given_text = torch.randn(labels.count, E, generator=self.generator)

    def encode_prompts(self) -> Tensor:
        """(A, E) drawn texts."""
        return self.given_text

    def given_batch(self) -> tuple[Encoded, Batch]:
        """A batch of the sampler with drawn joint embeddings; both gather gradient."""
        indices = self.sampler.next()
        identity = self.labels.camera_identity[indices]
        joint = torch.randn(len(indices), E, generator=self.generator).requires_grad_()
        encoded = Encoded(self.x[indices].clone().requires_grad_(), joint)
        return encoded, Batch(torch.empty(len(indices), 0), torch.from_numpy(identity), identity)


def labels_sampler_prompt() -> list[Row]:
    """What the scanned records become, and the losses of a step of the prompt stage."""
    records, train = train_records(), presets.resolve("msmt17").train
    labels, generator = camera_labels(records), torch.Generator().manual_seed(0)
    assert labels.count == IDENTITIES
    sampler = IdentitySampler(labels.camera_identity, p=train.p, k=train.k, generator=generator)
    batches = math.ceil(IDENTITIES / train.p)
    identity = torch.from_numpy(labels.camera_identity[sampler.next()])
    camera = torch.from_numpy(labels.camera_of_identity)[identity]
    image, text = (
        torch.randn(len(identity), E, generator=generator).requires_grad_() for _ in range(2)
    )

    def one_pass() -> None:
        for _ in range(batches):
            sampler.next()

    def step() -> None:
        i2t, t2i = prompt_losses(image, text, identity, camera)
        (i2t + t2i).backward()

    return [
        measure(lambda: camera_labels(records), times=4).row("labels of the training images"),
        measure(one_pass, times=4).row(f"sampler, a pass of {batches} batches"),
        measure(step, times=6).row("prompt: losses of a step (i2t, t2i)"),
    ]


def intra_stage() -> list[Row]:
    """The memory, the losses and the update of the intra stage."""
    training = GivenEmbeddings()
    stage = IntraStage(training)
    built = measure(lambda: stage.begin_epoch(training.x))
    return [
        built.row(f"intra: memory of {IDENTITIES:,} centroids and 32 instances each"),
        *_steps(training, stage),
    ]


def inter_stage() -> list[Row]:
    """Association, the memory, the losses and the update of the inter stage."""
    training = GivenEmbeddings()
    labels, camera = training.camera_identity, training.camera_of_identity
    rate = training.config.inter.association.rate

    def link() -> None:
        centroid = label_centroid(training.x, labels, IDENTITIES)
        group = link_cameras(centroid, camera, rate=rate).group
        audit(group, camera, training.pid)

    linked = measure(link, times=4)
    stage = InterStage(training)
    built = measure(lambda: stage.begin_epoch(training.x), times=4)
    return [
        linked.row("inter: association and audit, from embeddings"),
        built.row("inter: association, group memory and group texts"),
        *_steps(training, stage),
    ]


def _steps(training: GivenEmbeddings, stage: IntraStage | InterStage) -> list[Row]:
    encoded, batch = training.given_batch()

    def step() -> None:
        terms = stage.terms(encoded, batch)
        torch.stack(list(terms.values())).sum().backward()

    x = encoded.embedding.detach()
    terms = ", ".join(stage.terms(encoded, batch))
    return [
        measure(step, times=6).row(f"{stage.name}: losses of a step ({terms})"),
        measure(lambda: stage.update_memory(x, batch), times=6).row(f"{stage.name}: memory update"),
        measure(lambda: training.train_classifier(x, batch.camera_identity), times=6).row(
            f"{stage.name}: classifier, loss and Adam"
        ),
    ][: 3 if stage.name == "intra" else 2]


def evaluation() -> list[Row]:
    """Ranking all queries, beside the bare product of the same blocks."""
    person, camid = test_numbers()
    x = draw_embeddings(person, camid, seed=6)
    query, gallery = x[:QUERIES], x[QUERIES:]
    pid, camera = torch.from_numpy(person), torch.from_numpy(camid)

    def rank() -> None:
        found = evaluate(
            query,
            gallery,
            query_pid=pid[:QUERIES],
            query_camid=camera[:QUERIES],
            gallery_pid=pid[QUERIES:],
            gallery_camid=camera[QUERIES:],
        )
        assert found.queries == QUERIES
        assert len(found.camera_pairs) == CAMERAS * (CAMERAS - 1)

    def multiply() -> None:
        buffer = torch.empty(BLOCK, GALLERY)
        for block in query.split(BLOCK):
            torch.mm(block, gallery.T, out=buffer[: len(block)])

    what = f"evaluation, {QUERIES:,} x {GALLERY:,}, all pairs of cameras"
    return [
        measure(rank).row(what, "0.6 GB"),
        measure(multiply).row("the bare product of these blocks"),
    ]


def checkpoints(folder: Path) -> list[Row]:
    """Saving and restoring the state of RN50, both optimisers, prompts and classifier."""
    training = GivenEmbeddings()
    trained = [value for value in training.encoder.parameters() if value.requires_grad]
    training.encoder_optimiser.step(torch.stack([value.mean() for value in trained]).sum())
    encoded, batch = training.given_batch()
    training.train_classifier(encoded.embedding, batch.camera_identity)
    stage = IntraStage(training)
    rows = []
    for name, with_memory in (("an epoch's end", False), ("the middle of intra", True)):
        state = stage.state_dict()
        if with_memory:
            stage.begin_epoch(training.x)
            state |= {"memory": stage.memory_state(), "iteration": 1}
        place = folder / name
        saved = measure(lambda place=place, state=state: save_checkpoint(place, state))  # type: ignore[misc]  # a lambda with defaults
        size = sum(path.stat().st_size for path in place.iterdir())
        restored = measure(lambda place=place: stage.load_state_dict(load_checkpoint(place)))  # type: ignore[misc]  # the same
        rows += [
            saved.row(f"checkpoint at {name}: {size / 1e9:.2f} GB, saved"),
            restored.row("- restored"),
        ]
    return rows


def in_own_process(part: Callable[..., list[Row]], *arguments: Path, threads: int) -> list[Row]:
    """The rows of a part, measured in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        1, mp_context=context, initializer=torch.set_num_threads, initargs=(threads,)
    ) as pool:
        rows = pool.submit(part, *arguments).result()
    for row in rows:
        print(f"{row.what}: {row.time}, {row.memory}", flush=True)
    return rows


def report(rows: Sequence[Row], threads: int, seconds: float) -> str:
    """The table as Markdown."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = [
        "# MSMT17's size on a CPU",
        "",
        f"{date.today().isoformat()}; {_processor()}, {os.cpu_count()} cores shared with other "
        f"work, {memory:.0f} GiB; {threads} threads; Python {platform.python_version()}, torch "
        f"{torch.__version__}, numpy {np.__version__}. {seconds / 60:.1f} minutes in all, at an "
        f"average load of {os.getloadavg()[1]:.1f}, so that times are upper limits.",
        "",
        f"Drawn stand-ins of the published size: {TRAIN_IMAGES:,} training images of {PERSONS:,} "
        f"persons, {IDENTITIES:,} camera identities, {CAMERAS} cameras; {QUERIES:,} queries, "
        f"{GALLERY:,} gallery images; embeddings of {D:,} numbers; batches of 256; values of the "
        "preset `msmt17` with RN50. Losses are forward and backward, from given embeddings. "
        "The encoder does not run. Times are the shortest of two to six, except where files are "
        "opened, memories built, galleries ranked or checkpoints written. "
        "Memory is the peak beside what was held before: beside the "
        f"embeddings in the evaluation ({(QUERIES + GALLERY) * D * 4 / 1e9:.2f} GB).",
        "",
        "| what | time | memory | target |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| {row.what} | {row.time} | {row.memory} | {row.target} |" for row in rows]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    """Measure every part and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    started, threads = time.monotonic(), arguments.threads
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data, pictures, states = (root / name for name in ("data", "pictures", "states"))
        for path in (data, pictures, states):
            path.mkdir()
        write_folder(data)
        rows += in_own_process(check_folder, data, threads=threads)
        rows += in_own_process(decode_sample, pictures, threads=threads)
        for part in (labels_sampler_prompt, intra_stage, inter_stage, evaluation):
            rows += in_own_process(part, threads=threads)
        rows += in_own_process(checkpoints, states, threads=threads)
    table = report(rows, threads, time.monotonic() - started)
    print(table)
    if arguments.output:
        arguments.output.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
