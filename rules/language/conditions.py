"""The condition language: text in, a checked `Expression` or all of its errors out.

Parsing is LALR and never recurses with the text, so no text hangs it or exhausts the stack; limits on length, depth and
parts hold before types are checked. Nothing is evaluated here, and no text raises anything but `ConditionErrors`.
"""

import functools
import re
import typing
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path

from lark import Lark, Token, Transformer_NonRecursive
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from rules.language.checks import check
from rules.language.errors import ConditionError, ConditionErrors
from rules.language.expressions import (
    And,
    Arithmetic,
    Comparator,
    Compare,
    Expression,
    FieldRef,
    IsUnknown,
    Literal,
    Membership,
    Not,
    Or,
)
from rules.language.fields import EXACT, UNITS, Type, nearest, stored_value, units_of
from rules.language.functions import Call, Members, Unchecked
from rules.language.quantities import AMOUNTS, CURRENCIES, amount_type, stored_amount

MAX_CHARACTERS = 2_000
MAX_DEPTH = 32
MAX_NODES = 200

WORDS = ("and", "or", "not", "in", "is", "unknown", "contains", "starts_with", "where", "true", "false")
"""The words of the language; no field has such a name."""

_LONGEST_NUMBER = 20
_LARGEST_VALUE = 1e12  # in the stored unit: far beyond any fleet, and exact in every database
PLAIN_UNITS = {
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("week", "weeks"), "w"),
    **dict.fromkeys(("percent", "pct"), "%"),
}
"""Words that people write for a unit, in any case; what is kept and shown is the unit."""

_QUANTITY_PART = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+(?:/[A-Za-z]+)?|%)?")


