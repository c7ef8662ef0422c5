"""Any condition over a small fleet, with literals from the same few values as the fleet's, so that they often meet."""

from typing import Any, TypeVar
from typing import Literal as OneOf

from hypothesis import strategies as st

from rules.language.expressions import (
    And,
    Arithmetic,
    Comparator,
    Compare,
    Expression,
    Extreme,
    FieldRef,
    IsUnknown,
    Literal,
    Membership,
    Not,
    Or,
    type_of,
)
from rules.language.fields import FieldSpec, Type, fields_for
from tests.rules.matching.worlds import NUMBERS, TEXTS

T = TypeVar("T")

READABLE = ("1.4", "v1.10", "1.9.0", "1.10.0", "2")

QUANTITIES = (
    *(Type.DURATION, Type.ENERGY, Type.POWER, Type.NUMBER, Type.RATIO),
    *(Type.MONEY, Type.PRICE, Type.RATE),
)
SCALARS = (Type.NUMBER, Type.RATIO)
SUMS: list[OneOf["+", "-"]] = ["+", "-"]
EXTREMES: list[OneOf["min", "max"]] = ["min", "max"]
EQUALITIES: list[Comparator] = ["==", "!="]
ORDERINGS: list[Comparator] = ["==", "!=", "<", "<=", ">", ">="]
TEXT_COMPARATORS: list[Comparator] = ["==", "!=", "contains", "starts_with"]
STATUS_WORDS = ("Faulted", "faulted", "Rebooting", "Parked", "Active")


def _of_type(for_each: str, *types: Type) -> list[FieldSpec]:
    return [spec for spec in fields_for(for_each) if spec.type in types]


def _literals(spec: FieldSpec) -> st.SearchStrategy[Literal]:
    """A text that the field may hold, or one that it never does."""
    if spec.values:
        return st.builds(Literal, st.sampled_from(spec.values), st.just(Type.TEXT))
    return st.builds(Literal, st.sampled_from([*TEXTS, *STATUS_WORDS]), st.just(Type.TEXT))


MADE: dict[Type, list[tuple[OneOf["*", "/"], Type, Type]]] = {
    Type.ENERGY: [("*", Type.POWER, Type.DURATION), ("*", Type.DURATION, Type.POWER), ("/", Type.MONEY, Type.PRICE)],
    Type.POWER: [("/", Type.ENERGY, Type.DURATION), ("/", Type.RATE, Type.PRICE)],
    Type.DURATION: [("/", Type.ENERGY, Type.POWER), ("/", Type.MONEY, Type.RATE)],
    Type.MONEY: [("*", Type.PRICE, Type.ENERGY), ("*", Type.RATE, Type.DURATION)],
    Type.PRICE: [("/", Type.MONEY, Type.ENERGY), ("/", Type.RATE, Type.POWER)],
    Type.RATE: [("/", Type.MONEY, Type.DURATION), ("*", Type.POWER, Type.PRICE)],
    Type.RATIO: [("/", one, one) for one in (Type.ENERGY, Type.DURATION, Type.POWER, Type.MONEY, Type.PRICE)],
    Type.NUMBER: [("/", Type.NUMBER, Type.NUMBER), ("/", Type.NUMBER, Type.RATIO)],
}
"""Each type, and the products and quotients that make it."""
CODES = ("EUR", "EUR", "SEK")
AMOUNTS = {Type.MONEY: "{}", Type.PRICE: "{}/kWh", Type.RATE: "{}/h"}


@st.composite
def _constants(draw: st.DrawFn, type_: Type) -> Literal:
    number = draw(st.sampled_from(NUMBERS))
    if type_ not in AMOUNTS or (type_ is Type.MONEY and draw(st.booleans())):
        return Literal(number, Type.NUMBER if type_ is Type.MONEY else type_)
    code = draw(st.sampled_from(CODES))
    return Literal(number, type_, AMOUNTS[type_].format(code), code)


@st.composite
def _quantities(draw: st.DrawFn, for_each: str, type_: Type, depth: int = 2) -> Expression:  # noqa: PLR0911 - one a form
    plain = draw(_constants(type_))
    forms = ["literal", "field", "sum", "product", "made", "part", "extreme"] if depth else ["literal", "field"]
    form = draw(st.sampled_from(forms))
    specs = _of_type(for_each, type_)
    below = _quantities(for_each, type_, depth - 1)
    if form == "field" and specs:
        return FieldRef(draw(st.sampled_from(specs)).key)
    if form == "sum":
        return Arithmetic(draw(st.sampled_from(SUMS)), draw(below), draw(below))
    if form == "product" and type_ not in SCALARS:
        factor = Literal(draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(SCALARS)))
        sides = draw(st.permutations([factor, draw(below)]))
        return Arithmetic("*", sides[0], sides[1])
    if form == "part" and type_ not in SCALARS:
        return Arithmetic("/", draw(below), Literal(draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(SCALARS))))
    if form == "made":
        op, left, right = draw(st.sampled_from(MADE[type_]))
        sides = [draw(_measured(for_each, one, depth - 1)) for one in (left, right)]
        return Arithmetic(op, sides[0], sides[1])
    if form == "extreme":
        return Extreme(draw(st.sampled_from(EXTREMES)), tuple(draw(st.lists(below, min_size=2, max_size=3))))
    return plain


