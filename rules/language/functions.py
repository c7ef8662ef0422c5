"""The functions of a condition: what each is called with, checked and resolved to its node.

A table names them all, with an example and its English, for errors and documentation. Nothing is compiled here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal as OneOf
from typing import Protocol, cast

from rules.language.expressions import (
    Aggregate,
    AggregateName,
    Expression,
    Extreme,
    FieldRef,
    Literal,
    LocalTime,
    Since,
    Windowed,
    duration_text,
    fields_of,
    outside,
    type_of,
)
from rules.language.fields import FIELDS, REACHABLE, RELATIONS, Type, nearest
from rules.language.function_words import FUNCTIONS
from rules.language.paths import starts_at
from rules.language.quantities import AMOUNTS, OVER_POWER, OVER_UPTIME, SCALARS

MAX_AGGREGATES = 8
"""How many functions over other things or over history one condition may have: each is a query of its own."""

LONGEST_WINDOW = 400 * 86_400.0
"""The longest window, in seconds: as long as history is kept by default."""

MOST_LAST = 1_000

UPTIME_OF = ("connector", "charger", "location")
"""Of what `uptime` and `downtime` are: a connector, or all the connectors of a charger or location together."""

POWER_OF = {"connector.power": "connector", "location.power": "location"}
"""What `avg`, `min` and `max` go over a time of, and whose it is: of a location, that of all its connectors."""

LONGEST_OF_POWER = 7 * 86_400.0
"""The longest window of a power, in seconds: it changes each minute, and is kept for weeks, not for years."""

QUANTITIES = frozenset({Type.DURATION, Type.ENERGY, Type.POWER, *SCALARS, *AMOUNTS})

_AGGREGATES = ("count", "share", "sum", "avg", "min", "max", "streak")
_OF_A_FIELD = ("sum", "avg", "min", "max")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")


@dataclass(frozen=True, slots=True)
class Members:
    """The things of a relation for which a condition is true, as written: `source where condition`."""

    source: "Unchecked"
    where: "Unchecked"
    column: int = 1


@dataclass(frozen=True, slots=True)
class Call:
    """A function as written, before it is known whether there is one of that name."""

    name: str
    operands: tuple["Unchecked", ...]
    column: int = 1


Unchecked = Expression | Call | Members
"""A node as parsed: a Call or Members may stand wherever an Expression will."""

Typed = tuple[Expression, Type | None]
"""A node and its type: None where an error below it, told already, leaves the type open."""

_NOTHING: Typed = (Literal(0.0, Type.NUMBER), None)


class Checker(Protocol):
    """What a function needs of the checker of the condition that it stands in."""

    @property
    def for_each(self) -> str: ...

    @property
    def is_inside(self) -> bool:
        """Whether this is the `where` of an aggregate, in which there is no second one."""

    def error(self, column: int, message: str, expected: str | None = None, suggestion: str | None = None) -> None: ...

    def typed(self, node: Unchecked) -> Typed: ...

    def within(self, thing: str, node: Unchecked) -> Expression:
        """The condition `node`, checked for another thing."""

    def extreme(self, node: Extreme) -> Typed: ...

    def count_aggregate(self, column: int) -> None: ...


def relation_of(node: Unchecked) -> tuple[str, str | None] | None:
    """The path of a relation, and the field of its things that is named after it; None for any other node."""
    if not isinstance(node, FieldRef):
        return None
    parts = node.key.split(".")
    path = ".".join(parts[:2])
    return (path, ".".join(parts[2:]) or None) if path in RELATIONS else None


def check_call(checker: Checker, node: Call) -> Typed:  # noqa: PLR0911 (one return a kind)
    """The node that a function is, and its type."""
    name, operands = node.name, node.operands
    if name not in FUNCTIONS:
        near = nearest(name, FUNCTIONS)
        shown = name if len(name) <= 60 else f"{name[:59]}…"
        checker.error(node.column, f'unknown function "{shown}"', None if near else ", ".join(FUNCTIONS), near)
        return _NOTHING
    if _is_over_power(name, operands):
        return _windowed(checker, node)
    if name in {"min", "max"} and not _is_over_things(operands):
        for part in operands:
            if isinstance(part, Members):
                return _misused(checker, node, '"where" comes after the things that it narrows down')
        return checker.extreme(Extreme(cast("OneOf['min', 'max']", name), cast("tuple[Expression, ...]", operands)))
    if name == "last":
        return _misused(checker, node, '"last" stands inside another function')
    if name in _AGGREGATES:
        return _aggregate(checker, node)
    for place, part in enumerate(operands):
        if isinstance(part, Members) and (place or name not in {"uptime", "downtime"}):
            return _misused(checker, node, f'"{name}" takes no "where"')
    if name in {"hours", "business_hours"}:
        return _hours(checker, node)
    if name == "since":
        return _since(checker, node)
    return _windowed(checker, node)


def _misused(checker: Checker, node: Call, message: str) -> Typed:
    checker.error(node.column, message, f"{FUNCTIONS[node.name][0]}")
    return _NOTHING


def _is_over_things(operands: Sequence[Unchecked]) -> bool:
    first = operands[0].source if isinstance(operands[0], Members) else operands[0]
    return relation_of(first) is not None or (isinstance(first, Call) and first.name == "last")


def _is_over_power(name: str, operands: Sequence[Unchecked]) -> bool:
    first, *rest = (one.source if isinstance(one, Members) else one for one in operands)
    of_power = isinstance(first, FieldRef) and first.key in POWER_OF
    over_time = len(rest) == 1 and isinstance(rest[0], Literal) and rest[0].type is Type.DURATION
    return name in OVER_POWER and of_power and (over_time or name == "avg")


def _aggregate(checker: Checker, node: Call) -> Typed:  # noqa: PLR0911 (one return a mistake)
    name = cast("AggregateName", node.name)
    checker.count_aggregate(node.column)
    if checker.is_inside:
        message = f'"{name}" cannot stand inside the "where" of another function'
        checker.error(node.column, message)
        return _NOTHING
    source, where = _split(node.operands[0])
    last, among = None, None
    if isinstance(source, Call) and source.name == "last":
        if name == "streak" or len(source.operands) != 2:
            return _misused(checker, source, '"last" takes a number and sessions, for any function but "streak"')
        last = _whole(checker, source.operands[0])
        source, among = _split(source.operands[1])
        if last is None:
            return _NOTHING
    found = relation_of(source)
    if found is None:
        return _misused(checker, node, f'"{name}" goes over related things')
    path, field = found
    thing, inner = path.split(".")[0], RELATIONS[path]
    if starts_at(path) not in REACHABLE[checker.for_each]:
        possible = [one for one in RELATIONS if starts_at(one) in REACHABLE[checker.for_each]]
        checker.error(source.column, f"{path} cannot be read for each {checker.for_each}", ", ".join(possible))
        return _NOTHING
    if (last is not None or name == "streak" or len(node.operands) > 1) and inner != "session":
        word = "last" if last is not None else "streak" if name == "streak" else "a window"
        checker.error(node.column, f"{word} needs sessions, but {path} are {inner}s", f"{thing}.sessions")
        return _NOTHING
    value = _value(checker, name, path, field, source.column)
    if name in {"share", "streak"} and where is None:
        return _misused(checker, node, f'"{name}" needs a "where"')
    if len(node.operands) > 2 or (len(node.operands) == 2 and (last is not None or name == "streak")):
        return _misused(checker, node, f'"{name}" has too much in its parentheses')
    window = _window(checker, node.operands[1]) if len(node.operands) == 2 else None
    wheres = [None if part is None else checker.within(inner, part) for part in (where, among)]
    if (len(node.operands) == 2 and window is None) or (name in _OF_A_FIELD and value is None):
        return _NOTHING
    built = Aggregate(name, path, value, wheres[0], window, last, wheres[1], node.column)
    return built, type_of(built)


def _split(node: Unchecked) -> tuple[Unchecked, Unchecked | None]:
    return (node.source, node.where) if isinstance(node, Members) else (node, None)


def _value(checker: Checker, name: str, path: str, field: str | None, column: int) -> str | None:
    """The key of the field that an aggregate sums up; None where it has none, or an error is told."""
    inner = RELATIONS[path]
    own = [spec.key for spec in FIELDS.values() if spec.thing == inner and spec.type in QUANTITIES]
    examples = ", ".join(f"{path}.{key.split('.')[1]}" for key in own) or "a quantity"
    if name not in _OF_A_FIELD:
        if field is not None:
            checker.error(column, f'"{name}" goes over things, not over a field of them', path)
        return None
    if field is None:
        checker.error(column, f'"{name}" needs a field of {path}', examples)
        return None
    spec = FIELDS.get(f"{inner}.{field}")
    if spec is None:
        near = nearest(f"{inner}.{field}", own)
        suggestion = None if near is None else f"{path}.{near.split('.')[1]}"
        checker.error(column, f'unknown field "{path}.{field[:60]}"', None if suggestion else examples, suggestion)
        return None
    if spec.type not in QUANTITIES:
        checker.error(column, f'"{name}" needs quantities, but {path}.{field} is {spec.type.value}', examples)
        return None
    return spec.key


def _whole(checker: Checker, node: Unchecked) -> int | None:
    value = node.value if isinstance(node, Literal) and node.type is Type.NUMBER else None
    if isinstance(value, float) and value.is_integer() and 1 <= value <= MOST_LAST:
        return int(value)
    checker.error(node.column, f'"last" takes a whole number from 1 to {MOST_LAST:,}', "last(20, connector.sessions)")
    return None


def _window(checker: Checker, node: Unchecked) -> Literal | None:
    """The window's length, a literal of more than 0 and at most the kept history."""
    if not isinstance(node, Literal) or node.type is not Type.DURATION or not isinstance(node.value, float):
        if not isinstance(node, Literal) or checker.typed(node)[1] is not None:  # else its error is told already
            checker.error(node.column, "a window is a duration", "1h or 30d")
        return None
    if not 0 < node.value <= LONGEST_WINDOW:
        longest = duration_text(LONGEST_WINDOW)
        checker.error(node.column, f"a window is longer than 0s and at most {longest} (400 days)")
        return None
    return node


