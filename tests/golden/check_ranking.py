"""Files 08, 09 and 11: association, evaluation and schedules."""

import numpy as np
import torch
from torch.nn.functional import normalize

from ccafl.association import link_cameras, squared_distance
from ccafl.memory import label_centroid
from ccafl.presets import resolve
from ccafl.ranking import Evaluation, cmc, evaluate
from ccafl.schedules import encoder_lr, prompt_lr
from golden.archive import Archive, Array


def association(archive: Archive) -> None:
    for case in archive.cases:
        for key in (f"{case}.pid", *archive.keys(f"{case}.gaps_")):
            archive.leave_out(key)
        camera = archive.tensor(f"{case}.cam")
        if has_images := f"{case}.global_label" in archive.arrays:
            camera = _camera_of_identity(archive, case)
        for suffix, dtype in archive.precisions():
            centroid = normalize(archive.tensor(f"{case}.features", dtype))
            if has_images:
                features = archive.tensor(f"{case}.features", dtype)
                label = archive.tensor(f"{case}.global_label")
                centroid = label_centroid(features, label, len(camera))
                archive.compare(f"{case}.class_features", centroid)
                distance = squared_distance(centroid, centroid)
                atol = 1e-6 if suffix == "f64" else 3e-6
                archive.compare(f"{case}.distance", distance, rtol=0.0, atol=atol)
            for key in archive.keys(f"{case}.labels_r"):
                rate = float(key.rpartition("_r")[2])
                archive.compare(key, link_cameras(centroid, camera, rate=rate).group)


def _camera_of_identity(archive: Archive, case: str) -> torch.Tensor:
    count = archive.tensor(f"{case}.ids_per_cam")
    label, camera = (archive.tensor(f"{case}.{name}") for name in ("global_label", "cam"))
    first = count.cumsum(0) - count
    archive.compare(f"{case}.intra_label", label - first[camera])
    return torch.arange(len(count)).repeat_interleave(count)


def evaluation(archive: Archive) -> None:
    for case in archive.cases:
        query_pid, query_camid, pid, camid = (
            archive.array(f"{case}.{name}")
            for name in ("query_pid", "query_cam", "gallery_pid", "gallery_cam")
        )
        dropped = (pid == -1) | ((query_pid[:, None] == pid) & (query_camid[:, None] == camid))
        valid = ((query_pid[:, None] == pid) & ~dropped).any(1)
        shortest = int((~dropped).sum(1).min())
        archive.compare(f"{case}.query_valid", valid)
        for suffix, dtype in archive.precisions():
            measured = _evaluate(archive, case, dtype)
            _compare_with_left_out_as_zero(archive, case, suffix, measured, shortest)
            _compare_alternative(archive, f"{case}.alt_", "_nojunk", measured)
            with_junk = _evaluate(archive, case, dtype, junk_as=-2)
            _compare_alternative(archive, f"{case}.alt_", "", with_junk)
            if suffix == "f64":
                x, y = (archive.tensor(f"{case}.{side}", dtype) for side in ("query", "gallery"))
                archive.compare(f"{case}.distmat", 1 - normalize(x) @ normalize(y).T)


def _evaluate(archive: Archive, case: str, dtype: torch.dtype, *, junk_as: int = -1) -> Evaluation:
    """The product's evaluation; as pid -2 junk is a distractor instead."""
    pid = archive.tensor(f"{case}.gallery_pid")
    return evaluate(
        normalize(archive.tensor(f"{case}.query", dtype)),
        normalize(archive.tensor(f"{case}.gallery", dtype)),
        query_pid=archive.tensor(f"{case}.query_pid"),
        query_camid=archive.tensor(f"{case}.query_cam"),
        gallery_pid=torch.where(pid == -1, junk_as, pid),
        gallery_camid=archive.tensor(f"{case}.gallery_cam"),
    )


def _compare_with_left_out_as_zero(
    archive: Archive, case: str, suffix: str, measured: Evaluation, shortest: int
) -> None:
    """The authors' protocol: a query without a right answer counts 0."""
    ap = np.nan_to_num(measured.average_precision)
    used, total = measured.queries, measured.queries + measured.left_out
    curve = _curve(measured, 20) * used / total
    archive.compare(f"{case}.AP_{suffix}", ap, rtol=0.0, atol=1e-9)
    archive.compare(f"{case}.mAP_{suffix}", ap.mean(), rtol=0.0, atol=1e-9)
    archive.compare(f"{case}.cmc_{suffix}", curve[: min(20, shortest)], rtol=0.0, atol=1e-9)
    archive.compare(f"{case}.ranks_{suffix}", curve[[0, 4, 9, 19]], rtol=0.0, atol=1e-9)
    archive.compare(f"{case}.cmc_length_{suffix}", shortest)


def _compare_alternative(archive: Archive, prefix: str, ending: str, measured: Evaluation) -> None:
    archive.compare(f"{prefix}mAP{ending}", measured.mean_ap, rtol=0.0, atol=1e-9)
    archive.compare(f"{prefix}cmc{ending}", _curve(measured, 20), rtol=0.0, atol=1e-9)
    shown = (measured.rank1, measured.rank5, measured.rank10)
    if not np.array_equal(shown, _curve(measured, 20)[[0, 4, 9]]):
        archive.failures.append(f"{prefix}{ending}: Rank-1, 5, 10 are not on the curve")


def _curve(measured: Evaluation, length: int) -> Array:
    return np.array([cmc(measured.first_hit, k) for k in range(1, length + 1)])


def schedules(archive: Archive) -> None:
    config = resolve("market1501")
    train, prompt = config.train, config.prompt
    decay = [train.weight_decay, train.weight_decay]  # of weights, of biases
    archive.compare("weight_decay_stage1", prompt.weight_decay, rtol=1e-9, atol=0.0)
    archive.compare("weight_decay_stage2", decay, rtol=1e-9, atol=0.0)
    for key in list(archive.arrays):
        name, _, epochs = key.rpartition("_")
        if name == "stage1_cosine":
            values = [
                prompt_lr(epoch, epochs=int(epochs), lr=prompt.lr)
                for epoch in range(1, int(epochs) + 1)
            ]
        elif name == "stage1_initial":
            archive.compare(
                key, prompt_lr(0, epochs=int(epochs), lr=prompt.lr), rtol=1e-9, atol=0.0
            )
            continue
        elif name in ("stage2_weight", "stage2_bias"):
            values = [
                encoder_lr(
                    epoch,
                    lr=train.lr * (2 if name == "stage2_bias" else 1),
                    warmup_epochs=train.warmup_epochs,
                    warmup_factor=train.warmup_factor,
                    lr_steps=train.lr_steps,
                )
                for epoch in range(int(epochs))
            ]
        else:
            continue
        archive.compare(key, values, rtol=1e-9, atol=0.0)
