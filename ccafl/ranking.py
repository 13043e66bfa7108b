"""Ranks a gallery for each query: mAP, CMC, mINP, and the same for each pair of cameras.

Rules:
- A gallery image of the query's person and camera is dropped, and so is pid -1 (junk). Pid 0
  (distractor) and other people seen by the query's own camera stay, as wrong answers.
- AP is the plain mean of the precision at each right answer. No re-ranking, no flip averaging.
- A query without a right answer is left out of every mean and counted in `left_out`.
- Equal scores: a wrong answer ranks after a right one, right ones rank in gallery order.

The rank of a right answer is its place among the right ones plus the number of wrong ones
scored higher, so no row is ever sorted with indices and no query x gallery matrix is kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ccafl.errors import DatasetError, WorkerError

BLOCK = 256  # queries scored at a time

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Scores = NDArray[np.floating]


@dataclass(frozen=True)
class CameraPair:
    """Queries of one camera against the gallery of another, where they have a right answer."""

    query_camid: int
    gallery_camid: int
    queries: int
    mean_ap: float
    rank1: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a ranking is worth; shares in [0, 1], means over the queries used."""

    mean_ap: float
    rank1: float
    rank5: float
    rank10: float
    mean_inp: float
    queries: int
    left_out: int
    average_precision: Floats  # (Q,), NaN where left out
    first_hit: Ints  # (Q,), rank of the first right answer, 0 where left out
    camera_pairs: tuple[CameraPair, ...]  # ordered by camids, empty unless asked for


def evaluate(
    query: Tensor,
    gallery: Tensor,
    *,
    query_pid: Tensor,
    query_camid: Tensor,
    gallery_pid: Tensor,
    gallery_camid: Tensor,
    camera_pairs: bool = True,
) -> Evaluation:
    """Rank the gallery by cosine for each query and measure the ranking.

    Args:
        query: (Q, D) float32, unit rows.
        gallery: (M, D) float32, unit rows, on the same device.
        query_pid: (Q,) int64.
        query_camid: (Q,) int64.
        gallery_pid: (M,) int64, -1 junk.
        gallery_camid: (M,) int64.
        camera_pairs: also measure each (query camera, gallery camera), the gallery restricted
            to that camera. The own camera never has a right answer, so it has no pair.

    Raises:
        ValueError: lengths or widths do not fit together.
        WorkerError: an embedding is not finite, which would rank as if it were perfect.
        DatasetError: no query has a right answer.
    """
    _check_shapes(query, gallery, query_pid, query_camid, gallery_pid, gallery_camid)
    _check_finite(query, gallery)
    answers = _right_answers(
        *(part.cpu().numpy() for part in (query_pid, query_camid, gallery_pid, gallery_camid))
    )
    if not answers.query.size:
        raise DatasetError(
            f"None of the {len(query):,} queries has an image of its person from another camera "
            f"among the {len(gallery):,} of the gallery. Check that query and gallery belong to "
            "the same data set and that its camera numbers are read."
        )
    count = _wrong_above_on_cpu if query.device.type == "cpu" else _wrong_above_on_device
    with torch.no_grad(), _full_precision(query.device.type):
        everywhere, in_camera = count(query, gallery, answers)
    ap, inp, first_hit = _measure(answers.query, everywhere, len(query))
    used = first_hit > 0
    return Evaluation(
        mean_ap=float(ap[used].mean()),
        rank1=cmc(first_hit, 1),
        rank5=cmc(first_hit, 5),
        rank10=cmc(first_hit, 10),
        mean_inp=float(inp[used].mean()),
        queries=int(used.sum()),
        left_out=int((~used).sum()),
        average_precision=ap,
        first_hit=first_hit,
        camera_pairs=_camera_pairs(answers, in_camera) if camera_pairs else (),
    )


def cmc(first_hit: Ints, k: int) -> float:
    """Share of the queries used (first hit above 0) whose first right answer is in the first k."""
    used = first_hit[first_hit > 0]
    return float((used <= k).mean())


