"""What the demo reaches: every stage's mAP over several seeds, with and without ICAL.

    python -m bench.demo --seeds 0 1 2 --output bench/results/demo.md

One seed decides data set, sampler and initial values. Each run branches where ICAL begins: model,
optimisers, memory, sampler and sources of chance are copied, so that both branches share
everything up to there. One thread, CPU.
"""

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import torch
from torch import Tensor

from ccafl import presets
from ccafl.config import RunConfig
from ccafl.datasets import Dataset, Record, camera_labels, scan
from ccafl.demo import draw_dataset
from ccafl.embedding import embed
from ccafl.images import Images
from ccafl.ranking import evaluate
from ccafl.stages import STAGES
from ccafl.stages.inter import InterStage
from ccafl.stages.training import Training

NEIGHBOURS = 5
STATES = ("start", "after intra", "before ICAL", "end, ICAL off", "end, ICAL on")
CLAIMS = """\
These are figures of drawn pedestrians and of a model of 1.5 million parameters. They say nothing
about Market-1501 or MSMT17. In one run they show a learning curve (start < intra < inter) and the
effect of ICAL (on > off, from one common state). They do not show that prompts help, nor that
inter without ICAL beats more epochs of intra: most of that rise is more training.
"""


@dataclass(frozen=True)
class Measured:
    """One state of one run; shares in percent."""

    mean_ap: float
    rank1: float
    same_camera: float  # of the nearest test images of other people


class Bench:
    """One seed: its data, and the states of its run."""

    def __init__(self, preset: str, seed: int, root: Path) -> None:
        draw_dataset(root, seed=seed)
        self._preset, self._seed = preset, seed
        self.dataset = scan(root)
        self.images = {
            split: self._load(getattr(self.dataset, split))
            for split in ("train", "query", "gallery")
        }

    def states(self) -> Iterator[tuple[str, Measured]]:
        """Train, and measure each state of `STATES` in turn."""
        training = self._training(ical=True)
        for _ in STAGES["prompt"](training).steps():
            pass
        yield STATES[0], self._measure(training)
        for _ in STAGES["intra"](training).steps():
            pass
        yield STATES[1], self._measure(training)
        inter = InterStage(training)
        for progress in inter.steps():
            loop_epoch = training.config.loop_epoch("inter", progress.epoch)
            if progress.epoch_end and loop_epoch == training.config.inter.ical.window[0] - 1:
                break
        yield STATES[2], self._measure(training)
        state = deepcopy(inter.state_dict())
        for name, ical in ((STATES[3], False), (STATES[4], True)):
            branch = InterStage(self._training(ical=ical))
            branch.load_state_dict(deepcopy(state))
            for _ in branch.steps():
                pass
            yield name, self._measure(branch.training)

    def _training(self, *, ical: bool) -> Training:
        settings = [f"run.seed={self._seed}", f"inter.ical.enabled={str(ical).lower()}"]
        config: RunConfig = presets.resolve(self._preset, settings=settings)
        labels = camera_labels(self.dataset.train)
        return Training(config, self.images["train"], labels, torch.device("cpu"))

    def _load(self, records: Sequence[Record]) -> Images:
        size = presets.resolve(self._preset).model.image_size
        images = Images([record.path for record in records], size)
        images.decode_all(lambda _done, _total: None)
        return images

    def _measure(self, training: Training) -> Measured:
        query, gallery = (
            embed(training.encoder, self.images[split], training.device)
            for split in ("query", "gallery")
        )
        found = evaluate(query, gallery, **_numbers(self.dataset), camera_pairs=False)
        share = _same_camera_share(gallery, self.dataset)
        return Measured(100 * found.mean_ap, 100 * found.rank1, 100 * share)


def _numbers(dataset: Dataset) -> dict[str, Tensor]:
    return {
        f"{side}_{number}": torch.tensor(
            [getattr(record, number) for record in getattr(dataset, side)]
        )
        for side in ("query", "gallery")
        for number in ("pid", "camid")
    }


def _same_camera_share(gallery: Tensor, dataset: Dataset) -> float:
    """How often the nearest test images of other people come from the image's own camera."""
    numbers = _numbers(dataset)
    pid, camid = numbers["gallery_pid"], numbers["gallery_camid"]
    similarity = gallery @ gallery.T
    same_person = (pid[:, None] == pid) & (pid[:, None] > 0)
    similarity.masked_fill_(same_person, -2.0).fill_diagonal_(-2.0)
    nearest = similarity.topk(NEIGHBOURS, dim=1).indices
    return float((camid[nearest] == camid[:, None]).float().mean())


def _report(preset: str, found: dict[int, dict[str, Measured]], seconds: float) -> str:
    lines = [
        f"# Demo figures, preset `{preset}`",
        "",
        f"{date.today().isoformat()}, {platform.machine()} CPU, one thread, torch "
        f"{torch.__version__}; seeds {', '.join(map(str, found))}; {seconds:.0f} s in all, drawing "
        "and both branches included.",
        "",
        "| state | mAP, mean ± sd | Rank-1, mean | same camera among 5 nearest | mAP per seed |",
        "| --- | --- | --- | --- | --- |",
    ]
    for state in STATES:
        rows = [states[state] for states in found.values()]
        scores = [row.mean_ap for row in rows]
        spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
        lines.append(
            f"| {state} | {statistics.mean(scores):.1f} ± {spread:.1f} "
            f"| {statistics.mean(row.rank1 for row in rows):.1f} "
            f"| {statistics.mean(row.same_camera for row in rows):.0f} % "
            f"| {' '.join(f'{score:.1f}' for score in scores)} |"
        )
    gains = [states[STATES[4]].mean_ap - states[STATES[3]].mean_ap for states in found.values()]
    lines += ["", f"ICAL on - off, per seed: {' '.join(f'{gain:+.1f}' for gain in gains)} mAP.", ""]
    return "\n".join(lines) + "\n" + CLAIMS


def main() -> None:
    """Run the seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="demo", choices=("demo", "smoke"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[int, dict[str, Measured]] = {}
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for seed in arguments.seeds:
            found[seed] = {}
            for state, measured in Bench(arguments.preset, seed, Path(folder) / str(seed)).states():
                found[seed][state] = measured
                print(f"seed {seed}: {state}: mAP {measured.mean_ap:.1f}", flush=True)
    report = _report(arguments.preset, found, time.monotonic() - started)
    print(report)
    if arguments.output:
        arguments.output.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
