"""What stands in the fields of the new-run form, as the order that it asks for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ccafl.config import STAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ccafl.orders import Order
    from ccafl.paths import Home
    from ccafl.store import RunRow

WEIGHTS = {"tiny": "shipped"}  # of a backbone that the preset does not have; the rest have CLIP's


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """The fields, as they were typed; an empty one leaves the preset's value.

    `epochs` belong to the stages in their order, `seeds` may name several, with commas.
    """

    preset: str = "demo"
    root: str = ""
    name: str = ""
    tags: str = ""
    stages: tuple[str, ...] = STAGES
    epochs: tuple[str, ...] = ("", "", "")
    source: int | None = None
    backbone: str = "tiny"
    seeds: str = ""
    gpu: str = "cpu"
    is_next: bool = False
    hold: bool = False
    note: str = ""
    overrides: str = ""

    @property
    def lines(self) -> list[tuple[int, str]]:
        """The overrides that are not empty, with the numbers of their lines."""
        numbered = enumerate(self.overrides.splitlines(), start=1)
        return [(number, line.strip()) for number, line in numbered if line.strip()]

    def order(self) -> Order:
        """What is asked for.

        Raises:
            ConfigError: a value stands twice, or is missing beside a comma.
        """
        from ccafl.orders import Order, variants

        return Order(
            preset=self.preset,
            data=Path(self.root.strip()) if self.root.strip() else None,
            variants=variants((), [*self.settings(), *(line for _, line in self.lines)]),
            stages=",".join(self.stages),
            source=self.source,
            gpu=self.gpu,
            name=self.name.strip(),
            tags=self.tags.split(),
            text=self.note,
        )

    def settings(self) -> list[str]:
        """What fields other than the overrides set."""
        from ccafl.presets import resolve

        settings = [
            f"{stage}.epochs={epochs.strip()}"
            for stage, epochs in zip(STAGES, self.epochs, strict=True)
            if epochs.strip()
        ]
        if self.backbone != resolve(self.preset).model.backbone:
            weights = WEIGHTS.get(self.backbone, "openai")
            settings += [f"model.backbone={self.backbone}", f"model.weights={weights}"]
        if self.seeds.strip():
            settings.append(f"run.seed={self.seeds.strip()}")
        return settings


def restore(kept: Mapping[str, object]) -> Draft:
    """A draft that was kept as a dictionary; the first one if it cannot be understood."""
    from pydantic import TypeAdapter, ValidationError

    from ccafl.presets import PRESETS

    try:
        draft = TypeAdapter(Draft).validate_python(kept)
    except ValidationError:
        return Draft()
    is_whole = len(draft.epochs) == len(STAGES) and draft.preset in PRESETS
    return draft if is_whole else Draft()


def draft_of(run: RunRow, home: Home) -> Draft:
    """The fields that ask for the same run again."""
    from ccafl.overview import differences, flatten_stored
    from ccafl.presets import PRESETS

    own = flatten_stored(run)
    changed = {key: values["run"] for key, values in differences(run).items()}
    seed, root = int(own.get("run.seed", 0)), str(own.get("data.root", ""))
    epochs = [f"{stage}.epochs" for stage in STAGES]
    elsewhere = {"run.seed", "run.stages", "model.backbone", *epochs}
    return Draft(
        preset=run.preset if run.preset in PRESETS else "default",
        root="" if root == str(home.demo(seed)) else root,
        name=str(own.get("run.name", "")),
        tags=" ".join(run.tags),
        stages=tuple(own.get("run.stages", STAGES)),
        epochs=tuple(str(changed.get(key, "")) for key in epochs),
        source=run.source,
        backbone=str(own.get("model.backbone")),
        seeds=str(changed.get("run.seed", "")),
        gpu=run.gpu,
        hold=run.hold,
        note=run.note,
        overrides="\n".join(
            f"{key} = {json.dumps(value, ensure_ascii=False)}"
            for key, value in changed.items()
            if key not in elsewhere and value is not None
        ),
    )
