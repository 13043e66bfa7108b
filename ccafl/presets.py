"""From a preset, TOML files and `--set KEY=VALUE` to one `RunConfig`."""

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ccafl import config as schema
from ccafl.config import RunConfig
from ccafl.errors import ConfigError

Values = dict[str, Any]
_LARGEST = 1 << 20  # bytes of a config file; some files have no end

_DEMO: Values = {
    "run": {"seed": 0, "threads": 1},
    "model": {"backbone": "tiny", "weights": "shipped", "image_size": [64, 32]},
    "prompt": {"epochs": 15, "lr": 5e-3},
    "train": {
        "k": 4,
        "iterations": 20,
        "lr": 2e-3,
        "classifier_lr": 2e-3,
        "warmup_epochs": 4,
        "warmup_factor": 0.1,
        "lr_steps": [11],
        "pad": 3,
        "erase": 0.3,
        "erase_area": [0.02, 0.25],
    },
    "intra": {"instances": 8},
    "inter": {
        "epochs": 15,
        "text_from": 5,
        "association": {"rate": 1.7},
        "ical": {"window": [9, 13]},
    },
    "eval": {"every": 5},
}

_SMOKE: Values = {
    "prompt": {"epochs": 8},
    "train": {"iterations": 10, "warmup_epochs": 2, "lr_steps": [7]},
    "intra": {"epochs": 3},
    "inter": {"epochs": 6, "text_from": 3, "ical": {"window": [6, 8]}},
    "eval": {"every": 3},
}

_MARKET: Values = {"prompt": {"n_ctx": 5}, "inter": {"association": {"rate": 1.7}}}
_LATE_TEXT: Values = {"text_from": 40}


def _merge(base: Values, over: Values) -> Values:
    """A copy of `base` in which every value of `over` stands."""
    merged = deepcopy(base)
    for key, value in over.items():
        inner = merged.get(key)
        both = isinstance(inner, dict) and isinstance(value, dict)
        merged[key] = _merge(inner, value) if both else deepcopy(value)  # type: ignore[arg-type]  # both: dicts
    return merged


PRESETS: dict[str, Values] = {
    "default": {},
    "market1501": _MARKET,
    "dukemtmc": {
        "prompt": {"n_ctx": 6},
        "inter": _LATE_TEXT
        | {"association": {"rate": 1.5}, "ical": {"window": [40, 60], "margin": 0.3}},
    },
    "msmt17": {
        "prompt": {"n_ctx": 5},
        "train": {"p": 32},
        "intra": {"lam": 0.0},
        "inter": _LATE_TEXT
        | {"association": {"rate": 1.3}, "ical": {"window": [40, 60], "margin": 0.5}},
    },
    "demo": _DEMO,
    "smoke": _merge(_DEMO, _SMOKE),
}
CPU_PRESETS = ("demo", "smoke")  # their figures are the same on every box only on one CPU thread


def resolve(
    preset: str = "default", files: Iterable[Path] = (), settings: Sequence[str] = ()
) -> RunConfig:
    """The config of a preset, then TOML files, then `KEY=VALUE` settings, later ones winning.

    Raises:
        ConfigError: an unknown preset or key (with the nearest known one), a value of the wrong
            type or range, a file that cannot be read.
    """
    if preset not in PRESETS:
        raise ConfigError(f"There is no preset {preset!r}{_nearest(preset, PRESETS)}")
    layers = [(f"preset {preset}", PRESETS[preset])]
    layers += [(str(path), read_toml(path)) for path in files]
    layers += [(f"--set {setting}", parse_setting(setting)) for setting in settings]
    merged: Values = {}
    for source, values in layers:
        _check_keys(values, source)
        merged = _merge(merged, values)
    try:
        return schema.from_mapping(merged)
    except ValidationError as error:
        raise ConfigError(_sentence(error, layers)) from error


