"""Several runs from one command: values separated by commas, several config files."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import NamedTuple

from ccafl.errors import ConfigError
from ccafl.paths import absolute
from ccafl.presets import split_values

MOST = 1_000  # runs of one sweep


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """The files and settings of one run of a sweep, and what tells it from the others.

    `differing` holds the swept keys as they were typed and this run's values, then `config` and
    the file's name when there are several.
    """

    files: tuple[Path, ...]
    settings: tuple[str, ...]
    differing: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """`margin=0.3 seed=1`: short keys where they are unique, else whole ones."""
        short = [key.rpartition(".")[2] for key, _ in self.differing]
        named = [
            f"{end if short.count(end) == 1 else key}={value}" if key != "config" else value
            for (key, value), end in zip(self.differing, short, strict=True)
        ]
        return " ".join(named)


def variants(files: Sequence[Path], settings: Sequence[str]) -> list[Variant]:
    """One variant per file and per combination of values, the last key changing fastest.

    Args:
        files: config files; a name that does not exist is a pattern such as `sweeps/*.toml`.
        settings: `KEY=VALUE`, or `KEY=VALUE,VALUE`; commas inside brackets and quotes do not
            separate.

    Raises:
        ConfigError: a pattern matches nothing, a key is swept twice, a value is missing or twice,
            or there would be too many runs.
    """
    found = _files(files)
    axes = [_choices(setting) for setting in settings]
    _refuse_twice([axis[0].key for axis in axes if len(axis) > 1])
    _refuse_too_many(prod(map(len, axes)) * max(len(found), 1))
    return [
        Variant(
            files=tuple(of_file),
            settings=tuple(choice.setting for choice in choices),
            differing=(
                *((choice.key, choice.value) for choice in choices if choice.is_swept),
                *(("config", _short(file, found)) for file in of_file if len(found) > 1),
            ),
        )
        for of_file in ([[file] for file in found] or [[]])
        for choices in product(*axes)
    ]


class _Choice(NamedTuple):
    """One value of one setting."""

    key: str
    value: str
    setting: str
    is_swept: bool


def _files(given: Sequence[Path]) -> list[Path]:
    """The files, patterns replaced by what they match, each once."""
    found: list[Path] = []
    for path in given:
        if path.exists() or not glob.has_magic(str(path)):
            found.append(path)
            continue
        pattern = absolute(path)
        matching = sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
        if not matching:
            raise ConfigError(f"No config file matches {str(path)!r}.")
        found += matching
    return list(dict.fromkeys(found))


def _short(file: Path, files: Sequence[Path]) -> str:
    """The name of a config file without its ending, or all of its path if two have that name."""
    return file.stem if [other.stem for other in files].count(file.stem) == 1 else str(file)


def _choices(setting: str) -> list[_Choice]:
    """The values of a setting; one that is no KEY=VALUE is left to `resolve` to refuse."""
    key, _, text = setting.partition("=")
    key, values = key.strip(), split_values(text)
    if len(values) == 1:
        return [_Choice(key, values[0], setting, is_swept=False)]
    if "" in values:
        raise ConfigError(f"--set {setting}: a value is missing beside a comma.")
    if len(set(values)) < len(values):
        raise ConfigError(f"--set {setting}: a value stands there twice.")
    return [_Choice(key, value, f"{key}={value}", is_swept=True) for value in values]


def _refuse_too_many(runs: int) -> None:
    if runs > MOST:
        raise ConfigError(
            f"These values make {runs:,} runs, and at most {MOST:,} are queued at once. Name fewer "
            "values, or queue them in parts."
        )


def _refuse_twice(swept: Sequence[str]) -> None:
    for key in swept:
        if swept.count(key) > 1:
            raise ConfigError(f"--set gives several values of {key} twice. Name all of them once.")
