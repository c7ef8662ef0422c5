"""An export counts a session on the day that a digest and a report count it on: its location's own."""

from datetime import UTC, date, datetime, timedelta

from bot.slack.charge.fleet.places import places_of
from eosvolt.models import SessionReading
from notify.digests.session_figures import session_digest
from rules.documents.windows import one_day
from storage.engine import Database
from tests.notify.records import insert_location, insert_session

SUNDAY = date(2026, 3, 1)
EVENING = datetime(2026, 3, 2, 1, tzinfo=UTC)  # Sunday 20:00 in New York, Monday 02:00 in Copenhagen


def session(name: str, ended_at: datetime | None, place: str | None, currency: str | None = None) -> SessionReading:
    known = {"type": None, "fail_reason": None, "started_at": EVENING - timedelta(hours=2), "cost": 3.0}
    return SessionReading(
        id=name,
        connector_id="c1",
        charger_id=None,
        location_id=place,
        status="Completed",
        ended_at=ended_at,
        currency=currency,
        **known,  # type: ignore[arg-type]
    )


def test_export_and_digest_agree_on_the_date_of_a_session(database: Database) -> None:
    with database.write() as connection:
        insert_location(connection, "NY1", timezone="America/New_York", currency="usd")
        insert_location(connection, "CPH")
        insert_session(connection, "a", EVENING, location_id="NY1")
        insert_session(connection, "b", EVENING, location_id="CPH")
        counted = session_digest(connection, None, one_day(SUNDAY), EVENING, default_zone="Europe/Copenhagen")
        here, everywhere = (places_of(connection, "Europe/Copenhagen", place) for place in ("NY1", None))
    assert counted["sessions"] == 1
    assert here.bounds(SUNDAY, SUNDAY) == (datetime(2026, 3, 1, 5, tzinfo=UTC), datetime(2026, 3, 2, 5, tzinfo=UTC))
    since, until = everywhere.bounds(SUNDAY, SUNDAY)
    assert (since, until) == (datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 2, 5, tzinfo=UTC))
    told = [session("a", EVENING, "NY1"), session("b", EVENING, "CPH"), session("stray", EVENING, None)]
    assert [one.id for one in everywhere.told_of(told, SUNDAY, SUNDAY)] == ["a"]
    assert [one.id for one in everywhere.told_of(told, SUNDAY + timedelta(days=1), SUNDAY + timedelta(days=1))] == [
        "b",
        "stray",
    ]


def test_a_cost_without_a_currency_is_in_its_location_s_and_codes_are_in_upper_case(database: Database) -> None:
    with database.write() as connection:
        insert_location(connection, "NY1", timezone="America/New_York", currency="usd")
        places = places_of(connection, "UTC")
    told = [session("a", EVENING, "NY1"), session("b", EVENING, "NY1", "eur"), session("c", EVENING, None)]
    assert [one.currency for one in places.told_of(told, SUNDAY, SUNDAY + timedelta(days=1))] == ["USD", "EUR", None]
