"""The tree of a condition: frozen values, typed and checked by `language`, compiled to SQL by `compile`.

A node knows where it stood in its text and nothing of databases. Equality is about meaning: columns and the unit
that was written do not count. Nothing here parses or evaluates.
"""

import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from rules.language.fields import EXACT, FIELDS, UNITS, Type, stored_value
from rules.language.quantities import OVER_POWER, Made, product_of, quotient_of, stored_amount, written_amount

Comparator = typing.Literal["==", "!=", "<", "<=", ">", ">=", "contains", "starts_with"]


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. Durations hold seconds, energies kWh, powers kW, percentages a ratio from 0 to 1, all as float.

    Prices are per kWh, rates per hour; an amount with a `currency` is in that, one without in whatever it meets.
    """

    value: str | float | bool
    type: Type
    unit: str | None = field(default=None, compare=False)
    currency: str | None = None
    column: int = field(default=1, compare=False)
    end: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class FieldRef:
    """The value of one field of the catalogue."""

    key: str
    column: int = field(default=1, compare=False)
    end: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison of two values of one type."""

    op: Comparator
    left: "Expression"
    right: "Expression"
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Membership:
    """`operand in [items]`, or `not in` where `negated`."""

    operand: "Expression"
    items: tuple[Literal, ...]
    negated: bool
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class IsUnknown:
    """`operand is unknown`, or `is not unknown` where `negated`: the one test that is never unknown itself."""

    operand: "Expression"
    negated: bool
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more conditions, in Kleene's logic."""

    operands: tuple["Expression", ...]
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more conditions, in Kleene's logic."""

    operands: tuple["Expression", ...]
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition; of an unknown one, unknown."""

    operand: "Expression"
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A sum, a difference, a product or a quotient of two quantities."""

    op: typing.Literal["+", "-", "*", "/"]
    left: "Expression"
    right: "Expression"
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Extreme:
    """The least or the greatest of two or more quantities; unknown where one of them is."""

    name: typing.Literal["min", "max"]
    operands: tuple["Expression", ...]
    column: int = field(default=1, compare=False)


AggregateName = typing.Literal["share", "count", "sum", "avg", "min", "max", "streak"]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One value over the things that `path` leads to, as in `share(location.chargers where not charger.online)`.

    `value` is the field of the inner thing that is summed up, `where` which members count. With a `window` the members
    are the sessions that ended in it; with `last`, the latest so many of them, among those for which `among` is true.
    """

    name: AggregateName
    path: str
    value: str | None = None
    where: "Expression | None" = None
    window: Literal | None = None
    last: int | None = None
    among: "Expression | None" = None
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Windowed:
    """What the kept history says of a window that ends now: `changes(what, window)`, `increase(field, window)`, and
    `uptime(connector, window)` and `downtime`, which have no `operand`, but may have a `where`: time of which it is
    false does not count. They are `of` a connector, or of all the connectors of a charger or a location together.
    `avg(connector.power, window)`, `max` and `min` are of a connector's power, or of that of a location's together.
    """

    name: typing.Literal["changes", "increase", "uptime", "downtime", "avg", "min", "max"]
    operand: "Expression | None"
    window: Literal
    where: "Expression | None" = None
    of: str = "connector"
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Since:
    """How long a field has had the value that it has now."""

    operand: FieldRef
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class LocalTime:
    """The location's own clock: `weekday`, or whether it is within `hours("22:00-06:00")` or `business_hours(..)`."""

    name: typing.Literal["weekday", "hours", "business_hours"]
    text: str = ""
    column: int = field(default=1, compare=False)


Expression = (
    Literal
    | FieldRef
    | Compare
    | Membership
    | IsUnknown
    | And
    | Or
    | Not
    | Arithmetic
    | Extreme
    | Aggregate
    | Windowed
    | Since
    | LocalTime
)


