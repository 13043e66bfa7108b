"""The evaluations of a run and the association behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from tui import evaluation_text
from tui.frame import Line
from tui.messages import HeadChanged
from tui.texts import Lines

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ccafl.store import Store
    from ccafl.store.queries import Which
    from tui.messages import RunRead
    from tui.program import CcaflApp

NARROW = 72  # cells inside the panel, below which the table is the short one


class EvaluationsPanel(Lines):
    """All evaluations, the published row, and the distance to it."""

    app: CcaflApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "which", "last/best", tooltip="last evaluation, or best on test"),
        Binding("w", "export", "export", tooltip="write what is listed, or copy it"),
    ]

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._message: RunRead | None = None
        self.which: Which = "last"

    def compose(self) -> ComposeResult:
        """One text."""
        yield Line("evaluation-text")

    @property
    def head(self) -> str:
        """What the marks mean, and how many queries were left out."""
        return evaluation_text.notes(self._message.snapshot, self.which) if self._message else ""

    def show(self, message: RunRead) -> None:
        """Show what was read."""
        self._message = message
        self._draw()

    def on_resize(self) -> None:
        """The table is made for the width."""
        self._draw()

    def action_which(self) -> None:
        """Measure the distance from the last evaluation, or from the best one."""
        self.which = "best" if self.which == "last" else "last"
        self._draw()
        self.post_message(HeadChanged())

    def action_export(self) -> None:
        """Write the evaluations to a file."""
        from ccafl import listings

        assert self._message is not None, "check_action asks for evaluations"
        run_id = self._message.snapshot.run.id

        def make(store: Store) -> listings.Listing:
            return listings.evaluations(store.evaluations(run_id))

        self.app.export(make, f"evaluations-{run_id}")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing can be written before the first evaluation."""
        del parameters
        if action == "export":
            return bool(self._message and self._message.snapshot.evaluations)
        return True

    def text(self) -> str:
        """What `y` copies."""
        return self.query_one(Line).text

    def _draw(self) -> None:
        if self._message is None:
            return
        snapshot, published = self._message.snapshot, self._message.published
        width = self.size.width or self.app.size.width
        if width < NARROW:
            text = evaluation_text.short_table(snapshot, published, self.which)
        else:
            table = evaluation_text.full_table(snapshot, published, self.which)
            linked = evaluation_text.association_lines(snapshot)
            text = f"{table}\n\nassociation\n{linked}"
        self.query_one(Line).show(text)


class AssociationPanel(Lines):
    """How camera identities are linked, epoch by epoch."""

    head = ""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)

    def compose(self) -> ComposeResult:
        """One text."""
        yield Line("association-text")

    def show(self, message: RunRead) -> None:
        """Show what was read."""
        self.query_one(Line).show(evaluation_text.association_lines(message.snapshot))

    def text(self) -> str:
        """What `y` copies."""
        return self.query_one(Line).text
