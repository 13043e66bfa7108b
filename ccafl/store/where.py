"""The words that choose among ended runs, and the SQL conditions that they mean.

All words must match. A word is text that is looked for in name, note and data set, a field such as
`tag:main`, or a comparison such as `map>55` or `ical.margin=0.3`; `-` before a word excludes what
it matches, and quotes keep blanks together; a quote that is open, as while one types, reaches to
the end. Every value is bound, none is written into SQL.
"""

import difflib
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, cast, exists, func, or_, select

from ccafl import config
from ccafl.errors import ConfigError
from ccafl.store.queries import EVALUATION, RUN, TAG, Which
from ccafl.store.states import ENDED

Condition = ColumnElement[bool]

_WORD = re.compile(
    r'(?P<minus>-?)(?:(?P<name>[A-Za-z_][\w.]*)(?P<sign>:|[<>]=?|=))?(?:"(?P<quoted>[^"]*)"?|(?P<plain>\S*))'
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_SPAN = re.compile(r"(\d+\.?\d*)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SIGNS: Mapping[str, Callable[[Any, Any], Condition]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_METRICS = {
    "map": "mean_ap",
    "rank1": "rank1",
    "rank5": "rank5",
    "rank10": "rank10",
    "minp": "mean_inp",
}
_SWITCHES = {"true": "true", "yes": "true", "false": "false", "no": "false"}
_TOOK = RUN.c.ended - RUN.c.started


@dataclass(frozen=True, slots=True)
class Word:
    """A word taken apart; one without a `name` is text to look for."""

    text: str
    excludes: bool
    name: str
    sign: str
    value: str

    def lacks(self, what: str, example: str) -> ConfigError:
        """The error for a word that says too little, as while it is typed."""
        return ConfigError(f"{self.text!r} needs {what}, such as {example}.")


def parse(text: str) -> list[Word]:
    """The words of a filter, in order."""
    found = []
    for match in _WORD.finditer(text):
        if match[0]:
            value = match["plain"] if match["quoted"] is None else match["quoted"]
            sign, name = match["sign"] or "", (match["name"] or "").lower()
            found.append(Word(match[0], bool(match["minus"]), name, sign, value))
    return found


def conditions(
    text: str, *, dataset: str | None = None, tag: str | None = None, which: Which = "last"
) -> list[Condition]:
    """What an ended run must fulfil.

    Args:
        text: words as the module's docstring says.
        dataset: the data set, exactly.
        tag: a tag, exactly.
        which: the evaluation whose metrics are compared.

    Raises:
        ConfigError: a word has no meaning, or not yet.
    """
    found: list[Condition] = [RUN.c.state.in_(ENDED)]
    if dataset is not None:
        found.append(RUN.c.dataset == dataset)
    if tag is not None:
        found.append(_has_tag(TAG.c.tag == tag))
    for word in parse(text):
        condition = _condition(word, which)
        # a run without the value does not match, so that excluding keeps it
        found.append(func.coalesce(condition, 0) == 0 if word.excludes else condition)
    return found


def _condition(word: Word, which: Which) -> Condition:
    if not word.name:
        if not word.value:
            raise word.lacks("text", '-baseline or "two words"')
        columns = (RUN.c.name, RUN.c.note, RUN.c.dataset)
        return or_(*(column.icontains(word.value, autoescape=True) for column in columns))
    if word.name in _FIELDS and word.sign in ":=":
        example, field = _FIELDS[word.name]
        if not word.value:
            raise word.lacks("a value", example)
        return field(word)
    if word.name in _METRICS:
        return _metric(word, which)
    if word.name in _COMPARED:
        example, compare = _COMPARED[word.name]
        if word.sign == ":" or not word.value:
            raise word.lacks("a comparison", example)
        return compare(word)
    return _setting(word, _key(word))


def _tag(word: Word) -> Condition:
    return _has_tag(func.lower(TAG.c.tag) == func.lower(word.value))


def _has_tag(condition: Condition) -> Condition:
    return RUN.c.id.in_(select(TAG.c.run_id).where(condition))


def _dataset(word: Word) -> Condition:
    return RUN.c.dataset.istartswith(word.value, autoescape=True)


def _stage(word: Word) -> Condition:
    stage = func.json_each(RUN.c.config, "$.run.stages").table_valued("value")
    wanted = stage.c.value.in_(_begun(word, config.STAGES))
    return exists(select(stage.c.value).where(wanted))


def _state(word: Word) -> Condition:
    return RUN.c.state.in_(_begun(word, ENDED))


def _backbone(word: Word) -> Condition:
    backbone = func.json_extract(RUN.c.config, "$.model.backbone")
    return cast(backbone, Text).istartswith(word.value, autoescape=True)


def _seed(word: Word) -> Condition:
    return func.json_extract(RUN.c.config, "$.run.seed") == _number(word, "seed:1")


def _begun(word: Word, known: tuple[str, ...]) -> list[str]:
    """The known words that begin as the value does, so that a word works while it is typed."""
    found = [name for name in known if name.startswith(word.value.lower())]
    if not found:
        raise ConfigError(f"{word.text!r} matches no ended run; known are {', '.join(known)}.")
    return found


def _metric(word: Word, which: Which) -> Condition:
    """Percent, as people read them; equal are those that are printed alike."""
    example, column = f"{word.name}>55", EVALUATION.c[_METRICS[word.name]]
    if word.sign == ":":
        raise word.lacks("a comparison", example)
    percent = _number(word, example)
    measured = (
        column.between((percent - 0.05) / 100, (percent + 0.05) / 100)
        if word.sign == "="
        else _SIGNS[word.sign](column, percent / 100)
    )
    return RUN.c.id.in_(select(EVALUATION.c.run_id).where(EVALUATION.c[which] == 1, measured))


def _whole(column: ColumnElement[Any], example: str) -> Callable[[Word], Condition]:
    return lambda word: _SIGNS[word.sign](column, _number(word, example))


def _took(word: Word) -> Condition:
    span = _SPAN.fullmatch(word.value.lower())
    if span is None:
        raise word.lacks("a time with its unit s, m, h or d", "took>2h")
    return _SIGNS[word.sign](_TOOK, float(span[1]) * _SECONDS[span[2]])


def _time(column: ColumnElement[float]) -> Callable[[Word], Condition]:
    """Compare with a whole day, month or year: `>` is after it, `<=` until its end."""

    def compare(word: Word) -> Condition:
        begin, end = _period(word)
        if word.sign == "=":
            return and_(column >= begin, column < end)
        if word.sign in (">", "<="):
            return column >= end if word.sign == ">" else column < end
        return _SIGNS[word.sign](column, begin)

    return compare


def _period(word: Word) -> tuple[float, float]:
    """Begin and end of a day, month or year in the reader's time zone."""
    found = _DAY.fullmatch(word.value)
    if found is None:
        raise word.lacks("a day", f"{word.name}>2026-11-01")
    year, month, day = (int(part) if part else None for part in found.groups())
    assert year is not None
    try:
        begin = datetime(year, month or 1, day or 1)
        if day is not None:
            end = begin + timedelta(days=1)
        else:
            months = year * 12 + (month or 12)
            end = datetime(months // 12, months % 12 + 1, 1)
        return begin.timestamp(), end.timestamp()
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{word.text!r}: there is no day {word.value}.") from error


def _setting(word: Word, key: str) -> Condition:
    """Compare as numbers where both are, else as text; a setting of another version is absent."""
    if word.sign == ":" or not word.value:
        raise word.lacks("a comparison", f"{word.name}=0.3")
    path = f"$.{key}"
    stored, kind = (func.json_extract(RUN.c.config, path), func.json_type(RUN.c.config, path))
    is_number = bool(_NUMBER.fullmatch(word.value))
    if word.sign != "=" or is_number:
        number = _number(word, f"{word.name}{word.sign}0.3")
        return and_(kind.in_(("integer", "real")), _SIGNS[word.sign](stored, number))
    text = word.value.lower()
    if text in _SWITCHES:
        return or_(kind == _SWITCHES[text], func.lower(cast(stored, Text)) == text)
    without_blanks = text.replace(" ", "") if text.startswith("[") else text
    return func.lower(cast(stored, Text)) == without_blanks


def _key(word: Word) -> str:
    """The setting whose key ends as the name does."""
    known = config.keys()
    found = [key for key in known if key == word.name or key.endswith(f".{word.name}")]
    if len(found) == 1 or word.name in found:
        return word.name if word.name in found else found[0]
    if found:
        raise ConfigError(f"{word.name!r} may be {' or '.join(found)}; write more of it.")
    endings = [key.split(".", depth)[-1] for key in known for depth in range(key.count(".") + 1)]
    names = [*_FIELDS, *_METRICS, *_COMPARED, *endings]
    near = difflib.get_close_matches(word.name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"fields are {', '.join(_FIELDS)}."
    raise ConfigError(f"No field or setting is named {word.name!r}; {hint}")


def _number(word: Word, example: str) -> float:
    if not _NUMBER.fullmatch(word.value):
        raise word.lacks("a number", example)
    return float(word.value)


_FIELDS: Mapping[str, tuple[str, Callable[[Word], Condition]]] = {
    "tag": ("tag:main", _tag),
    "dataset": ("dataset:market", _dataset),
    "stage": ("stage:inter", _stage),
    "state": ("state:failed", _state),
    "backbone": ("backbone:RN50", _backbone),
    "seed": ("seed:1", _seed),
}
_COMPARED: Mapping[str, tuple[str, Callable[[Word], Condition]]] = {
    "epoch": ("epoch>10", _whole(RUN.c.epoch, "epoch>10")),
    "id": ("id>5", _whole(RUN.c.id, "id>5")),
    "started": ("started>2026-11-01", _time(RUN.c.started)),
    "ended": ("ended>2026-11-01", _time(RUN.c.ended)),
    "took": ("took>2h", _took),
}
