"""Laws of the condition language: any text ends in an answer, and what is written parses to what was meant."""

import typing

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules.language.conditions import MAX_CHARACTERS, WORDS, parse_condition, parse_quantity
from rules.language.errors import ConditionErrors
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
    to_text,
)
from rules.language.fields import FIELDS, THINGS, UNITS, Type, fields_for, units_of
from rules.language.function_words import FUNCTIONS

ALPHABET = "\"'\\ ()[],.=!<>&|+-*/%;\n\tab09_é“\x00"
SIGNS = '== != < >= [ ] ( ) , + - * && || ! min( max( \\ " where AND Faulted "Faulted" \'x\' 1 30m 0.1kWh 50%'
FRAGMENTS = st.sampled_from([*WORDS, *FIELDS, *UNITS, *FUNCTIONS, *SIGNS.split(), " "])
ANY_TEXT = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=ALPHABET, max_size=80),
    st.lists(FRAGMENTS, max_size=25).map(" ".join),
    st.lists(FRAGMENTS, max_size=25).map("".join),
    st.text(alphabet="(!-1+", max_size=MAX_CHARACTERS + 5),
    st.text(alphabet=st.characters(), max_size=30),
)


@settings(max_examples=600)
@given(ANY_TEXT, st.sampled_from(THINGS))
@example("\ud800", "connector")
@example("1" * 2000, "connector")
def test_no_text_raises_anything_but_our_own_errors(condition: str, for_each: str) -> None:
    try:
        parsed = parse_condition(condition, for_each=for_each)
    except ConditionErrors as refused:
        columns = [error.column for error in refused.errors]
        told = str(refused)
    else:
        assert parse_condition(to_text(parsed), for_each=for_each) == parsed
        return
    assert columns
    assert all(1 <= column <= MAX_CHARACTERS + 1 for column in columns)
    assert told.count("^") >= len(columns)


SUMS: list[typing.Literal["+", "-"]] = ["+", "-"]
EXTREMES: list[typing.Literal["min", "max"]] = ["min", "max"]
EQUALITIES: list[Comparator] = ["==", "!="]
TEXT_COMPARATORS: list[Comparator] = ["==", "!=", "contains", "starts_with"]
COMPARATORS: list[Comparator] = ["==", "!=", "<", "<=", ">", ">="]
SAFE_TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=8)


AMOUNT_UNITS = {
    Type.MONEY: ("EUR", "SEK"),
    Type.PRICE: ("EUR/kWh", "SEK/MWh", "USD/Wh"),
    Type.RATE: ("EUR/h", "SEK/m", "USD/d"),
}


@st.composite
def literals(draw: st.DrawFn, type_: Type) -> Literal:
    """Any literal as it may be written: at most 12 digits, of any unit that fits, of either sign."""
    sign, whole, fraction = draw(st.sampled_from(["", "-"])), draw(st.integers(0, 10**6)), draw(st.integers(0, 10**6))
    units = AMOUNT_UNITS.get(type_) or units_of(type_)
    unit = draw(st.sampled_from(units)) if units else ""
    value, _, _ = parse_quantity(f"{whole}.{fraction:06d} {unit}")
    currency = unit.partition("/")[0] if type_ in AMOUNT_UNITS else None
    return Literal(-value if sign else value, type_, draw(st.sampled_from([unit or None, None])), currency)


@st.composite
def quantities(draw: st.DrawFn, for_each: str, type_: Type, depth: int = 2) -> Expression:
    """A quantity of `type_`: a literal, a field, or sums, products and extremes of them."""
    form = draw(
        st.sampled_from(["literal", "field", "sum", "product", "part", "extreme"] if depth else ["literal", "field"])
    )
    below = quantities(for_each, type_, depth - 1)
    if form == "sum":
        return Arithmetic(draw(st.sampled_from(SUMS)), draw(below), draw(below))
    if form == "product":
        factor = draw(literals(draw(st.sampled_from([Type.NUMBER, Type.RATIO]))))
        sides = draw(st.permutations([factor, draw(below)]))
        return Arithmetic("*", sides[0], sides[1])
    if form == "part":
        return Arithmetic("/", draw(below), draw(literals(draw(st.sampled_from([Type.NUMBER, Type.RATIO])))))
    if form == "extreme":
        return Extreme(draw(st.sampled_from(EXTREMES)), tuple(draw(st.lists(below, min_size=2, max_size=3))))
    keys = [spec.key for spec in fields_for(for_each) if spec.type is type_]
    return FieldRef(draw(st.sampled_from(keys))) if form == "field" and keys else draw(literals(type_))


@st.composite
def leaves(draw: st.DrawFn, for_each: str) -> Expression:
    """A condition that holds no other."""
    form = draw(st.sampled_from(["quantity", "text", "list", "unknown", "constant"]))
    if form == "quantity":
        type_ = draw(st.sampled_from([Type.DURATION, Type.ENERGY, Type.POWER, Type.NUMBER, *AMOUNT_UNITS]))
        side = quantities(for_each, type_)
        return Compare(draw(st.sampled_from(COMPARATORS)), draw(side), draw(side))
    if form == "constant":
        return Literal(draw(st.booleans()), Type.BOOLEAN)
    specs = [spec for spec in fields_for(for_each) if form == "unknown" or spec.type is Type.TEXT]
    field = FieldRef(draw(st.sampled_from([spec.key for spec in specs])))
    if form == "unknown":
        return IsUnknown(field, draw(st.booleans()))
    texts = st.builds(Literal, SAFE_TEXT, st.just(Type.TEXT))
    if form == "text":
        return Compare(draw(st.sampled_from(TEXT_COMPARATORS)), field, draw(texts))
    return Membership(field, tuple(draw(st.lists(texts, min_size=1, max_size=3))), draw(st.booleans()))


@st.composite
def conditions(draw: st.DrawFn, for_each: str, depth: int = 3) -> Expression:
    """Any condition that a rule `for_each` thing can have."""
    form = draw(st.sampled_from(["leaf", "and", "or", "not", "unknown", "equal"])) if depth else "leaf"
    below = conditions(for_each, depth - 1)
    if form in {"and", "or"}:
        operands = tuple(draw(st.lists(below, min_size=2, max_size=3)))
        # the parser joins `a and (b and c)` only where no parentheses stand, so any nesting may be drawn
        return And(operands) if form == "and" else Or(operands)
    if form == "not":
        return Not(draw(below))
    if form == "unknown":
        return IsUnknown(draw(below), draw(st.booleans()))
    if form == "equal":
        return Compare(draw(st.sampled_from(EQUALITIES)), draw(below), draw(below))
    return draw(leaves(for_each))


@settings(max_examples=150)
@given(st.sampled_from(THINGS).flatmap(lambda thing: st.tuples(st.just(thing), conditions(thing))))
def test_the_text_of_a_condition_parses_to_that_condition(case: tuple[str, Expression]) -> None:
    for_each, condition = case
    assert parse_condition(to_text(condition), for_each=for_each) == condition
