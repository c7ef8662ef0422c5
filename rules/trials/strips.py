"""Strips of values over time, as rule tests draw what the API says: `Available x5 Faulted x40 _ ! 0+0.5x10`.

One value a poll; `xN` repeats the one before it. `_` is a value that is missing, `!` a poll that fails, `-` a thing
that the answer does not name, and a number with a step counts on. What is mistyped is told, never guessed.
"""

import re
from typing import Any

from eosvolt.models import CONNECTOR_STATUSES
from rules.language.conditions import QuantityError, parse_duration
from rules.language.fields import nearest

Value = str | float | bool | None

LONGEST_CASE = 20_000
"""How many polls a case may have."""

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^\s"]+)(?:\s+x([1-9][0-9]{0,4})(?=\s|$))?')
_SERIES = re.compile(r"(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)([+-][0-9]{1,9}(?:\.[0-9]{1,9})?)x([1-9][0-9]{0,4})")
_NUMBER = re.compile(r"[-+]?[0-9]{1,12}(\.[0-9]{1,12})?")


class Fails:
    """In a strip: the API did not answer this poll."""

    def __repr__(self) -> str:
        return "!"


class Absent:
    """In a strip: the API's answer does not name the thing."""

    def __repr__(self) -> str:
        return "-"


FAILS, ABSENT = Fails(), Absent()
Step = Value | Fails | Absent
Strip = tuple[Step, ...]


def read_strip(value: Any, kind: str, problems: list[str]) -> Strip:
    """The values that a strip draws, one a poll; what is wrong with it is added to `problems`.

    `kind` is status, text, flag, number (kWh, kW, money) or duration (read as seconds). A plain YAML value is a strip
    of one.
    """
    text = str(value).lower() if isinstance(value, bool) else "_" if value is None else str(value)
    steps: list[Step] = []
    place, end = 0, len(text.rstrip())
    while place < end and len(steps) <= LONGEST_CASE:
        found = _TOKEN.match(text, place)
        if found is None:
            problems.append(f"a quote is not closed: {text[place:].strip()[:60]}")
            break
        place = found.end()
        steps += _values(found[1], int(found[2] or 1), kind, problems)
    if not steps:
        problems.append("the strip is empty")
    elif len(steps) > LONGEST_CASE:
        problems.append(f"more than {LONGEST_CASE:,} values")
    return tuple(steps)


def _values(token: str, count: int, kind: str, problems: list[str]) -> list[Step]:
    series = _SERIES.fullmatch(token) if kind == "number" else None
    if series is not None:
        first, step = float(series[1]), float(series[2])
        counted: list[Step] = [first + step * number for number in range(int(series[3]))]
        return counted * count
    if token == "!":  # noqa: S105 - a mark, no secret
        return [FAILS] * count
    if token == "_":  # noqa: S105
        return [None] * count
    if token == "-":  # noqa: S105
        return [ABSENT] * count
    return [_value(token, kind, problems)] * count


def _value(token: str, kind: str, problems: list[str]) -> Value:
    word = token
    if token.startswith('"'):
        word = re.sub(r"\\(.)", r"\1", token[1:-1])
    elif kind == "status" and token not in CONNECTOR_STATUSES:
        near = nearest(token, CONNECTOR_STATUSES)
        meant = f'; did you mean "{near}"?' if near else "."
        problems.append(f'"{token}" is no status{meant} A word outside OCPP\'s nine stands in quotes: "Rebooting"')
    if kind in {"status", "text"}:
        return word
    if kind == "flag":
        if word not in {"true", "false"}:
            problems.append(f'"{word}" is neither true nor false, nor _, ! or -')
        return word == "true"
    if kind == "duration":
        try:
            return parse_duration(word)
        except QuantityError as error:
            problems.append(str(error))
            return 0.0
    if not _NUMBER.fullmatch(word):
        problems.append(f'"{word}" is no number')
        return 0.0
    return float(word)
