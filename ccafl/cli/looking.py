"""`ccafl history`, `show`, `compare` and `log`: what is known of past and present runs."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ccafl.cli.options import (
    LARGEST,
    HistoryFormat,
    HomeOption,
    ListFormat,
    RunArgument,
    RunsArgument,
    WhereOption,
)
from ccafl.cli.output import note, terminal_width

if TYPE_CHECKING:
    from ccafl.listings import Form, Listing
    from ccafl.store import Store
    from ccafl.store.rows import ReferenceRow

LOG_POLL_S = 0.5


def history(
    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="NAME", help="Only runs on this data set.")
    ] = None,
    tag: Annotated[
        str | None, typer.Option("--tag", metavar="TAG", help="Only runs with this tag.")
    ] = None,
    where: WhereOption = "",
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="KEY",
            help="ended, started, took, id, name, dataset, state; mean_ap, rank1, rank5, rank10, "
            "mean_inp of the last evaluation; best: mAP of the best one.",
        ),
    ] = "ended",
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, max=LARGEST, help="At most so many runs."),
    ] = None,
    published: Annotated[
        bool,
        typer.Option("--published", help="List results that papers report, instead of runs."),
    ] = False,
    form: HistoryFormat = "table",
    home: HomeOption = None,
) -> None:
    """List past runs with their results.

    Each ended run is shown with its last and its best evaluation.
    The best one is chosen by mAP on the test data, as everybody does; read it with that in mind.
    JSON and CSV give the metrics as fractions, the other forms in percent.
    """
    from ccafl import listings
    from ccafl.errors import ConfigError
    from ccafl.paths import find_home
    from ccafl.store import open_store

    with open_store(find_home(home)) as store:
        if published:
            if tag is not None or where or sort != "ended":
                raise ConfigError(
                    "--published takes no --tag, no --where and no --sort; it lists by mAP."
                )
            references = _references(store, dataset)
            note("Published results, as their sources print them; none was measured here.")
            _print(listings.published(references[:limit]), form)
            return
        runs = store.history(where=where, dataset=dataset, tag=tag, sort=sort, limit=limit)
    if not runs and form == "table":
        is_chosen = where or dataset is not None or tag is not None
        words = "No ended run matches." if is_chosen else "No run has ended yet."
        print(f"{words} ccafl queue: what works   ccafl run --preset demo: a first run")
        return
    _print(listings.history(runs), form)


def _references(store: "Store", dataset: str | None) -> "list[ReferenceRow]":
    """Published results, of which there are some.

    Raises:
        ConfigError: there are none on this data set.
    """
    from ccafl.errors import ConfigError

    found = store.references(dataset)
    if not found:
        known = dict.fromkeys(row.dataset for row in store.references())
        raise ConfigError(
            f"There are no published results on {dataset!r}, only on {', '.join(known)}."
        )
    return found


def _print(listing: "Listing", form: "Literal['table'] | Form") -> None:
    from ccafl.sentences import printable
    from ccafl.tables import as_text

    width = terminal_width()
    if form == "table":
        print(as_text(listing.table, width), end="")
    elif width is None:
        print(listing.text(form), end="")
    else:  # a file gets names as they are, a terminal what cannot steer it
        print("\n".join(map(printable, listing.text(form).split("\n"))), end="")


def show(run_id: RunArgument, form: ListFormat = "table", home: HomeOption = None) -> None:
    """Show everything about one run.

    Its state, the settings that differ from its preset, its evaluations, retrieval per pair of
    cameras, the quality of the association, and its folder.
    """
    from ccafl import overview, tables
    from ccafl.command import command
    from ccafl.paths import find_home
    from ccafl.sentences import printable
    from ccafl.store import open_store

    place = find_home(home)
    with open_store(place) as store:
        found = overview.read(store, run_id)
    if form == "json":
        print(tables.as_json(overview.as_object(found)), end="")
    else:
        print(overview.as_text(found, terminal_width()), end="")
        if found.run.exit_kind == "error":
            print(f"\nto add it again\n{printable(command(found.run, place))}")


def compare(
    run_ids: RunsArgument,
    form: HistoryFormat = "table",
    home: HomeOption = None,
) -> None:
    """Show two or more runs side by side.

    Their last and best results with the distance to the first run, what was published, and the
    settings in which they differ. CSV, Markdown and LaTeX give the last results alone.
    """
    from ccafl import comparison
    from ccafl.comparison import View
    from ccafl.errors import ConfigError
    from ccafl.paths import find_home
    from ccafl.store import open_store

    chosen = list(dict.fromkeys(run_ids))
    if not 2 <= len(chosen) <= len(comparison.LETTERS):
        raise ConfigError(
            f"Name 2 to {len(comparison.LETTERS)} different runs: ccafl compare ID ID."
        )
    with open_store(find_home(home)) as store:
        runs = [store.run(run_id) for run_id in chosen]
        references = comparison.references(store, runs[0].dataset)
    views = [View(which="last", references=references), View(which="best", references=references)]
    if form == "table":
        print(comparison.as_text(runs, views, terminal_width()), end="")
    else:
        _print(comparison.listing(runs, views[0]), form)


def log(
    run_id: RunArgument,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run ends, and exit as it did.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Print the log of a run.

    Control characters in it are shown, not obeyed. With -f the exit code is that of the run: 0
    finished, 1 failed or lost, 130 cancelled.
    """
    from ccafl.follow import LogTail, exit_code
    from ccafl.paths import find_home
    from ccafl.sentences import describe, printable
    from ccafl.store import ENDED, open_store

    place = find_home(home)
    tail = LogTail(place.run(run_id).console)
    with open_store(place) as store:
        run = store.run(run_id)
        if not tail.path.exists():
            note(f"run {run_id} has no log yet: {describe(run)}")
        while True:
            run = store.run(run_id)  # before reading, so that no last line is missed
            is_last = not follow or run.state in ENDED
            for line in tail.read(is_complete=is_last):
                print(printable(line))
            sys.stdout.flush()
            if is_last:
                break
            time.sleep(LOG_POLL_S)
    if follow:
        raise typer.Exit(exit_code(run.state))
