"""Runs of several seeds, taken together."""

import pytest
from recorded import Recorded, evaluation, recorded

from ccafl.seeds import group_by_seed, groups_listing

__all__ = ["recorded"]


def test_runs_that_differ_in_nothing_but_the_seed_are_one_group(recorded: Recorded) -> None:
    for seed, value in ((1, 0.5), (2, 0.52), (3, 0.57)):
        recorded.finished(
            evaluation("inter", 6, 234, value),
            settings=(f"run.seed={seed}",),
            name=f"s{seed}",
            tags=(f"t{seed}",),
            note=f"n{seed}",
        )
    recorded.finished(evaluation("inter", 6, 234, 0.6), settings=("train.p=8",))
    recorded.finished(evaluation("inter", 6, 234, 0.6), dataset="other")
    recorded.end(recorded.start(settings=("run.seed=9",)), "failed")
    runs = [recorded.store.run(number) for number in range(1, 7)]
    assert [[run.id for run in group] for group in group_by_seed(runs)] == [[1, 2, 3, 6], [4], [5]]
    listing = groups_listing(runs, "ABCDEF", "last")
    first, second, _ = listing.table.rows
    # by hand: mean 0.53, deviations -0.03, -0.01, 0.04, squares 0.0026, halved 0.0013
    assert first[:4] == ["A B C F", "s1", "3", "53.0 ± 3.6"]
    assert second[:4] == ["D", "smoke seed 0", "1", "60.0"]
    assert listing.records[0]["mean_ap_deviation"] == pytest.approx(0.0013**0.5)
    assert listing.records[1]["mean_ap_deviation"] is None
