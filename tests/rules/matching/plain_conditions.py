"""A slow, plain reading of a condition: the second opinion that the compiled SQL is held to.

It walks the tree over the values of one subject, None being unknown, in Kleene's logic as the design words it. It
knows no database and imports nothing that compiles.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eosvolt.spellings.words import error_code
from rules.language.expressions import (
    Aggregate,
    And,
    Arithmetic,
    Compare,
    Expression,
    Extreme,
    FieldRef,
    IsUnknown,
    Literal,
    LocalTime,
    Membership,
    Not,
    Or,
    Since,
    Windowed,
    fields_of,
    type_of,
)
from rules.language.fields import Type

Value = str | float | bool | Sequence[str] | None
Values = Mapping[str, Value]
"""The values of one subject by the key of the field: `{"connector.status": "Faulted", "charger.online": None}`."""

History = Sequence[tuple[datetime, Value]]
"""What one field was from each of these moments on, oldest first."""


Function = Aggregate | Windowed | Since | LocalTime


@dataclass(frozen=True)
class Between:
    """What a function may be that is still learning: anything from `least` to `most`."""

    least: float
    most: float


class Subject(dict[str, Value]):
    """The values of a subject about which functions over other things and over history can be asked too."""

    def __init__(
        self,
        values: Values,
        work_out: Callable[[Function], Any],
        currencies_in: Callable[[Aggregate], list[str | None]] = lambda _: [],
    ) -> None:
        super().__init__(values)
        self.work_out, self.currencies_in = work_out, currencies_in


def truth(expression: Expression, values: Values) -> bool | None:
    """Whether a condition is true, false or (None) unknown."""
    answer = value_of(expression, values)
    assert answer is None or isinstance(answer, bool)
    return answer


def value_of(expression: Expression, values: Values) -> Any:  # noqa: PLR0911, PLR0912 (one return a kind of node)
    """The value of a condition or of a part of one; None where it is unknown."""
    match expression:
        case Literal(value):
            return value
        case FieldRef(key):
            return values[key]
        case Compare("==" | "!=", FieldRef("connector.error_code"), Literal(str(code))):
            return _compared(COMPARISONS[expression.op], values["connector.error_code"], error_code(code))
        case Compare(op, left, right):
            if not agree(currencies_of(left, values), currencies_of(right, values)):
                return None
            if op in {"<", "<=", ">", ">="} and FieldRef("charger.firmware") in {left, right}:
                return _of_known(COMPARISONS[op], *(_version(value_of(side, values)) for side in (left, right)))
            return _compared(COMPARISONS[op], _worth(left, values), _worth(right, values))
        case Arithmetic(op, left, right):
            if op != "*" and not agree(currencies_of(left, values), currencies_of(right, values)):
                return None
            combined = _of_known(SUMS[op], value_of(left, values), value_of(right, values))
            return _of_known(lambda found: _in_its_unit(expression, found), combined)
        case Extreme(name, operands):
            if not agree(*(currencies_of(operand, values) for operand in operands)):
                return None
            return _of_known(EXTREMES[name], *(value_of(operand, values) for operand in operands))
        case Membership(operand, items, negated):
            if any(item.currency for item in items):
                found = _not(_all([_not(truth(Compare("==", operand, item), values)) for item in items]))
                return _not(found) if negated else found
            of = value_of(operand, values)
            is_code = operand == FieldRef("connector.error_code")
            listed = [error_code(str(item.value)) if is_code else item.value for item in items]
            return None if of is None else (of in listed) is not negated
        case IsUnknown(operand, negated):
            return (value_of(operand, values) is None) is not negated
        case Not(operand):
            of = truth(operand, values)
            return None if of is None else not of
        case Aggregate() | Windowed() | Since() | LocalTime():
            worth = _worth(expression, values)
            return None if isinstance(worth, Between) else worth
        case And(operands):
            return _all([truth(operand, values) for operand in operands])
        case Or(operands):
            opposite = _all([_not(truth(operand, values)) for operand in operands])
            return _not(opposite)


def _worth(expression: Expression, values: Values) -> Any:
    """As `value_of`, but of a function that is learning all that it may be."""
    if not isinstance(expression, Aggregate | Windowed | Since | LocalTime):
        return value_of(expression, values)
    assert isinstance(values, Subject), "of these values no function can be asked"
    return values.work_out(expression)


def _compared(operation: Callable[[Any, Any], bool], left: Any, right: Any) -> bool | None:
    """What a comparison says whatever it is that is still unknown; None where that matters."""
    if isinstance(left, Between) and isinstance(right, Between):
        return None
    if isinstance(right, Between):
        return _compared(lambda one, other: operation(other, one), right, left)
    if not isinstance(left, Between) or right is None:
        known: bool | None = _of_known(operation, left, right)
        return known
    possible = {left.least, left.most, *([right] if left.least <= right <= left.most else [])}
    answers = {operation(one, right) for one in possible}
    return answers.pop() if len(answers) == 1 else None


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "contains": lambda whole, part: part in whole,
    "starts_with": lambda whole, part: whole.startswith(part),
}
SUMS: dict[str, Callable[[Any, Any], float | None]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: None if abs(right) < 1e-9 else left / right,
}


def _version(text: str | None) -> list[int] | None:
    """The numbers of a version, without the zeros at its end; None where there is anything else in it."""
    bare = (text or "").removeprefix("v").removeprefix("V").replace("-", ".").replace("_", ".")
    parts = bare.split(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts) or len(parts) > 8:
        return None
    numbers = [int(part) for part in parts]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


HOURS = {
    ("/", Type.ENERGY, Type.DURATION): 3600.0,
    ("/", Type.ENERGY, Type.POWER): 3600.0,
    ("/", Type.MONEY, Type.DURATION): 3600.0,
    ("/", Type.MONEY, Type.RATE): 3600.0,
    ("*", Type.POWER, Type.DURATION): 1 / 3600.0,
    ("*", Type.DURATION, Type.POWER): 1 / 3600.0,
    ("*", Type.RATE, Type.DURATION): 1 / 3600.0,
    ("*", Type.DURATION, Type.RATE): 1 / 3600.0,
}
"""Durations are kept in seconds, and energy, power and rates in what an hour makes of one another."""


def _in_its_unit(node: Arithmetic, found: float) -> float:
    factor = HOURS.get((node.op, type_of(node.left), type_of(node.right)), 1.0)
    return found / 3600.0 if factor < 1 else found * factor


MONEYS = (Type.MONEY, Type.PRICE, Type.RATE)


def currencies_of(expression: Expression, values: Values) -> list[str | None]:  # noqa: PLR0911 (one a kind of node)
    """The currency of each amount that a value is made of, None where it is not known; plain numbers have none."""
    match expression:
        case Literal(currency=str(code)):
            return [code]
        case FieldRef("session.cost"):
            return [_code(values["session.currency"]) or _code(values["location.currency"])]
        case FieldRef("location.price"):
            return [_code(values["location.currency"])]
        case Arithmetic(_, left, right) if type_of(expression) in MONEYS:
            return [*currencies_of(left, values), *currencies_of(right, values)]
        case Extreme(_, operands):
            return [code for operand in operands for code in currencies_of(operand, values)]
        case Aggregate(value="session.cost"):
            assert isinstance(values, Subject)
            return values.currencies_in(expression)
    return []


def _code(named: Value) -> str | None:
    return str(named).upper() or None if named is not None else None


def agree(*sides: list[str | None]) -> bool:
    """Whether amounts can be put together: of two or more, each is in the one known currency."""
    amounts = [side for side in sides if side]
    codes = {code for side in amounts for code in side}
    return len(amounts) < 2 or (len(codes) == 1 and None not in codes)


EXTREMES: dict[str, Callable[..., float]] = {"min": min, "max": max}


def _of_known(operation: Callable[..., Any], *parts: Any) -> Any:
    return None if any(part is None for part in parts) else operation(*parts)


def _not(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _all(answers: list[bool | None]) -> bool | None:
    if False in answers:
        return False
    return None if None in answers else True


def since(expression: Expression, histories: Mapping[str, History], wanted: bool = True) -> datetime:
    """Since when a condition is `wanted` now: an `and` since its latest side, an `or` since its earliest true one.

    Each leaf reads one field, and counts from when its own truth last changed. The condition must be `wanted` now.
    """
    match expression:
        case Not(operand):
            return since(operand, histories, not wanted)
        case And(operands) | Or(operands):
            now = {key: history[-1][1] for key, history in histories.items()}
            sides = [since(side, histories, wanted) for side in operands if truth(side, now) is wanted]
            every_side_had_to_turn = isinstance(expression, And) is wanted
            return max(sides) if every_side_had_to_turn else min(sides)
    (key,) = fields_of(expression)
    moment, _ = histories[key][-1]
    for changed_at, value in reversed(histories[key]):
        if truth(expression, {key: value}) is not wanted:
            break
        moment = changed_at
    return moment
