"""An order and its plans: everything that can be refused before a file is written or opened."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ccafl.config import RunConfig
from ccafl.datasets import Report, data_root, examine
from ccafl.errors import ConfigError
from ccafl.gpu import read_gpus
from ccafl.orders.device import choose_device
from ccafl.orders.sources import Source, check_beginning, find_source, parse_stages
from ccafl.orders.sweeps import Variant
from ccafl.paths import Home, absolute
from ccafl.presets import CPU_PRESETS, NAMED_WEIGHTS, PRESETS, check_weights, resolve


@dataclass(frozen=True, kw_only=True)
class Order:
    """One run, or several variants of it, as the user describes them.

    `gpu` None is the device of the preset; `preset` None that of `source`, else the default one.
    """

    preset: str | None = None
    data: Path | None = None
    variants: Sequence[Variant] = (Variant(files=(), settings=()),)
    stages: str | None = None
    source: int | None = None
    gpu: str | None = None
    name: str = ""
    tags: Sequence[str] = ()
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run whose settings are good: its config with absolute paths, its data, its device.

    `report` is None where the data set is a drawn one that does not exist yet.
    """

    order: Order
    config: RunConfig
    preset: str
    gpu: str
    source: int | None
    report: Report | None


class Planner:
    """Plans orders; looks at each data folder and at the GPUs once in its life."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._examine = cache(examine)
        self._read_gpus = cache(read_gpus)

    def report(self, root: Path) -> Report:
        """What names and counts say of a data folder, as when somebody asked first."""
        return self._examine(root, "auto")

    def plan(self, order: Order) -> list[Plan]:
        """A plan for each variant; nothing is written and no image is opened.

        Raises:
            CcaflError: the first variant that is refused, and why.
        """
        source = find_source(self._home, order.source)
        plans = [self._plan(order, variant, source) for variant in order.variants]
        for config in models(plans):
            check_weights(config)
        return plans

    def _plan(self, order: Order, variant: Variant, source: Source | None) -> Plan:
        preset = _preset_of(source) if order.preset is None else order.preset
        config = resolve(preset, variant.files, [*variant.settings, *_stage_setting(order)])
        given = _given_root(order, config, preset, source)
        gpu = choose_device(order.gpu, preset, config, self._read_gpus)
        root = given or self._home.demo(config.run.seed)
        config = _complete(config, order, variant, preset, root)
        check_beginning(config, source, self._home)
        report = None
        if given is not None or root.is_dir():
            report = self._examine(root, config.data.layout)
            report.usable()
        return Plan(
            order=order,
            config=config,
            preset=preset,
            gpu=gpu,
            source=source.run.id if source else None,
            report=report,
        )


def models(plans: Sequence[Plan]) -> list[RunConfig]:
    """A config for each model that the plans name."""
    found = {(plan.config.model.weights, plan.config.model.backbone): plan.config for plan in plans}
    return list(found.values())


def _preset_of(source: Source | None) -> str:
    return source.run.preset if source and source.run.preset in PRESETS else "default"


def _stage_setting(order: Order) -> list[str]:
    if order.stages is None:
        return []
    named = ", ".join(f'"{stage}"' for stage in parse_stages(order.stages))
    return [f"run.stages=[{named}]"]


def _given_root(order: Order, config: RunConfig, preset: str, source: Source | None) -> Path | None:
    """The data folder that was given; None for a preset that draws its own."""
    theirs = source.config.data.root if source else ""
    given = str(order.data) if order.data is not None else config.data.root or theirs
    if given:
        return data_root(Path(given))
    if preset not in CPU_PRESETS:
        raise ConfigError(
            "No data folder is given. Pass --data DIR, the folder that holds bounding_box_train, "
            "query and bounding_box_test, or try --preset demo, which draws a data set."
        )
    return None


def _complete(
    config: RunConfig, order: Order, variant: Variant, preset: str, root: Path
) -> RunConfig:
    """The config with absolute paths, which mean the same to a worker, and a name of its own."""
    name = order.name or config.run.name
    if len(order.variants) > 1:
        name = f"{name or preset} {variant.label}"
    weights = config.model.weights
    try:
        return replace(
            config,
            run=replace(config.run, name=name),
            data=replace(config.data, root=str(root)),
            model=replace(
                config.model,
                weights=weights if weights in NAMED_WEIGHTS else str(absolute(weights)),
            ),
        )
    except ValueError as error:
        raise ConfigError(
            "--name, --data or model.weights is longer than 4,096 characters."
        ) from error
