"""What a comparison reads: its runs, what was published, and a curve of each run and measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ccafl.events import TERMS
from tui.messages import ComparedRead

if TYPE_CHECKING:
    from ccafl.store import RunRow, Store
    from tui.messages import Curve

MEAN_AP = "mAP"


class Compared:
    """Reads the runs anew each time, and the curves of those that had not ended."""

    def __init__(self, store: Store, run_ids: Sequence[int]) -> None:
        self.run_ids = run_ids
        self._store = store
        self._curves: dict[int, dict[str, Curve]] = {}

    def read(self) -> ComparedRead:
        """The runs as they are now."""
        from ccafl.comparison import references
        from ccafl.store import ENDED

        runs = [self._store.run(run_id) for run_id in self.run_ids]
        for run in runs:
            if run.id not in self._curves or run.state not in ENDED:
                self._curves[run.id] = read_curves(self._store, run)
        published = references(self._store, runs[0].dataset)
        return ComparedRead(runs, published, [self._curves[run.id] for run in runs])


def read_curves(store: Store, run: RunRow) -> dict[str, Curve]:
    """Percent of mAP at each evaluation, and each term's mean of each epoch.

    Epochs of intra and inter are counted together, so that runs of both and of one lie on one
    axis; the untouched image tower, evaluated after prompt, stands at 0.
    """
    from ccafl.overview import flatten_stored

    intra = int(flatten_stored(run).get("intra.epochs") or 0)

    def place(stage: str, epoch: int) -> int:
        return epoch + intra if stage == "inter" else epoch

    found: dict[str, Curve] = {
        MEAN_AP: [
            (0 if row.stage == "prompt" else place(row.stage, row.epoch), 100 * row.mean_ap)
            for row in store.evaluations(run.id)
        ]
    }
    means = store.loss_means(run.id)
    for name in TERMS:
        values = [(place(row.stage, row.epoch), getattr(row, name)) for row in means]
        found[name] = [(epoch, value) for epoch, value in values if value is not None]
    return {name: curve for name, curve in found.items() if curve}
