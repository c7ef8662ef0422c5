"""The condition language: every operator and unit, every error to the letter, and laws that hold for any text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rules.language.conditions import QuantityError, parse_condition, parse_duration, parse_quantity
from rules.language.errors import ConditionErrors
from rules.language.expressions import (
    And,
    Arithmetic,
    Compare,
    Expression,
    Extreme,
    FieldRef,
    IsUnknown,
    Literal,
    Membership,
    Not,
    Or,
    duration_text,
    fields_of,
    type_of,
)
from rules.language.fields import UNITS, Type
from rules.language.function_words import FUNCTIONS

ONLINE = FieldRef("charger.online")
STATUS = FieldRef("connector.status")
POWER = FieldRef("connector.power")
ENERGY = FieldRef("session.energy")
AGE = FieldRef("charger.heartbeat_age")


def text(value: str) -> Literal:
    return Literal(value, Type.TEXT)


def kw(value: float) -> Literal:
    return Literal(value, Type.POWER)


def seconds(value: float) -> Literal:
    return Literal(value, Type.DURATION)


def number(value: float) -> Literal:
    return Literal(value, Type.NUMBER)


@pytest.mark.parametrize(
    ("condition", "meaning"),
    [
        ('connector.status == "Faulted"', Compare("==", STATUS, text("Faulted"))),
        ("connector.status != 'Faulted'", Compare("!=", STATUS, text("Faulted"))),
        ('"Faulted" == connector.status', Compare("==", text("Faulted"), STATUS)),
        ("connector.power < 7 kW", Compare("<", POWER, kw(7))),
        ("connector.power <= 7 kW", Compare("<=", POWER, kw(7))),
        ("connector.power > 7 kW", Compare(">", POWER, kw(7))),
        ("connector.power>=7kW", Compare(">=", POWER, kw(7))),
        ('connector.status contains "Suspended"', Compare("contains", STATUS, text("Suspended"))),
        ('charger.labels contains "test"', Compare("contains", FieldRef("charger.labels"), text("test"))),
        ('charger.model starts_with "X"', Compare("starts_with", FieldRef("charger.model"), text("X"))),
        (
            'connector.status in ["Faulted", "Reserved",]',
            Membership(STATUS, (text("Faulted"), text("Reserved")), False),
        ),
        ('connector.status not in ["Faulted"]', Membership(STATUS, (text("Faulted"),), True)),
        ("connector.power in [7 kW, -1 W]", Membership(POWER, (kw(7), kw(-0.001)), False)),
        ("connector.status is unknown", IsUnknown(STATUS, False)),
        ("connector.status is not unknown", IsUnknown(STATUS, True)),
        ("(connector.power > 1 kW) is unknown", IsUnknown(Compare(">", POWER, kw(1)), False)),
        ("charger.online", ONLINE),
        ("true", Literal(True, Type.BOOLEAN)),
        ("charger.online == false", Compare("==", ONLINE, Literal(False, Type.BOOLEAN))),
        ("not charger.online", Not(ONLINE)),
        ("!charger.online", Not(ONLINE)),
        ("not not charger.online", Not(Not(ONLINE))),
        ("not charger.online == true", Not(Compare("==", ONLINE, Literal(True, Type.BOOLEAN)))),
        ("charger.online and charger.online", And((ONLINE, ONLINE))),
        ("charger.online && charger.online && charger.online", And((ONLINE, ONLINE, ONLINE))),
        ("charger.online || charger.online or charger.online", Or((ONLINE, ONLINE, ONLINE))),
        ("charger.online or charger.online and not charger.online", Or((ONLINE, And((ONLINE, Not(ONLINE)))))),
        ("(charger.online or charger.online) and charger.online", And((Or((ONLINE, ONLINE)), ONLINE))),
        ("connector.power + 1 kW > 2 kW", Compare(">", Arithmetic("+", POWER, kw(1)), kw(2))),
        (
            "connector.power - 1 kW - 2 kW > 0 kW",
            Compare(">", Arithmetic("-", Arithmetic("-", POWER, kw(1)), kw(2)), kw(0)),
        ),
        (
            "connector.power - (1 kW + 2 kW) > 0 kW",
            Compare(">", Arithmetic("-", POWER, Arithmetic("+", kw(1), kw(2))), kw(0)),
        ),
        (
            "connector.power + 2 * 1 kW > 0 kW",
            Compare(">", Arithmetic("+", POWER, Arithmetic("*", number(2), kw(1))), kw(0)),
        ),
        ("connector.power > 50 % * 7 kW", Compare(">", POWER, Arithmetic("*", Literal(0.5, Type.RATIO), kw(7)))),
        ("min(connector.power, 7 kW) > 1 kW", Compare(">", Extreme("min", (POWER, kw(7))), kw(1))),
        (
            "charger.heartbeat_age > max(2 * charger.heartbeat_interval, 5m)",
            Compare(
                ">",
                AGE,
                Extreme("max", (Arithmetic("*", number(2), FieldRef("charger.heartbeat_interval")), seconds(300))),
            ),
        ),
        ("charger.online\n  and\r\n\tcharger.online", And((ONLINE, ONLINE))),
        (r'charger.name == "a \"b\" \\ \'c\'"', Compare("==", FieldRef("charger.name"), text("a \"b\" \\ 'c'"))),
        ("charger.name == 'Ærø 充电'", Compare("==", FieldRef("charger.name"), text("Ærø 充电"))),
    ],
)
def test_a_condition_means(condition: str, meaning: Expression) -> None:
    assert parse_condition(condition, for_each="connector") == meaning


def test_a_plain_number_compares_with_money() -> None:
    parsed = parse_condition("session.cost + 1 > 5.5", for_each="session")
    assert parsed == Compare(">", Arithmetic("+", FieldRef("session.cost"), number(1)), number(5.5))
    assert isinstance(parsed, Compare)
    assert type_of(parsed.left) is Type.MONEY


@pytest.mark.parametrize(
    ("written", "value", "type_", "unit"),
    [
        ("90s", 90.0, Type.DURATION, "s"),
        ("30m", 1800.0, Type.DURATION, "m"),
        ("2 h", 7200.0, Type.DURATION, "h"),
        ("1.5h", 5400.0, Type.DURATION, "h"),
        ("2d", 172800.0, Type.DURATION, "d"),
        ("1w", 604800.0, Type.DURATION, "w"),
        ("1h30m", 5400.0, Type.DURATION, None),
        ("1d12h30m15s", 131415.0, Type.DURATION, None),
        ("0.1 kWh", 0.1, Type.ENERGY, "kWh"),
        ("100 Wh", 0.1, Type.ENERGY, "Wh"),
        ("2MWh", 2000.0, Type.ENERGY, "MWh"),
        ("7.4 kW", 7.4, Type.POWER, "kW"),
        ("7400 W", 7.4, Type.POWER, "W"),
        ("50 %", 0.5, Type.RATIO, "%"),
        ("7%", 0.07, Type.RATIO, "%"),
        ("12", 12.0, Type.NUMBER, None),
        ("0.25", 0.25, Type.NUMBER, None),
    ],
)
def test_a_literal_is_stored_in_its_base_unit(written: str, value: float, type_: Type, unit: str | None) -> None:
    parsed = parse_condition(f"{written} == {written}", for_each="connector")
    assert isinstance(parsed, Compare)
    assert isinstance(parsed.left, Literal)
    assert (parsed.left.value, parsed.left.type, parsed.left.unit) == (value, type_, unit)
    assert parse_quantity(written) == (value, type_, unit)


def test_every_unit_of_the_catalogue_can_be_written() -> None:
    for name, unit in UNITS.items():
        assert parse_quantity(f"3 {name}") == (float(3 * unit.scale), unit.type, name)


def test_nodes_know_where_they_stand() -> None:
    parsed = parse_condition('charger.online and connector.status == "Faulted"', for_each="connector")
    assert isinstance(parsed, And)
    online, compare = parsed.operands
    assert isinstance(online, FieldRef)
    assert (online.column, online.end) == (1, 15)
    assert isinstance(compare, Compare)
    assert compare.column == 20
    assert isinstance(compare.right, Literal)
    assert (compare.right.column, compare.right.end) == (40, 49)


def test_the_fields_of_a_condition_are_all_that_it_reads() -> None:
    condition = 'not charger.online or max(connector.power, 1 kW) > 2 kW and charger.labels contains "x" is unknown'
    with pytest.raises(ConditionErrors):
        parse_condition(condition, for_each="connector")
    parsed = parse_condition(condition.replace(" is unknown", ""), for_each="connector")
    assert fields_of(parsed) == {"charger.online", "connector.power", "charger.labels"}


STATUSES = (
    '"Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Reserved", '
    '"Unavailable", "Faulted"'
)
VALUE = "a field, a number, a text in quotes or ("

ERRORS = [
    # fields
    ("connector.statu is unknown", 1, 'unknown field "connector.statu"; did you mean "connector.status"?'),
    ('status == "Faulted"', 1, 'unknown field "status"; did you mean "connector.status"?'),
    ("charger.online or xyzzy", 19, 'unknown field "xyzzy"; expected a field of connector, charger or location'),
    (
        "session.energy > 1 kWh",
        1,
        "session.energy cannot be read for each connector; expected a field of connector, charger or location",
    ),
    ("charger.online == TRUE", 19, 'unknown field "TRUE"; did you mean "true"?'),
    ("connector.status == Faulted", 21, 'unknown field "Faulted"; expected a text in quotes: "Faulted"'),
    ("connector.status in [fualted]", 22, 'unknown field "fualted"; expected a text in quotes: "Faulted"'),
    ("North == location.name", 1, 'unknown field "North"; expected a text in quotes: "North"'),
    # values
    (
        'connector.status == "Fualted"',
        21,
        f'connector.status is never "Fualted"; expected one of {STATUSES}; did you mean "Faulted"?',
    ),
    ('connector.status in ["xyz"]', 22, f'connector.status is never "xyz"; expected one of {STATUSES}'),
    # units
    ("connector.power > 5", 19, "5 needs a unit, because connector.power is a power; expected W or kW, as in 7 kW"),
    (
        "5 < charger.heartbeat_age",
        1,
        "5 needs a unit, because charger.heartbeat_age is a duration; expected s, m, h, d or w, as in 30m",
    ),
    ("connector.power > 5 kWh", 19, "connector.power is a power, but 5 kWh is an energy"),
    ("connector.power in [5m]", 21, "connector.power is a power, but 5m is a duration"),
    ("connector.power > 50 %", 19, "connector.power is a power, but 50 % is a percentage"),
    ("connector.power > 5 kw", 19, 'unknown unit "kw"; did you mean "kW"?'),
    ("charger.heartbeat_age > 30minuts", 25, 'unknown unit "minuts"; did you mean "minutes"?'),
    ("charger.heartbeat_age > -30 parsecs", 25, 'unknown unit "parsecs"'),
    ("charger.heartbeat_age > 30m1h", 25, '"30m1h" has its units out of order; did you mean "1h30m"?'),
    ("charger.heartbeat_age > 1h30", 25, '"30" in "1h30" has no unit'),
    ("connector.power > 1kW500W", 19, '"1kW500W" joins units, which only durations can, as in 1h30m'),
    ("charger.heartbeat_age > 1h 30m", 28, 'unexpected "30m"; expected a duration without spaces, as in 1h30m'),
    (f"{'9' * 21} > 1", 1, "a number has 1 to 20 digits"),
    ("charger.heartbeat_age > 9999999999w", 25, '"9999999999w" is too large a number'),
    # types
    ("connector.power", 1, "connector.power is a power, not a condition; expected a comparison"),
    ("not connector.type", 5, "connector.type is a text, not a condition; expected a comparison"),
    ("connector.type == 5", 19, "connector.type is a text, but 5 is a number"),
    ('charger.online == "yes"', 19, 'charger.online is true or false, but "yes" is a text'),
    ('connector.type < "x"', 1, '"<" orders quantities, but connector.type is a text'),
    ('charger.labels == "x"', 1, 'charger.labels is a list of texts; expected "contains" after it'),
    ('charger.labels in ["x"]', 1, 'charger.labels is a list of texts; expected "contains" after it'),
    ('connector.power contains "x"', 1, '"contains" looks into texts, but connector.power is a power'),
    ('charger.labels starts_with "x"', 1, '"starts_with" looks into texts, but charger.labels is a list of texts'),
    ("connector.type contains 5", 25, '"contains" looks for a text, but 5 is a number'),
    ('connector.power * "x" > 1 kW', 19, '"*" needs quantities, but "x" is a text'),
    (
        "connector.power * 2 kW > 1 kW",
        19,
        'connector.power is a power and 2 kW is a power; expected a plain number on one side of "*"',
    ),
    ("connector.power + 5m > 1 kW", 19, "connector.power is a power, but 5m is a duration"),
    ("max(connector.max_power, 5m) > 1 kW", 26, "connector.max_power is a power, but 5m is a duration"),
    ("max(1 kW) > 1 kW", 1, '"max" compares two or more values, as in max(a, b)'),
    ('min("a", 1) > 1', 5, '"min" needs quantities, but "a" is a text'),
    ("maxx(1, 2) > 1", 1, 'unknown function "maxx"; did you mean "max"?'),
    ("zzz(1, 2) > 1", 1, f'unknown function "zzz"; expected {", ".join(FUNCTIONS)}'),
    # what is to come
    # sentences
    ("", 1, "the condition is empty"),
    (" \n ", 1, "the condition is empty"),
    ("connector.status ==", 20, f"the condition ends too early; expected {VALUE}"),
    ("connector.status is", 20, 'the condition ends too early; expected "unknown" or "not unknown"'),
    ("connector.status is not", 24, 'the condition ends too early; expected "unknown"'),
    ("connector.status == unknown", 18, 'unexpected "==" before "unknown"; did you mean "is unknown"?'),
    ("connector.power != unknown", 17, 'unexpected "!=" before "unknown"; did you mean "is not unknown"?'),
    ("1 kW == null", 9, 'unknown field "null"; expected "is unknown" or "is not unknown" after the field'),
    ("connector.status is null", 21, 'unexpected "null"; expected "unknown" or "not unknown"'),
    ('connector.status not "x"', 22, 'unexpected "x"; expected "in"'),
    ('connector.status in "x"', 21, 'unexpected "x"; expected a list, as in [1, 2]'),
    ("connector.status in []", 22, 'unexpected "]"; expected a text in quotes or a number'),
    ('connector.status in ["x" "y"]', 26, 'unexpected "y"; expected "," or "]"'),
    ("(charger.online", 16, 'the condition ends too early; expected an operator, "and", "or" or ")"'),
    ("charger.online)", 15, 'unexpected ")"; expected "and", "or" or the end'),
    ("max(connector.power 5)", 21, 'unexpected "5"; expected "," or ")"'),
    ("charger.online charger.online", 16, 'unexpected "charger.online"; expected an operator, "and", "or" or the end'),
    ("and", 1, f'unexpected "and"; expected {VALUE}'),
    ("-connector.power > 1 kW", 2, 'unexpected "connector.power"; expected a number'),
    ("charger.online AND charger.online", 16, 'unexpected "AND": words are written in lower case; did you mean "and"?'),
    ("connector.power > 5 Or true", 21, 'unexpected "Or": words are written in lower case; did you mean "or"?'),
    (
        "charger.online adn charger.online",
        16,
        'unexpected "adn"; expected an operator, "and", "or" or the end; did you mean "and"?',
    ),
    ("1 < connector.power < 3", 21, 'comparisons cannot be chained; join two with "and"'),
    ("connector.power <> 3 kW", 17, 'unexpected "<>"; did you mean "!="?'),
    # characters
    ('connector.status = "Faulted"', 18, 'unexpected "="; did you mean "=="?'),
    ("connector.power => 3 kW", 17, 'unexpected "="; did you mean ">="?'),
    ("charger.online & true", 16, 'unexpected "&"; did you mean "&&"?'),
    ("charger.online | true", 16, 'unexpected "|"; did you mean "||"?'),
    ('connector.status == "Faulted', 21, "this text has no closing quote"),
    ("connector.status == 'Faulted\"", 21, "this text has no closing quote"),
    ("connector.status == “Faulted”", 21, "this is a curly quote; expected a straight one, \" or '"),
    (
        "connector.power / 2 h > 1 kW",
        19,
        'connector.power is a power and 2h is a duration; expected what is measured alike on both sides of "/"',
    ),
    ("charger.online ; true", 16, 'unexpected ";"'),
    ("charger.online\x00", 15, 'unexpected "\\x00"'),
    (
        r'connector.type == "a\n"',
        19,
        r'"\n" has no meaning in a text; expected a backslash only before \, " or ' + "'",
    ),
    ('connector.type == "a\x00"', 19, "a text cannot hold control characters"),
    ('connector.type == "a\ud800"', 19, "a text cannot hold control characters"),
    # limits
    ("x" * 2001, 2001, "the condition has more than 2,000 characters"),
    (" + ".join(["1"] * 101) + " > 0", 1, "the condition has more than 200 parts"),
    ("not " * 32 + "charger.online", 1, "the condition is more than 32 levels deep"),
]


@pytest.mark.parametrize(("condition", "column", "sentence"), ERRORS, ids=lambda value: ascii(value)[:60])
def test_an_error_says_where_what_and_the_nearest_right_word(condition: str, column: int, sentence: str) -> None:
    with pytest.raises(ConditionErrors) as raised:
        parse_condition(condition, for_each="connector")
    assert [(error.column, error.sentence()) for error in raised.value.errors] == [(column, sentence)]


def test_all_errors_of_types_are_told_together_each_with_a_caret() -> None:
    condition = 'connector.staus is unknown and location.nme == "x"\n  or connector.power > 3 kwh'
    with pytest.raises(ConditionErrors) as raised:
        parse_condition(condition, for_each="connector")
    assert str(raised.value) == (
        'column 1: unknown field "connector.staus"; did you mean "connector.status"?\n'
        '    connector.staus is unknown and location.nme == "x"\n'
        "    ^\n"
        'column 32: unknown field "location.nme"; did you mean "location.name"?\n'
        '    connector.staus is unknown and location.nme == "x"\n'
        "                                   ^\n"
        'column 75: unknown unit "kwh"; did you mean "kWh"?\n'
        "      or connector.power > 3 kwh\n"
        "                           ^"
    )


def test_a_long_line_is_shown_around_its_column() -> None:
    condition = "charger.online and " * 8 + "charger.onlin" + " and charger.online" * 8
    with pytest.raises(ConditionErrors) as raised:
        parse_condition(condition, for_each="connector")
    _, line, caret = str(raised.value).split("\n")
    assert line.startswith("    …")
    assert line.endswith("…")
    assert line[caret.index("^") :].startswith("charger.onlin and")
    assert len(line) < 110


def test_parentheses_alone_add_no_depth() -> None:
    assert parse_condition("(" * 990 + "true" + ")" * 990, for_each="connector") == Literal(True, Type.BOOLEAN)


@pytest.mark.parametrize("nested", ["!" * 1990 + "true", "1" + "+1" * 990 + ">1"])
def test_deep_texts_end_in_an_answer(nested: str) -> None:
    with pytest.raises(ConditionErrors, match="the condition has more than 200 parts"):
        parse_condition(nested, for_each="connector")


@pytest.mark.parametrize(
    ("written", "value"), [("30m", 1800), ("1h30m", 5400), ("1h 30m", 5400), ("2 h", 7200), (" 90s ", 90), ("0s", 0)]
)
def test_a_duration_is_read_in_seconds(written: str, value: float) -> None:
    assert parse_duration(written) == value


@pytest.mark.parametrize(
    ("written", "message", "suggestion"),
    [
        ("30", '"30" has no unit', "30m"),
        ("soon", '"soon" is no duration', "30m"),
        ("-5m", '"-5m" is no duration', "30m"),
        ("", '"" is no duration', "30m"),
        ("5 kWh", '"5 kWh" is an energy, not a duration in s, m, h, d, w', None),
        ("5 houers", 'unknown unit "houers"', "hours"),
        ("5M", 'unknown unit "M"', "m"),
        ("5m;", '"5m;" is no number with a unit', None),
    ],
)
def test_a_bad_duration_says_why(written: str, message: str, suggestion: str | None) -> None:
    with pytest.raises(QuantityError) as raised:
        parse_duration(written)
    assert (raised.value.message, raised.value.suggestion) == (message, suggestion)


@given(st.integers(0, 10**12))
@example(0)
@example(5_400_000)
def test_a_duration_written_is_the_duration_read(milliseconds: int) -> None:
    assert parse_duration(duration_text(milliseconds / 1000)) == milliseconds / 1000


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("5 minutes", 300),
        ("1 hour 30 minutes", 5400),
        ("90 Seconds", 90),
        ("2 days", 172_800),
        ("1 week", 604_800),
        ("30min", 1800),
        ("1hr", 3600),
    ],
)
def test_units_can_be_plain_words(written: str, seconds: int) -> None:
    assert parse_duration(written) == seconds
    if " 30 " not in written:  # in a condition the parts of one duration stand together, as in 1h30m
        assert parse_condition(f"charger.heartbeat_age > {written}", for_each="charger") is not None
