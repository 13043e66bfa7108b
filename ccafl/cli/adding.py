"""`ccafl run` and `ccafl queue add`: from options to a queued run, and following it."""

import signal
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccafl.cli.device import choose_device, cpu_seconds, is_slow_on_cpu
from ccafl.cli.options import (
    ConfigOption,
    DataOption,
    GpuOption,
    HomeOption,
    NameOption,
    NoteOption,
    PresetOption,
    SetOption,
    TagOption,
)
from ccafl.cli.output import note, progress_bar, terminal_width

if TYPE_CHECKING:
    from ccafl.config import RunConfig
    from ccafl.datasets import Report
    from ccafl.paths import Home


@dataclass(frozen=True, kw_only=True)
class Order:
    """A run as the options describe it."""

    preset: str
    data: Path | None
    files: list[Path]
    settings: list[str]
    gpu: str | None
    name: str
    tags: list[str]
    text: str


@dataclass(frozen=True, kw_only=True)
class Ready:
    """An order that was checked: its config with absolute paths, its data, its device."""

    order: Order
    config: "RunConfig"
    report: "Report"
    gpu: str


def run(
    preset: PresetOption = "default",
    data: DataOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    gpu: GpuOption = None,
    name: NameOption = "",
    tag: TagOption = None,
    text: NoteOption = "",
    detach: Annotated[
        bool, typer.Option("--detach", help="Print the number of the run and return at once.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Queue a run and follow it to its result.

    The run trains in the background. Ctrl-C cancels it with a checkpoint, a second one kills it;
    closing the terminal only ends the view. Exit codes: 0 finished, 1 failed or lost, 130
    cancelled, 129 or 143 when SIGHUP or SIGTERM ended the view and the run goes on.
    """
    from ccafl.paths import find_home

    place = find_home(home)
    order = Order(
        preset=preset,
        data=data,
        files=config or [],
        settings=settings or [],
        gpu=gpu,
        name=name,
        tags=tag or [],
        text=text,
    )
    ready = _check(order, place)
    if not detach:
        raise typer.Exit(_queue_and_follow(ready, place))
    run_id = _queue(ready, place)
    print(run_id)
    note(f"run {run_id} is queued. ccafl queue: what it does   ccafl log {run_id} -f: its log")


def add(
    preset: PresetOption = "default",
    data: DataOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    gpu: GpuOption = None,
    name: NameOption = "",
    tag: TagOption = None,
    text: NoteOption = "",
    home: HomeOption = None,
) -> None:
    """Queue a run and print its number.

    The options are those of `ccafl run`; nothing is followed.
    """
    run(preset, data, config, settings, gpu, name, tag, text, detach=True, home=home)


def _check(order: Order, home: "Home") -> Ready:
    """Refuse what cannot run, before anything is written; draw the demo data if it is needed."""
    from ccafl.datasets import examine
    from ccafl.presets import resolve

    config = resolve(order.preset, order.files, order.settings)
    given = _given_root(order, config)
    gpu = choose_device(order.gpu, order.preset, config)
    root = given or _draw_demo(home, config.run.seed)
    report = examine(root, config.data.layout)
    report.usable()
    ready = Ready(order=order, config=_complete(config, order, root), report=report, gpu=gpu)
    _print_notes(ready)
    return ready


def _given_root(order: Order, config: "RunConfig") -> Path | None:
    """The data folder that was given; None for a preset that draws its own."""
    from ccafl.datasets import data_root
    from ccafl.errors import ConfigError
    from ccafl.presets import CPU_PRESETS

    given = order.data or (Path(config.data.root) if config.data.root else None)
    if given is not None:
        return data_root(given)
    if order.preset not in CPU_PRESETS:
        raise ConfigError(
            "No data folder is given. Pass --data DIR, the folder that holds bounding_box_train, "
            "query and bounding_box_test, or try --preset demo, which draws a data set."
        )
    return None


def _draw_demo(home: "Home", seed: int) -> Path:
    """The demo data set of a seed, drawn if this is the first run that needs it."""
    from ccafl.demo import draw_dataset
    from ccafl.errors import DatasetError
    from ccafl.store.database import secure_folder

    root = home.demo(seed)
    if not root.is_dir():
        secure_folder(home.root)
        try:
            with progress_bar("drawing the demo data set") as progress:
                draw_dataset(root, seed=seed, progress=progress)
        except DatasetError:
            if not root.is_dir():  # else another client drew the same set at the same time
                raise
    return root


def _complete(config: "RunConfig", order: Order, root: Path) -> "RunConfig":
    from ccafl.errors import ConfigError

    try:
        return replace(
            config,
            run=replace(config.run, name=order.name or config.run.name),
            data=replace(config.data, root=str(root)),
        )
    except ValueError as error:
        raise ConfigError("--name or --data is longer than 4,096 characters.") from error


def _print_notes(ready: Ready) -> None:
    from ccafl.tables import duration

    config = ready.config
    note(ready.report.usable().summary())
    for warning in ready.report.warnings:
        note(f"warning: {warning}")
    if ready.gpu == "cpu" and is_slow_on_cpu(config):
        note(
            f"warning: {config.model.backbone} on the CPU needs at least "
            f"{duration(cpu_seconds(config))}."
        )
    for caution in config.cautions():
        note(f"warning: {caution}")


def _queue(ready: Ready, home: "Home") -> int:
    from ccafl.store import open_store
    from ccafl.supervisor import ensure_supervisor

    ensure_supervisor(home)  # it creates the database
    with open_store(home) as store:
        run_id = store.add_run(
            ready.config,
            name=ready.config.run.name,
            note=ready.order.text,
            preset=ready.order.preset,
            dataset=ready.report.usable().name,
            gpu=ready.gpu,
            tags=ready.order.tags,
        )
    ensure_supervisor(home)  # an idle one may have left in between
    return run_id


def _queue_and_follow(ready: Ready, home: "Home") -> int:
    """Queue a run and show it until it ends; gives the exit code."""
    from ccafl.follow import LiveView, PlainView, Signals, closing_text, exit_code, follow
    from ccafl.store import open_store
    from ccafl.supervisor import ensure_supervisor

    with Signals() as signals:  # from before the run is queued: no Ctrl-C is lost
        run_id = _queue(ready, home)
        view = LiveView() if LiveView.fits() else PlainView(_print_line)
        with open_store(home) as store:
            serve = partial(ensure_supervisor, home)
            last = follow(store, run_id, view, signals, serve=serve)
    if last is not None:
        print(closing_text(last, terminal_width()), end="")
        return exit_code(last.run.state)
    if signals.leaving == signal.SIGTERM:
        note(f"run {run_id} goes on in the background. ccafl queue: what it does")
    return 128 + (signals.leaving or 0)


def _print_line(text: str) -> None:
    print(text, flush=True)
