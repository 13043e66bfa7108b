"""The keys that the manual promises against the bindings of the program."""

import importlib
import pkgutil

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

import tui
from tui.keys import key_name, key_rows

# keys, words of what they do, and the places that each have all of these keys
PROMISED = [
    ("1", "Queue", "everywhere"),
    ("2", "Live", "everywhere"),
    ("3", "History", "everywhere"),
    ("j down k up", "", "lists / log / other text"),
    ("h left l right", "previous next", "chart / compare"),
    ("h left l right", "scroll", "log / settings"),
    ("g home", "first", "lists / log / other text"),
    ("G end", "last", "lists / log / other text"),
    ("ctrl+d pagedown ctrl+u pageup", "page", "lists / log / other text"),
    ("tab shift+tab", "view", "run view"),
    ("tab shift+tab", "field", "new run"),
    ("enter", "open", "lists"),
    ("less_than_sign greater_than_sign", "run", "Live, run view"),
    ("escape", "back", "opened screens"),
    ("escape", "clear", "History"),
    ("slash", "filter", "History"),
    ("slash", "find", "log"),
    ("slash", "words", "help"),
    ("n N", "match", "log"),
    ("space", "mark", "lists"),
    ("a", "add", "everywhere"),
    ("d", "same settings", "lists, run view"),
    ("e", "waits", "lists, run view"),
    ("J K", "move", "Queue"),
    ("T", "next", "Queue"),
    ("p", "hold", "Queue"),
    ("P", "pause", "everywhere"),
    ("x", "cancel", "lists, run view"),
    ("r", "resume", "lists, run view"),
    ("c", "compare", "lists"),
    ("m", "distance", "compare"),
    ("s", "sort", "History"),
    ("S", "order", "History"),
    ("t", "tags", "lists, run view"),
    ("b", "best", "evaluations / History / compare"),
    ("equals_sign", "differences", "settings / compare"),
    ("w", "write", "evaluations / History / compare"),
    ("y", "copy", "lists / run view / compare / GPU use"),
    ("plus minus 0", "", "chart"),
    ("comma full_stop", "smoothing", "chart"),
    ("L", "logarithmic", "chart"),
    ("A B C D E F", "only", "chart / compare"),
    ("f", "follow", "log"),
    ("z", "fill", "run view / compare"),
    ("u", "GPU", "everywhere"),
    ("v", "verify", "everywhere"),
    ("exclamation_mark", "problem", "everywhere"),
    ("colon ctrl+p", "name", "everywhere"),
    ("question_mark", "keys", "everywhere"),
    ("ctrl+l", "draw", "everywhere"),
    ("q", "quit", "everywhere"),
    ("ctrl+o", "queue", "new run"),
    ("ctrl+o", "save", "tags and note"),
]
UNUSED = [
    *("ctrl+a", "ctrl+b", "ctrl+s", "ctrl+z", "ctrl+backslash", "tilde"),
    *("ctrl+h", "ctrl+i", "ctrl+j", "ctrl+m"),
]


def bound() -> set[str]:
    """Every key that a class of ours binds."""
    found = set()
    for module in pkgutil.iter_modules(tui.__path__, "tui."):
        for kind in vars(importlib.import_module(module.name)).values():
            if isinstance(kind, type) and issubclass(kind, DOMNode):
                for binding in vars(kind).get("BINDINGS", ()):
                    if isinstance(binding, Binding) and kind.__module__.startswith("tui."):
                        found |= set(binding.key.split(","))
    return found


@pytest.mark.parametrize(("keys", "words", "places"), PROMISED)
def test_a_promised_key_is_bound_where_it_is_promised(keys: str, words: str, places: str) -> None:
    for place in places.split(" / "):
        for key in keys.split():
            does = [row.does for row in key_rows() if row.where == place and has(row.keys, key)]
            assert any(word in text for text in does for word in words.split() or [""]), (
                f"{key} in {place} does {does or 'nothing'}"
            )


def has(keys: str, key: str) -> bool:
    """Whether the keys of a row are or hold a key."""
    return f"`{key_name(key)}`" in keys


def test_keys_of_terminals_and_multiplexers_are_left_alone() -> None:
    found = bound()
    assert not found & set(UNUSED)
    assert not [key for key in found if key.startswith(("alt+", "f1", "f2"))]
    assert {"x", "q", "ctrl+o"} <= found


def test_every_bound_key_is_in_the_table() -> None:
    shown = "".join(row.keys for row in key_rows())
    missing = {key for key in bound() if not has(shown, key)}
    assert not missing