class QuantityError(Exception):
    """A number with a unit that cannot be read; `suggestion` is the nearest right text, if there is one."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion


def parse_condition(text: str, *, for_each: str) -> Expression:
    """The expression that `text` says, checked for a rule `for_each` connector, charger, location or session.

    Durations become seconds, energies kWh, powers kW, percentages ratios. Raises ConditionErrors: one error for a
    text that is no sentence of the language, else every error of type, field and unit together.
    """
    if len(text) > MAX_CHARACTERS:
        error = ConditionError(MAX_CHARACTERS + 1, f"the condition has more than {MAX_CHARACTERS:,} characters")
        raise ConditionErrors(text, [error])
    if not text.strip():
        raise ConditionErrors(text, [ConditionError(1, "the condition is empty")])
    try:
        tree = _grammar().parse(text)
    except UnexpectedCharacters as unexpected:
        raise ConditionErrors(text, [_character_error(text, unexpected.pos_in_stream or 0)]) from None
    except UnexpectedToken as unexpected:
        raise ConditionErrors(text, [_token_error(text, unexpected)]) from None
    builder = _Builder()
    expression, depth = builder.transform(tree)
    if builder.nodes > MAX_NODES:
        raise ConditionErrors(text, [ConditionError(1, f"the condition has more than {MAX_NODES} parts")])
    if depth > MAX_DEPTH:
        raise ConditionErrors(text, [ConditionError(1, f"the condition is more than {MAX_DEPTH} levels deep")])
    checked, errors = check(expression, for_each=for_each, broken=frozenset(e.column for e in builder.errors))
    if errors or builder.errors or checked is None:
        raise ConditionErrors(text, [*builder.errors, *errors])
    return checked


@functools.cache
def _grammar() -> Lark:
    # the basic lexer: a word of the language is never taken for a name, wherever it stands
    grammar = Path(__file__).with_name("conditions.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="basic")


def parse_quantity(text: str) -> tuple[float, Type, str | None]:
    """The stored value, the type and the unit of `0.1 kWh`, `1h30m`, `50 %` or `5`; of several units, no unit.

    Raises QuantityError.
    """
    parts: list[tuple[str, str | None]] = []
    place = 0
    while place < len(text.rstrip()):
        found = _QUANTITY_PART.match(text, place)
        if found is None:
            raise QuantityError(f'"{text.strip()}" is no number with a unit')
        parts.append((found[1], _unit_of(found[2])))
        place = found.end()
    if not parts or any(len(number) > _LONGEST_NUMBER for number, _ in parts):
        raise QuantityError(f"a number has 1 to {_LONGEST_NUMBER} digits")
    value, type_, unit = _quantity_of(text, parts)
    if value >= _LARGEST_VALUE:
        raise QuantityError(f'"{text.strip()}" is too large a number')
    return value, type_, unit


def _quantity_of(text: str, parts: list[tuple[str, str | None]]) -> tuple[float, Type, str | None]:
    if len(parts) == 1 and parts[0][1] is None:
        return float(parts[0][0]), Type.NUMBER, None
    if len(parts) == 1 and parts[0][1] is not None and (amount := amount_type(parts[0][1])) is not None:
        return stored_amount(Decimal(parts[0][0]), parts[0][1]), amount, parts[0][1]
    for number, unit in parts:
        if unit not in UNITS:
            raise _unit_error(text, number, unit)
    units = [unit for _, unit in parts if unit is not None]
    if len(parts) == 1:
        return stored_value(Decimal(parts[0][0]), units[0]), UNITS[units[0]].type, units[0]
    scales = [UNITS[unit].scale for unit in units]
    if any(UNITS[unit].type is not Type.DURATION for unit in units):
        raise QuantityError(f'"{text.strip()}" joins units, which only durations can, as in 1h30m')
    if scales != sorted(set(scales), reverse=True):
        raise QuantityError(f'"{text.strip()}" has its units out of order', "1h30m")
    total = Decimal(0)
    for (number, _), scale in zip(parts, scales, strict=True):
        total = EXACT.add(total, EXACT.multiply(Decimal(number), scale))
    return float(total), Type.DURATION, None


def _unit_error(text: str, number: str, unit: str | None) -> QuantityError:
    if unit is None:
        return QuantityError(f'"{number}" in "{text.strip()}" has no unit')
    currency, _, per = unit.partition("/")
    if currency.upper() in CURRENCIES:
        wanted = nearest(per, (*units_of(Type.ENERGY), *units_of(Type.DURATION))) if per else None
        return QuantityError(f'unknown unit "{unit}"', f"{currency.upper()}/{wanted}" if wanted else currency.upper())
    words = get_close_matches(unit.lower(), PLAIN_UNITS, n=1, cutoff=0.8)
    return QuantityError(f'unknown unit "{unit}"', words[0] if words else nearest(unit, UNITS))


def _unit_of(written: str | None) -> str | None:
    if written is None or written in UNITS:
        return written
    currency, slash, per = written.partition("/")
    if slash and per not in UNITS:
        return f"{currency}/{PLAIN_UNITS.get(per.lower(), per)}"
    return PLAIN_UNITS.get(written.lower(), written)


def parse_duration(text: str) -> float:
    """The seconds of `30m`, `1h30m`, `2 h` or `90s`. Raises QuantityError."""
    if not re.match(r"\s*[0-9]", text):
        raise QuantityError(f'"{text.strip()}" is no duration', "30m")
    value, type_, _ = parse_quantity(text)
    if type_ is Type.NUMBER:
        number = text.strip()
        raise QuantityError(f'"{number}" has no unit', f"{number}m")
    if type_ is not Type.DURATION:
        units = ", ".join(units_of(Type.DURATION))
        raise QuantityError(f'"{text.strip()}" is {type_.value}, not a duration in {units}')
    return value


_Part = tuple[Unchecked, int]
"""A node and the depth of the tree below and with it."""


class _Builder(Transformer_NonRecursive[Token, _Part]):
    """Builds the unchecked tree; what is wrong with a literal is noted, so that the rest can still be checked."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = 0
        self.errors: list[ConditionError] = []

    def _node(self, node: Unchecked, *below: _Part) -> _Part:
        self.nodes += 1
        return node, 1 + max((depth for _, depth in below), default=0)

    def start(self, children: list[_Part]) -> _Part:
        return children[0]

    def or_(self, children: list[_Part]) -> _Part:
        return self._node(Or(_nodes(children), children[0][0].column), *children)

    def and_(self, children: list[_Part]) -> _Part:
        return self._node(And(_nodes(children), children[0][0].column), *children)

    def negation(self, children: list[_Part]) -> _Part:
        operand = children[0]
        return self._node(Not(_as_expression(operand[0]), operand[0].column), operand)

    def compare(self, children: list[typing.Any]) -> _Part:
        left, op, right = children
        node = Compare(typing.cast("Comparator", str(op)), left[0], right[0], left[0].column)
        return self._node(node, left, right)

    def arithmetic(self, children: list[typing.Any]) -> _Part:
        left, op, right = children
        node = Arithmetic(typing.cast("typing.Literal['+', '-', '*', '/']", str(op)), left[0], right[0], left[0].column)
        return self._node(node, left, right)

    def is_in(self, children: list[typing.Any]) -> _Part:
        return self._membership(children, negated=False)

    def is_not_in(self, children: list[typing.Any]) -> _Part:
        return self._membership(children, negated=True)

    def _membership(self, children: list[typing.Any], *, negated: bool) -> _Part:
        operand, items = children
        return self._node(Membership(operand[0], _nodes(items), negated, operand[0].column), operand, *items)

    def is_unknown(self, children: list[_Part]) -> _Part:
        operand = children[0]
        return self._node(IsUnknown(_as_expression(operand[0]), negated=False, column=operand[0].column), operand)

    def is_not_unknown(self, children: list[_Part]) -> _Part:
        operand = children[0]
        return self._node(IsUnknown(_as_expression(operand[0]), negated=True, column=operand[0].column), operand)

    def items(self, children: list[_Part | None]) -> list[_Part]:
        return [child for child in children if child is not None]

    def arguments(self, children: list[_Part]) -> list[_Part]:
        return children

    def members(self, children: list[_Part]) -> _Part:
        source, where = children
        return self._node(Members(source[0], where[0], source[0].column), source, where)

    def call(self, children: list[typing.Any]) -> _Part:
        name, arguments = children
        return self._node(Call(str(name), _nodes(arguments), _column(name)), *arguments)

    def name(self, children: list[Token]) -> _Part:
        token = children[0]
        return self._node(FieldRef(str(token), _column(token), _end(token)))

    def boolean(self, children: list[Token]) -> _Part:
        token = children[0]
        return self._node(Literal(str(token) == "true", Type.BOOLEAN, None, None, _column(token), _end(token)))

    def quantity(self, children: list[Token]) -> _Part:
        return self._quantity(children[0], children[0], 1)

    def negative(self, children: list[Token]) -> _Part:
        return self._quantity(children[1], children[0], -1)

    def _quantity(self, token: Token, first: Token, sign: int) -> _Part:
        value, type_, unit = 0.0, Type.NUMBER, None
        try:
            value, type_, unit = parse_quantity(token)
        except QuantityError as wrong:
            self.errors.append(ConditionError(_column(first), wrong.message, None, wrong.suggestion))
        currency = unit.partition("/")[0] if unit is not None and type_ in AMOUNTS else None
        return self._node(Literal(sign * value, type_, unit, currency, _column(first), _end(token)))

    def text(self, children: list[Token]) -> _Part:
        token = children[0]
        value = re.sub(r"\\(.)", r"\1", token[1:-1])
        escaped = re.findall(r"\\(.)", token)
        wrong = next((character for character in escaped if character not in "\\\"'"), None)
        if wrong is not None:
            message = f'"\\{wrong}" has no meaning in a text'
            self.errors.append(ConditionError(_column(token), message, "a backslash only before \\, \" or '"))
        elif any(unicodedata.category(character) in {"Cc", "Cs"} for character in value):
            self.errors.append(ConditionError(_column(token), "a text cannot hold control characters"))
        return self._node(Literal(value, Type.TEXT, None, None, _column(token), _end(token)))


