"""Amounts of money in a condition: their currencies, what is made of them, and what cannot be put together."""

import pytest

from rules.language.conditions import parse_condition
from rules.language.errors import ConditionErrors
from rules.language.expressions import Compare, Literal, to_text
from rules.language.fields import Type


@pytest.mark.parametrize(
    ("written", "value", "type_", "currency", "shown"),
    [
        ("5 EUR", 5.0, Type.MONEY, "EUR", "5 EUR"),
        ("-5EUR", -5.0, Type.MONEY, "EUR", "-5 EUR"),
        ("0.90 EUR/kWh", 0.9, Type.PRICE, "EUR", "0.9 EUR/kWh"),
        ("90 SEK/MWh", 0.09, Type.PRICE, "SEK", "90 SEK/MWh"),
        ("6 EUR/h", 6.0, Type.RATE, "EUR", "6 EUR/h"),
        ("0.1 EUR/min", 6.0, Type.RATE, "EUR", "0.1 EUR/m"),
        ("0.1 EUR/minute", 6.0, Type.RATE, "EUR", "0.1 EUR/m"),
    ],
)
def test_an_amount_is_written_with_its_currency(
    written: str, value: float, type_: Type, currency: str, shown: str
) -> None:
    left = {Type.MONEY: "session.cost", Type.PRICE: "location.price", Type.RATE: "session.cost / session.duration"}
    condition = parse_condition(f"{left[type_]} > {written}", for_each="session")
    assert isinstance(condition, Compare)
    assert condition.right == Literal(value, type_, None, currency)
    assert to_text(condition) == f"{left[type_]} > {shown}"


@pytest.mark.parametrize(
    "condition",
    [
        "session.cost / session.energy > 0.90 EUR/kWh",
        "session.energy < 3 kW * session.duration",
        "session.energy / session.duration < 3 kW",
        "session.energy / 3 kW > session.duration",
        "session.cost > location.price * session.energy + 1 EUR",
        "session.cost / location.price > session.energy",
        "session.cost / 2 > 5 EUR",
        "session.cost / session.duration > 6 EUR/h",
        "connector.power / connector.max_power > 0.5",
        "connector.power / connector.max_power > 50 %",
        "connector.power/connector.max_power > 50 %",
        "session.cost in [5 EUR, 10 EUR]",
        "session.cost > 5",
        "sum(location.sessions.cost, 24h) > 100 EUR",
        "location.price * connector.power > 6 EUR/h",
    ],
)
def test_products_and_quotients_whose_units_go_together_can_be_said(condition: str) -> None:
    parsed = parse_condition(condition, for_each="session")
    assert parse_condition(to_text(parsed), for_each="session") == parsed


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("session.cost > 5 kWh", "session.cost is an amount of money, but 5 kWh is an energy"),
        ("session.energy > 5 EUR", "session.energy is an energy, but 5 EUR is an amount of money"),
        ("count(location.sessions) > 5 EUR", "count(location.sessions) is a number, but 5 EUR is an amount of money"),
        ("location.price > 0.9", "0.9 needs a unit, because location.price is a price of energy"),
        ("location.price > 0.9 EUR", "location.price is a price of energy, but 0.9 EUR is an amount of money"),
        ("session.cost / session.energy > 0.9 EUR/h", "is a price of energy, but 0.9 EUR/h is a price of time"),
        ("session.energy * session.energy > 1 kWh", "session.energy is an energy and session.energy is an energy"),
        ("session.energy / session.cost > 1 kWh", "session.energy is an energy and session.cost is an amount of money"),
        ("5 / session.energy > 1 kWh", "5 is a number and session.energy is an energy"),
        ("session.cost > 5 eur", 'unknown unit "eur"; did you mean "EUR"?'),
        ("location.price > 5 EUR/kwh", 'unknown unit "EUR/kwh"; did you mean "EUR/kWh"?'),
        ("location.price > 5 EUR/kW", 'unknown unit "EUR/kW"; did you mean "EUR/kWh"?'),
        ("session.cost > 5 XYZ", 'unknown unit "XYZ"'),
        ("session.cost > 5 €", 'unexpected "€"; expected the code after the number, as in 0.90 EUR/kWh'),
        ('charger.firmware < "1.4-rc"', '"1.4-rc" is no version that can be read; expected numbers with dots'),
    ],
)
def test_different_units_are_an_error(condition: str, message: str) -> None:
    with pytest.raises(ConditionErrors) as raised:
        parse_condition(condition, for_each="session")
    assert message in str(raised.value)


def test_an_amount_is_written_with_no_more_digits_than_it_needs() -> None:
    text = "0 EUR/h == 0.000001 USD/d"
    assert to_text(parse_condition(text, for_each="connector")) == text