def _measured(for_each: str, type_: Type, depth: int) -> st.SearchStrategy[Expression]:
    """A quantity of this type, of which the unit can be seen: a plain number is an amount only beside another one."""
    return _quantities(for_each, type_, depth).filter(lambda made: type_of(made) is type_)


@st.composite
def _comparisons(draw: st.DrawFn, for_each: str) -> Expression:
    kinds = [type_ for type_ in QUANTITIES if type_ in {*SCALARS, Type.RATE} or _of_type(for_each, type_)]
    type_ = draw(st.sampled_from(kinds))
    return Compare(
        draw(st.sampled_from(ORDERINGS)), draw(_quantities(for_each, type_)), draw(_quantities(for_each, type_))
    )


@st.composite
def _text_tests(draw: st.DrawFn, for_each: str) -> Expression:
    spec = draw(st.sampled_from(_of_type(for_each, Type.TEXT, Type.ENUM)))
    field = FieldRef(spec.key)
    form = draw(st.sampled_from(["literal", "field", "member"]))
    if form == "member":
        return Membership(field, tuple(draw(st.lists(_literals(spec), min_size=1, max_size=3))), draw(st.booleans()))
    if form == "field":
        other = draw(st.sampled_from(_of_type(for_each, Type.TEXT, Type.ENUM)))
        return Compare(draw(st.sampled_from(TEXT_COMPARATORS)), field, FieldRef(other.key))
    return Compare(draw(st.sampled_from(TEXT_COMPARATORS)), field, draw(_literals(spec)))


@st.composite
def _others(draw: st.DrawFn, for_each: str) -> Expression:
    """What is left: unknown or not, truths of their own, lists of texts."""
    forms = ["unknown", "constant"] + (["truth", "member"] if _of_type(for_each, Type.BOOLEAN) else [])
    forms += ["version"] if any(spec.is_version for spec in fields_for(for_each)) else []
    forms += ["list"] if _of_type(for_each, Type.TEXTS) else []
    form = draw(st.sampled_from(forms))
    constant = Literal(draw(st.booleans()), Type.BOOLEAN)
    if form == "unknown":
        return IsUnknown(FieldRef(draw(st.sampled_from(fields_for(for_each))).key), draw(st.booleans()))
    if form == "constant":
        return constant
    if form == "version":
        version: Expression = Literal(draw(st.sampled_from(READABLE)), Type.TEXT)
        both: list[Expression] = [FieldRef("charger.firmware"), version]
        sides = draw(st.permutations(both))
        return Compare(draw(st.sampled_from(ORDERINGS)), sides[0], sides[1])
    if form == "list":
        labels = FieldRef(draw(st.sampled_from(_of_type(for_each, Type.TEXTS))).key)
        return Compare("contains", labels, Literal(draw(st.sampled_from(TEXTS)), Type.TEXT))
    field = FieldRef(draw(st.sampled_from(_of_type(for_each, Type.BOOLEAN))).key)
    return field if form == "truth" else Membership(field, (constant,), draw(st.booleans()))


@st.composite
def conditions(draw: st.DrawFn, for_each: str, depth: int = 3) -> Expression:
    """Any condition that a rule `for_each` thing can have."""
    forms: list[Any] = ["and", "or", "not", "unknown", "equal"] if depth else []
    form = draw(st.sampled_from([*forms, _comparisons, _text_tests, _others]))
    below = conditions(for_each, depth - 1)
    if form == "and":
        return And(tuple(draw(st.lists(below, min_size=2, max_size=3))))
    if form == "or":
        return Or(tuple(draw(st.lists(below, min_size=2, max_size=3))))
    if form == "not":
        return Not(draw(below))
    if form == "unknown":
        return IsUnknown(draw(below), draw(st.booleans()))
    if form == "equal":
        return Compare(draw(st.sampled_from(EQUALITIES)), draw(below), draw(below))
    found: Expression = draw(form(for_each))
    return found
