"""The client's contract suite: every call against the stand-in API, in nine dialects, and every read from a recording.

Not a line differs between the dialects but the contract file; what is read is compared with the world itself. What
`chargehand record` saved is asked the same; only what acts is refused there, and said to be.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from eosvolt.errors import Conflict, Forbidden, InvalidRequest, NotFound, RateLimited, Unauthorized
from eosvolt.models import PriceBlock
from sandbox.eosvolt.faults import RateLimit
from tests.eosvolt.accounts import DIALECTS, NOON, TONGUES, Account, account
from tests.examples import in_turn

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


DOORS = [f"{dialect} {door}" for dialect in DIALECTS for door in ("in process", "HTTP")]


LIVE = [*DOORS, *(f"{tongue} in process" for tongue in TONGUES)]


@pytest.fixture(params=LIVE)
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Account]:
    """An account of each dialect, in process and over HTTP."""
    dialect, _, door = request.param.partition(" ")
    async with account(dialect, door) as reached:
        yield reached


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every read is also asked of a recording; which takes its time to be made."""
    if "source" in metafunc.fixturenames:
        recorded = in_turn(metafunc.definition.nodeid, [f"{dialect} recorded" for dialect in (*DIALECTS, *TONGUES)])
        metafunc.parametrize("source", [*LIVE, *recorded], indirect=True)


@pytest.fixture
async def source(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Account]:
    """The same, and a recording of each, made at the first question."""
    dialect, _, door = request.param.partition(" ")
    async with account(dialect, door, folder=tmp_path if door == "recorded" else None) as reached:
        yield reached


def moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def free_connector(site: Account) -> str:
    """A connector that is free, on a charger that is online."""
    for connector_id, (charger, fields) in site.source.world.connectors.items():
        if charger.fields["online"] and fields["status"] == "Available":
            return connector_id
    raise AssertionError("nothing in the fleet is free")


async def test_every_location_is_read_in_full(source: Account) -> None:
    fetched = await source.client.fetch_locations()
    assert (fetched.complete, fetched.set_aside, fetched.clock_skew) == (True, (), timedelta(0))
    told = {row.id: row for row in fetched.rows}
    world = {row.id: row.fields for row in source.source.world.locations}
    assert told.keys() == world.keys()
    for location_id, fields in world.items():
        reading = told[location_id]
        assert (reading.type, reading.timezone) == (fields["type"], fields["timezone"])
        assert source.same(reading.name, fields["name"])
        assert source.same(reading.address, fields["address"])
        assert reading.currency == fields["currency"]
        assert reading.blocking_fee_interval_minutes == fields["blockingFeeIntervalMinutes"]
        assert reading.updated_at == moment(fields["updatedAt"])
        assert reading.extra == {}


async def test_every_charger_is_read_over_several_pages(source: Account) -> None:
    fetched = await source.client.fetch_chargers()
    assert (fetched.complete, fetched.set_aside) == (True, ())
    assert len(fetched.rows) == len({row.id for row in fetched.rows}) == 120
    for reading in fetched.rows:
        row = source.source.world.chargers.get(reading.id)
        assert row is not None
        fields = row.fields
        assert (reading.location_id, reading.online) == (fields["locationId"], fields["online"])
        assert source.same(reading.name, fields["name"])
        assert (reading.vendor, reading.model) == (fields["vendor"], fields["model"])
        assert source.same(reading.serial, fields["serial"])
        assert reading.heartbeat_interval_seconds == fields["heartbeatIntervalSeconds"]
        assert reading.updated_at == moment(fields["updatedAt"])
        assert reading.extra == {}
    assert any(reading.last_heartbeat is not None for reading in fetched.rows)
    assert all(NOON - DAY <= row.last_heartbeat <= NOON for row in fetched.rows if row.online and row.last_heartbeat)


async def test_every_connector_is_read_in_kilowatts_and_utc(source: Account) -> None:
    source.clock.after(hours=2)
    fetched = await source.client.fetch_chargers()
    plugs = {plug.id: plug for row in fetched.rows for plug in row.connectors}
    assert plugs.keys() == source.source.world.connectors.keys()
    for connector_id, (charger, fields) in source.source.world.connectors.items():
        plug = plugs[connector_id]
        assert (plug.charger_id, plug.status) == (charger.id, fields["status"])
        assert plug.status_raw is not None
        assert (plug.error_code, plug.vendor_error_code) == (fields["errorCode"], fields["vendorErrorCode"])
        assert plug.power_kw == pytest.approx(fields["powerKw"])
        assert plug.max_power_kw == pytest.approx(fields["maxPowerKw"])
        assert plug.type == fields["type"]
        assert plug.status_changed_at == moment(fields["statusChangedAt"])
    assert any(plug.power_kw for plug in plugs.values())


