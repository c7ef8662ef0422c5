"""Quotients and amounts as the databases compute them: nothing divides by nothing, and no currency is converted."""

from datetime import timedelta
from typing import Any

import pytest

from commands.requests.prices import as_text
from eosvolt.models import PricingReading
from storage.engine import Database
from storage.recording.prices import record_prices
from tests.readings import MINUTE, T0, charger, connector, location, record_poll, session
from tests.rules.matching.asked_of_sql import answers, forgotten

NOW = T0 + 60 * MINUTE
OVER = {"ended_at": NOW, "status": "Completed"}


def asked(
    database: Database, condition: str, *sessions: Any, currency: str | None = "EUR", for_each: str = "session"
) -> Any:
    """What SQL says of session s1, or of the location."""
    with forgotten(database) as connection:
        record_poll(connection, T0, location("l1", currency=currency, timezone="UTC"), resource="locations")
        record_poll(connection, T0, charger(connector("c1", "Charging", power_kw=2.0)))
        record_prices(connection, {"l1": as_text(PricingReading("l1", "kWh", 0.5))}, T0)
        record_poll(connection, NOW, *sessions, resource="sessions")
        return answers(connection, for_each, condition, NOW)["s1" if for_each == "session" else "l1"]


def one(id_: str = "s1", **values: Any) -> Any:
    given = {"connector_id": "c1", "charger_id": "ch1", "location_id": "l1", "status": "Active", **values}
    return session(id_, started=NOW - timedelta(hours=1), **given)


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("session.cost / session.energy > 0.90 EUR/kWh", {"cost": 10.0, "energy_kwh": 10.0}, True),
        ("session.cost / session.energy > 0.90 EUR/kWh", {"cost": 9.0, "energy_kwh": 10.0}, False),
        ("session.cost / session.energy > 0.90 EUR/kWh", {"cost": 9.0, "energy_kwh": 0.0}, None),
        ("session.cost / session.energy > 0.90 EUR/kWh", {"cost": 10.0, "energy_kwh": 10.0, "currency": "eur"}, True),
        ("session.cost / session.energy > 0.90 EUR/kWh", {"cost": 10.0, "energy_kwh": 1.0, "currency": "SEK"}, None),
        ("session.energy < 3 kW * session.duration", {"energy_kwh": 2.9}, True),
        ("session.energy < 3 kW * session.duration", {"energy_kwh": 3.0}, False),
        ("session.energy / session.duration < 3 kW", {"energy_kwh": 2.9}, True),
        ("session.cost > location.price * session.energy", {"cost": 5.01, "energy_kwh": 10.0}, True),
        ("session.cost > location.price * session.energy", {"cost": 9, "energy_kwh": 1.0, "currency": "NOK"}, None),
        ("session.cost in [4 EUR, 5 EUR]", {"cost": 5.0}, True),
        ("session.cost not in [4 EUR, 5 EUR]", {"cost": 5.0, "currency": "SEK"}, None),
        ("session.cost > 5", {"cost": 6.0, "currency": "SEK"}, True),
        ("(session.cost + 1 EUR) is unknown", {"cost": 6.0, "currency": "SEK"}, True),
    ],
)
def test_a_quotient_and_an_amount_are_what_both_databases_say(
    database: Database, condition: str, values: dict[str, Any], expected: bool | None
) -> None:
    assert asked(database, condition, one(**values)) is expected


@pytest.mark.parametrize(
    ("currencies", "expected"),
    [
        (["EUR", "eur", None], True),  # without one of its own, a session is in its location's
        (["EUR", "SEK", "EUR"], None),
        ([], False),  # nothing is less than any amount
    ],
)
def test_a_sum_over_several_currencies_is_unknown(
    database: Database, currencies: list[str | None], expected: bool | None
) -> None:
    ended = [one(f"s{n}", cost=40.0, currency=code, **OVER) for n, code in enumerate(currencies)]
    condition = "sum(location.sessions.cost, 2h) > 100 EUR"
    assert asked(database, condition, *ended, for_each="location") is expected


def test_an_amount_whose_currency_nobody_names_is_compared_with_plain_numbers_alone(database: Database) -> None:
    told = [one(cost=6.0)]
    assert asked(database, "session.cost > 5 EUR", *told, currency=None) is None
    assert asked(database, "session.cost > 5", *told, currency=None) is True


def test_a_price_has_a_history(database: Database) -> None:
    with forgotten(database) as connection:
        record_poll(connection, T0, location("l1", currency="EUR"), resource="locations")
        for minutes, default in ((0, 0.5), (10, 0.6), (20, 0.6), (30, 0.5)):
            told = as_text(PricingReading("l1", "kWh", default))
            record_prices(connection, {"l1": told}, T0 + minutes * MINUTE)
        said = answers(connection, "location", "changes(location.price, 45m) == 2", T0 + 45 * MINUTE)
        risen = answers(connection, "location", "changes(location.price > 0.55 EUR/kWh, 45m) == 2", T0 + 45 * MINUTE)
        record_prices(connection, {"l1": as_text(PricingReading("l1", "minute", 0.5))}, T0 + 46 * MINUTE)
        per_minute = answers(connection, "location", "location.price is unknown", T0 + 46 * MINUTE)
    assert (said, risen, per_minute) == ({"l1": True}, {"l1": True}, {"l1": True})
