"""That chaos finds what it looks for: each thing that is said wrong, twice or not at all is a difference.

`.ci/run` makes a little chaos itself.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from sandbox.eosvolt.faults import Command
from sandbox.slack.workspace import posting
from storage.schema import COMMAND, LEASE_TERM, OUTBOX, POLL, RULE
from storage.sharing.leases import LENGTH
from tests.chaos.__main__ import Wanted, world_of
from tests.chaos.world import CHANNEL, World, now
from tests.readings import T0


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with world_of(Wanted(0)) as made:
        assert made.differences() == []
        yield made


def say(world: World, item: str, version: int = 1) -> str:
    """Let a message of the service's stand in the channel; its time stamp."""
    metadata = {"event_type": "chargehand", "event_payload": {"item": item, "version": version}}
    channel = world.house.workspace.channel(CHANNEL)
    return posting.post(world.house.workspace, channel, "U0BOT", text="...", metadata=metadata).ts


def enqueue(world: World, item: str, **values: object) -> None:
    row = {"id": item, "natural_key": f"key of {item}", "kind": "digest", "channel": CHANNEL, "facts": {}}
    with world.database.write() as connection:
        connection.execute(sa.insert(OUTBOX).values({**row, "due_at": T0, "created_at": T0, **values}))


async def test_an_alert_that_is_not_said_is_found(world: World) -> None:
    connector = world.connectors()[0]
    world.house.fleet.force_connector(connector, {"status": "Faulted", "errorCode": "GroundFailure"}, now())
    assert world.differences() == [f"{connector} is out of order and not told"]


async def test_a_card_that_waits_stands_nowhere_or_stands_twice_is_found(world: World) -> None:
    enqueue(world, "waits", kind="alert_card")
    enqueue(world, "gone", kind="alert_card", shown_version=1, message_ts="1.0")
    enqueue(world, "twice", kind="alert_card", shown_version=2, version=2, message_ts=say(world, "twice"))
    say(world, "twice", version=2)
    assert world.differences() == [
        "alert_card key of waits waits: None",
        "key of gone stands nowhere",
        "the message twice stands twice",
    ]


async def test_a_digest_that_is_lost_or_said_twice_is_found(world: World) -> None:
    long_ago, soon = now() - timedelta(hours=1), now() + timedelta(hours=1)
    world.digests = dict.fromkeys(("lost", "twice", "said", "new"), long_ago) | {"not yet": soon}
    with world.database.write() as connection:
        for name in world.digests:
            rule = {"document": {}, "source": "file", "enabled": True, "version": 1}
            made = now() if name == "new" else long_ago - timedelta(hours=1)
            connection.execute(sa.insert(RULE).values(id=name, created_at=made, updated_at=made, **rule))
    for item, name in (("a", "twice"), ("b", "twice"), ("c", "said")):
        enqueue(world, item, rule_id=name, shown_version=1, message_ts=say(world, item))
    assert world.differences() == ["the digest lost was never told", "the digest twice was told 2 times"]


async def test_a_command_that_is_sent_twice_or_that_nobody_asked_for_is_found(world: World) -> None:
    world.people.confirmed["reset 101"] = 1
    sent = Command("", "/v1/chargers/101/reset", {"type": "Soft"})
    world.house.api.received += [sent, replace(sent, at="later")]
    world.house.api.received.append(Command("", "/v1/sessions/start", {"connectorId": "102.1"}))
    assert world.differences() == [
        "'reset 101' was confirmed 1 times and sent 2 times",
        "'start 102.1' was confirmed 0 times and sent 1 times",
    ]


async def test_a_command_that_is_called_done_and_never_sent_or_that_waits_for_good_is_found(world: World) -> None:
    world.people.confirmed |= {"unlock 101.1": 2, "stop 101.1": 2}
    row = {"connector_id": "101.1", "requested_by": "U", "channel": "C", "details": {}}
    times = {"requested_at": T0, "expires_at": T0}
    with world.database.write() as connection:
        ended = [
            ("unlock", "verified"),
            ("unlock", "requested"),
            ("stop_session", "verified"),
            ("stop_session", "verified"),
        ]
        for number, (kind, state) in enumerate(ended):
            values = {**row, **times, "id": str(number), "nonce": str(number), "kind": kind, "state": state}
            connection.execute(sa.insert(COMMAND).values(values))
    said = [{"command": one, "state": "succeeded", "event": "command sent"} for one in ("0", "3")]
    world.replicas[0].log.write_text("".join(json.dumps(line) + "\n" for line in said))
    assert world.differences() == [
        "'unlock 101.1' is called done 1 times and was sent 0 times",
        "'stop 101.1' is called done 1 times and was sent 0 times",
        "the command 1 waits to be sent",
    ]


async def test_two_clicks_on_one_preview_are_one_confirmation(world: World) -> None:
    """A repeat of either is found, whatever a person's fingers do."""
    world.people.confirmed["reset 101"] = 1
    world.house.api.received.append(Command("", "/v1/chargers/101/reset", {"type": "Soft"}))
    assert world.differences() == []


def led(world: World, token: int, began: datetime, before_until: datetime) -> None:
    values = {"token": token, "holder": f"holder-{token}", "began_at": began, "before_until": before_until}
    with world.database.write() as connection:
        connection.execute(sa.insert(LEASE_TERM).values(values))


async def test_times_of_leading_that_overlap_and_two_writers_under_one_token_are_found(
    shared_world: World,
) -> None:
    world = shared_world
    assert world.differences() == []
    led(world, 1, T0, T0 - timedelta(days=365 * 60))
    led(world, 2, T0 + timedelta(seconds=5), T0 + timedelta(seconds=10))
    assert world.differences() == ["token 2 began before token 1 had ended"]
    with world.database.write() as connection:
        connection.exec_driver_sql("INSERT INTO lease VALUES ('leader', 'x', 1, now())")
        for service in ("service-0", "service-1"):
            connection.exec_driver_sql(f"SET LOCAL application_name = '{service}'")
            connection.execute(sa.insert(POLL).values(resource=service, failures=0, attempted_at=T0))
    found = world.differences()
    assert "two wrote under token 1: service-0, service-1" in found
    assert "service-0 wrote under token 1 when 2 led already" in found


async def test_a_gap_is_counted_from_the_last_sign_of_who_led_without_the_time_that_the_database_was_gone(
    shared_world: World,
) -> None:
    world = shared_world
    led(world, 1, T0, T0 - timedelta(days=365 * 60))
    led(world, 2, T0 + timedelta(seconds=72), T0 + timedelta(seconds=60) + LENGTH)
    assert world.gaps() == [12.0]
    world.away.append((T0 + timedelta(seconds=55), T0 + timedelta(seconds=65)))
    assert world.gaps() == [7.0]


@pytest.fixture
async def shared_world(postgresql_server: str) -> AsyncIterator[World]:
    async with world_of(Wanted(0, "postgresql", 1), postgresql_server) as made:
        yield made