@dataclass(frozen=True, eq=False)
class _Answers:
    """Every right answer of every query, query by query; a column is a gallery image kept."""

    query_pid: Ints  # (Q,)
    query_camid: Ints  # (Q,)
    order: Ints  # gallery index of each column: all but junk, camera by camera
    pid: Ints  # of each column
    camid: Ints  # of each column
    camera: tuple[slice, ...]  # the columns of each camera
    person: tuple[Ints, ...]  # per query the columns of its person, in any camera
    query: Ints  # (P,)
    column: Ints  # (P,)


def _right_answers(
    query_pid: Ints, query_camid: Ints, gallery_pid: Ints, gallery_camid: Ints
) -> _Answers:
    kept = np.flatnonzero(gallery_pid != -1)
    order = kept[gallery_camid[kept].argsort(kind="stable")]
    pid, camid = gallery_pid[order], gallery_camid[order]
    edges = [0, *(np.flatnonzero(np.diff(camid)) + 1).tolist(), len(camid)]
    by_pid = pid.argsort(kind="stable")
    begin, end = (np.searchsorted(pid[by_pid], query_pid, side=s) for s in ("left", "right"))
    person = tuple(by_pid[a:b] for a, b in zip(begin, end, strict=True))
    right = [p[camid[p] != own] for p, own in zip(person, query_camid, strict=True)]
    return _Answers(
        query_pid=query_pid,
        query_camid=query_camid,
        order=order,
        pid=pid,
        camid=camid,
        camera=tuple(slice(a, b) for a, b in pairwise(edges)),
        person=person,
        query=np.repeat(np.arange(len(right)), [len(columns) for columns in right]),
        column=np.concatenate([np.empty(0, dtype=np.int64), *right]),
    )


def _wrong_above_on_cpu(query: Tensor, gallery: Tensor, answers: _Answers) -> Ints:
    """(2, P): for each right answer the wrong ones scored higher, everywhere and in its camera."""
    counts = np.empty((2, answers.query.size), dtype=np.int64)
    starts = np.searchsorted(answers.query, np.arange(len(query) + 1))
    buffer = torch.empty(min(BLOCK, len(query)), len(gallery), dtype=query.dtype)
    for first in range(0, len(query), BLOCK):
        block = query[first : first + BLOCK]
        scores = torch.mm(block, gallery.T, out=buffer[: len(block)]).numpy()
        for i, row in enumerate(scores, first):
            mine = slice(starts[i], starts[i + 1])
            if mine.start < mine.stop:
                counts[:, mine] = _wrong_above_in_row(row, i, mine, answers)
    return counts


def _wrong_above_in_row(row: Scores, i: int, mine: slice, answers: _Answers) -> Ints:
    row = row[answers.order]
    right = row[answers.column[mine]]
    row[answers.person[i]] = -np.inf
    above = np.stack([_count_above(row[part], right) for part in answers.camera])  # (cameras, P)
    own = np.searchsorted([part.stop for part in answers.camera], answers.column[mine], "right")
    return np.stack([above.sum(0), above[own, np.arange(len(right))]])


def _count_above(values: Scores, limits: Scores) -> Ints:
    """For each limit the number of greater values; sorts only those above the lowest limit."""
    above = np.sort(values[values > limits.min()])
    return above.size - np.searchsorted(above, limits, side="right")


def _wrong_above_on_device(query: Tensor, gallery: Tensor, answers: _Answers) -> Ints:
    """The same by comparisons alone: one right answer of each query of a block at a time."""
    column, present = _padded(answers)  # (Q, most)
    columns, order, pid, camid, query_pid = (
        torch.from_numpy(part).to(query.device)
        for part in (column, answers.order, answers.pid, answers.camid, answers.query_pid)
    )
    counts = torch.zeros(2, *column.shape, dtype=torch.long, device=query.device)
    for first in range(0, len(query), BLOCK):
        rows = slice(first, first + BLOCK)
        wrong = (query[rows] @ gallery.T)[:, order]  # (BLOCK, M)
        limit = wrong.gather(1, columns[rows])  # (BLOCK, most)
        wrong.masked_fill_(query_pid[rows, None] == pid, -torch.inf)
        for k in range(column.shape[1]):
            above = wrong > limit[:, k, None]
            counts[0, rows, k] = above.sum(1)
            counts[1, rows, k] = (above & (camid == camid[columns[rows, k], None])).sum(1)
    return counts.cpu().numpy()[:, present]


