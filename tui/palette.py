"""The command palette: everything that can be done here, found by typing a part of its name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from textual.command import CommandPalette, DiscoveryHit, Hit, Provider
from textual.content import Content

from tui.keys import can, key_name, nodes_with_keys, offered, own

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.binding import Binding
    from textual.command import Hits
    from textual.dom import DOMNode

    from tui.program import CcaflApp

KEY_WIDTH = 12
PLACEHOLDER = "part of a name, or the number of a run"


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    keys: str
    run: Callable[[], Awaitable[object]]

    def shown(self, name: Content | str) -> Content:
        return Content.assemble(f"{self.keys:<{KEY_WIDTH}}", name)


class Everything(Provider):
    """Keys and commands from the focused part to the app, those that do nothing now left out.

    What the key line shows stands first, then what has no key, then the other keys.
    """

    async def discover(self) -> Hits:
        """All of them, those of the focused part first."""
        for entry in self._entries():
            yield DiscoveryHit(entry.shown(entry.name), entry.run, text=entry.name)

    async def search(self, query: str) -> Hits:
        """Those whose name holds what was typed, in parts too; a number opens the run."""
        if query.isdecimal():
            command = self._call(f"open_number({int(query)})", self.screen)
            yield Hit(1.0, f"open run {int(query)}", command)
        matcher = self.matcher(query)
        for entry in self._entries():
            score = matcher.match(entry.name)
            if score > 0:
                shown = entry.shown(matcher.highlight(entry.name))
                yield Hit(score, shown, entry.run, text=entry.name)

    def _entries(self) -> Iterator[_Entry]:
        keys = list(offered(self.screen))
        yield from (self._key(node, binding) for node, binding in keys if binding.show)
        for node in nodes_with_keys(self.screen):
            for command in own(type(node), "KEYLESS"):
                if can(node, command.action):
                    name = f"{command.name}: {command.help}"
                    yield _Entry(name, "", self._call(command.action, node))
        yield from (self._key(node, binding) for node, binding in keys if not binding.show)

    def _key(self, node: DOMNode, binding: Binding) -> _Entry:
        keys = " ".join(key_name(key) for key in binding.key.split(",")[:2])
        name = binding.tooltip or binding.description
        return _Entry(name, keys, self._call(binding.action, node))

    def _call(self, action: str, node: DOMNode) -> Callable[[], Awaitable[object]]:
        return partial(self.app.run_action, action, default_namespace=node)


def open_palette(app: CcaflApp) -> None:
    """Show the palette above the screen."""
    app.push_screen(CommandPalette(providers=[Everything], placeholder=PLACEHOLDER))