async def test_only_what_changed_since_comes(source: Account) -> None:
    connector_id = free_connector(source)
    source.clock.after(seconds=5)
    now = source.clock()
    source.source.advance_to(now)
    source.source.force_connector(connector_id, {"status": "Faulted", "errorCode": "GroundFailure"}, now)
    fetched = await source.client.fetch_chargers(updated_since=now)
    changed = {plug.id: plug for row in fetched.rows for plug in row.connectors}
    assert 1 <= len(fetched.rows) < 20
    assert (changed[connector_id].status, changed[connector_id].error_code) == ("Faulted", "GroundFailure")
    assert changed[connector_id].status_changed_at == now


async def test_one_charger_comes_by_its_id_and_an_unknown_one_is_not_found(source: Account) -> None:
    charger = next(iter(source.source.world.chargers))
    await source.client.fetch_chargers()  # where it stands is part of its address with some accounts
    reading = await source.client.fetch_charger(charger.id)
    assert reading.id == charger.id
    assert source.same(reading.serial, charger.fields["serial"])
    assert len(reading.connectors) == len(charger.fields["connectors"])
    with pytest.raises(NotFound) as raised:
        await source.client.fetch_charger("none/such")
    assert raised.value.refused


async def test_sessions_of_a_window_are_read_in_full(source: Account) -> None:
    fetched = await source.client.fetch_sessions(started_from=NOON - DAY, started_to=NOON)
    assert (fetched.complete, fetched.set_aside) == (True, ())
    assert len(fetched.rows) > 100
    for reading in fetched.rows:
        row = source.source.world.sessions.get(reading.id)
        assert row is not None
        fields = row.fields
        assert (reading.connector_id, reading.charger_id) == (fields["connectorId"], fields["chargerId"])
        assert (reading.location_id, reading.status) == (fields["locationId"], fields["status"])
        assert (reading.started_at, reading.ended_at) == (moment(fields["startedAt"]), moment(fields["endedAt"]))
        assert (reading.energy_kwh, reading.cost) == (fields["energyKwh"], fields["cost"])
        assert reading.currency == fields["currency"]
        assert source.same(reading.id_tag, fields["idTag"])
        assert reading.extra == {}


async def test_sessions_are_filtered_by_status_connector_and_change(source: Account) -> None:
    source.clock.after(hours=1)
    active = (await source.client.fetch_sessions(status="Active")).rows
    assert active
    assert {row.status for row in active} == {"Active"}
    one = active[0]
    by_connector = await source.client.fetch_sessions(status="Active", connector_id=one.connector_id)
    assert [row.id for row in by_connector.rows] == [one.id]
    source.clock.after(minutes=10)
    changed = (await source.client.fetch_sessions(updated_since=source.clock() - 5 * timedelta(minutes=1))).rows
    assert changed
    assert all(row.updated_at is not None and row.updated_at >= source.clock() - HOUR for row in changed)


async def test_one_session_comes_by_its_id_and_an_unknown_one_is_not_found(source: Account) -> None:
    one = (await source.client.fetch_sessions(started_from=NOON - DAY, started_to=NOON)).rows[0]
    assert (await source.client.fetch_session(one.id)).started_at == one.started_at
    with pytest.raises(NotFound):
        await source.client.fetch_session("none")


async def test_a_session_is_started_once_and_stopped_once(site: Account) -> None:
    connector_id = free_connector(site)
    started = await site.client.post_session_start(connector_id, id_tag="04A1B2")
    assert started is not None
    assert (started.connector_id, started.id_tag, started.started_at) == (connector_id, "04A1B2", NOON)
    with pytest.raises(Conflict) as raised:
        await site.client.post_session_start(connector_id)
    assert raised.value.refused
    site.clock.after(minutes=10)
    stopped = await site.client.post_session_stop(started.id)
    assert stopped is not None
    assert (stopped.id, stopped.status, stopped.ended_at) == (started.id, "Completed", site.clock())
    assert stopped.energy_kwh is not None
    assert stopped.energy_kwh > 0
    assert [command.path for command in site.api.commands] == ["/v1/sessions/start", "/v1/sessions/stop"]


async def test_commands_to_a_charger_say_what_they_mean(site: Account) -> None:
    connector_id = free_connector(site)
    charger_id = site.source.world.connectors[connector_id][0].id
    assert (await site.client.post_reset(charger_id, "Soft")).status == "Accepted"
    assert (await site.client.post_unlock(charger_id, connector_id)).status == "Unlocked"
    assert (await site.client.post_availability(charger_id, False, connector_id)).status == "Accepted"
    assert (await site.client.post_availability(charger_id, True)).status == "Accepted"
    assert [(command.path.rpartition("/")[2], command.body) for command in site.api.commands] == [
        ("reset", {"type": "Soft"}),
        ("unlock", {"connectorId": connector_id}),
        ("availability", {"connectorId": connector_id, "operative": False}),
        ("availability", {"operative": True}),
    ]