def _windowed(checker: Checker, node: Call) -> Typed:  # noqa: PLR0911 (one return a mistake)
    name = cast("OneOf['changes', 'increase', 'uptime', 'downtime', 'avg', 'min', 'max']", node.name)
    checker.count_aggregate(node.column)
    if len(node.operands) != 2:
        return _misused(checker, node, f'"{name}" takes two things: what, and a window')
    window = _window(checker, node.operands[1])
    operand: Expression | None = None
    subject, part = _split(node.operands[0])
    where: Expression | None = None
    of = "connector"
    if name in OVER_POWER:
        of = _power_of(checker, subject, part, window)
    elif name in OVER_UPTIME:
        if not isinstance(subject, FieldRef) or subject.key not in UPTIME_OF:
            return _misused(checker, node, f'"{name}" is that of a {", a ".join(UPTIME_OF)}')
        of = subject.key
        if of not in REACHABLE[checker.for_each]:
            checker.error(subject.column, f"{of} cannot be read for each {checker.for_each}")
            return _NOTHING
        where = None if part is None else checker.within("connector", part)
        if where is not None and not _is_kept(checker, where, f'the "where" of "{name}"'):
            return _NOTHING
    else:
        operand, type_ = checker.typed(subject)
        if type_ is None or not (
            _is_kept(checker, operand, '"changes"') if name == "changes" else _is_sampled(checker, operand)
        ):
            return _NOTHING
    if window is None or not of:
        return _NOTHING
    built = Windowed(name, operand, window, where, of, node.column)
    return built, type_of(built)


