"""Ranking: a naive ranking of each query, the rules by hand, ties, camera pairs, memory."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from ccafl import ranking
from ccafl.errors import DatasetError, WorkerError
from ccafl.ranking import CameraPair, Evaluation, cmc, evaluate

Numbers = dict[str, Tensor]


def sides(
    queries: int = 30, images: int = 120, *, cameras: int = 4, seed: int = 0
) -> tuple[Tensor, Tensor, Numbers]:
    """Random unit embeddings and numbers; pid -1 and 0 occur in the gallery, 9 only as query."""
    draw = torch.Generator().manual_seed(seed)
    query, gallery = (normalize(torch.randn(n, 8, generator=draw)) for n in (queries, images))
    numbers = {
        "query_pid": torch.randint(1, 10, (queries,), generator=draw),
        "query_camid": torch.randint(1, cameras + 1, (queries,), generator=draw),
        "gallery_pid": torch.randint(-1, 9, (images,), generator=draw),
        "gallery_camid": torch.randint(1, cameras + 1, (images,), generator=draw),
    }
    return query, gallery, numbers


def ranked(
    query: Tensor, gallery: Tensor, numbers: Numbers, *, camera_pairs: bool = True
) -> Evaluation:
    return evaluate(
        query,
        gallery,
        query_pid=numbers["query_pid"],
        query_camid=numbers["query_camid"],
        gallery_pid=numbers["gallery_pid"],
        gallery_camid=numbers["gallery_camid"],
        camera_pairs=camera_pairs,
    )


def slow_ranks(scores: list[float], right: list[bool]) -> list[int]:
    """Ranks of the right answers; a wrong one with the same score comes after."""
    order = sorted(range(len(scores)), key=lambda j: (-scores[j], not right[j], j))
    return [place for place, j in enumerate(order, 1) if right[j]]


def slow_query(
    scores: Tensor, numbers: Numbers, i: int, only_camid: int | None = None
) -> list[int]:
    kept: list[float] = []
    right: list[bool] = []
    for j, score in enumerate(scores[i].tolist()):
        pid, camid = int(numbers["gallery_pid"][j]), int(numbers["gallery_camid"][j])
        own = pid == int(numbers["query_pid"][i])
        if pid == -1 or (own and camid == int(numbers["query_camid"][i])):
            continue
        if only_camid in (None, camid):
            kept.append(score)
            right.append(own)
    return slow_ranks(kept, right)


def average_precision(ranks: list[int]) -> float:
    return float(np.mean([n / rank for n, rank in enumerate(ranks, 1)]))


def assert_equals_naive(found: Evaluation, scores: Tensor, numbers: Numbers) -> None:
    ranks = [slow_query(scores, numbers, i) for i in range(len(scores))]
    used = [r for r in ranks if r]
    assert (found.queries, found.left_out) == (len(used), len(ranks) - len(used))
    expected = [average_precision(r) if r else np.nan for r in ranks]
    np.testing.assert_allclose(found.average_precision, expected, rtol=1e-12)
    assert found.first_hit.tolist() == [r[0] if r else 0 for r in ranks]
    assert found.mean_ap == pytest.approx(np.nanmean(expected))
    assert found.mean_inp == pytest.approx(np.mean([len(r) / r[-1] for r in used]))
    for k, rank_k in ((1, found.rank1), (5, found.rank5), (10, found.rank10)):
        assert rank_k == pytest.approx(np.mean([r[0] <= k for r in used]))


@pytest.mark.parametrize("seed", range(4))
def test_evaluation_equals_ranking_every_query_naively(seed: int) -> None:
    query, gallery, numbers = sides(seed=seed)
    assert_equals_naive(ranked(query, gallery, numbers), query @ gallery.T, numbers)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 25))
def test_evaluation_equals_a_naive_ranking_with_many_ties(
    seed: int, queries: int, images: int
) -> None:
    _, _, numbers = sides(queries, images, cameras=3, seed=seed)
    draw = torch.Generator().manual_seed(seed)
    axes = torch.eye(3)  # cosines are 0 or 1
    query = axes[torch.randint(3, (queries,), generator=draw)]
    gallery = axes[torch.randint(3, (images,), generator=draw)]
    if not any(slow_query(query @ gallery.T, numbers, i) for i in range(queries)):
        with pytest.raises(DatasetError):
            ranked(query, gallery, numbers)
        return
    assert_equals_naive(ranked(query, gallery, numbers), query @ gallery.T, numbers)


def on_line(values: list[float]) -> Tensor:
    """Unit vectors whose cosine with (1, 0) is the given value."""
    cosine = torch.tensor(values, dtype=torch.float64)
    return torch.stack([cosine, (1 - cosine**2).sqrt()], dim=1)


def one_query(gallery: list[tuple[float, int, int]], pid: int = 5, camid: int = 1) -> Evaluation:
    """A query of person 5 in camera 1 against (cosine, pid, camid)."""
    cosines, pids, camids = zip(*gallery, strict=True)
    return evaluate(
        torch.tensor([[1.0, 0.0]], dtype=torch.float64),
        on_line(list(cosines)),
        query_pid=torch.tensor([pid]),
        query_camid=torch.tensor([camid]),
        gallery_pid=torch.tensor(pids),
        gallery_camid=torch.tensor(camids),
    )


def test_average_precision_and_inverse_negative_penalty_by_hand() -> None:
    found = one_query([(0.9, 5, 2), (0.8, 6, 2), (0.7, 5, 3), (0.6, 7, 1), (0.5, 5, 2)])
    assert found.mean_ap == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3)
    assert found.mean_inp == pytest.approx(3 / 5)
    assert (found.rank1, found.first_hit.tolist()) == (1.0, [1])


def test_own_camera_and_junk_are_dropped_but_distractors_and_strangers_stay() -> None:
    dropped = [(0.99, 5, 1), (0.98, -1, 2), (0.97, -1, 1)]
    wrong = [(0.9, 0, 2), (0.8, 6, 1)]
    found = one_query([*dropped, *wrong, (0.7, 5, 2)])
    assert found.first_hit.tolist() == [3]


def test_a_wrong_answer_of_equal_score_ranks_after_the_right_one() -> None:
    found = one_query([(0.5, 6, 2), (0.5, 5, 2), (0.5, 7, 2), (0.5, 5, 3)])
    assert found.mean_ap == 1.0
    assert found.first_hit.tolist() == [1]


def test_cut_offs_beyond_the_gallery_are_met() -> None:
    found = one_query([(0.5, 6, 2), (0.4, 5, 2)])
    assert (found.rank1, found.rank5, found.rank10) == (0.0, 1.0, 1.0)


def test_a_query_without_a_right_answer_is_left_out_of_every_mean() -> None:
    query, gallery, numbers = sides()
    numbers["query_pid"][:5] = 77
    found = ranked(query, gallery, numbers)
    rest = {k: v[5:] if k.startswith("query") else v for k, v in numbers.items()}
    alone = ranked(query[5:], gallery, rest)
    assert np.isnan(found.average_precision[:5]).all()
    assert found.left_out == alone.left_out + 5
    assert (found.mean_ap, found.rank1) == (alone.mean_ap, alone.rank1)
    assert found.camera_pairs == alone.camera_pairs


def test_junk_in_the_gallery_changes_nothing() -> None:
    query, gallery, numbers = sides()
    kept = numbers["gallery_pid"] != -1
    without = {k: v[kept] if k.startswith("gallery") else v for k, v in numbers.items()}
    found, clean = ranked(query, gallery, numbers), ranked(query, gallery[kept], without)
    assert found.first_hit.tolist() == clean.first_hit.tolist()
    assert found.camera_pairs == clean.camera_pairs


def test_no_query_with_a_right_answer_is_an_error_with_advice() -> None:
    query, gallery, numbers = sides(3, 20)
    numbers["gallery_pid"][:] = 0
    with pytest.raises(DatasetError, match=r"None of the 3 queries .* 20 of the gallery"):
        ranked(query, gallery, numbers)


@pytest.mark.parametrize("part", ["query_pid", "query_camid", "gallery_pid", "gallery_camid"])
def test_numbers_of_the_wrong_length_are_refused(part: str) -> None:
    query, gallery, numbers = sides()
    numbers[part] = numbers[part][1:]
    with pytest.raises(ValueError, match="expected"):
        ranked(query, gallery, numbers)


def test_embeddings_of_different_width_are_refused() -> None:
    query, gallery, numbers = sides()
    with pytest.raises(ValueError, match=r"\(30, 7\)"):
        ranked(query[:, 1:], gallery, numbers)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_embeddings_that_are_not_finite_are_refused(value: float) -> None:
    query, gallery, numbers = sides()
    gallery[3, 1] = value
    with pytest.raises(WorkerError, match="diverged"):
        ranked(query, gallery, numbers)


def test_the_order_of_the_gallery_and_the_names_of_persons_do_not_matter() -> None:
    query, gallery, numbers = sides()
    order = torch.randperm(120, generator=torch.Generator().manual_seed(4))
    moved = {k: v[order] if k.startswith("gallery") else v for k, v in numbers.items()}
    for side in ("query_pid", "gallery_pid"):
        moved[side] = torch.where(moved[side] > 0, 100 - moved[side], moved[side])
    found, again = ranked(query, gallery, numbers), ranked(query, gallery[order], moved)
    assert found.first_hit.tolist() == again.first_hit.tolist()
    np.testing.assert_allclose(found.average_precision, again.average_precision)


def test_cmc_counts_only_queries_that_are_used() -> None:
    first_hit = np.array([1, 0, 3, 2, 0])
    assert [cmc(first_hit, k) for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1.0])


# --- camera pairs


def test_a_camera_pair_is_an_evaluation_against_the_gallery_of_that_camera() -> None:
    query, gallery, numbers = sides()
    pairs = ranked(query, gallery, numbers).camera_pairs
    assert [(p.query_camid, p.gallery_camid) for p in pairs] == [
        (q, g) for q in range(1, 5) for g in range(1, 5) if q != g
    ]
    for pair in pairs:
        rows = (numbers["query_camid"] == pair.query_camid).nonzero()[:, 0].tolist()
        scores = query @ gallery.T
        ranks = [slow_query(scores, numbers, i, pair.gallery_camid) for i in rows]
        used = [r for r in ranks if r]
        assert pair.queries == len(used)
        assert pair.mean_ap == pytest.approx(np.mean([average_precision(r) for r in used]))
        assert pair.rank1 == pytest.approx(np.mean([r[0] == 1 for r in used]))


def test_a_camera_pair_by_hand() -> None:
    found = one_query([(0.9, 6, 2), (0.8, 5, 3), (0.7, 5, 2), (0.6, 6, 4)])
    assert found.camera_pairs == (CameraPair(1, 2, 1, 0.5, 0.0), CameraPair(1, 3, 1, 1.0, 1.0))


def test_camera_pairs_are_measured_only_when_asked_for() -> None:
    query, gallery, numbers = sides()
    found = ranked(query, gallery, numbers, camera_pairs=False)
    assert found.camera_pairs == ()
    assert found.mean_ap == ranked(query, gallery, numbers).mean_ap


# --- devices, precision, memory


@pytest.mark.parametrize("block", [1, 7, 256])
def test_both_device_forms_agree_whatever_the_block(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    query, gallery, numbers = sides()
    usual = ranked(query, gallery, numbers)
    monkeypatch.setattr(ranking, "BLOCK", block)
    blocked = ranked(query, gallery, numbers)
    monkeypatch.setattr(ranking, "_wrong_above_on_cpu", ranking._wrong_above_on_device)
    counted = ranked(query, gallery, numbers)
    for found in (blocked, counted):
        np.testing.assert_array_equal(found.average_precision, usual.average_precision)
        assert found.camera_pairs == usual.camera_pairs


def test_scores_are_full_float32_even_under_autocast() -> None:
    query, gallery, numbers = sides(60, 400)
    usual = ranked(query, gallery, numbers)
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = ranked(query, gallery, numbers)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    np.testing.assert_array_equal(found.average_precision, usual.average_precision)


def test_no_more_than_one_block_of_scores_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    query, gallery, numbers = sides(1500, 4000)
    for side in ("query_pid", "gallery_pid"):
        numbers[side] = torch.arange(len(numbers[side])) % 500  # a few right answers each
    buffers: set[int] = set()
    multiply = torch.mm

    def record(a: Tensor, b: Tensor, *, out: Tensor) -> Tensor:
        assert out.shape[0] <= 256
        buffers.add(out.data_ptr())
        return multiply(a, b, out=out)

    monkeypatch.setattr(torch, "mm", record)
    tracemalloc.start()  # sees numpy, not torch
    ranked(query, gallery, numbers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(buffers) == 1
    assert peak < 4 * len(query) * len(gallery) / 10  # float32 scores of all queries
