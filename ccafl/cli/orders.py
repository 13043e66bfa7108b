"""From what the options say to runs that can be queued: everything is refused here or never."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ccafl.cli.device import choose_device, cpu_seconds, is_slow_on_cpu
from ccafl.cli.output import note, progress_bar
from ccafl.cli.sources import Source, check_beginning, find_source, parse_stages
from ccafl.cli.sweeps import Variant

if TYPE_CHECKING:
    from ccafl.config import RunConfig
    from ccafl.datasets import Report
    from ccafl.gpu import GpuAnswer
    from ccafl.paths import Home


@dataclass(frozen=True, kw_only=True)
class Order:
    """One run, or several variants of it, as the options describe them."""

    preset: str | None
    data: Path | None
    variants: Sequence[Variant]
    stages: str | None
    source: int | None
    gpu: str | None
    name: str
    tags: Sequence[str]
    text: str


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A run that was checked: its config with absolute paths, its data, its device."""

    config: "RunConfig"
    preset: str
    gpu: str
    report: "Report"
    source: int | None
    tags: Sequence[str]
    text: str


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """A run whose settings are good; `draws` when its data is the drawn set, made if missing."""

    config: "RunConfig"
    preset: str
    gpu: str
    draws: bool


def check(order: Order, home: "Home") -> list[Ready]:
    """Refuse what cannot run, before anything is written; draw the demo data if it is needed.

    Data folders, weights and GPUs are looked at once, however many variants need them.

    Raises:
        CcaflError: the first variant that is refused, and why.
    """
    from ccafl.datasets import examine
    from ccafl.gpu import read_gpus

    source = find_source(home, order.source)
    gpus = cache(read_gpus)
    plans = [_plan(order, variant, source, gpus, home) for variant in order.variants]
    look = cache(examine)
    for plan in plans:
        if not plan.draws:
            look(Path(plan.config.data.root), plan.config.data.layout).usable()
    _check_weights([plan.config for plan in plans])
    ready = []
    for plan in plans:
        root = Path(plan.config.data.root)
        if plan.draws:
            _draw(root, plan.config.run.seed, home)
        report = look(root, plan.config.data.layout)
        report.usable()
        ready.append(
            Ready(
                config=plan.config,
                preset=plan.preset,
                gpu=plan.gpu,
                report=report,
                source=source.run.id if source else None,
                tags=order.tags,
                text=order.text,
            )
        )
    return ready


def print_notes(ready: Sequence[Ready]) -> None:
    """Say what data is used and what is known to hurt, each once."""
    from ccafl.tables import duration

    lines: dict[str, None] = {}
    for run in ready:
        config = run.config
        lines[run.report.usable().summary()] = None
        lines |= dict.fromkeys(f"warning: {warning}" for warning in run.report.warnings)
        if run.gpu == "cpu" and is_slow_on_cpu(config):
            lines[
                f"warning: {config.model.backbone} on the CPU needs at least "
                f"{duration(cpu_seconds(config))}."
            ] = None
        lines |= dict.fromkeys(f"warning: {caution}" for caution in config.cautions())
    for line in lines:
        note(line)


def _plan(
    order: Order,
    variant: Variant,
    source: Source | None,
    gpus: "Callable[[], GpuAnswer]",
    home: "Home",
) -> _Plan:
    """The complete config of one variant; nothing is written and no data is read."""
    from ccafl.presets import resolve

    preset = _preset_of(source) if order.preset is None else order.preset
    config = resolve(preset, variant.files, [*variant.settings, *_stage_setting(order)])
    given = _given_root(order, config, preset, source)
    gpu = choose_device(order.gpu, preset, config, gpus)
    config = _complete(config, order, variant, preset, given or home.demo(config.run.seed))
    check_beginning(config, source, home)
    return _Plan(config=config, preset=preset, gpu=gpu, draws=given is None)


def _preset_of(source: Source | None) -> str:
    from ccafl.presets import PRESETS

    return source.run.preset if source and source.run.preset in PRESETS else "default"


def _stage_setting(order: Order) -> list[str]:
    if order.stages is None:
        return []
    named = ", ".join(f'"{stage}"' for stage in parse_stages(order.stages))
    return [f"run.stages=[{named}]"]


def _given_root(
    order: Order, config: "RunConfig", preset: str, source: Source | None
) -> Path | None:
    """The data folder that was given; None for a preset that draws its own."""
    from ccafl.datasets import data_root
    from ccafl.errors import ConfigError
    from ccafl.presets import CPU_PRESETS

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
    config: "RunConfig", order: Order, variant: Variant, preset: str, root: Path
) -> "RunConfig":
    """The config with its absolute data folder, and a name that tells variants apart."""
    from ccafl.errors import ConfigError

    name = order.name or config.run.name
    if len(order.variants) > 1:
        name = f"{name or preset} {variant.label}"
    try:
        return replace(
            config,
            run=replace(config.run, name=name),
            data=replace(config.data, root=str(root)),
        )
    except ValueError as error:
        raise ConfigError("--name or --data is longer than 4,096 characters.") from error


def _check_weights(configs: "Sequence[RunConfig]") -> None:
    from ccafl.presets import check_weights

    for config in {
        config.model.weights + config.model.backbone: config for config in configs
    }.values():
        check_weights(config)


def _draw(root: Path, seed: int, home: "Home") -> None:
    """Draw the demo data set of a seed, if this is the first run that needs it."""
    from ccafl.demo import draw_dataset
    from ccafl.errors import DatasetError
    from ccafl.store.database import secure_folder

    if root.is_dir():
        return
    secure_folder(home.root)
    try:
        with progress_bar("drawing the demo data set") as progress:
            draw_dataset(root, seed=seed, progress=progress)
    except DatasetError:
        if not root.is_dir():  # else another client drew the same set at the same time
            raise