def _nodes(parts: list[_Part]) -> tuple[typing.Any, ...]:
    return tuple(node for node, _ in parts)


def _as_expression(node: Unchecked) -> Expression:
    return typing.cast("Expression", node)


def _column(token: Token) -> int:
    return (token.start_pos or 0) + 1


def _end(token: Token) -> int:
    return (token.end_pos or 0) + 1


def _character_error(text: str, place: int) -> ConditionError:
    character = text[place]
    if character in "\"'":
        return ConditionError(place + 1, "this text has no closing quote")
    if unicodedata.category(character) == "Sc":
        return ConditionError(place + 1, f'unexpected "{character}"', "the code after the number, as in 0.90 EUR/kWh")
    if unicodedata.category(character) in {"Pi", "Pf"}:
        return ConditionError(place + 1, "this is a curly quote", "a straight one, \" or '")
    doubled = {"=>": ">=", "=<": "<="}.get(text[place : place + 2], {"=": "==", "&": "&&", "|": "||"}.get(character))
    shown = character if character.isprintable() else ascii(character).strip("'")
    return ConditionError(place + 1, f'unexpected "{shown}"', None, doubled)


_VALUE = "a field, a number, a text in quotes or ("
_AFTER: tuple[tuple[Callable[[frozenset[str]], bool], str], ...] = (
    (lambda accepted: "LPAR" in accepted and "NAME" in accepted, _VALUE),
    (lambda accepted: "NAME" in accepted, "a text in quotes or a number"),
    (lambda accepted: accepted == {"_UNKNOWN", "_NOT"}, '"unknown" or "not unknown"'),
    (lambda accepted: accepted == {"_UNKNOWN"}, '"unknown"'),
    (lambda accepted: accepted == {"_IN"}, '"in"'),
    (lambda accepted: accepted == {"LSQB"}, "a list, as in [1, 2]"),
    (lambda accepted: accepted == {"QUANTITY"}, "a number"),
    (lambda accepted: "RSQB" in accepted, '"," or "]"'),
    (lambda accepted: "RPAR" in accepted and "COMMA" in accepted, '"," or ")"'),
    (lambda accepted: "RPAR" in accepted, 'an operator, "and", "or" or ")"'),
    (lambda accepted: "COMPARATOR" in accepted, 'an operator, "and", "or" or the end'),
    (lambda accepted: "$END" in accepted, '"and", "or" or the end'),
)
"""What could stand where something else stands: the first line that fits the accepted terminals."""


