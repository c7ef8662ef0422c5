"""Exports longer than EOSVOLT gives at once: no session is lost between two parts, and none comes twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eosvolt import errors
from eosvolt.client import EosvoltClient
from eosvolt.exports import LONGEST_PART, fetch_exports, parts_of
from tests.eosvolt.accounts import NOON, Account, account
from tests.eosvolt.wire import Wire, client_of, failed, ok, session
from tests.examples import examples

DAY = timedelta(days=1)
T = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.timedeltas(timedelta(0), timedelta(days=500)))
@settings(max_examples=examples(100))
def test_parts_touch_cover_the_range_and_are_short_enough(length: timedelta) -> None:
    parts = parts_of(T, T + length)
    assert all(timedelta(0) < end - start <= LONGEST_PART for start, end in parts)
    assert [start for start, _ in parts[1:]] == [end for _, end in parts[:-1]]
    assert (parts[0][0], parts[-1][1]) == (T, T + length) if length else parts == []


class Waits:
    """A wait that takes no time here, and moves the account's clock where it is given one."""

    def __init__(self, site: Account | None = None) -> None:
        self.site, self.seconds = site, list[float]()

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if self.site is not None:
            self.site.clock.after(seconds=seconds)


async def exported(client: EosvoltClient, since: datetime, until: datetime, wait: Waits) -> list[str]:
    parts = fetch_exports(client, since, until, wait=wait)
    return [row.id async for part in parts for row in part.sessions]


@pytest.mark.parametrize("dialect", ["plain", "snake", "watts"])
async def test_ninety_days_are_all_sessions_once_in_three_parts(dialect: str) -> None:
    async with account(dialect, chargers=6) as site:
        site.source.world.load_past(None)
        done = [row for row in site.source.world.sessions if row.fields["status"] == "Completed"]
        ends = {row.id: datetime.fromisoformat(row.fields["endedAt"]) for row in done}
        since = NOON - 90 * DAY
        seam = parts_of(since, NOON)[0][1]
        on_the_seam = min(ends, key=lambda name: abs(ends[name] - seam))
        site.source.world.sessions.rows[on_the_seam].fields["endedAt"] = f"{seam:%Y-%m-%dT%H:%M:%SZ}"
        got = await exported(site.client, since, NOON, Waits(site))
        assert len(got) == len(set(got))
        assert set(got) == {name for name, at in ends.items() if since <= at < NOON} | {on_the_seam}
        assert [command.path for command in site.api.commands] == ["/v1/exports/sessions"] * 3


def ready(*ids: str) -> httpx.Response:
    return ok({"id": "e", "status": "Ready", "sessions": [session(name) for name in ids]})


async def test_a_session_that_an_account_counts_on_both_sides_of_a_seam_comes_once() -> None:
    wire = Wire(ready("a", "seam"), ready("seam", "b", "b"))
    async with client_of(wire) as client:
        assert await exported(client, T, T + 40 * DAY, Waits()) == ["a", "seam", "b"]


async def test_an_order_that_was_limited_or_broke_is_made_again_after_the_wait_that_was_asked_for() -> None:
    wire, waits = Wire(failed(429, retry_after="7"), failed(503), ready("a")), Waits()
    async with client_of(wire) as client:
        assert await exported(client, T, T + DAY, waits) == ["a"]
    assert waits.seconds == [7.0, 8.0]


@pytest.mark.parametrize("fault", [failed(403), failed(400), httpx.Response(200, text="<html>")])
async def test_what_is_refused_or_malformed_is_not_ordered_again(fault: Any) -> None:
    wire = Wire(fault, ready("a"))
    async with client_of(wire) as client:
        with pytest.raises(errors.EosvoltError):
            await exported(client, T, T + DAY, Waits())
    assert len(wire.requests) == 1


async def test_an_export_that_is_never_ready_ends_with_a_time_out() -> None:
    wire, waits = Wire(ok({"id": "e", "status": "Pending"})), Waits()
    async with client_of(wire) as client:
        with pytest.raises(errors.Timeout):
            await exported(client, T, T + DAY, waits)
    assert 900 <= sum(waits.seconds) < 960


async def test_an_export_that_failed_says_so() -> None:
    async with client_of(Wire(ok({"id": "e", "status": "Failed"}))) as client:
        with pytest.raises(errors.MalformedAnswer, match="ended as Failed"):
            await exported(client, T, T + DAY, Waits())