def parts_of(expression: Expression) -> tuple[Expression, ...]:  # noqa: PLR0911 (one return a kind of node)
    """The nodes directly below `expression`, in the order of its text."""
    match expression:
        case Literal() | FieldRef():
            return ()
        case Compare(_, left, right) | Arithmetic(_, left, right):
            return (left, right)
        case Membership(operand, items):
            return (operand, *items)
        case IsUnknown(operand) | Not(operand):
            return (operand,)
        case And(operands) | Or(operands):
            return operands
        case Extreme(_, operands):
            return operands
        case Since(operand):
            return (operand,)
        case Aggregate(_, _, _, where, window, _, among):
            return tuple(part for part in (among, where, window) if part is not None)
        case Windowed(_, operand, window, where):
            return tuple(part for part in (operand, where, window) if part is not None)
        case LocalTime():
            return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """`expression` and every node below it, parents first."""
    yield expression
    for part in parts_of(expression):
        yield from walk(part)


def outside(expression: Expression) -> Iterator[Expression]:
    """As `walk`, without what is said of other things than the subject: inside an aggregate, or an uptime of many."""
    yield expression
    of_others = isinstance(expression, Aggregate) or (isinstance(expression, Windowed) and expression.of != "connector")
    if not of_others:
        for part in parts_of(expression):
            yield from outside(part)


def fields_of(expression: Expression) -> frozenset[str]:
    """The keys of all fields that `expression` reads of its subject and of the things above it."""
    keys = {node.key for node in outside(expression) if isinstance(node, FieldRef)}
    for node in outside(expression):
        if isinstance(node, Windowed) and node.name in {"uptime", "downtime"}:
            keys |= {"connector.status", "charger.online"} if node.of == "connector" else set()
    return frozenset(keys)


def type_of(expression: Expression) -> Type:  # noqa: PLR0911 (one return a kind of node)
    """The type of the value of `expression`, which must have passed `language.parse_condition`."""
    match expression:
        case Literal(_, type_):
            return type_
        case FieldRef(key):
            return FIELDS[key].type
        case Arithmetic("*" | "/"):
            return made_of(expression).type
        case Arithmetic(_, left, right):
            types = (type_of(left), type_of(right))  # once each: sums lie deep
            return Type.MONEY if Type.MONEY in types else types[0]
        case Extreme(_, operands):
            kinds = [type_of(operand) for operand in operands]
            return Type.MONEY if Type.MONEY in kinds else kinds[0]
        case Aggregate("share") | Windowed("uptime"):
            return Type.RATIO
        case Aggregate(_, _, str(key)):
            return FIELDS[key].type
        case Aggregate() | Windowed("changes"):
            return Type.NUMBER
        case Windowed("increase" | "avg" | "min" | "max" as name):
            return Type.ENERGY if name == "increase" else Type.POWER
        case Since() | Windowed("downtime"):
            return Type.DURATION
        case LocalTime("weekday"):
            return Type.ENUM
        case _:
            return Type.BOOLEAN


def orders_versions(node: Compare) -> bool:
    """Whether a comparison orders versions, of which at least one side is a field."""
    sides = (node.left, node.right)
    return node.op in {"<", "<=", ">", ">="} and any(
        isinstance(side, FieldRef) and side.key in FIELDS and FIELDS[side.key].is_version for side in sides
    )


def made_of(node: Arithmetic) -> Made:
    """What a product or quotient makes; both sides must have been checked to go together."""
    combined = product_of if node.op == "*" else quotient_of
    return combined(type_of(node.left), type_of(node.right)) or Made(Type.NUMBER)


def read_by(expression: Expression) -> frozenset[str]:
    """As `fields_of`, with the fields that name the currency of amounts where that matters."""
    nodes = list(outside(expression))
    amounts = [node.key for node in nodes if isinstance(node, FieldRef) and FIELDS[node.key].currencies]
    others = any(isinstance(node, Literal) and node.currency for node in nodes)
    others = others or any(isinstance(node, Aggregate) and node.value is not None for node in nodes)
    named = amounts if others or len(amounts) > 1 else []
    return fields_of(expression).union(*(FIELDS[key].currencies for key in named))


# how tightly each form binds in text: a part that binds less tightly than its place asks for needs parentheses
_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _ATOM = range(7)


def to_text(expression: Expression) -> str:
    """`expression` in the condition language; parsing the text gives an equal expression again."""
    return _render(expression)[0]


