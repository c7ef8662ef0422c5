"""Digests from Slack: listed with their next run in words, seen, said now, paused and resumed; no slot is claimed."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from bot.slack.charge.alerting.digests import when_next
from rules.documents.document import rule_from_document
from rules.registry.store import sync_rules
from storage.schema import DIGEST_SLOT, DIGEST_START, OUTBOX, RULE
from tests.bot.house import FAULTED, House
from tests.bot.slack.charge.alerting.test_rules import do, rows, said
from tests.bot.slack.charge.fleet.test_exports import message_to
from tests.notify.records import insert_alert

WEEKLY = "name: weekly; schedule: every Monday at 8:00; digest: sessions; window: last week; notify: #ev-alerts"


def test_next_runs_are_told_in_words_of_the_zone_s_clock() -> None:
    now = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)  # Tuesday in Copenhagen
    for moment, told in (
        (datetime(2026, 3, 3, 7, tzinfo=UTC), "today at 08:00 (Europe/Copenhagen)"),
        (datetime(2026, 3, 4, 7, tzinfo=UTC), "tomorrow at 08:00 (Europe/Copenhagen)"),
        (datetime(2026, 3, 30, 6, tzinfo=UTC), "on Monday 30 March at 08:00 (Europe/Copenhagen)"),
        (datetime(2027, 3, 1, 7, tzinfo=UTC), "on Monday 1 March 2027 at 08:00 (Europe/Copenhagen)"),
    ):
        assert when_next(moment, "Europe/Copenhagen", now) == told


async def test_a_digest_is_made_seen_said_paused_and_resumed(house: House) -> None:
    assert "There is no digest yet" in await said(house, "digest list")
    assert "Rule `weekly` is created" in await do(house, f"digest new {WEEKLY}")
    listed = await said(house, "digest")
    assert "`weekly`, at 08:00 on Monday (where the chargers stand), about last week" in listed
    assert "next *on Monday " in listed or "next *t" in listed
    assert "to you only" in await said(house, "digest preview weekly", "vera")
    assert "Sessions from " in await said(house, "digest preview weekly", "vera")
    message = await message_to(house, "U0VERA0003")
    (file,) = (house.workspace.files[name] for name in message.files)
    assert file.name.startswith("energy-")
    assert file.alt_text in message.text
    assert rows(house, sa.select(OUTBOX.c.id).where(OUTBOX.c.kind == "digest")) == []
    assert "needs the role operator" in await said(house, "digest now weekly", "vera")
    assert "is said now in" in await said(house, "digest now weekly", "ole")
    keys = [row.natural_key for row in rows(house, sa.select(OUTBOX).where(OUTBOX.c.kind == "digest"))]
    assert keys
    assert all(key.startswith("digest:weekly:") for key in keys)
    assert all(":now 20" in key for key in keys)
    assert rows(house, sa.select(DIGEST_SLOT)) == []
    await do(house, "digest pause weekly")
    assert "*paused* `weekly`" in await said(house, "digest list")
    assert "It is paused already" in await said(house, "digest pause weekly")
    (before,) = rows(house, sa.select(DIGEST_START.c.counts_from).where(DIGEST_START.c.zone == ""))
    await do(house, "digest resume weekly")
    (after,) = rows(house, sa.select(DIGEST_START.c.counts_from).where(DIGEST_START.c.zone == ""))
    assert after.counts_from > before.counts_from
    assert "It is on already" in await said(house, "digest resume weekly")


async def test_a_digest_of_a_file_can_be_paused_from_slack_and_stays_so(closed_house: House) -> None:
    house = closed_house
    daily = {"name": "daily", "schedule": "0 8 * * *", "digest": "sessions"}
    await house.start(daily)
    await do(house, "digest pause daily")
    with house.running.database.write() as connection:
        sync_rules(connection, [rule_from_document({**daily, "schedule": "0 9 * * *"}, "test")], house.clock())
    (row,) = rows(house, sa.select(RULE).where(RULE.c.id == "daily"))
    assert not row.enabled
    assert "*paused* `daily`, at 09:00 every day" in await said(house, "digest")


async def test_what_is_no_digest_is_said(house: House) -> None:
    await do(house, "rules add name: hot; for_each: connector; when: not charger.online")
    assert "That is no digest but an alert rule" in await said(house, "digest now hot")
    await do(house, "digest new name: weekly; schedule: every Monday at 8:00; digest: sessions")
    for typed, meant in {
        "hott": "digest list",
        "sessions": "digest preview weekly",
        "wekly": "digest preview weekly",
    }.items():
        answer = await said(house, f"digest preview {typed}")
        assert f"There is no digest `{typed}`" in answer
        assert f"/charge {meant}" in answer, "only a digest is offered for one"
    assert "`digest` cannot" in await said(house, "digest lst")


async def test_one_message_a_location_is_listed_seen_and_said_now_for_each(house: House) -> None:
    places = len(house.fleet.world.locations)
    assert places > 3
    places_alone = "name: places; schedule: every day at 8:00; digest: uptime; each: location; notify: #ev-alerts"
    await do(house, f"digest new {places_alone}")
    assert "(one a location, where the chargers stand)" in await said(house, "digest list")
    seen = await said(house, "digest preview places", "vera")
    assert f"It speaks for each of {places} locations; here are 3 of them" in seen
    assert f"one message for each of {places} locations" in await said(house, "digest now places", "ole")
    said_now = rows(house, sa.select(OUTBOX).where(OUTBOX.c.kind == "digest"))
    assert {row.facts["location"] for row in said_now} == {one.id for one in house.fleet.world.locations}
    assert rows(house, sa.select(DIGEST_SLOT)) == []


async def test_a_preview_of_alerts_says_what_a_backtest_makes_of_its_suggestion_or_why_not(closed_house: House) -> None:
    house = closed_house
    house.interval = 60
    await house.start(FAULTED, {"name": "noise", "schedule": "0 8 * * *", "digest": "alerts"})
    begun = house.clock() - timedelta(days=1)
    place = house.fleet.connectors[house.free()].charger.planned.location_id
    with house.running.database.write() as connection:
        for number in range(1, 8):
            fired = begun + timedelta(hours=number / 4)
            at = {"active_at": fired, "fired_at": fired, "resolved_at": fired + timedelta(minutes=5)}
            known = {
                "rule_id": "connector-faulted",
                "state": "resolved",
                "location_id": place,
                "incident_id": None,
                "ended_because": "recovered",
            }
            insert_alert(connection, number, subject=house.free(), connector_id=house.free(), **at, **known)
    seen = await said(house, "digest preview noise", "vera")
    assert "/charge rules edit connector-faulted for: 40m" in seen
    assert "*Backtest* of" in seen
    with house.running.database.write() as connection:
        unreadable = FAULTED | {"when": "connector.power < 1 kW"}
        connection.execute(sa.update(RULE).where(RULE.c.id == "connector-faulted").values(document=unreadable))
    assert "No backtest: `no history is kept of connector.power`" in await said(house, "digest preview noise", "vera")