def _padded(answers: _Answers) -> tuple[Ints, NDArray[np.bool_]]:
    """(Q, most) columns of each query's right answers, 0 behind them, and which are real."""
    size = np.bincount(answers.query, minlength=len(answers.query_pid))
    present = np.arange(size.max()) < size[:, None]
    column = np.zeros(present.shape, dtype=np.int64)
    column[present] = answers.column
    return column, present


def _measure(key: Ints, wrong_above: Ints, count: int) -> tuple[Floats, Floats, Ints]:
    """AP, INP and first hit of each ranking 0..count-1 from its right answers.

    Args:
        key: (P,), ranking that a right answer belongs to.
        wrong_above: (P,), wrong answers scored higher.
        count: number of rankings.

    Returns:
        Three (count,) arrays; a ranking without a right answer has NaN, NaN and 0.
    """
    order = np.lexsort((wrong_above, key))
    key, wrong_above = key[order], wrong_above[order]
    size = np.bincount(key, minlength=count)
    end = size.cumsum()
    place = np.arange(1, len(key) + 1) - (end - size)[key]
    rank = wrong_above + place
    total = np.bincount(key, weights=place / rank, minlength=count)
    hit = size > 0
    ap, inp, first_hit = np.full(count, np.nan), np.full(count, np.nan), np.zeros(count, np.int64)
    ap[hit] = total[hit] / size[hit]
    inp[hit] = size[hit] / rank[end[hit] - 1]
    first_hit[hit] = rank[(end - size)[hit]]
    return ap, inp, first_hit


def _camera_pairs(answers: _Answers, in_camera: Ints) -> tuple[CameraPair, ...]:
    camid = answers.camid[answers.column]  # (P,)
    (query, gallery_camid), ranking = np.unique(
        np.stack([answers.query, camid]), axis=1, return_inverse=True
    )
    ap, _, first_hit = _measure(ranking, in_camera, len(query))
    pairs, member = np.unique(
        np.stack([answers.query_camid[query], gallery_camid]), axis=1, return_inverse=True
    )
    return tuple(
        CameraPair(
            query_camid=int(pair[0]),
            gallery_camid=int(pair[1]),
            queries=int((member == k).sum()),
            mean_ap=float(ap[member == k].mean()),
            rank1=cmc(first_hit[member == k], 1),
        )
        for k, pair in enumerate(pairs.T)
    )


@contextmanager
def _full_precision(device_type: str) -> Iterator[None]:
    """Float32 products in full: neither autocast nor TF32, which move ranks."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device_type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _check_shapes(query: Tensor, gallery: Tensor, *numbers: Tensor) -> None:
    if query.ndim != 2 or gallery.ndim != 2 or query.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"query {tuple(query.shape)} and gallery {tuple(gallery.shape)} are not (Q, D), (M, D)"
        )
    expected = [(len(side),) for side in (query, query, gallery, gallery)]
    shapes = [tuple(number.shape) for number in numbers]
    if shapes != expected:
        raise ValueError(f"pid and camid have shapes {shapes}, expected {expected}")


def _check_finite(query: Tensor, gallery: Tensor) -> None:
    if not (query.sum() + gallery.sum()).isfinite():
        raise WorkerError(
            "An embedding of query or gallery is infinite or not a number, so nothing can be "
            "ranked. The model has diverged or its weights are damaged: train it again with a "
            "lower train.lr, or use another checkpoint."
        )
