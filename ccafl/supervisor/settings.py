"""`settings.toml` of the state folder: what people set for the supervisor, not for a run.

[notify]
command = ["notify-send", "ccafl", "run {id} {name}: {state}, mAP {map}"]

[supervisor]
save_s = 300     # a cancelled run may save for this long before it is terminated
term_s = 45      # from there it is killed after this long
idle_s = 600     # without a run, the supervisor leaves after this long
"""

import tomllib
from dataclasses import field
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ccafl.errors import ConfigError
from ccafl.paths import Home
from ccafl.supervisor.pace import Pace, Patience

_STRICT = ConfigDict(extra="forbid")
_Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class NotifySection:
    """A command that is run whenever a run ends; a list of arguments, never a shell's line."""

    command: tuple[Annotated[str, Field(strict=True)], ...] = ()


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class SupervisorSection:
    """How patient the supervisor is, in seconds."""

    save_s: _Seconds = Patience().save_s
    term_s: _Seconds = Patience().term_s
    idle_s: _Seconds = Pace().idle_s


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Settings:
    """All sections; a missing file or section means the defaults."""

    notify: NotifySection = field(default_factory=NotifySection)
    supervisor: SupervisorSection = field(default_factory=SupervisorSection)


def read_settings(home: Home) -> Settings:
    """The settings of a state folder.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or holds an unknown or impossible value.
    """
    path = home.settings
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(Settings).validate_python(values)
    except FileNotFoundError:
        return Settings()
    except ValidationError as error:
        raise ConfigError(f"{str(path)!r}: {_first(error)}") from error
    except (OSError, ValueError) as error:  # no TOML is a ValueError, and so is no UTF-8
        raise ConfigError(f"{str(path)!r} cannot be read: {error}") from error


def _first(error: ValidationError) -> str:
    detail = error.errors()[0]
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "unexpected_keyword_argument":
        return (
            f"there is no setting {key!r}; known are notify.command, supervisor.save_s, "
            "supervisor.term_s and supervisor.idle_s."
        )
    return f"{key} cannot be {detail['input']!r}: {detail['msg']}."