def read_toml(path: Path) -> Values:
    """The values of a TOML file.

    Raises:
        ConfigError: the file is missing, unreadable, too large, not UTF-8 or not TOML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ConfigError(
                f"The config file {str(path)!r} is larger than {_LARGEST >> 20} MiB, too large for "
                "settings."
            )
        return tomllib.loads(content.decode())
    except FileNotFoundError as error:
        raise ConfigError(f"There is no config file {str(path)!r}.") from error
    except OSError as error:
        raise ConfigError(
            f"The config file {str(path)!r} cannot be read: {error.strerror}."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"The config file {str(path)!r} is not UTF-8 text; save it as UTF-8."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The config file {str(path)!r} is not TOML: {error}.") from error


def parse_setting(setting: str) -> Values:
    """`inter.ical.margin=0.3` as nested values.

    The value is read as TOML (numbers, true, [lists], "text"); anything else is taken as text.

    Raises:
        ConfigError: there is no `=`, or several values where one is meant.
    """
    key, equals, text = setting.partition("=")
    if not equals or not key.strip():
        raise ConfigError(
            f"--set {setting!r} is not KEY=VALUE, such as --set inter.ical.margin=0.3."
        )
    if len(split_values(text)) > 1:
        raise ConfigError(
            f"--set {setting} gives several values. One run takes one value; "
            "write a list in brackets, as in train.lr_steps=[40, 50]."
        )
    values: Values = {key.strip().split(".")[-1]: _toml_value(text.strip())}
    for part in reversed(key.strip().split(".")[:-1]):
        values = {part: values}
    return values


def split_values(text: str) -> list[str]:
    """The parts of `text` between commas that stand outside brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        depth += (character in "[{") - (character in "]}") if not quote else 0
        if character == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


NAMED_WEIGHTS = ("openai", "random", "shipped")  # any other value is a file


def check_weights(config: RunConfig) -> None:
    """Refuse a file of weights that a worker could not find.

    Raises:
        ConfigError: there is no such file.
    """
    weights = config.model.weights
    if weights not in NAMED_WEIGHTS and not Path(weights).is_file():
        raise ConfigError(
            f"model.weights is {weights!r}, and there is no such file. Give the path of a "
            ".safetensors or .pt file of CLIP weights."
        )


def to_toml(config: RunConfig) -> str:
    """The config as commented TOML that `resolve` reads back to the same config."""
    known, values = schema.keys(), schema.flatten(config)
    lines: list[str] = []
    section = ""
    for key in sorted(values, key=_toml_order):
        parent, _, name = key.rpartition(".")
        if parent != section:
            lines += ["", f"[{parent}]"] if lines else [f"[{parent}]"]
            section = parent
        comment = known[key].default.description
        lines.append(f"{name} = {_toml_text(values[key])}  # {comment}")
    return "\n".join(lines) + "\n"


def _toml_order(key: str) -> tuple[int, int]:
    """Sections in declared order; a table's own values before its sub-tables, as TOML wants."""
    order = list(schema.keys())
    sections = [known.rpartition(".")[0] for known in order]
    return sections.index(key.rpartition(".")[0]), order.index(key)


def _toml_text(value: Any) -> str:
    # JSON text of a bool, number, string or flat list is TOML as well
    return json.dumps(value)


def _toml_value(text: str) -> Any:
    if text in ("nan", "inf", "+inf", "-inf", "+nan", "-nan"):
        return float(text)
    try:
        values = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return values["value"] if len(values) == 1 else text


def _check_keys(values: Values, source: str, prefix: str = "") -> None:
    known = schema.keys()
    tables = {key.rpartition(".")[0] for key in known} | {"inter"}
    for name, value in values.items():
        key = f"{prefix}{name}"
        if key in known:
            continue
        if key not in tables:
            raise ConfigError(f"{source}: there is no setting {key!r}{_nearest(key, known)}")
        if not isinstance(value, dict):
            raise ConfigError(
                f"{source}: {key} is a section; set one of its keys, such as "
                f"{next(k for k in known if k.startswith(key + '.'))}."
            )
        _check_keys(value, source, f"{key}.")


def _nearest(word: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if not close:  # a bare last part: margin -> inter.ical.margin
        close = [name for name in names if name.rpartition(".")[2] == word.rpartition(".")[2]][:1]
    if close:
        return f"; did you mean {close[0]!r}?"
    return ". ccafl config PRESET prints all settings, ccafl config the presets."


def _sentence(error: ValidationError, layers: list[tuple[str, Values]]) -> str:
    detail = error.errors(include_url=False)[0]
    if not detail["loc"]:
        return f"The settings contradict each other: {re.sub('^Value error, ', '', detail['msg'])}."
    key = ".".join(str(part) for part in detail["loc"] if not isinstance(part, int))
    source = next((name for name, values in reversed(layers) if _has(values, key)), "defaults")
    message = detail["msg"][0].lower() + detail["msg"][1:]
    return f"{source}: {key} cannot be {detail['input']!r}: {message}."


def _has(values: Values, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True
