"""The types of a condition: every field, unit and value checked against the catalogue before anything runs.

It takes the tree as parsed and gives it back with its functions resolved, or says all that is wrong with it. A part
whose own error is already told causes no second one.
"""

import re
from collections.abc import Sequence
from typing import cast

from rules.language.errors import ConditionError
from rules.language.expressions import (
    Aggregate,
    And,
    Arithmetic,
    Comparator,
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
    orders_versions,
    to_text,
    type_of,
    walk,
)
from rules.language.fields import (
    FIELDS,
    NETWORK,
    REACHABLE,
    UNIT_EXAMPLES,
    WEEKDAYS,
    Type,
    nearest,
    nearest_field,
    units_of,
)
from rules.language.function_words import FUNCTIONS
from rules.language.functions import (
    MAX_AGGREGATES,
    QUANTITIES,
    Call,
    Members,
    Typed,
    Unchecked,
    check_call,
    relation_of,
)
from rules.language.quantities import SCALARS, product_of, quotient_of
from storage.sql import VERSION

_OF_NETWORK = "a function, as in count(network.chargers where not charger.online)"
_NOTHING = frozenset({"null", "none", "nil"})
"""What other languages call a value that is not known."""

_TEXTS = frozenset({Type.TEXT, Type.ENUM})
_PLAIN = frozenset({Type.NUMBER, Type.MONEY})


def check(
    expression: Unchecked, *, for_each: str, broken: frozenset[int]
) -> tuple[Expression | None, list[ConditionError]]:
    """`expression` with its calls resolved, and what is wrong with it for a rule `for_each` thing.

    `broken` holds the columns of literals whose error is already told. With errors, the expression is None.
    """
    checker = _Checker(for_each, broken)
    checked = checker.condition(expression)
    return (None if checker.errors else checked), checker.errors


