"""Everything that is known of one run, as text for people and as an object for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ccafl.config import flatten
from ccafl.paths import RunFolder
from ccafl.presets import PRESETS, resolve
from ccafl.sentences import advice, describe, ended, printable, progress, state, waits
from ccafl.store import ENDED, CameraPairRow, EpochRow, EvaluationRow, RunRow, Store
from ccafl.tables import as_text as table_text
from ccafl.tables import (
    association_table,
    camera_table,
    evaluation_table,
    iso_time,
    local_time,
    percent,
)

ASSOCIATION_EPOCHS = 5
_OF_THE_RUN = ("run.name", "data.root")  # differ in every run


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """A run with its rows; `pairs` belong to its last evaluation."""

    run: RunRow
    folder: RunFolder
    evaluations: Sequence[EvaluationRow]
    pairs: Sequence[CameraPairRow]
    epochs: Sequence[EpochRow]


def read(store: Store, run_id: int) -> Overview:
    """What the database knows of a run.

    Raises:
        StoreError: there is no such run.
    """
    run = store.run(run_id)
    return Overview(
        run=run,
        folder=store.home.run(run_id),
        evaluations=store.evaluations(run_id),
        pairs=store.camera_pairs(run_id, run.last.step) if run.last else [],
        epochs=store.epochs(run_id),
    )


def as_text(found: Overview, width: int | None = None) -> str:
    """Paragraphs for people; with a width, tables are made to fit it."""
    parts = [_facts(found), _settings(found.run)]
    if found.evaluations:
        parts.append("evaluations\n" + table_text(evaluation_table(found.evaluations), width))
    if found.pairs:
        parts.append(
            "mAP of the last evaluation per pair of cameras\n"
            + table_text(camera_table(found.pairs), width)
            + _worst_pair(found.pairs)
        )
    newest = [row for row in found.epochs if row.groups is not None][-ASSOCIATION_EPOCHS:]
    if newest:
        parts.append(
            "association in the last epochs\n" + table_text(association_table(newest), width)
        )
    return "\n".join(parts)


def as_object(found: Overview) -> dict[str, Any]:
    """One object for programs; metrics are fractions, times ISO 8601."""
    run = asdict(found.run)
    times = {name: iso_time(run[name]) for name in ("created", "started", "ended", "last_event")}
    return (
        run
        | times
        | {
            "sentence": describe(found.run),
            "config": json.loads(found.run.config),
            "differences": differences(found.run),
            "folder": str(found.folder.root),
            "evaluations": [asdict(row) for row in found.evaluations],
            "camera_pairs": [asdict(row) for row in found.pairs],
            "epochs": [asdict(row) for row in found.epochs],
        }
    )


def differences(run: RunRow) -> dict[str, dict[str, Any]]:
    """Settings in which a run differs from its preset: `{key: {"run": 1, "preset": 2}}`.

    The stored JSON is compared, so that a run of another version can be shown as well; a setting
    that one of the two lacks is None there.
    """
    own = flatten_stored(run)
    preset = flatten(resolve(_preset_name(run)))
    return {
        key: {"run": own.get(key), "preset": preset.get(key)}
        for key in (*own, *(preset.keys() - own.keys()))
        if own.get(key) != preset.get(key) and key not in _OF_THE_RUN
    }


def flatten_stored(run: RunRow) -> dict[str, Any]:
    """Full key and value of every setting in the stored JSON of a run, of whatever version."""
    return _flatten(json.loads(run.config))


def value_text(value: object) -> str:
    """A setting's value as it is shown everywhere: as JSON, `-` where there is none."""
    return "-" if value is None else printable(json.dumps(value, ensure_ascii=False))


def worst_pair(pairs: Sequence[CameraPairRow]) -> CameraPairRow | None:
    """The pair of cameras with the lowest mAP among those with a query."""
    return min(
        (pair for pair in pairs if pair.queries), key=lambda pair: pair.mean_ap, default=None
    )


def _facts(found: Overview) -> str:
    run = found.run
    facts = {
        "state": _state(run),
        "next": advice(run) if run.state in ENDED and run.state != "finished" else "",
        "dataset": run.dataset,
        "data": json.loads(run.config).get("data", {}).get("root", ""),
        "preset": run.preset,
        "source": f"earlier stages are those of run {run.source}" if run.source else "",
        "tags": " ".join(run.tags),
        "note": run.note,
        "device": f"{run.device}, CPU threads: {run.threads}" if run.device else run.gpu,
        "versions": "  ".join(f"{name} {version}" for name, version in run.versions.items()),
        "added": local_time(run.created),
        "started": local_time(run.started) if run.started else "",
        "ended": local_time(run.ended) if run.ended else "",
        "attempts": str(run.attempt) if run.attempt > 1 else "",
        "warning": run.warning or "",
        "unread": f"{run.bad_lines:,} lines of the event file" if run.bad_lines else "",
        "folder": str(found.folder.root),
    }
    lines = [f"{label:<9} {printable(text)}\n" for label, text in facts.items() if text]
    return f"run {run.id}  {printable(run.name)}\n" + "".join(lines)


def _state(run: RunRow) -> str:
    if run.state in ENDED:
        return ended(run)
    if run.state == "queued":
        return waits(run)
    where = progress(run)
    return f"{state(run)}: {where}" if where else state(run)


def _settings(run: RunRow) -> str:
    """Settings that differ from the preset, a line each."""
    preset, found = _preset_name(run), differences(run)
    if not found:
        return f"settings: those of preset {preset}\n"
    width = max(map(len, found))
    lines = []
    for key, values in found.items():
        own, theirs = value_text(values["run"]), value_text(values["preset"])
        lines.append(f"  {key:<{width}}  {own}   ({preset}: {theirs})\n")
    return f"settings that differ from preset {preset}\n" + "".join(lines)


def _worst_pair(pairs: Sequence[CameraPairRow]) -> str:
    worst = worst_pair(pairs)
    if worst is None:
        return ""
    return (
        f"worst: query camera {worst.query_camid} in gallery camera {worst.gallery_camid}, "
        f"mAP {percent(worst.mean_ap)}, Rank-1 {percent(worst.rank1)}, {worst.queries:,} queries\n"
    )


def _preset_name(run: RunRow) -> str:
    """The preset to compare with; one of another version may be unknown here."""
    return run.preset if run.preset in PRESETS else "default"


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = isinstance(value, dict)
        found |= _flatten(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value}
    return found
