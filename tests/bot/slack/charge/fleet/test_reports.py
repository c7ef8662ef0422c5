"""Reports and health in Slack: the platform's own figures, and how well Chargehand itself works."""

from datetime import UTC, date, datetime

import pytest

from bot.slack.charge.fleet.reports import period_of
from tests.bot.house import House, polled_anew


@pytest.mark.parametrize(
    ("word", "first", "last", "since", "until"),
    [
        ("day", date(2026, 3, 29), date(2026, 3, 29), "2026-03-28T23:00", "2026-03-29T22:00"),
        ("week", date(2026, 3, 23), date(2026, 3, 29), "2026-03-22T23:00", "2026-03-29T22:00"),
        ("month", date(2026, 2, 1), date(2026, 2, 28), "2026-01-31T23:00", "2026-02-28T23:00"),
    ],
)
def test_a_period_is_the_last_full_one_in_its_zone(word: str, first: date, last: date, since: str, until: str) -> None:
    now = datetime(2026, 3, 30, 0, 30, tzinfo=UTC)
    moments = tuple(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (since, until))
    assert period_of(word, "Europe/Copenhagen", now) == (first, last, *moments)


async def test_a_report_has_the_platforms_figures(house: House) -> None:
    shown = (await house.ask("report week")).plain()
    assert "Sessions completed: *" in shown
    assert "all locations" in shown
    location_id = next(iter(house.fleet.world.locations)).id
    assert f"`{location_id}`" in (await house.ask(f"report {location_id}")).plain()
    assert "There is no location with the id" in (await house.ask("report day nowhere")).plain()


async def test_a_fault_of_eosvolt_is_told_with_its_mend(house: House) -> None:
    house.running.client._exchange._attempts = 1
    house.api.faults.html = 1_000
    shown = (await house.ask("report")).plain()
    assert "EOSVOLT could not be asked" in shown
    assert "/charge report" in shown


async def test_health_tells_of_polls_slack_and_what_was_set_aside(house: House) -> None:
    await polled_anew(house.running)
    shown = (await house.ask("health", "vera")).plain()
    assert "chargers: " in shown
    assert "one poll every 1 s" in shown
    assert "Socket Mode: connected" in shown
    assert "Nothing waits to be said" in shown


async def test_health_says_what_is_not_well(house: House) -> None:
    house.api.faults.forbidden = frozenset({"sessions"})
    house.fleet.world.connectors[house.free()][1]["status"] = "<!channel> Strange"
    await polled_anew(house.running)
    shown = (await house.ask("health", "vera")).plain()
    assert "not in the key's rights: sessions" in shown
    assert "is not in this account's EOSVOLT plan" in (await house.ask("sessions", "vera")).plain()
