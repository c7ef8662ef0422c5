"""The pace of polling: slower after a 429, said once, by Retry-After where there is one, and back again when well."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from bot.service.polling.pace import LONGEST_PAUSE, OFTEN, pace_after
from bot.service.polling.poll_plan import PollPlan
from eosvolt.errors import RateLimited, ServerFault, Timeout
from eosvolt.models import Fetched
from storage.engine import Database
from storage.health import GOOD, Counted, Pace, load_pace, poll_health, record_counts, store_pace
from storage.polls import PollState
from storage.schema import GAP
from tests.bot.service.hostile.faults import SPOILS, Spoil
from tests.bot.service.hostile.fleet import MINUTE, poller
from tests.eosvolt.wire import Wire, charger, client_of, failed, ok

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
GOOD_POLL: Fetched[Any] = Fetched()
LIMITED: Fetched[Any] = Fetched(complete=False, error=RateLimited())


def limited(seconds: float) -> Fetched[Any]:
    return Fetched(complete=False, error=RateLimited(retry_after=seconds))


def test_each_429_doubles_the_interval_up_to_eight_and_each_good_poll_halves_it() -> None:
    pace, told = Pace(), []
    for fetched in [LIMITED] * 5 + [GOOD_POLL] * 4:
        pace = pace_after(pace, [fetched], NOW, MINUTE)
        told.append(pace.slowness)
    assert told == [2, 4, 8, 8, 8, 4, 2, 1, 1]
    assert pace == Pace()


def test_a_call_that_succeeded_after_a_429_slows_down_too() -> None:
    assert pace_after(Pace(), [Fetched(retries=("rate_limited",))], NOW, MINUTE).slowness == 2


def test_other_faults_leave_the_pace_as_it_is() -> None:
    slow = Pace(slowness=4, slowed_at=NOW)
    for error in (Timeout(), ServerFault()):
        assert pace_after(slow, [Fetched(complete=False, error=error)], NOW, MINUTE).slowness == 4
        assert pace_after(Pace(), [Fetched(complete=False, error=error)], NOW, MINUTE) == Pace()


@pytest.mark.parametrize(
    ("answer", "elapsed", "wait"),
    [
        (limited(300), 0.2, timedelta(seconds=300)),
        (limited(300), 12.1, timedelta(seconds=313)),
        (limited(1), 0, timedelta(seconds=114)),
        (limited(10**9), 0, LONGEST_PAUSE),
        (Fetched(complete=False, error=ServerFault(retry_after=90)), 0, timedelta(seconds=90)),
    ],
    ids=["named", "counted from the end of the calls", "shorter than our own", "as if for ever", "of a 503"],
)
def test_retry_after_is_obeyed(answer: Fetched[Any], elapsed: float, wait: timedelta) -> None:
    assert pace_after(Pace(), [GOOD_POLL, answer], NOW, MINUTE, elapsed).not_before == NOW + wait


def test_the_pace_survives_a_restart(database: Database) -> None:
    pace = Pace(4, NOW, NOW + MINUTE, timedelta(seconds=-90))
    with database.write() as connection:
        store_pace(connection, Pace(2, NOW))
        store_pace(connection, pace)
    with database.read() as connection:
        assert load_pace(connection) == pace
        assert poll_health(connection, NOW).paused_until == NOW + MINUTE
        assert poll_health(connection, NOW + MINUTE).paused_until is None


def test_counts_add_up(database: Database) -> None:
    for count in (1, 2):
        with database.write() as connection:
            record_counts(connection, [Counted("api", "paused", count=count), Counted("chargers", GOOD)], NOW)
    with database.read() as connection:
        assert poll_health(connection, NOW).rate_limit_pauses == 3


async def test_slowing_down_and_speeding_up_are_each_said_once(sqlite: Database, tmp_path: Path) -> None:
    async with poller(sqlite, tmp_path) as ill:
        await ill.poll(2)
        with capture_logs() as logs:
            ill.wire.spoil, calls = SPOILS["429 without Retry-After"][0], ill.wire.calls
            await ill.poll(12)
            assert ill.health().slowness == 8
            # at minutes 1, 3 and 7 only, two calls each: two that are limited are the whole account
            assert ill.wire.calls - calls == 6
            ill.wire.spoil = None
            await ill.poll(30)
        said = [line["event"] for line in logs if "poll" in line["event"]]
    assert said.count("EOSVOLT asks for fewer calls: polling more slowly") == len(OFTEN)
    assert said.count("polling at full pace again") == len(OFTEN)
    assert ill.health().slowed_at is None


async def test_repeated_calls_are_told_with_the_fault_behind_each() -> None:
    wire = Wire(failed(503, retry_after="0"), failed(429, retry_after="0"), ok([charger("1")]))
    async with client_of(wire, attempts=3) as client:
        fetched = await client.fetch_chargers()
    assert (fetched.complete, fetched.retries) == (True, ("server_fault", "rate_limited"))


def test_rows_set_aside_are_asked_for_at_each_sweep_for_a_day_and_then_daily() -> None:
    plan = PollPlan()
    asked = []
    swept = NOW
    for hour in range(1, 101):
        now = NOW + timedelta(hours=hour)
        state = PollState("sessions", now, now, now, swept, 0, None, unread_since=NOW, unread_at=NOW)
        if plan.asks_again(state, now):
            asked.append(hour)
        swept = now
    assert asked == [*range(1, 25), 48, 72, 96]


def gaps(database: Database) -> list[tuple[str, int]]:
    """The gaps in what is polled at each interval, with their lengths in minutes."""
    with database.read() as connection:
        rows = connection.execute(sa.select(GAP).where(GAP.c.resource != "locations").order_by(GAP.c.id))
        return [(row.resource, (row.valid_to - row.valid_from) // MINUTE) for row in rows]


async def test_our_own_slowness_is_no_gap_and_what_the_api_has_us_wait_is_one(
    database: Database, tmp_path: Path
) -> None:
    async with poller(database, tmp_path) as ill:
        await ill.poll(2)
        ill.wire.spoil = SPOILS["429 without Retry-After"][0]
        await ill.poll(12)
        ill.wire.spoil = None
        await ill.poll(40)
        assert ill.health().slowness == 1
        assert gaps(database) == []  # though good polls lay 14 and 8 minutes apart
        ill.wire.spoil = wait_for(900)
        await ill.poll(1)
        ill.wire.spoil = None
        await ill.poll(30)
        assert sorted(gaps(database)) == [("chargers", 16), ("sessions", 16)]


def wait_for(seconds: int) -> Spoil:
    """A 429 that names how long to wait."""

    async def spoil(request: httpx.Request, _body: bytes) -> httpx.Response:
        return httpx.Response(429, headers={"retry-after": str(seconds)}, request=request)

    return spoil