class _Checker:
    def __init__(
        self,
        for_each: str,
        broken: frozenset[int],
        errors: list[ConditionError] | None = None,
        *,
        is_inside: bool = False,
    ) -> None:
        self.for_each = for_each
        self.broken = broken
        self.errors: list[ConditionError] = [] if errors is None else errors
        self.is_inside = is_inside
        self.aggregates = 0

    def error(self, column: int, message: str, expected: str | None = None, suggestion: str | None = None) -> None:
        self.errors.append(ConditionError(column, message, expected, suggestion))

    def condition(self, node: Unchecked) -> Expression:
        checked, type_ = self.typed(node)
        if type_ is not None and type_ is not Type.BOOLEAN:
            self.error(node.column, f"{_described(checked)} is {type_.value}, not a condition", "a comparison")
        return checked

    def typed(self, node: Unchecked) -> Typed:  # noqa: PLR0911, PLR0912 (one return a kind of node)
        match node:
            case Literal(_, type_, _, _, column):
                return node, None if column in self.broken else type_
            case FieldRef("weekday", column):
                return LocalTime("weekday", column=column), Type.ENUM
            case FieldRef():
                return node, self._field(node)
            case And(operands, column):
                return And(tuple(self.condition(part) for part in operands), column), Type.BOOLEAN
            case Or(operands, column):
                return Or(tuple(self.condition(part) for part in operands), column), Type.BOOLEAN
            case Not(operand, column):
                return Not(self.condition(operand), column), Type.BOOLEAN
            case IsUnknown(operand, negated, column):
                return IsUnknown(self.typed(operand)[0], negated, column), Type.BOOLEAN
            case Compare():
                return self._compare(node), Type.BOOLEAN
            case Membership():
                return self._membership(node), Type.BOOLEAN
            case Arithmetic():
                return self._arithmetic(node)
            case Call():
                return check_call(self, node)
            case Extreme():
                return self.extreme(node)
            case Members(source, _, column):
                self.error(column, '"where" stands inside a function', FUNCTIONS["count"][0])
                return Literal(0.0, Type.NUMBER, column=source.column), None
            case Aggregate() | Windowed() | Since() | LocalTime():  # made below, never parsed
                return node, type_of(node)

    def within(self, thing: str, node: Unchecked) -> Expression:
        """The condition of a `where` over another thing."""
        inner = _Checker(thing, self.broken, self.errors, is_inside=True)
        checked = inner.condition(node)
        for _ in range(inner.aggregates):
            self.count_aggregate(node.column)
        return checked

    def count_aggregate(self, column: int) -> None:
        """One more function over other things or history: each is a query of its own."""
        self.aggregates += 1
        if self.aggregates == MAX_AGGREGATES + 1:
            self.error(column, f"a condition has at most {MAX_AGGREGATES} functions over related things and windows")

    def _field(self, node: FieldRef) -> Type | None:
        spec = FIELDS.get(node.key)
        if spec is not None and spec.thing in REACHABLE[self.for_each]:
            return spec.type
        fields = f"a field of {_listed(REACHABLE[self.for_each])}" if self.for_each != NETWORK else _OF_NETWORK
        related = relation_of(node)
        if related is not None:
            self.error(node.column, f"{related[0]} are many things", f"a function over them: count({related[0]})")
            return None
        if spec is not None:
            message = f"{node.key} cannot be read for each {self.for_each}"
            self.error(node.column, message, fields)
            return None
        key = f'unknown field "{_shortened(node.key)}"'
        if node.key.lower() in {"true", "false"}:
            self.error(node.column, key, suggestion=node.key.lower())
            return None
        if node.key.lower() in _NOTHING:
            self.error(node.column, key, '"is unknown" or "is not unknown" after the field')
            return None
        suggestion = nearest_field(node.key, self.for_each)
        self.error(node.column, key, None if suggestion else fields, suggestion)
        return None

    def _compare(self, node: Compare) -> Compare:
        (left, left_type), (right, right_type) = self._pair(node.left, node.right)
        if left_type is not None and right_type is not None:
            if node.op in {"contains", "starts_with"}:
                self._text_operator(node.op, left, left_type, right, right_type)
            else:
                self._comparison(node.op, left, left_type, right, right_type)
        return Compare(node.op, left, right, node.column)

    def _pair(self, left: Expression, right: Expression) -> tuple[Typed, Typed]:
        """Both sides; a bare word beside a text field is told to be a text without its quotes."""
        if _is_bare(right) and not _is_bare(left):
            typed = self.typed(left)
            return typed, self._beside(typed, right)
        if _is_bare(left) and not _is_bare(right):
            typed = self.typed(right)
            return self._beside(typed, left), typed
        return self.typed(left), self.typed(right)

    def _beside(self, other: Typed, bare: Expression) -> Typed:
        if other[1] not in _TEXTS or not isinstance(bare, FieldRef) or isinstance(other[0], Literal):
            return self.typed(bare)
        self._unquoted(bare, _values(other[0]))
        return bare, None

    def _unquoted(self, bare: FieldRef, values: tuple[str, ...]) -> None:
        if bare.key.lower() in _NOTHING:
            self.error(bare.column, f'unknown field "{bare.key}"', '"is unknown" or "is not unknown" after the field')
            return
        word = nearest(bare.key, values) or bare.key
        self.error(bare.column, f'unknown field "{_shortened(bare.key)}"', f'a text in quotes: "{_shortened(word)}"')

    def _text_operator(self, op: str, left: Expression, left_type: Type, right: Expression, right_type: Type) -> None:
        allowed = {*_TEXTS, Type.TEXTS} if op == "contains" else _TEXTS
        if left_type not in allowed:
            message = f'"{op}" looks into texts, but {_described(left)} is {left_type.value}'
            self.error(left.column, message)
        elif right_type not in _TEXTS:
            message = f'"{op}" looks for a text, but {_described(right)} is {right_type.value}'
            self.error(right.column, message)

    def _comparison(self, op: str, left: Expression, left_type: Type, right: Expression, right_type: Type) -> None:
        for side, type_ in ((left, left_type), (right, right_type)):
            if type_ is Type.TEXTS:
                return self.error(side.column, f"{_described(side)} is {type_.value}", '"contains" after it')
        if not self._agree(left, left_type, right, right_type):
            return None
        if orders_versions(Compare(cast("Comparator", op), left, right)):
            return self._versions(left, right)
        if op not in {"==", "!="} and left_type not in QUANTITIES:
            return self.error(left.column, f'"{op}" orders quantities, but {_described(left)} is {left_type.value}')
        self._known_value(left, right)
        self._known_value(right, left)
        return None

    def _versions(self, left: Expression, right: Expression) -> None:
        for side in (left, right):
            if isinstance(side, Literal) and not re.fullmatch(VERSION, str(side.value)):
                message = f'"{_shortened(str(side.value))}" is no version that can be read'
                self.error(side.column, message, 'numbers with dots between them, as in "1.4.12"')

    def _known_value(self, field: Expression, literal: Expression) -> None:
        values = _values(field)
        if not values or not isinstance(literal, Literal) or literal.value in values:
            return
        shown = ", ".join(f'"{value}"' for value in values)
        message = f'{_described(field)} is never "{_shortened(str(literal.value))}"'
        self.error(literal.column, message, f"one of {shown}", nearest(str(literal.value), values))

    def _agree(self, left: Expression, left_type: Type, right: Expression, right_type: Type) -> bool:
        if left_type is right_type or {left_type, right_type} <= _TEXTS:
            return True
        if {left_type, right_type} == _PLAIN and _is_constant(left if left_type is Type.NUMBER else right):
            return True
        if {left_type, right_type} == SCALARS and (_is_quotient(left) or _is_quotient(right)):
            return True
        if _is_plain_number(left) and not _is_plain_number(right):
            left, left_type, right, right_type = right, right_type, left, left_type
        units = units_of(left_type)
        if _is_plain_number(right) and left_type in UNIT_EXAMPLES:
            example = UNIT_EXAMPLES[left_type]
            message = f"{_described(right)} needs a unit, because {_described(left)} is {left_type.value}"
            named = f"{_listed(units, 'or')}, as in {example}" if units else f"a currency, as in {example}"
            self.error(right.column, message, named)
            return False
        message = f"{_described(left)} is {left_type.value}, but {_described(right)} is {right_type.value}"
        self.error(right.column, message)
        return False

    def _membership(self, node: Membership) -> Membership:
        operand, type_ = self.typed(node.operand)
        if type_ is Type.TEXTS:
            self.error(operand.column, f"{_described(operand)} is {type_.value}", '"contains" after it')
            type_ = None
        for item in cast("tuple[Expression, ...]", node.items):
            if isinstance(item, FieldRef):
                self._unquoted(item, _values(operand))
            elif (
                isinstance(item, Literal)
                and type_ is not None
                and item.column not in self.broken
                and self._agree(operand, type_, item, item.type)
            ):
                self._known_value(operand, item)
        return Membership(operand, node.items, node.negated, node.column)

    def _arithmetic(self, node: Arithmetic) -> Typed:
        (left, left_type), (right, right_type) = self.typed(node.left), self.typed(node.right)
        built = Arithmetic(node.op, left, right, node.column)
        if not self._all_quantities(f'"{node.op}"', ((left, left_type), (right, right_type))):
            return built, None
        if left_type is None or right_type is None:
            return built, None
        if node.op in {"+", "-"}:
            return built, self._common(((left, left_type), (right, right_type)))
        made = (product_of if node.op == "*" else quotient_of)(left_type, right_type)
        if made is None:
            message = f"{_described(left)} is {left_type.value} and {_described(right)} is {right_type.value}"
            expected = (
                'a plain number on one side of "*"' if node.op == "*" else 'what is measured alike on both sides of "/"'
            )
            self.error(right.column, message, expected)
        return built, None if made is None else made.type

    def extreme(self, node: Extreme) -> Typed:
        """`min` or `max` of two or more quantities."""
        name = node.name
        operands = [self.typed(part) for part in node.operands]
        built = Extreme(name, tuple(operand for operand, _ in operands), node.column)
        if len(operands) < 2:
            self.error(node.column, f'"{name}" compares two or more values, as in {name}(a, b)')
            return built, None
        if not self._all_quantities(f'"{name}"', operands):
            return built, None
        return built, self._common(operands)

    def _all_quantities(self, operator: str, operands: Sequence[Typed]) -> bool:
        wrong = [(part, type_) for part, type_ in operands if type_ is not None and type_ not in QUANTITIES]
        for part, type_ in wrong:
            self.error(part.column, f"{operator} needs quantities, but {_described(part)} is {type_.value}")
        return not wrong

    def _common(self, operands: Sequence[Typed]) -> Type | None:
        """The one type of all `operands`; money among plain numbers makes money."""
        first, common = operands[0]
        agreed = True
        for part, type_ in operands[1:]:
            if common is None or type_ is None:
                return None
            agreed = self._agree(first, common, part, type_) and agreed
            common = Type.MONEY if type_ is Type.MONEY and common is Type.NUMBER else common
        return common if agreed else None


def _is_bare(node: Expression) -> bool:
    return isinstance(node, FieldRef) and "." not in node.key and node.key.lower() not in {"true", "false", "weekday"}


def _is_plain_number(node: Expression) -> bool:
    return isinstance(node, Literal) and node.type is Type.NUMBER


def _is_constant(node: Expression) -> bool:
    return all(isinstance(part, Literal | Arithmetic | Extreme) for part in walk(node))


def _is_quotient(node: Expression) -> bool:
    return isinstance(node, Arithmetic) and node.op == "/"


def _values(node: Expression) -> tuple[str, ...]:
    if isinstance(node, LocalTime) and node.name == "weekday":
        return WEEKDAYS
    spec = FIELDS.get(node.key) if isinstance(node, FieldRef) else None
    return spec.values if spec is not None else ()


def _described(node: Expression) -> str:
    text = to_text(node)
    return text if len(text) <= 40 else "this part"


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def _listed(words: Sequence[str], last: str = "or") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
