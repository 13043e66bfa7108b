"""Files 12, 14 and 15: encoder, pooling, text tower, prompts and labels."""

import tempfile
from itertools import count
from pathlib import Path
from typing import cast

import numpy as np
import torch
from open_clip.model import CLIP
from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor

from ccafl.datasets import Dataset, camera_labels, identity_pids, scan
from ccafl.model import (
    GeM,
    ImageEncoder,
    TextEncoder,
    insert_learned,
    pool_mean_query,
    resize_positions,
)
from ccafl.presets import resolve
from ccafl.tokens import template_tokens
from golden.archive import Archive

GRID = (7, 7)  # of the stored position tables
HEAD_WIDTH = 64


def gem(archive: Archive) -> None:
    for case in archive.cases:
        for suffix, dtype in archive.precisions():
            maps = archive.leaf(f"{case}.maps", dtype)
            pool = GeM(archive.number("p"), archive.number("eps")).to(dtype)
            pooled = pool(maps)
            (pooled * archive.tensor(f"{case}.cotangent", dtype)).sum().backward()
            # tighter than usual, because some maps are as small as 1e-4
            archive.compare(f"{case}.pooled_{suffix}", pooled, atol=1e-9)
            archive.compare(f"{case}.grad_maps_{suffix}", maps.grad)
            rtol = 1e-4 if suffix == "f32" else None
            archive.compare(f"{case}.grad_p_{suffix}", pool.p.grad, rtol=rtol)


def encoder(archive: Archive) -> None:
    for case in (case for case in archive.cases if case.startswith("pos_")):
        _compare_position_tables(archive, case)
    for suffix, dtype in archive.precisions():
        _compare_evaluation(archive, suffix, dtype)
        _compare_training(archive, suffix, dtype)
        _compare_text(archive, suffix, dtype)


def _compare_position_tables(archive: Archive, case: str) -> None:
    for suffix, dtype in archive.precisions():
        table = archive.tensor(f"{case}.before", dtype)
        for key in archive.keys(f"{case}.after_"):
            rows, columns = map(int, key.split("_")[2].split("x"))
            if key.endswith(suffix):
                _compare(archive, key, resize_positions(table, GRID, (rows, columns)))


def _clip(archive: Archive) -> CLIP:
    """The small CLIP whose layout follows from the shapes of its state."""
    state = {key.removeprefix("state."): archive.tensor(key) for key in archive.keys("state.")}
    blocks = [_count(state, f"visual.layer{stage}") for stage in (1, 2, 3, 4)]
    text_width = state["text_projection"].shape[0]
    clip = CLIP(
        embed_dim=state["text_projection"].shape[1],
        vision_cfg={
            "image_size": 32 * GRID[0],
            "layers": tuple(blocks),
            "width": state["visual.layer1.0.conv1.weight"].shape[0],
            "head_width": HEAD_WIDTH,
            "patch_size": None,
        },
        text_cfg={
            "context_length": state["positional_embedding"].shape[0],
            "vocab_size": state["token_embedding.weight"].shape[0],
            "width": text_width,
            "heads": text_width // HEAD_WIDTH,
            "layers": _count(state, "transformer.resblocks"),
        },
        quick_gelu=True,
    )
    clip.load_state_dict(state)
    return clip


def _count(state: dict[str, Tensor], prefix: str) -> int:
    return next(i for i in count() if not any(k.startswith(f"{prefix}.{i}.") for k in state))


def _image_encoder(archive: Archive, dtype: torch.dtype) -> ImageEncoder:
    visual = cast(ModifiedResNet, _clip(archive).visual)
    encoder = ImageEncoder(visual, grid=GRID, image_size=(256, 128), bn_batch=64)
    for name in ("running_mean", "running_var", "weight"):
        getattr(encoder.neck, name).data.copy_(archive.tensor(f"bottleneck.{name}"))
    return encoder.to(dtype)


def _compare_evaluation(archive: Archive, suffix: str, dtype: torch.dtype) -> None:
    encoder = _image_encoder(archive, dtype).eval()
    images = archive.tensor("image", dtype)
    table = encoder.visual.attnpool.positional_embedding
    _compare(archive, "resized_position_embedding", table)
    with torch.no_grad():
        maps = encoder.visual.stem(images)
        for stage in (encoder.visual.layer1, encoder.visual.layer2, encoder.visual.layer3):
            maps = stage(maps)
        _compare(archive, f"eval.layer3_{suffix}", maps[:1])
        maps = encoder.visual.layer4(maps)
        _compare(archive, f"eval.layer4_{suffix}", maps[:1])
        _compare(archive, f"eval.gem_{suffix}", encoder.pool(maps))
        first = pool_mean_query(encoder.visual.attnpool, maps)
        _compare(archive, f"eval.attnpool_first_{suffix}", first)
        _compare(archive, f"eval.attnpool_all_{suffix}", first[:1], position=0)
        encoded = encoder(images, project=True)
        _compare(archive, f"eval.feature_{suffix}", encoded.embedding)
        _compare(archive, f"eval.image_feature_{suffix}", encoded.joint)


