"""`ccafl run` and `ccafl queue add`: from options to queued runs, and following one."""

import signal
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ccafl.cli import orders
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
from ccafl.cli.output import confirm, note, terminal_width
from ccafl.cli.serving import serve
from ccafl.cli.sweeps import Variant, variants

if TYPE_CHECKING:
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
    from ccafl.paths import find_home

    place = find_home(home)
    order = orders.Order(
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
    ready = orders.check(order, place)
    orders.print_notes(ready)
    if not detach:
        raise typer.Exit(_queue_and_follow(ready, place))
    (run_id,) = _queue(ready, place)
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
    from ccafl.paths import find_home

    place = find_home(home)
    order = orders.Order(
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
    ready = orders.check(order, place)
    orders.print_notes(ready)
    if len(ready) > 1:
        _show_sweep(order.variants)
    if len(ready) > UNASKED and not yes:
        confirm(f"Add {len(ready):,} runs?", f"add {len(ready):,} runs")
    for run_id in _queue(ready, place):
        print(run_id)


def _show_sweep(swept: Sequence[Variant]) -> None:
    """The runs of a sweep as a table: a column per key."""
    from ccafl.sentences import printable
    from ccafl.tables import Table, as_text

    keys = [key for key, _ in swept[0].differing]
    rows = [[printable(value) for _, value in variant.differing] for variant in swept]
    note(as_text(Table(keys, rows)))


def _queue(ready: Sequence[orders.Ready], home: "Home") -> list[int]:
    from ccafl.store import NewRun, open_store

    runs = [
        NewRun(
            config=run.config,
            name=run.config.run.name,
            note=run.text,
            preset=run.preset,
            dataset=run.report.usable().name,
            gpu=run.gpu,
            tags=run.tags,
            source=run.source,
        )
        for run in ready
    ]
    serve(home)  # it creates the database
    with open_store(home) as store:
        run_ids = store.add_runs(runs)
    serve(home)  # an idle one may have left in between
    return run_ids


def _queue_and_follow(ready: Sequence[orders.Ready], home: "Home") -> int:
    """Queue a run and show it until it ends; gives the exit code."""
    from ccafl.follow import LiveView, PlainView, Signals, closing_text, exit_code, follow
    from ccafl.store import open_store

    with Signals() as signals:  # from before the run is queued: no Ctrl-C is lost
        (run_id,) = _queue(ready, home)
        view = LiveView() if LiveView.fits() else PlainView(_print_line)
        with open_store(home) as store:
            last = follow(store, run_id, view, signals, serve=partial(serve, home))
    if last is not None:
        print(closing_text(last, terminal_width()), end="")
        return exit_code(last.run.state)
    if signals.leaving == signal.SIGTERM:
        note(f"run {run_id} goes on in the background. ccafl queue: what it does")
    return 128 + (signals.leaving or 0)


def _print_line(text: str) -> None:
    print(text, flush=True)