def _render(expression: Expression) -> tuple[str, int]:  # noqa: PLR0911, PLR0912 (one return a kind of node)
    match expression:
        case Literal():
            return _literal_text(expression), _ATOM
        case FieldRef(key):
            return key, _ATOM
        case Compare(op, left, right):
            return f"{_within(left, _SUM)} {op} {_within(right, _SUM)}", _COMPARISON
        case Membership(operand, items, negated):
            listed = ", ".join(_literal_text(item) for item in items)
            return f"{_within(operand, _SUM)} {'not in' if negated else 'in'} [{listed}]", _COMPARISON
        case IsUnknown(operand, negated):
            return f"{_within(operand, _SUM)} {'is not unknown' if negated else 'is unknown'}", _COMPARISON
        case And(operands):
            return " and ".join(_within(part, _NOT) for part in operands), _AND
        case Or(operands):
            return " or ".join(_within(part, _AND) for part in operands), _OR
        case Not(operand):
            return f"not {_within(operand, _NOT)}", _NOT
        case Arithmetic("*" | "/" as op, left, right):
            return f"{_within(left, _PRODUCT)} {op} {_within(right, _ATOM)}", _PRODUCT
        case Arithmetic(op, left, right):
            return f"{_within(left, _SUM)} {op} {_within(right, _PRODUCT)}", _SUM
        case Extreme(name, operands):
            return f"{name}({', '.join(to_text(part) for part in operands)})", _ATOM
        case Aggregate():
            return _aggregate_text(expression), _ATOM
        case Windowed(name, operand, window, where, of):
            power = ".power" if name in OVER_POWER else ""
            what = f"{of}{power}" if operand is None else to_text(operand)
            counted = "" if where is None else f" where {to_text(where)}"
            return f"{name}({what}{counted}, {_literal_text(window)})", _ATOM
        case Since(operand):
            return f"since({operand.key})", _ATOM
        case LocalTime("weekday"):
            return "weekday", _ATOM
        case LocalTime(name, hours):
            return f'{name}("{hours}")', _ATOM


def _aggregate_text(node: Aggregate) -> str:
    source = node.path if node.value is None else f"{node.path}.{node.value.split('.')[1]}"
    if node.last is not None:
        among = "" if node.among is None else f" where {to_text(node.among)}"
        source = f"last({node.last}, {source}{among})"
    where = "" if node.where is None else f" where {to_text(node.where)}"
    window = "" if node.window is None else f", {_literal_text(node.window)}"
    return f"{node.name}({source}{where}{window})"


def _within(expression: Expression, place: int) -> str:
    text, binding = _render(expression)
    return text if binding >= place else f"({text})"


def _literal_text(literal: Literal) -> str:
    value = literal.value
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if literal.currency is not None:
        return _amount_text(value, literal)
    for unit in (literal.unit, _BASE_UNITS.get(literal.type)):
        if unit is None:
            continue
        number = EXACT.divide(Decimal(repr(value)), UNITS[unit].scale)
        if stored_value(number, unit) == value:
            digits = plain_number(number)
            return f"{digits}{unit}" if UNITS[unit].type is Type.DURATION else f"{digits} {unit}"
    return plain_number(Decimal(repr(value)))


def _amount_text(value: float, literal: Literal) -> str:
    base = f"{literal.currency}{ {Type.PRICE: '/kWh', Type.RATE: '/h'}.get(literal.type, '') }"
    for unit in (literal.unit, base):
        if unit is None:
            continue
        number = written_amount(value, unit)
        if stored_amount(number, unit) == value:
            return f"{plain_number(number)} {unit}"
    return f"{plain_number(Decimal(repr(value)))} {base}"


_BASE_UNITS = {Type.DURATION: "s", Type.ENERGY: "kWh", Type.POWER: "kW", Type.RATIO: "%"}


def plain_number(value: Decimal) -> str:
    """A number in digits: no exponent, no zeros after the last digit that counts."""
    text = format(value, "f")
    return text.rstrip("0").removesuffix(".") if "." in text else text


def duration_text(seconds: float) -> str:
    """Seconds as the language writes them: `1h30m`, `90m` as `1h30m`, `0s`, `1.5s`."""
    if not float(seconds).is_integer():
        return f"{plain_number(Decimal(repr(seconds)))}s"
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return "".join(f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (left, "s")) if n) or "0s"
