"""Keys, read off the bindings themselves: those of one place, and the table of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

from textual.actions import parse
from textual.binding import Binding
from textual.keys import format_key

if TYPE_CHECKING:
    from textual.dom import DOMNode
    from textual.screen import Screen


@dataclass(frozen=True, slots=True)
class KeyRow:
    """Keys that do the same, what they do, and where."""

    keys: str
    does: str
    where: str


def offered(screen: Screen[Any]) -> Iterator[tuple[DOMNode, Binding]]:
    """Our own keys that do something now, with their owners; those of the focused part first."""
    taken: set[str] = set()
    for node in nodes_with_keys(screen):
        for binding in own(type(node), "BINDINGS"):
            if binding.key not in taken and can(node, binding.action):
                taken.add(binding.key)
                yield node, binding


def nodes_with_keys(screen: Screen[Any]) -> list[DOMNode]:
    """The parts of a screen that see a key, from the focused one to the app."""
    return (screen.focused or screen).ancestors_with_self


def can(node: DOMNode, action: str) -> bool:
    """Whether an action can be done now."""
    owner, name, parameters = parse(action)
    doer = {"app": node.app, "screen": node.screen}.get(owner, node)
    return bool(doer.check_action(name, parameters))


def own(kind: type[DOMNode], table: str) -> Iterator[Any]:
    """The entries of `BINDINGS` or `KEYLESS` of a class and of those classes it is made from.

    Textual's own classes are left out; their keys are theirs.
    """
    for base in kind.__mro__:
        if base.__module__.startswith("tui."):
            yield from vars(base).get(table, ())


def key_rows() -> list[KeyRow]:
    """Every key of the app, by place."""
    from tui.acting import Acting
    from tui.compare import CompareScreen
    from tui.datasets_screen import CheckScreen
    from tui.dialogs import Confirm, DeleteRun, Labels
    from tui.evaluations_panel import EvaluationsPanel
    from tui.exporting import ExportDialog
    from tui.fields import Choice, Tick
    from tui.form import FormScreen
    from tui.frame import Framed, Opened
    from tui.gpu_screen import GpuScreen
    from tui.help import HelpScreen
    from tui.history_pane import HistoryPane
    from tui.lists import RunTable
    from tui.live_pane import LivePane
    from tui.log_view import LogView
    from tui.losses_panel import LossesPanel
    from tui.program import CcaflApp
    from tui.queue_pane import QueuePane
    from tui.run_view import RunView
    from tui.settings_panel import SettingsPanel
    from tui.text_log import TextLog
    from tui.texts import Scrolled

    places = {
        "everywhere": [*Framed.BINDINGS, *CcaflApp.BINDINGS],
        "lists, run view": Acting.BINDINGS,
        "lists": RunTable.BINDINGS,
        "Queue": QueuePane.BINDINGS,
        "run view": RunView.BINDINGS,
        "chart": LossesPanel.BINDINGS,
        "log": [*Scrolled.BINDINGS, *TextLog.BINDINGS, *LogView.BINDINGS],
        "evaluations": EvaluationsPanel.BINDINGS,
        "settings": SettingsPanel.BINDINGS,
        "Live, run view": LivePane.BINDINGS,
        "History": HistoryPane.BINDINGS,
        "compare": CompareScreen.BINDINGS,
        "other text": Scrolled.BINDINGS,
        "opened screens": Opened.BINDINGS,
        "GPU use": GpuScreen.BINDINGS,
        "help": HelpScreen.BINDINGS,
        "new run": FormScreen.BINDINGS,
        "a tick": Tick.BINDINGS,
        "one of a few words": Choice.BINDINGS,
        "a checked data folder": CheckScreen.BINDINGS,
        "a question": Confirm.BINDINGS,
        "tags and note": Labels.BINDINGS,
        "export": ExportDialog.BINDINGS,
        "deleting a run": DeleteRun.BINDINGS,
    }
    everywhere, *elsewhere = (_rows(bindings, where) for where, bindings in places.items())
    return joined(everywhere, chain.from_iterable(elsewhere))


def joined(first: Sequence[KeyRow], others: Iterable[KeyRow]) -> list[KeyRow]:
    """Rows, and behind them those others that do something else."""
    known = {(row.keys, row.does) for row in first}
    return [*first, *(row for row in others if (row.keys, row.does) not in known)]


def together(rows: Iterable[KeyRow]) -> list[KeyRow]:
    """Rows of keys that do the same in the same place become one, as the letters of curves do."""
    groups = groupby(rows, key=lambda row: (row.does, row.where))
    return [KeyRow(" ".join(row.keys for row in group), *what) for what, group in groups]


def key_name(key: str) -> str:
    """The key as one reads it on a keyboard."""
    names = {"enter": "enter", "escape": "esc", "pagedown": "pgdn", "pageup": "pgup"}
    return names.get(key, key if "+" in key or len(key) == 1 else format_key(key))


def key_row(binding: Binding, where: str) -> KeyRow:
    """The row of a binding."""
    keys = " ".join(f"`{key_name(key)}`" for key in binding.key.split(","))
    return KeyRow(keys, binding.tooltip or binding.description, where)


def as_markdown() -> str:
    """The table for the documentation."""
    lines = ["| Key | Does | Where |", "| --- | --- | --- |"]
    lines += [f"| {row.keys} | {row.does} | {row.where} |" for row in key_rows()]
    return "\n".join(lines) + "\n"


def _rows(bindings: Iterable[object], where: str) -> list[KeyRow]:
    return together(key_row(binding, where) for binding in bindings if isinstance(binding, Binding))
