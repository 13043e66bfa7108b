"""The table of keys, made from the bindings themselves: for the help page and the documentation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual.binding import Binding
from textual.keys import format_key


@dataclass(frozen=True, slots=True)
class KeyRow:
    """Keys that do the same, what they do, and where."""

    keys: str
    does: str
    where: str


def key_rows() -> list[KeyRow]:
    """Every key of the app, by place."""
    from tui.acting import Acting
    from tui.compare import CompareScreen
    from tui.dialogs import Confirm, Labels
    from tui.frame import Opened
    from tui.help import HelpScreen
    from tui.history_pane import HistoryPane
    from tui.lists import RunTable
    from tui.live_pane import LivePane
    from tui.program import CcaflApp
    from tui.queue_pane import QueuePane
    from tui.run_view import RunView
    from tui.texts import Lines

    places = {
        "everywhere": CcaflApp.BINDINGS,
        "lists, run view": Acting.BINDINGS,
        "lists": RunTable.BINDINGS,
        "Queue": QueuePane.BINDINGS,
        "run view": RunView.BINDINGS,
        "Live, run view": LivePane.BINDINGS,
        "History": HistoryPane.BINDINGS,
        "compare": CompareScreen.BINDINGS,
        "log and other text": Lines.BINDINGS,
        "opened screens": Opened.BINDINGS,
        "help": HelpScreen.BINDINGS,
        "a question": Confirm.BINDINGS,
        "tags and note": Labels.BINDINGS,
    }
    return [row for where, bindings in places.items() for row in _rows(bindings, where)]


def as_markdown() -> str:
    """The table for the documentation."""
    lines = ["| Key | Does | Where |", "| --- | --- | --- |"]
    lines += [f"| {row.keys} | {row.does} | {row.where} |" for row in key_rows()]
    return "\n".join(lines) + "\n"


def _rows(bindings: Iterable[object], where: str) -> list[KeyRow]:
    rows = []
    for binding in bindings:
        assert isinstance(binding, Binding)
        keys = " ".join(f"`{_name(key)}`" for key in binding.key.split(","))
        rows.append(KeyRow(keys, binding.tooltip or binding.description, where))
    return rows


def _name(key: str) -> str:
    """The key as one reads it on a keyboard."""
    names = {"enter": "enter", "escape": "esc", "pagedown": "pgdn", "pageup": "pgup"}
    return names.get(key, key if "+" in key or len(key) == 1 else format_key(key))