def _token_error(text: str, unexpected: UnexpectedToken) -> ConditionError:  # noqa: PLR0911 (one return a mistake)
    accepted = frozenset(unexpected.accepts)
    expected = next((words for fits, words in _AFTER if fits(accepted)), None)
    token = unexpected.token
    if token.type == "$END":
        return ConditionError(len(text.rstrip()) + 1, "the condition ends too early", expected)
    column, shown = _column(token), str(token)
    before = text[: column - 1]
    compared = re.search(r"(==|!=)\s*$", before) if token.type == "_UNKNOWN" else None
    if compared is not None:
        mend = "is unknown" if compared[1] == "==" else "is not unknown"
        return ConditionError(compared.start(1) + 1, f'unexpected "{compared[1]}" before "unknown"', None, mend)
    if token.type == "_WHERE":
        message = '"where" stands inside a function, after what it narrows down'
        return ConditionError(column, message, "count(location.chargers where not charger.online)")
    if token.type == "NAME" and shown.lower() in WORDS:
        return ConditionError(column, f'unexpected "{shown}": words are written in lower case', None, shown.lower())
    if token.type == "COMPARATOR" and "COMPARATOR" not in accepted and "_AND" in accepted:
        return ConditionError(column, 'comparisons cannot be chained; join two with "and"')
    if shown == ">" and before.endswith("<"):
        return ConditionError(column - 1, 'unexpected "<>"', None, "!=")
    if token.type == "QUANTITY" and re.search(r"[0-9][A-Za-z]+\s+$", before):
        return ConditionError(column, f'unexpected "{_shortened(shown)}"', "a duration without spaces, as in 1h30m")
    suggestion = nearest(shown, WORDS) if token.type == "NAME" and "NAME" not in accepted else None
    quoted = _shortened(shown) if token.type == "TEXT" else f'"{_shortened(shown)}"'
    return ConditionError(column, f"unexpected {quoted}", expected, suggestion)


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
