"""What the fields of the new-run form come to: runs and how long they take, or what is wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

from ccafl.errors import CcaflError, ConfigError, StoreError
from ccafl.sentences import printable

if TYPE_CHECKING:
    from ccafl.config import RunConfig
    from ccafl.datasets import Report
    from ccafl.estimates import Estimate
    from ccafl.orders import Plan, Planner, Ready
    from ccafl.paths import Home
    from tui.draft import Draft

# what the command line calls by an option is a field here
_FIELDS = {
    "--preset": "Preset",
    "--data DIR": "Root",
    "--stages": "Stages",
    "--from": "start",
    "--gpu": "GPU",
    "--name": "Name",
    "--data": "Root",
    "--set run.seed=": "Seeds ",
    "--set ": "",
}


@dataclass
class Checked(Message):
    """A draft and what was found; without a problem it can be queued."""

    draft: Draft
    problem: str = ""
    data: str = ""
    count: int = 0
    remarks: Sequence[str] = ()
    duration: str = ""
    gpu_memory: int | None = None
    settings: str = ""


def check(draft: Draft, planner: Planner, home: Home) -> Checked:
    """Plan a draft; all texts can be shown as they are. It may read a data folder for a while."""
    if not draft.stages:
        problem = "Tick at least one of the stages."
        return Checked(draft, problem=problem, settings=_settings_of(draft))
    try:
        plans = planner.plan(draft.order())
    except CcaflError as error:
        return Checked(
            draft,
            problem=explain(draft, str(error)),
            data=_data_of(draft, planner),
            settings=_settings_of(draft),
        )
    first = plans[0]
    told = _estimate(first, home)
    return Checked(
        draft,
        data=_data(first.report),
        count=len(plans),
        remarks=_remarks(plans),
        duration=printable(told.sentence()) if told else "",
        gpu_memory=told.gpu_memory if told else None,
        settings=_settings(first.config, first.preset),
    )


def warnings(ready: Sequence[Ready]) -> list[str]:
    """What is known to hurt runs, each once."""
    from ccafl.orders import remarks

    return [line for line in remarks(ready) if line.startswith("warning: ")]


def explain(draft: Draft, message: str) -> str:
    """An error of an order in the words of the form, with the number of the line it is about."""
    for number, line in draft.lines:
        if message.startswith(f"--set {line!r} "):
            return f"line {number}: write name = value, such as inter.ical.margin = 0.3."
        for text in _spellings(line):
            if message.startswith(f"--set {text}: "):
                return printable(f"line {number}: {message.removeprefix(f'--set {text}: ')}")
    for setting in draft.settings():
        key = setting.partition("=")[0]
        name = "Seeds" if key == "run.seed" else key
        for text in _spellings(setting):
            message = message.replace(f"--set {text}: {key} ", f"{name} ")
    for option, field in _FIELDS.items():
        message = message.replace(option, field)
    return printable(message)


def _spellings(line: str) -> list[str]:
    """How the setting of a line stands in an error: as it was typed, or with one of its values."""
    from ccafl.presets import split_values

    key, _, text = line.partition("=")
    return [line, *(f"{key.strip()}={value}" for value in split_values(text))]


def _data_of(draft: Draft, planner: Planner) -> str:
    """What is known of the folder when something else is wrong."""
    root = draft.root.strip()
    return _data(planner.report(Path(root))) if root else ""


def _data(report: Report | None) -> str:
    if report is None:
        return "drawn before it is queued"
    if report.problems or report.dataset is None:
        return "✗ see below"
    if report.comparison is not None and report.dataset.name == report.comparison.published.name:
        return f"✓ complete {printable(report.dataset.name)}"
    return f"✓ {len(report.dataset.train):,} training images"


def _remarks(plans: Sequence[Plan]) -> list[str]:
    """Warnings about data and settings, each once."""
    from ccafl.orders import Ready

    ready = [Ready(plan=plan, report=plan.report) for plan in plans if plan.report is not None]
    return [printable(line) for line in warnings(ready)]


def _estimate(plan: Plan, home: Home) -> Estimate | None:
    """What a run takes by an earlier one; None if none resembles it."""
    from ccafl.estimates import estimate
    from ccafl.store import open_store

    dataset = plan.report.usable().name if plan.report else Path(plan.config.data.root).name
    try:
        with open_store(home) as store:
            return estimate(store, plan.config, dataset, plan.gpu)
    except StoreError:  # the title line says it
        return None


def _settings_of(draft: Draft) -> str:
    """Every setting, although something is wrong; what of the fields is refused is left out."""
    from ccafl.orders import variants
    from ccafl.presets import resolve

    config, refused = resolve(draft.preset), []
    taken: list[str] = []
    named = {"run.stages": draft.stages, "run.name": draft.name, "data.root": draft.root.strip()}
    fields = (f"{key}={json.dumps(value)}" for key, value in named.items())
    for setting in [*fields, *draft.settings(), *(line for _, line in draft.lines)]:
        try:
            settings = [*taken, *variants((), [setting])[0].settings]
            config = resolve(draft.preset, settings=settings)
        except ConfigError:
            refused.append(printable(f" {setting}"))
        else:
            taken = settings
    left_out = ["left out because it is wrong", *refused, ""] if refused else []
    return "\n".join([*left_out, _settings(config, draft.preset)])


def _settings(config: RunConfig, preset: str) -> str:
    """Every setting, those that differ from the preset first."""
    from ccafl.config import flatten
    from ccafl.overview import value_text
    from ccafl.presets import resolve

    ours, theirs = flatten(config), flatten(resolve(preset))
    differing = {key: value for key, value in ours.items() if value != theirs[key]}
    lines = [f"differs from preset {preset}"]
    lines += [
        f" {key}  {value_text(value)} ({value_text(theirs[key])})"
        for key, value in differing.items()
    ]
    lines += ["", "as the preset"]
    lines += [f" {key}  {value_text(value)}" for key, value in ours.items() if key not in differing]
    return "\n".join(lines)