def _compare_training(archive: Archive, suffix: str, dtype: torch.dtype) -> None:
    encoder = _image_encoder(archive, dtype).train()
    encoded = encoder(archive.tensor("image", dtype), project=True)
    loss = (encoded.embedding * archive.tensor("train.cotangent_feature", dtype)).sum()
    (loss + (encoded.joint * archive.tensor("train.cotangent_proj", dtype)).sum()).backward()
    visual = encoder.visual
    for name, value in {
        "feature": encoded.embedding,
        "proj": encoded.joint,
        "grad_conv1": visual.conv1.weight.grad,
        "grad_pos": visual.attnpool.positional_embedding.grad,
        "grad_gem_p": encoder.pool.p.grad,
        "bn1_running_mean": visual.bn1.running_mean,
        "bn1_running_var": visual.bn1.running_var,
        "bottleneck_running_mean": encoder.neck.running_mean,
        "bottleneck_running_var": encoder.neck.running_var,
    }.items():
        _compare(archive, f"train.{name}_{suffix}", value)


def _compare_text(archive: Archive, suffix: str, dtype: torch.dtype) -> None:
    text = TextEncoder(_clip(archive)).to(dtype)
    prompts = archive.leaf("text.prompts", dtype)
    end = archive.tensor("text.tokens").argmax()
    features = text(prompts[:, : end + 1])
    features.sum().backward()
    _compare(archive, f"text.features_{suffix}", features)
    stored = archive.arrays[f"text.grad_prompts_{suffix}"].shape[1]
    _compare(archive, f"text.grad_prompts_{suffix}", cast(Tensor, prompts.grad)[:, :stored])


def _compare(archive: Archive, key: str, actual: Tensor, *, position: int | None = None) -> None:
    """Compare within the tolerances of this file; `position` picks a row of the stored array."""
    if key not in archive.arrays:
        return
    stored = archive.arrays[key]
    if position is not None:
        actual, stored = actual.expand(stored.shape), stored[[position]]
    rtol, atol = 0.0, 1e-5
    if key.endswith("_f64"):
        rtol, atol = 1e-6, 1e-8
    elif ".grad_" in key:
        atol = 1e-3 * float(np.abs(stored).max())
    elif key in ("train.feature_f32", "train.proj_f32"):
        atol = 1e-4
    rows = slice(None) if position is None else slice(position, position + 1)
    archive.compare(key, actual, rtol=rtol, atol=atol, view=lambda array: array[rows])


def prompt(archive: Archive) -> None:
    tokens, end = archive.tensor("tokens")[0], archive.tensor("eot_position")
    length = int(end) + 1
    archive.compare("tokens", _padded(template_tokens("RN50-quickgelu"), len(tokens))[None])
    for dataset in archive.cases:
        label = archive.tensor(f"{dataset}.label")
        learned = -(1000 * label[:, None] + torch.arange(1, 5))[..., None]  # (B, 4, 1)
        template = tokens[:length, None]
        source = insert_learned(template, learned, n_ctx=resolve(dataset).prompt.n_ctx)[..., 0]
        rest = tokens[length:].expand(len(label), -1)
        archive.compare(f"{dataset}.source", torch.cat([source, rest], dim=1))


def _padded(ids: tuple[int, ...], length: int) -> Tensor:
    return torch.tensor(ids + (0,) * (length - len(ids)))


def labels(archive: Archive) -> None:
    for case in archive.cases:
        names = archive.array(f"{case}.names").tolist()
        records = _scanned(names).train
        assert [record.path.name for record in records] == sorted(names)
        found = camera_labels(records)
        first = np.searchsorted(found.camera_of_identity, np.arange(found.cameras))
        of_camera = [np.flatnonzero(found.camera == c) for c in range(found.cameras)]
        index_in_camera = np.empty_like(found.camera)
        for rows in of_camera:
            index_in_camera[rows] = np.arange(len(rows))
        person = np.unique(identity_pids(records), return_inverse=True)[1]
        for name, value in {
            "pid": person[found.camera_identity],
            "cam": found.camera,
            "intra_label": found.camera_identity - first[found.camera],
            "global_label": found.camera_identity,
            "index_in_cam": index_in_camera,
            "ids_per_cam": np.bincount(found.camera_of_identity),
            "images_per_cam": np.bincount(found.camera),
        }.items():
            archive.compare(f"{case}.{name}", value)


def _scanned(train: list[str]) -> Dataset:
    """A data folder with these training names, each an empty file: scanning opens no image."""
    with tempfile.TemporaryDirectory() as folder:
        for split, names in {
            "bounding_box_train": train,
            "query": ["0001_c1s1_000001_00.jpg"],
            "bounding_box_test": ["0001_c2s1_000001_00.jpg"],
        }.items():
            (Path(folder) / split).mkdir()
            for name in names:
                (Path(folder) / split / name).touch()
        return scan(Path(folder))