async def test_out_of_service_waits_for_a_session_and_says_so(site: Account) -> None:
    connector_id = free_connector(site)
    await site.client.post_session_start(connector_id)
    answer = await site.client.post_availability(site.source.world.connectors[connector_id][0].id, False, connector_id)
    assert answer.status == "Scheduled"


async def test_prices_are_read(source: Account) -> None:
    location_id = next(iter(source.source.world.locations)).id
    fields = source.source.world.pricing.rows[location_id].fields
    shown = await source.client.fetch_price(location_id)
    assert (shown.location_id, shown.unit, shown.default) == (location_id, fields["unit"], fields["default"])
    assert (shown.currency, shown.updated_at) == (fields["currency"], moment(fields["updatedAt"]))
    assert shown.extra == {}
    with pytest.raises(NotFound):
        await source.client.fetch_price("nowhere")


async def test_prices_are_changed(site: Account) -> None:
    location_id = next(iter(site.source.world.locations)).id
    shown = await site.client.fetch_price(location_id)
    blocks = (PriceBlock("17:00", "20:00", 6.5), PriceBlock("20:00", "24:00", 2.25))
    await site.client.post_price(
        location_id, default=4.25, blocks=blocks, blocking_fee=0.5, blocking_fee_interval_minutes=30
    )
    changed = await site.client.fetch_price(location_id)
    assert (changed.default, changed.blocks) == (4.25, blocks)
    assert (changed.blocking_fee, changed.blocking_fee_interval_minutes) == (0.5, 30)
    assert (changed.unit, changed.currency) == (shown.unit, shown.currency)
    with pytest.raises(InvalidRequest):
        await site.client.post_price(location_id, default=-1)


async def test_a_report_and_an_export_hold_the_same_sessions(site: Account) -> None:
    report = await site.client.fetch_report(NOON - DAY, NOON)
    ordered = await site.client.post_export(NOON - DAY, NOON)
    assert (ordered.status, ordered.sessions) == ("Pending", ())
    site.clock.after(minutes=1)
    export = await site.client.fetch_export(ordered.id)
    assert (export.status, export.set_aside, len(export.sessions)) == ("Ready", (), report.sessions)
    assert report.sessions
    assert report.energy_kwh == pytest.approx(sum(row.energy_kwh or 0 for row in export.sessions), abs=0.01)
    assert sum(report.revenues.values()) == pytest.approx(sum(row.cost or 0 for row in export.sessions), abs=0.01)
    assert report.utilisation is not None
    assert 0 < report.utilisation < 1
    assert (report.uptime, report.extra.get("sessions")) == (None, None)


async def test_a_report_of_one_location_is_a_part_of_all(source: Account) -> None:
    location_id = next(iter(source.source.world.locations)).id
    every, one = [await source.client.fetch_report(NOON - DAY, NOON, place) for place in (None, location_id)]
    assert one.sessions is not None
    assert every.sessions is not None
    assert one.sessions < every.sessions


async def test_an_export_of_more_than_thirty_days_is_refused(site: Account) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await site.client.post_export(NOON - 31 * DAY, NOON)
    assert "at most 30 days" in refused.value.message


async def test_what_the_account_may_not_do_is_one_typed_error_each(site: Account) -> None:
    site.api.faults.forbidden = frozenset({"sessions"})
    assert isinstance((await site.client.fetch_sessions()).error, Forbidden)
    site.api.faults.forbidden = frozenset()
    with pytest.raises(InvalidRequest):
        await site.client.post_reset(next(iter(site.source.world.chargers)).id, "Sideways")
    site.api.rate_limit = RateLimit(1)
    limited = await site.client.fetch_chargers()
    assert isinstance(limited.error, RateLimited)
    assert limited.error.retry_after is not None
    assert 0 < limited.error.retry_after <= 60
    assert 0 < len(limited.rows) < 120  # the first page
    site.api.rate_limit = None
    site.api.token = "rotated"
    assert isinstance((await site.client.fetch_chargers()).error, Unauthorized)


@pytest.mark.parametrize("dialect", [*DIALECTS, *TONGUES])
async def test_what_acts_is_refused_by_a_recording_and_reaches_no_account(dialect: str, tmp_path: Path) -> None:
    async with account(dialect, folder=tmp_path, chargers=2) as recorded:
        client, world = recorded.client, recorded.source.world
        charger, location = next(iter(world.chargers)), next(iter(world.locations))
        connector_id = charger.fields["connectors"][0]["id"]
        await client.fetch_chargers()
        session = (await client.fetch_sessions(started_from=NOON - DAY)).rows[0]
        acts = (
            client.post_session_start(connector_id),
            client.post_session_stop(session.id),
            client.post_reset(charger.id, "Soft"),
            client.post_unlock(charger.id, connector_id),
            client.post_availability(charger.id, False, connector_id),
            client.post_price(location.id, default=1.0),
            client.post_export(NOON - DAY, NOON),
        )
        for act in acts:
            with pytest.raises(Conflict) as refused:
                await act
            assert refused.value.refused
        assert recorded.api.commands == []
