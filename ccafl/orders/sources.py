"""Stages that a run takes from an earlier one: when it may, and what must agree."""

import json
from dataclasses import dataclass

from ccafl.config import STAGES, RunConfig, Stage, from_json
from ccafl.errors import BusyError, ConfigError, StoreError
from ccafl.paths import Home
from ccafl.store import ENDED, RunRow, open_store


@dataclass(frozen=True, kw_only=True)
class Source:
    """The run of `--from`."""

    run: RunRow
    config: RunConfig


def parse_stages(text: str) -> tuple[Stage, ...]:
    """The stages that `--stages` lists.

    Raises:
        ConfigError: an unknown stage, or stages that are no neighbours in their order.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in STAGES:
            raise ConfigError(
                f"--stages {text!r}: there is no stage {name!r}. Stages are {', '.join(STAGES)}."
            )
    for first in range(len(STAGES)):
        if names == list(STAGES[first : first + len(names)]):
            return STAGES[first : first + len(names)]
    raise ConfigError(
        f"--stages {text!r}: a run trains neighbours of {', '.join(STAGES)}, in this order."
    )


def find_source(home: Home, run_id: int | None) -> Source | None:
    """The run that `--from` names; None if it names none.

    Raises:
        ConfigError: there is no such run, or another version of ccafl wrote it.
    """
    if run_id is None:
        return None
    with open_store(home) as store:
        try:
            run = store.run(run_id)
            return Source(run=run, config=from_json(run.config))
        except BusyError:
            raise
        except (StoreError, ConfigError) as error:
            raise ConfigError(f"--from {run_id}: {error}") from error


def offers(run: RunRow, home: Home) -> list[Stage]:
    """The stages that a new run can begin with when it starts from this run, now or later."""
    try:
        config = from_json(run.config)
    except ConfigError:  # of another version
        return []
    source = Source(run=run, config=config)
    stages: tuple[Stage, ...] = ("intra", "inter")
    return [stage for stage in stages if _offers(stage, source, home)]


def check_beginning(config: RunConfig, source: Source | None, home: Home) -> None:
    """Refuse a run that has nothing to begin with, or that does not fit its source.

    Args:
        config: the new run, its data root complete.
        source: the run of `--from`.
        home: with the runs and the cache of prompts.

    Raises:
        ConfigError: says what is missing, or lists what differs.
    """
    if source is not None:
        _check_source(config, source, home)
    else:
        _check_alone(config, home)


def _check_alone(config: RunConfig, home: Home) -> None:
    first = config.run.stages[0]
    if first == "inter":
        raise ConfigError(
            "A run that begins with inter needs the end of another run's intra stage. Name that "
            "run with --from, or add intra to --stages."
        )
    if first == "intra" and config.uses_text and not _has_entry(home):
        raise ConfigError(
            "A run that begins with intra needs learned prompts, and no run has learned any in "
            f"{str(home.root)!r}. Add prompt to --stages, name a run with --from, or switch text "
            "off (--set intra.text=false --set inter.text=false)."
        )


def _has_entry(home: Home) -> bool:
    """Whether any prompts are cached; the worker finds out whether they are those it needs."""
    return home.prompts.is_dir() and any(
        not entry.name.startswith(".") for entry in home.prompts.iterdir()
    )


def _check_source(config: RunConfig, source: Source, home: Home) -> None:
    first, run_id = config.run.stages[0], source.run.id
    if first == "prompt":
        raise ConfigError(
            f"--from {run_id} names a run to take stages from, but this run begins with prompt "
            "and takes none. Leave --from out, or begin later: --stages intra,inter or "
            "--stages inter."
        )
    _check_agreement(config, source)
    _check_offer(first, source, home)


def _check_agreement(config: RunConfig, source: Source) -> None:
    first = config.run.stages[0]
    theirs, ours = source.config.inherited(first), config.inherited(first)
    differing = [
        f"{key}: {json.dumps(theirs[key], ensure_ascii=False)} / "
        f"{json.dumps(ours[key], ensure_ascii=False)}"
        for key in ours
        if theirs[key] != ours[key]
    ]
    if differing:
        raise ConfigError(
            f"--from {source.run.id}: what comes before {first} must be as in that run. "
            f"Run {source.run.id} / this run: {'; '.join(differing)}. Set these to the values of "
            f"run {source.run.id}, or train those stages too."
        )


def _check_offer(first: Stage, source: Source, home: Home) -> None:
    """Refuse a source that does not leave what is needed, now or when it goes on."""
    run, stages = source.run, source.config.run.stages
    if _offers(first, source, home):
        return
    needed = "intra" if first == "inter" else "prompt"
    if not _trains(first, source):
        raise ConfigError(
            f"--from {run.id}: run {run.id} trains {', '.join(stages)} and leaves no end of "
            f"{needed} to begin {first} with. Name a run that trains {needed}."
        )
    raise ConfigError(
        f"--from {run.id}: run {run.id} ended ({run.state}) before its {needed} stage was "
        "complete. Name another run"
        + ("." if run.state == "finished" else f", or let it go on: `ccafl queue resume {run.id}`.")
    )


def _offers(first: Stage, source: Source, home: Home) -> bool:
    """Whether what a run that begins with this stage needs is there, or will be."""
    folder = home.run(source.run.id)
    is_there = folder.intra_end.is_dir() if first == "inter" else folder.prompts.is_file()
    return is_there or (_trains(first, source) and source.run.state not in ENDED)


def _trains(first: Stage, source: Source) -> bool:
    """Whether a run leaves what a run that begins with this stage needs."""
    stages = source.config.run.stages
    return "intra" in stages if first == "inter" else "prompt" in stages or source.config.uses_text
