"""Write docs/config.md from the config classes: `python docs/build_config.py > docs/config.md`."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from ccafl.config import RunConfig, flatten
from ccafl.presets import PRESETS, resolve

SCHEMA: dict[str, Any] = TypeAdapter(RunConfig).json_schema()
OTHERS = [name for name in PRESETS if name != "default"]

INTRODUCTION = """# Settings of a run

Generated from the config classes by `python docs/build_config.py > docs/config.md`; do not edit.

A run has one config. It starts from a preset, then takes TOML files (`--config FILE`) in the order
given, then single settings (`--set KEY=VALUE`); later ones win. `ccafl config PRESET` prints a
preset as TOML that is valid input again.

- A key with dots is a TOML sub-table: `inter.ical.margin` is `margin` in `[inter.ical]`.
- Unknown keys, wrong types and impossible values are refused before anything is written.
- *Loop epochs* count intra and inter together, from 0; a window is `[first, end]`, end excluded.
- "from code" marks a value of the authors' published code, "ours" a choice made here.
- An empty cell means that the preset keeps the default. `default` is for other data.
"""


def main() -> None:
    """Print the page."""
    sys.stdout.write(page())


def page() -> str:
    """The whole page, a table per section."""
    defaults = flatten(resolve())
    values = {name: flatten(resolve(name)) for name in OTHERS}
    parts = [INTRODUCTION]
    for section in dict.fromkeys(key.rpartition(".")[0] for key in defaults):
        purpose = _property(section)["description"]
        heads = ["Key", "Type and range", "Default", *OTHERS, "Comment"]
        rows = [_row(key, defaults, values) for key in defaults if _is_in(section, key)]
        parts.append(f"\n## `[{section}]`\n\n{purpose}\n\n{_table(heads, rows)}")
    return "".join(parts)


def _row(key: str, defaults: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    kind = _property(key)
    changed = [_code(values[n][key]) if values[n][key] != defaults[key] else "" for n in OTHERS]
    return [f"`{key}`", _range(kind), _code(defaults[key]), *changed, kind["description"]]


def _property(key: str) -> dict[str, Any]:
    """JSON schema of a section or a setting, its description included."""
    found = SCHEMA
    for part in key.split("."):
        found = found["properties"][part]
        if "$ref" in found:
            found = SCHEMA["$defs"][found["$ref"].rpartition("/")[2]]
    return found


def _range(kind: Mapping[str, Any]) -> str:
    """Type and limits of a setting, such as `integer, 1 to 64`."""
    if "enum" in kind:
        return "one of " + ", ".join(_code(value) for value in kind["enum"])
    if kind["type"] == "array":
        inner = _range(kind["prefixItems"][0] if "prefixItems" in kind else kind["items"])
        return f"list of {kind['maxItems']}: {inner}" if "maxItems" in kind else f"list: {inner}"
    if kind["type"] in ("boolean", "string"):
        return {"boolean": "true or false", "string": "text"}[kind["type"]]
    low = f"above {kind['exclusiveMinimum']:g}" if "exclusiveMinimum" in kind else kind["minimum"]
    high = kind["exclusiveMaximum"] if "exclusiveMaximum" in kind else kind["maximum"]
    below = "below " if "exclusiveMaximum" in kind else ""
    multiple = f", multiple of {kind['multipleOf']}" if "multipleOf" in kind else ""
    return f"{kind['type']}, {low} to {below}{high:,.0f}{multiple}"


def _is_in(section: str, key: str) -> bool:
    return key.rpartition(".")[0] == section


def _code(value: Any) -> str:
    return f"`{json.dumps(value)}`"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


if __name__ == "__main__":
    main()
