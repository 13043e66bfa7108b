"""Names of settings, completed while they are typed, and what each of them means."""

from __future__ import annotations

MOST = 6  # names that are offered


def names(typed: str) -> list[str]:
    """The settings whose name begins with what was typed, then those with such a last part."""
    from ccafl.config import keys

    known = list(keys())
    first = [name for name in known if name.startswith(typed)]
    return first + [
        name for name in known if name.rpartition(".")[2].startswith(typed) and name not in first
    ]


def rest(line: str) -> str:
    """What completes a name that was begun; nothing behind a whole name or an `=`."""
    typed = line.lstrip()
    found = names(typed)
    if not typed or not found or not found[0].startswith(typed):
        return ""
    return found[0].removeprefix(typed)


def hint(line: str) -> str:
    """Names that a line can become, or the meaning of the setting that it names."""
    from ccafl.config import keys

    typed = line.partition("=")[0].strip()
    setting = keys().get(typed)
    if setting is not None:
        return f"{typed}: {setting.default.description}"
    found = names(typed) if typed and "=" not in line else []
    more = " …" if len(found) > MOST else ""
    return "  ".join(found[:MOST]) + more
