"""Plans made ready: their data drawn where it is missing, every image opened; then queued."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ccafl import supervisor
from ccafl.datasets import Report, examine
from ccafl.datasets.check import Tell, open_images, work_off
from ccafl.demo import draw_dataset
from ccafl.errors import BusyError, DatasetError
from ccafl.layout_names import LayoutChoice
from ccafl.orders.device import cpu_seconds, is_slow_on_cpu, unheeded_choice
from ccafl.orders.opened import Opened
from ccafl.orders.order import Plan, models
from ccafl.paths import Home
from ccafl.store import NewRun, RunRow, open_store
from ccafl.store.database import secure_folder
from ccafl.tables import duration


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A plan whose data was checked to the last image."""

    plan: Plan
    report: Report


def prepare(plans: Sequence[Plan], home: Home, tell: Tell) -> list[Ready]:
    """Fetch weights and draw data sets that are missing; open every image of each folder once.

    A folder that passed before and has not changed since is not opened again.

    What `tell` raises stops the work.

    Raises:
        ConfigError: weights cannot be fetched.
        DatasetError: an image cannot be used; the first one is named.
    """
    for config in models(plans):
        if config.model.weights == "openai":
            tell("looking for OpenAI's weights", 0, 0)
            from ccafl.hub import fetch_openai  # half a second that only this choice pays

            fetch_openai(config.model.backbone, tell)
    reports: dict[tuple[str, LayoutChoice], Report] = {}
    ready = []
    for plan in plans:
        data = plan.config.data
        if (data.root, data.layout) not in reports:
            report = plan.report or _draw(plan, home, tell)
            reports[data.root, data.layout] = _open_once(report, home, tell)
        ready.append(Ready(plan=plan, report=reports[data.root, data.layout]))
    return ready


def remarks(ready: Sequence[Ready]) -> list[str]:
    """What data is used and what is known to hurt, each once."""
    lines: dict[str, None] = {}
    for run in ready:
        config = run.plan.config
        lines[run.report.usable().summary()] = None
        lines |= dict.fromkeys(f"warning: {warning}" for warning in run.report.warnings)
        if run.plan.gpu == "auto" and run.plan.order.gpu is None:
            lines |= dict.fromkeys(unheeded_choice())
        if run.plan.gpu == "cpu" and is_slow_on_cpu(config):
            least = duration(cpu_seconds(config))
            lines[f"warning: {config.model.backbone} on the CPU needs at least {least}."] = None
        lines |= dict.fromkeys(f"warning: {caution}" for caution in config.cautions())
    return list(lines)


def submit(
    ready: Sequence[Ready], home: Home, *, hold: bool = False, first: bool = False
) -> list[int]:
    """Queue runs in one transaction, all or none, and have them served; gives their numbers.

    Args:
        ready: the runs, in their order.
        home: with the queue.
        hold: whether they wait until they are released.
        first: whether they come before the runs that wait already.

    Raises:
        BusyError: nothing was queued.
    """
    supervisor.ensure_supervisor(home)  # it creates the database
    with open_store(home) as store:
        run_ids = store.add_runs([_new_run(run, hold=hold) for run in ready], first=first)
    _serve(home)
    return run_ids


def change(seen: RunRow, ready: Ready, home: Home, *, hold: bool) -> str:
    """Make a queued run, as it was seen, what was made ready; gives the sentence for the user.

    Raises:
        BusyError: nothing was changed.
        StoreError: it is not queued any more, was changed since, or goes on from a checkpoint.
    """
    with open_store(home) as store:
        sentence = store.edit(seen, _new_run(ready, hold=hold))
    _serve(home)
    return sentence


def _serve(home: Home) -> None:
    """See to it that what was done is served; an idle supervisor may have left in between."""
    with suppress(BusyError):  # which would say that nothing was done; the next client sees to it
        supervisor.ensure_supervisor(home)


def _new_run(run: Ready, *, hold: bool) -> NewRun:
    plan = run.plan
    return NewRun(
        config=plan.config,
        name=plan.config.run.name,
        note=plan.order.text,
        preset=plan.preset,
        dataset=run.report.usable().name,
        gpu=plan.gpu,
        tags=plan.order.tags,
        source=plan.source,
        hold=hold,
    )


def _open_once(report: Report, home: Home, tell: Tell) -> Report:
    opened = Opened.of(report, home)
    known = opened.recall()
    if known is not None:
        return known
    whole = work_off(open_images(report), tell)
    whole.usable()
    opened.remember(whole)
    return whole


def _draw(plan: Plan, home: Home, tell: Tell) -> Report:
    """Draw the demo data set of a seed, if this is the first run that needs it."""
    root = Path(plan.config.data.root)
    if not root.is_dir():
        secure_folder(home.root)
        progress = partial(tell, "drawing the demo data set")
        try:
            draw_dataset(root, seed=plan.config.run.seed, progress=progress)
        except DatasetError:
            if not root.is_dir():  # else another client drew the same set at the same time
                raise
    report = examine(root, plan.config.data.layout)
    report.usable()
    return report
