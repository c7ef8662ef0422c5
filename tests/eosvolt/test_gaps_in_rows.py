"""What an account leaves out: sessions without a time, chargers without a location, blocks on some weekdays only."""

from typing import Any

import pytest

from eosvolt.errors import MalformedAnswer
from eosvolt.models import PriceBlock
from tests.eosvolt.wire import Wire, charger, client_of, ok, session


def listed(*rows: Any) -> Any:
    return ok({"data": list(rows), "total": len(rows)})


async def test_a_session_without_any_time_is_read_and_told_and_a_pending_one_lacks_nothing() -> None:
    bare = session("s1", startedAt=None, updatedAt=None)
    pending = session("s2", startedAt=None, status="Pending")
    async with client_of(Wire(listed(bare, pending))) as client:
        fetched = await client.fetch_sessions()
    first, second = fetched.rows
    assert (first.started_at, first.ended_at, first.energy_kwh) == (None, None, 1.5)
    assert (first.unread, second.unread) == (("started_at",), ())
    assert [(one.resource, one.name, one.reason) for one in fetched.unread] == [
        ("session", "started_at", "startedAt: is missing")
    ]
    assert fetched.complete


async def test_a_charger_without_a_location_is_read_and_told() -> None:
    bare = charger("1")
    del bare["locationId"]
    async with client_of(Wire(listed(bare, charger("2")))) as client:
        fetched = await client.fetch_chargers()
    assert [(row.id, row.location_id, row.unread) for row in fetched.rows] == [
        ("1", None, ("location_id",)),
        ("2", "L1", ()),
    ]
    assert [one.reason for one in fetched.unread] == ["locationId: is missing"]


WEEKEND = ("Sat", "Sun")
DAYS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "names": (["SUNDAY", "SATURDAY"], WEEKEND),
    "short names": ("sat, sun", WEEKEND),
    "numbers": ([6, 0], WEEKEND),
    "numbers from 1": (["7", 6], WEEKEND),
    "none": ([], ()),
    "null": (None, ()),
}


@pytest.mark.parametrize("days", DAYS.values(), ids=DAYS)
async def test_a_block_holds_on_its_weekdays(days: tuple[Any, tuple[str, ...]]) -> None:
    given, read = days
    block = {"from": "17:00", "to": "20:00", "price": 0.6, "dayOfWeek": given}
    prices = {"unit": "kWh", "default": 0.4, "currency": "EUR", "blocks": [block]}
    async with client_of(Wire(ok(prices))) as client:
        assert (await client.fetch_price("L1")).blocks == (PriceBlock("17:00", "20:00", 0.6, read),)


async def test_a_day_that_is_none_makes_the_prices_unknown() -> None:
    block = {"from": "17:00", "to": "20:00", "price": 0.6, "days": ["holiday"]}
    async with client_of(Wire(ok({"default": 0.4, "blocks": [block]}))) as client:
        with pytest.raises(MalformedAnswer, match='days: "holiday" is no weekday'):
            await client.fetch_price("L1")