def _power_of(checker: Checker, subject: Unchecked, part: Unchecked | None, window: Literal | None) -> str:
    """Whose power it is; empty where what is wrong with that was told."""
    of = POWER_OF[subject.key] if isinstance(subject, FieldRef) else ""
    if part is not None:
        checker.error(part.column, 'a power over time takes no "where"')
    elif of not in REACHABLE[checker.for_each]:
        checker.error(subject.column, f"{of} cannot be read for each {checker.for_each}")
    elif window is not None and isinstance(window.value, float) and window.value > LONGEST_OF_POWER:
        checker.error(window.column, f"a window of a power is at most {duration_text(LONGEST_OF_POWER)} long")
    else:
        return of
    return ""


def _is_kept(checker: Checker, operand: Expression, what: str) -> bool:
    """Whether history tells of `operand`: one field with a history, and nothing that reads other things.

    `what` it stands in is for the words of the error.
    """
    keys = fields_of(operand)
    if any(key not in FIELDS for key in keys):  # told already
        return False
    kept = [key for key, spec in FIELDS.items() if spec.interval and spec.thing in REACHABLE[checker.for_each]]
    plain = not any(isinstance(part, Aggregate | Windowed | Since | LocalTime) for part in outside(operand))
    if len(keys) == 1 and plain and FIELDS[next(iter(keys))].interval is not None:
        return True
    expected = f"a condition on one of {', '.join(kept)}" if kept else None
    checker.error(operand.column, f"{what} needs one field whose history is kept", expected)
    return False


def _is_sampled(checker: Checker, operand: Expression) -> bool:
    if operand == FieldRef("session.energy"):
        return True
    checker.error(operand.column, '"increase" needs a field that is sampled', "session.energy")
    return False


def _since(checker: Checker, node: Call) -> Typed:
    operand = node.operands[0]
    if len(node.operands) != 1 or not isinstance(operand, FieldRef):
        return _misused(checker, node, '"since" takes one field')
    field, type_ = checker.typed(operand)
    if type_ is None or not isinstance(field, FieldRef):
        return _NOTHING
    if FIELDS[field.key].reads_clock:
        checker.error(operand.column, f"{field.key} changes with the clock", "a field that stays as it is")
        return _NOTHING
    return Since(field, node.column), Type.DURATION


def _hours(checker: Checker, node: Call) -> Typed:
    name = cast("OneOf['hours', 'business_hours']", node.name)
    text = node.operands[0]
    value = text.value if len(node.operands) == 1 and isinstance(text, Literal) else None
    if not isinstance(value, str) or _HOURS.fullmatch(value) is None:
        return _misused(checker, node, f'"{name}" takes two times of day in one text')
    begin, end = value.split("-")
    if begin == end or (name == "business_hours" and begin > end):
        return _misused(checker, node, f'"{name}" takes an earlier and a later time')
    return LocalTime(name, value, node.column), Type.BOOLEAN
