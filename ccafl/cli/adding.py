"""`ccafl run` and `ccafl queue add`: from options to queued runs, and following one."""

import signal
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ccafl.cli.options import (
    DataOption,
    FilesOption,
    FromOption,
    GpuOption,
    HomeOption,
    LayersOption,
    NameOption,
    NoteOption,
    PresetOption,
    SetOption,
    StagesOption,
    SweepOption,
    TagOption,
    YesOption,
)
from ccafl.cli.output import confirm, note, progress_bar, terminal_width

if TYPE_CHECKING:
    from ccafl.orders import Order, Ready, Variant
    from ccafl.paths import Home

UNASKED = 20  # runs that one command adds without asking


def run(
    preset: PresetOption = None,
    data: DataOption = None,
    config: LayersOption = None,
    settings: SetOption = None,
    stages: StagesOption = None,
    source: FromOption = None,
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
    from ccafl.orders import Order, Variant, submit
    from ccafl.paths import find_home

    place = find_home(home)
    order = Order(
        preset=preset,
        data=data,
        variants=[Variant(files=tuple(config or ()), settings=tuple(settings or ()))],
        stages=stages,
        source=source,
        gpu=gpu,
        name=name,
        tags=tag or [],
        text=text,
    )
    ready = _make_ready(order, place)
    if not detach:
        raise typer.Exit(_queue_and_follow(ready, place))
    (run_id,) = submit(ready, place)
    print(run_id)
    note(f"run {run_id} is queued. ccafl queue: what it does   ccafl log {run_id} -f: its log")


def add(
    preset: PresetOption = None,
    data: DataOption = None,
    config: FilesOption = None,
    settings: SweepOption = None,
    stages: StagesOption = None,
    source: FromOption = None,
    gpu: GpuOption = None,
    name: NameOption = "",
    tag: TagOption = None,
    text: NoteOption = "",
    yes: YesOption = False,
    home: HomeOption = None,
) -> None:
    """Queue one or more runs and print their numbers.

    Values separated by commas and several config files add a run for each combination, all of
    them or none; more than 20 are confirmed first.
    """
    from ccafl.orders import Order, submit, variants
    from ccafl.paths import find_home

    place = find_home(home)
    order = Order(
        preset=preset,
        data=data,
        variants=variants(config or [], settings or []),
        stages=stages,
        source=source,
        gpu=gpu,
        name=name,
        tags=tag or [],
        text=text,
    )
    ready = _make_ready(order, place)
    if len(ready) > 1:
        _show_sweep(order.variants)
    if len(ready) > UNASKED and not yes:
        confirm(f"Add {len(ready):,} runs?", f"add {len(ready):,} runs")
    for run_id in submit(ready, place):
        print(run_id)


def _show_sweep(swept: Sequence["Variant"]) -> None:
    """The runs of a sweep as a table: a column per key."""
    from ccafl.sentences import printable
    from ccafl.tables import Table, as_text

    keys = [key for key, _ in swept[0].differing]
    rows = [[printable(value) for _, value in variant.differing] for variant in swept]
    note(as_text(Table(keys, rows)))


def _make_ready(order: "Order", home: "Home") -> "list[Ready]":
    """Check an order to the last image, and say what is known to hurt."""
    from ccafl.orders import Planner, prepare, remarks

    plans = Planner(home).plan(order)
    with progress_bar() as tell:
        ready = prepare(plans, home, tell)
    for line in remarks(ready):
        note(line)
    return ready


def _queue_and_follow(ready: "Sequence[Ready]", home: "Home") -> int:
    """Queue a run and show it until it ends; gives the exit code."""
    from ccafl.follow import LiveView, PlainView, Signals, closing_text, exit_code, follow
    from ccafl.orders import submit
    from ccafl.store import open_store
    from ccafl.supervisor import ensure_supervisor

    with Signals() as signals:  # from before the run is queued: no Ctrl-C is lost
        (run_id,) = submit(ready, home)
        view = LiveView() if LiveView.fits() else PlainView(_print_line)
        with open_store(home) as store:
            last = follow(store, run_id, view, signals, serve=partial(ensure_supervisor, home))
    if last is not None:
        print(closing_text(last, terminal_width()), end="")
        return exit_code(last.run.state)
    if signals.leaving == signal.SIGTERM:
        note(f"run {run_id} goes on in the background. ccafl queue: what it does")
    return 128 + (signals.leaving or 0)


def _print_line(text: str) -> None:
    print(text, flush=True)
