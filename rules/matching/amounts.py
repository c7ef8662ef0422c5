"""In which currency an amount of a condition is, and whether two amounts can be put beside one another.

Amounts of different or missing currency make what touches them unknown; nothing is converted, and a plain number is in
whatever currency it meets.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from rules.language.expressions import Aggregate, Arithmetic, Expression, Extreme, FieldRef, Literal, type_of
from rules.language.fields import FIELDS
from rules.language.quantities import AMOUNTS
from rules.matching.relations import ANY_CURRENCY, Say, currency_of_aggregate, folded
from rules.matching.scope import Resolve

SMALLEST_DIVISOR = 1e-9
"""What is nearer to nothing divides nothing: the quotient is unknown, on every database."""


@dataclass(frozen=True, slots=True)
class Currency:
    """The folded code of an amount's currency, null where it is not known; that of a sum of nothing may be any."""

    code: ColumnElement[Any]
    may_be_any: bool = False

    def agrees_with(self, other: "Currency") -> ColumnElement[bool]:
        """Whether two amounts are in one known currency."""
        either = [one.code == ANY_CURRENCY for one in (self, other) if one.may_be_any]
        return sa.or_(self.code == other.code, *either)

    def or_that_of(self, other: "Currency") -> "Currency":
        """The currency of both together, where they agree."""
        if not self.may_be_any:
            return self
        return Currency(sa.case((self.code == ANY_CURRENCY, other.code), else_=self.code), other.may_be_any)


def currency_of(expression: Expression, resolve: Resolve, say: Say) -> Currency | None:
    """The currency of an amount; None where it is a plain number, or no amount at all."""
    match expression:
        case Literal(currency=str(code)):
            return Currency(sa.literal(code))
        case FieldRef(key) if FIELDS[key].currencies:
            return Currency(folded(resolve(one) for one in FIELDS[key].currencies))
        case Aggregate(_, _, str(key)) if FIELDS[key].currencies:
            return Currency(currency_of_aggregate(expression, say), may_be_any=True)
        case Arithmetic(_, left, right) if type_of(expression) in AMOUNTS:
            return _of_both([currency_of(one, resolve, say) for one in (left, right)])
        case Extreme(_, operands) if type_of(expression) in AMOUNTS:
            return _of_both([currency_of(one, resolve, say) for one in operands])
    return None


def _of_both(found: Iterable[Currency | None]) -> Currency | None:
    together: Currency | None = None
    for one in found:
        together = one if together is None else together if one is None else together.or_that_of(one)
    return together


def where_currencies_agree(
    parts: Iterable[Expression], resolve: Resolve, say: Say, result: ColumnElement[Any]
) -> ColumnElement[Any]:
    """What is made of some quantities, unknown where they are amounts that cannot be put together."""
    found = [one for one in (currency_of(part, resolve, say) for part in parts) if one is not None]
    if len(found) < 2:
        return result
    together, agreed = found[0], []
    for one in found[1:]:
        agreed.append(together.agrees_with(one))
        together = together.or_that_of(one)
    return sa.case((sa.and_(*agreed), result))


def divided(left: ColumnElement[Any], right: ColumnElement[Any]) -> ColumnElement[Any]:
    """One number divided by another as floats; unknown where that is nothing."""
    divisor = sa.case((sa.func.abs(right) >= SMALLEST_DIVISOR, sa.cast(right, sa.Float)))
    return sa.cast(left, sa.Float) / divisor
