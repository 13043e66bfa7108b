"""The fields of the new-run form in their rows, each row one line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rich.text import Text
from textual import on
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input, Select, Static, TextArea

from ccafl.config import STAGES
from ccafl.sentences import printable
from tui.draft import Draft
from tui.fields import Choice, Field, Tick
from tui.frame import Line
from tui.overrides import Overrides

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.app import ComposeResult

    from ccafl.config import Stage
    from tui.form_offers import Folder, Offers, Start

DEVICES = ("auto", "cpu")
ANOTHER, SCRATCH = ("another folder", ""), ("scratch", 0)  # what stands there at first
HELP = "one per line, name = value; → completes the name"


class FormFields(Vertical):
    """The fields; what one of them decides about the others is filled in."""

    class Changed(Message):
        """Something else stands in the fields."""

    def __init__(self, draft: Draft, *, is_new: bool) -> None:
        super().__init__(id="form-fields")
        self._draft, self._is_new = draft, is_new
        self._preset, self._source = draft.preset, draft.source
        self._folders: Sequence[Folder] = ()
        self._found: Sequence[Start] = ()
        self._taken: list[Stage] = []  # stages that lost their tick to a start

    def compose(self) -> ComposeResult:
        """Eight rows and the lines of settings."""
        draft = self._draft
        yield from (
            _pair(_row("Dataset", self._datasets()), _row("Preset", self._presets())),
            _row("Root", Field(draft.root, id="root"), Line("root-state")),
            _row(
                "Name", Field(draft.name, id="name"), _label("tags"), Field(draft.tags, id="tags")
            ),
            _pair(_row("Stages", *self._stages()), _row("start", self._starts())),
            _pair(
                _row("Backbone", Choice(_backbones(), draft.backbone, id="backbone")),
                _row("Seeds", Field(draft.seeds, id="seeds"), _label("one run each")),
            ),
            _row("GPU", Choice(DEVICES, draft.gpu, id="gpu"), id="gpu-row"),
            _row("Place", *self._place()),
        )
        yield _row("Overrides", Line("override-hint", HELP))
        yield Overrides(draft.overrides, id="overrides")

    def on_mount(self) -> None:
        """Fill in what the preset decides."""
        self._show_defaults()

    @property
    def draft(self) -> Draft:
        """What stands in the fields."""
        return Draft(
            preset=self._preset,
            root=self._text("root"),
            name=self._text("name"),
            tags=self._text("tags"),
            stages=tuple(stage for stage in STAGES if self._tick(stage).value),
            epochs=tuple(self._text(f"{stage}-epochs") for stage in STAGES),
            source=self._source,
            backbone=self._choice("backbone").value,
            seeds=self._text("seeds"),
            gpu=self._choice("gpu").value,
            is_next=self._is_new and self._choice("place").value == "next",
            hold=self._tick("hold").value,
            note=self._text("note"),
            overrides=self.query_one(Overrides).text,
        )

    def offer(self, found: Offers) -> None:
        """Offer what there is to choose from."""
        self._folders = found.folders
        root = self.query_one("#root", Input)
        root.suggester = SuggestFromList([printable(folder.root) for folder in found.folders])
        datasets = self.query_one("#dataset", Select)
        with datasets.prevent(Select.Changed):
            folders = [(_folder(folder), folder.root) for folder in found.folders]
            datasets.set_options([ANOTHER, *folders])
        self._show_dataset()
        self._found = found.starts
        self._show_starts()

    def offer_gpus(self, indices: Sequence[str], remark: str) -> None:
        """Offer the GPUs of this machine, and say something about their memory."""
        self._choice("gpu").offer(["auto", *indices, "cpu"], remark)

    def show_root(self, state: str) -> None:
        """Say what was found in the data folder."""
        self.query_one("#root-state", Line).show(state)

    @on(Select.Changed, "#dataset")
    def _take_folder(self, event: Select.Changed) -> None:
        known = {found.root: found for found in self._folders}
        root, folder = self.query_one("#root", Input), known.get(str(event.value))
        if folder is not None:
            root.value = folder.root
            if folder.preset in _known_presets():
                self.query_one("#preset", Select).value = folder.preset
        elif root.value in known:
            root.value = ""
            root.focus()

    @on(Select.Changed, "#preset")
    def _take_preset(self, event: Select.Changed) -> None:
        if event.value == self._preset:
            return  # the first value of the field, which its draft agrees with
        from ccafl.presets import CPU_PRESETS, resolve

        self._preset = str(event.value)
        self._choice("backbone").choose(resolve(self._preset).model.backbone)
        self._choice("gpu").choose("cpu" if self._preset in CPU_PRESETS else "auto")
        self._show_defaults()

    @on(Select.Changed, "#start")
    def _take_start(self, event: Select.Changed) -> None:
        """Leave the stages to the run that one starts from; from scratch they are trained."""
        assert isinstance(event.value, int), "every option is a number"
        source = event.value or None
        if source == self._source:
            return
        self._source = source
        for stage in self._taken:
            self._tick(stage).turn(True)
        start = next((start for start in self._found if start.run_id == source), None)
        given = start.gives(self.draft.stages) if start is not None else ()
        self._taken = [stage for stage in given if self._tick(stage).value]
        for stage in self._taken:
            self._tick(stage).turn(False)

    @on(Input.Changed, "#root")
    @on(Choice.Changed)
    def _show_starts(self) -> None:
        """Offer the runs that fit; the chosen one stays."""
        starts, draft = self.query_one("#start", Select), self.draft
        known = {start.run_id: start.label for start in self._found if start.fits(draft)}
        if draft.source is not None:
            known.setdefault(draft.source, f"run {draft.source}")
        with starts.prevent(Select.Changed):
            runs = [(Text(label), number) for number, label in known.items()]
            starts.set_options([SCRATCH, *runs])
            starts.value = draft.source or 0

    @on(Input.Changed, "#root")
    def _show_dataset(self) -> None:
        datasets, root = self.query_one("#dataset", Select), self._text("root")
        is_known = root in [folder.root for folder in self._folders]
        with datasets.prevent(Select.Changed):  # it is not chosen, only shown
            datasets.value = root if is_known else ""

    @on(Input.Changed)
    @on(Select.Changed)
    @on(Tick.Changed)
    @on(Choice.Changed)
    @on(TextArea.Changed)
    def _tell(self) -> None:
        self.post_message(self.Changed())

    @on(TextArea.SelectionChanged)
    def _show_hint(self) -> None:
        self.query_one("#override-hint", Line).show(self.query_one(Overrides).hint or HELP)

    @on(Input.Submitted)
    def _go_on(self) -> None:
        self.screen.focus_next()

    def _show_defaults(self) -> None:
        """Show in empty fields what they stand for."""
        from ccafl.presets import resolve

        config = resolve(self._preset)
        for stage in STAGES:
            self.query_one(f"#{stage}-epochs", Input).placeholder = str(config.epochs(stage))
        self.query_one("#seeds", Input).placeholder = str(config.run.seed)
        self.query_one("#name", Input).placeholder = "made from preset and seed"

    def _datasets(self) -> Select[str]:
        return Select([ANOTHER], allow_blank=False, id="dataset", compact=True)

    def _presets(self) -> Select[str]:
        options = [(preset, preset) for preset in _known_presets()]
        return Select(options, value=self._preset, allow_blank=False, id="preset", compact=True)

    def _starts(self) -> Select[int]:
        source = self._draft.source or 0
        options = [SCRATCH, *[(f"run {source}", source)] * bool(source)]
        return Select(options, value=source, allow_blank=False, id="start", compact=True)

    def _stages(self) -> Iterator[Tick | Field]:
        for stage, epochs in zip(STAGES, self._draft.epochs, strict=True):
            yield Tick(stage, stage in self._draft.stages, id=stage)
            yield Field(epochs, id=f"{stage}-epochs", classes="row-count")

    def _place(self) -> Iterator[Choice | Tick | Field | Static]:
        draft = self._draft
        if self._is_new:
            yield Choice(("last", "next"), "next" if draft.is_next else "last", id="place")
        else:
            yield Static("as it is", classes="row-said")
        yield Tick("hold", draft.hold, id="hold")
        yield _label("note")
        yield Field(draft.note, id="note")

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value

    def _tick(self, name: str) -> Tick:
        return self.query_one(f"#{name}", Tick)

    def _choice(self, name: str) -> Choice:
        return self.query_one(f"#{name}", Choice)


def _row(
    name: str, *fields: Input | Select[str] | Select[int] | Static, id: str | None = None
) -> Horizontal:
    label = Static(name, markup=False, classes="row-name")
    return Horizontal(label, *fields, id=id, classes="row")


def _pair(first: Horizontal, second: Horizontal) -> Horizontal:
    """Two rows that stand side by side where there is room."""
    return Horizontal(first, second, classes="pair")


def _label(text: str) -> Static:
    return Static(text, markup=False, classes="row-label")


def _folder(folder: Folder) -> Text:
    return Text(printable(f"{folder.dataset or Path(folder.root).name}  {folder.root}"))


def _known_presets() -> list[str]:
    from ccafl.presets import PRESETS

    return list(PRESETS)


def _backbones() -> tuple[str, ...]:
    """Every backbone that is built."""
    from ccafl.config import keys

    return get_args(keys()["model.backbone"].type)
