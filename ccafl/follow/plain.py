"""A run as plain lines: for pipes, log files, screen readers and dumb terminals."""

from collections.abc import Callable

from ccafl.follow.snapshot import Snapshot
from ccafl.sentences import describe, printable
from ccafl.store import ENDED, EpochRow, EvaluationRow
from ccafl.tables import METRICS, loss_value, percent


class PlainView:
    """Says what is new since the last time, a line each; never moves a cursor."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._epoch_step, self._evaluation_step = 0, 0  # rows up to here are told
        self._stage: str | None = None
        self._told: dict[str, object] = {}

    def show(self, snapshot: Snapshot) -> None:
        """Write what has changed."""
        run = snapshot.run
        if run.state not in ENDED:  # the end is told once, with the results
            self._tell("state", (run.state, run.reason), describe(run))
        self._tell("activity", run.activity, run.activity)
        self._tell("warning", run.warning, f"warning: {run.warning}")
        for row in self._new_rows(snapshot):
            self._begin_stage(row.stage, snapshot)
            self.say(
                _epoch_line(row, snapshot) if isinstance(row, EpochRow) else evaluation_line(row)
            )
        if run.stage:
            self._begin_stage(run.stage, snapshot)

    def say(self, sentence: str) -> None:
        """Write a sentence."""
        self._write(printable(sentence))

    def close(self) -> None:
        """Nothing is left to tidy up."""

    def _new_rows(self, snapshot: Snapshot) -> list[EpochRow | EvaluationRow]:
        """Rows not told yet; an evaluation comes after the epoch it belongs to, often later."""
        # after a resume from an earlier checkpoint, what is done again is told again
        self._epoch_step = min(self._epoch_step, snapshot.run.step)
        self._evaluation_step = min(self._evaluation_step, snapshot.run.step)
        epochs = [row for row in snapshot.epochs if row.step > self._epoch_step]
        evaluations = [row for row in snapshot.evaluations if row.step > self._evaluation_step]
        self._epoch_step = max([self._epoch_step, *(row.step for row in epochs)])
        self._evaluation_step = max([self._evaluation_step, *(row.step for row in evaluations)])
        return sorted([*epochs, *evaluations], key=lambda row: row.step)

    def _tell(self, subject: str, value: object, sentence: str | None) -> None:
        if self._told.get(subject) != value and sentence is not None and value is not None:
            self.say(sentence)
        self._told[subject] = value

    def _begin_stage(self, stage: str, snapshot: Snapshot) -> None:
        if stage != self._stage:
            self._stage = stage
            # a stage that was taken from another run is evaluated here, and not trained
            epochs = next((s.epochs for s in snapshot.stages() if s.name == stage), None)
            if epochs is not None:
                self.say(f"stage {stage}: {epochs} epochs")


def evaluation_line(row: EvaluationRow) -> str:
    """Metrics of one evaluation in percent, with the queries they are made of."""
    metrics = "  ".join(f"{head} {percent(getattr(row, name))}" for name, head in METRICS.items())
    queries = f"{row.queries:,} queries, {row.left_out:,} left out"
    return f"{row.stage} epoch {row.epoch} evaluation  {metrics}  ({queries})"


def _epoch_line(row: EpochRow, snapshot: Snapshot) -> str:
    losses = snapshot.means.get((row.stage, row.epoch), {})
    terms = "  ".join(f"{name} {loss_value(value)}" for name, value in losses.items())
    epochs = next(stage.epochs for stage in snapshot.stages() if stage.name == row.stage)
    linked = f"  groups {row.groups:,}  linked {row.linked:,}" if row.groups is not None else ""
    pace = f"{row.images_per_s:,.0f} img/s  lr {row.lr:.1e}"
    return f"{row.stage} epoch {row.epoch}/{epochs}  {terms}{linked}  {pace}"
