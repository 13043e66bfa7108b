"""The settings of a run: all of them, or those that differ from its preset."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from ccafl.sentences import printable
from tui.frame import Line
from tui.texts import Lines

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui.messages import RunRead, Settings

WIDEST = 12  # cells that values are lined up in; longer ones take what they need


class SettingsPanel(Lines):
    """Each setting with its origin, and the preset's value where that is another one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("equals_sign", "all_settings", "all settings", tooltip="all or only differences"),
        Binding("h,left", "sideways(-1)", "scroll left", show=False),
        Binding("l,right", "sideways(1)", "scroll right", show=False),
    ]

    head = "= all / only differences"

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._message: RunRead | None = None
        self._is_all = False

    def compose(self) -> ComposeResult:
        """One text."""
        yield Line("settings-text")

    def show(self, message: RunRead) -> None:
        """Show what was read."""
        self._message = message
        self.query_one(Line).show(settings(message.settings, all_of_them=self._is_all))

    def action_all_settings(self) -> None:
        """Show all settings, or those that differ."""
        self._is_all = not self._is_all
        if self._message is not None:
            self.show(self._message)

    def text(self) -> str:
        """What `y` copies."""
        return self.query_one(Line).text


def settings(found: Settings, *, all_of_them: bool) -> str:
    """Settings, a line each."""
    names = found.values if all_of_them else found.differing
    if not names:
        return f"All settings are those of preset {printable(found.preset)}."
    names_width = max(map(len, names))
    values_width = min(max(len(found.values.get(name, "-")) for name in names), WIDEST)
    return "\n".join(setting(found, name, names_width, values_width) for name in names)


def setting(found: Settings, name: str, names_width: int = 0, values_width: int = 0) -> str:
    """A setting, where its value comes from, and the preset's where that is another one."""
    value = found.values.get(name, "-")
    theirs = found.differing.get(name)
    origin = found.origins.get(name, "") if theirs is None else "yours"
    preset = "" if theirs is None else f"preset {theirs}"
    return f"{name:<{names_width}}  {value:<{values_width}}  {origin:<13}  {preset}".rstrip()
