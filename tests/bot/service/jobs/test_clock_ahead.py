"""A clock that was ahead for a while, and what the jobs make of it once it is right again."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.service import digesting, evaluating, jobs
from bot.service.commanding import run_commands
from bot.service.jobs import Jobs, clock_was_put, put_right
from bot.service.polling import polls
from bot.service.polling.pace import OFTEN, Paces
from bot.service.polling.poll_plan import PollPlan, is_due, is_sweep, since_of
from bot.service.speaking import speak
from bot.service.ticker import Step
from commands.requests.enqueue import enqueue_command
from rules.alerts.silences import create_silence
from rules.documents.document import rule_from_document
from storage.ahead import AHEAD, OF_THE_SERVICE, OF_THE_WORLD
from storage.engine import Database
from storage.health import WHOLE_API, Pace, load_paces, store_pace
from storage.polls import PollState, poll_states
from storage.schema import ALERT, DIGEST_SLOT, OUTBOX
from tests.bot.service.jobs.test_jobs import World
from tests.readings import MINUTE, T0, at
from tests.rules.engine import FAULTED

pytestmark = pytest.mark.on_either_database

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
FAR = T0 + 30 * DAY


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    world = World(database)
    yield world
    await world.client.aclose()


async def polled(world: World, now: datetime) -> frozenset[str]:
    """A poll at `now` by our clock, while the world goes on by its own."""
    return await polls.poll(world.jobs, now)


@pytest.mark.parametrize("ahead", [12 * HOUR, 30 * DAY])
async def test_after_a_few_polls_ahead_everything_is_swept_again_and_a_fault_is_found(
    world: World, ahead: timedelta
) -> None:
    jobs.use_rules(world.jobs, [rule_from_document({**FAULTED, "for": "0s"}, "test.yaml")], T0)
    await world.poll(T0)
    for minute in range(5):
        await polled(world, T0 + ahead + minute * MINUTE)
    broken = next(iter(world.fleet.world.connectors))
    world.fleet.force_connector(broken, {"status": "Faulted"}, at("10:04"))
    fresh = await world.poll(at("10:06"))
    assert fresh == {"locations", "chargers", "sessions"}
    evaluating.evaluate(world.jobs, at("10:06"), fresh)
    with world.jobs.database.read() as connection:
        states = poll_states(connection)
        found = {row.subject: row for row in connection.execute(sa.select(ALERT))}
    assert {states[name].swept_at for name in fresh} == {at("10:06")}
    assert broken in found
    assert all(row.active_at <= at("10:06") for row in found.values())
    for minute in range(7, 70):
        await world.poll(T0 + minute * MINUTE)
    with world.jobs.database.read() as connection:
        assert poll_states(connection)["chargers"].swept_at == at("11:06")


STATES = {
    "never": None,
    "ahead": PollState("chargers", FAR, FAR, FAR, FAR, 0, None, first_good_at=FAR),
}


def test_a_poll_that_lies_ahead_is_planned_on_as_if_it_had_never_been() -> None:
    plan = PollPlan()
    for resource in ("locations", "chargers", "sessions"):
        told = []
        for state in STATES.values():
            sweep = is_sweep(plan, resource, state, T0)
            told.append(
                (is_due(plan, {}, resource, state, T0), sweep, since_of(plan, Pace(), resource, state, T0, sweep=sweep))
            )
        assert told[0] == told[1] == (True, True, None)
    assert is_due(plan, {"sessions": FAR}, "sessions", None, T0)
    assert not is_due(plan, {"sessions": T0 - MINUTE}, "sessions", None, T0)


async def test_a_pause_that_was_asked_for_by_a_clock_ahead_is_counted_anew(world: World) -> None:
    await world.poll(T0)
    await polled(world, FAR)
    with world.jobs.database.write() as connection:
        for resource in OFTEN:
            store_pace(connection, Pace(2, FAR, FAR + 10 * MINUTE), resource)
    world.jobs.polls = world.jobs.paces = None
    assert await world.poll(at("10:05")) == frozenset()
    with world.jobs.database.read() as connection:
        paces = load_paces(connection)
    assert [paces[resource] for resource in OFTEN] == [Pace(2, at("10:05"), at("10:15"))] * len(OFTEN)
    assert await world.poll(at("10:14")) == frozenset()
    assert await world.poll(at("10:15")) == {"locations", "chargers", "sessions"}


async def test_what_is_remembered_goes_along_with_a_step(sqlite: Database) -> None:
    world = World(sqlite)
    paces = world.jobs.paces = Paces(MINUTE, {WHOLE_API: Pace(clock_skew=timedelta(0)), "chargers": Pace(2, T0, T0)})
    world.jobs.absent = {"sessions": T0}
    await clock_was_put(world.jobs, Step(T0 - HOUR, -HOUR))
    assert world.jobs.absent == {"sessions": T0 - HOUR}
    assert paces.whole(T0).clock_skew == HOUR
    assert paces.own("chargers") == Pace(2, T0 - HOUR, T0 - HOUR)
    await world.client.aclose()


DAILY = {"name": "daily", "schedule": "0 8 * * *", "timezone": "UTC", "digest": "sessions", "window": "yesterday"}


def said(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(sa.select(OUTBOX).order_by(OUTBOX.c.natural_key)))


def digests(work: Jobs, now: datetime) -> list[str]:
    return [one.slot for one in digesting.enqueue_digests(work, now)]


@pytest.mark.parametrize("put", [True, False], ids=["at once", "by the next look"])
def test_a_digest_that_was_said_early_is_said_again_in_its_time(database: Database, *, put: bool) -> None:
    work = Jobs(database, None, alert_channel="#a")  # type: ignore[arg-type]  # nothing is asked
    jobs.use_rules(work, [rule_from_document(DAILY, "test.yaml")], at("09:00"))
    tomorrow = T0.replace(hour=8) + DAY
    assert digests(work, tomorrow + HOUR) == [tomorrow.isoformat()]
    with database.write() as connection:
        shown = {"shown_version": 1, "message_channel": "C1", "message_ts": "1.1", "sent_at": tomorrow + HOUR}
        connection.execute(sa.update(OUTBOX).values(shown))
    if put:
        put_right(work, at("13:00"))
    assert digests(work, at("13:00")) == []
    assert digests(work, tomorrow + HOUR) == [tomorrow.isoformat()]
    (row,) = said(database)
    assert (row.shown_version, row.message_ts, row.sent_at, row.due_at) == (0, None, None, tomorrow + HOUR)
    assert digests(work, tomorrow + 2 * HOUR) == []
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(DIGEST_SLOT)).scalar() == 1


@pytest.mark.parametrize("where", ["standing", "uncertain", "being sent"])
def test_a_digest_that_was_said_hardly_early_is_edited_and_not_said_twice(database: Database, where: str) -> None:
    work = Jobs(database, None, alert_channel="#a")  # type: ignore[arg-type]  # nothing is asked
    jobs.use_rules(work, [rule_from_document(DAILY, "test.yaml")], at("09:00"))
    slot = T0.replace(hour=8) + DAY
    assert digests(work, slot + 40 * MINUTE) == [slot.isoformat()]  # by a clock that is ahead
    stood: dict[str, dict[str, Any]] = {
        "standing": {
            "shown_version": 1,
            "message_channel": "C1",
            "message_ts": f"{(slot - 2 * MINUTE).timestamp():.6f}",
            "sent_at": slot + 40 * MINUTE,
        },
        "uncertain": {"uncertain": True},
        "being sent": {"claimed_by": "another", "claimed_until": slot + 42 * MINUTE},
    }
    with database.write() as connection:
        connection.execute(sa.update(OUTBOX).values(stood[where]))
    put_right(work, slot - MINUTE)
    assert digests(work, slot - MINUTE) == []
    assert digests(work, slot + HOUR) == [slot.isoformat()]
    (row,) = said(database)
    kept = ("shown_version", "message_ts", "uncertain", "claimed_by")
    assert {name: getattr(row, name) for name in stood[where] if name in kept} == {
        name: value for name, value in stood[where].items() if name in kept
    }
    assert (row.due_at, row.created_at) == (slot + HOUR, slot + HOUR)


@pytest.mark.parametrize(
    ("behind", "claimed_at"),
    [(HOUR, 9), (19 * HOUR, 27), (MINUTE, 8), (30 * DAY, 8), (-HOUR, 8)],
    ids=["an hour", "19 hours", "hardly", "not believed", "ahead"],
)
def test_a_slot_is_claimed_once_the_clock_of_eosvolt_has_come_to_it_too(
    sqlite: Database, behind: timedelta, claimed_at: int
) -> None:
    work = Jobs(sqlite, None, alert_channel="#a")  # type: ignore[arg-type]  # nothing is asked
    jobs.use_rules(work, [rule_from_document(DAILY, "test.yaml")], T0)
    with sqlite.write() as connection:
        store_pace(connection, Pace(clock_skew=-behind))
    midnight = T0.replace(hour=0) + DAY
    # half an hour is how long a slot waits for the polls of its day
    assert digests(work, midnight + claimed_at * HOUR + 29 * MINUTE) == []
    assert digests(work, midnight + claimed_at * HOUR + 31 * MINUTE) == [(midnight + 8 * HOUR).isoformat()]


RULES = [
    {**FAULTED, "for": "2m", "keep_firing_for": "3m", "on_gap": "pause", "repeat": "1h"},
    {"name": "long", "for_each": "session", "when": "session.duration > 3h"},
    {"name": "night", "for_each": "connector", "when": 'hours("22:00-06:00") and connector.status == "Faulted"'},
    {"name": "events", "on": "status.changed"},
    DAILY,
]


async def live(world: World, now: datetime, minute: int) -> None:
    """A minute of the service at `now` by its clock: something breaks, is silenced, commanded, polled and said."""
    plugs = list(world.fleet.world.connectors)
    status = ("Faulted", "Available")[minute % 3 == 2]
    world.fleet.force_connector(plugs[minute % 4], {"status": status}, world.now)
    work = world.jobs
    fresh = await polls.poll(work, now)
    evaluating.evaluate(work, now, fresh)
    with work.database.write() as connection:
        create_silence(connection, author="U1", reason="r", now=now, until=now + HOUR, rule_id="long")
        asked: dict[str, Any] = {"kind": "unlock", "nonce": f"{minute}", "user": "U1", "channel": "C1"}
        enqueue_command(connection, connector_id=plugs[minute % 4], now=now, **asked)
        due = (OUTBOX.c.shown_version < OUTBOX.c.version, OUTBOX.c.due_at <= now)
        shown = {"message_channel": "C1", "message_ts": f"{minute}", "sent_at": now, "shown_at": now}
        connection.execute(sa.update(OUTBOX).where(*due).values(shown_version=OUTBOX.c.version, **shown))
    speak(work, now)
    digesting.enqueue_digests(work, now)
    await run_commands(work, now)


def ahead_of(database: Database, now: datetime) -> list[tuple[str, str]]:
    """Every table with its column that says that something was done ahead of now."""
    found = []
    with database.read() as connection:
        for table, moments in {**OF_THE_WORLD, **OF_THE_SERVICE}.items():
            happened = [*moments.done, *moments.last, *(moments.apart if table.name in {"poll", "incident"} else ())]
            for name in happened:
                late = sa.select(sa.func.count()).select_from(table).where(table.c[name] > now + AHEAD)
                if connection.execute(late).scalar():
                    found.append((table.name, name))
    return found


async def test_once_the_clock_is_right_and_was_polled_well_nothing_that_was_done_lies_ahead(world: World) -> None:
    jobs.use_rules(world.jobs, [rule_from_document(rule, "test.yaml") for rule in RULES], T0)
    world.jobs.alert_channel = "#a"
    for minute in range(4):
        await live(world, T0 + minute * MINUTE, minute)
    for minute in range(4, 12):
        await live(world, FAR + minute * MINUTE, minute)
    now = at("10:12")
    assert len({table for table, _ in ahead_of(world.jobs.database, now)}) >= 12
    world.now = now
    for minute in range(2):
        await live(world, now + minute * MINUTE, 12 + minute)
    assert ahead_of(world.jobs.database, now + MINUTE) == []
    with world.jobs.database.read() as connection:
        due = connection.execute(sa.select(sa.func.max(ALERT.c.due_at))).scalar()
        waits = connection.execute(sa.select(sa.func.max(OUTBOX.c.due_at))).scalar()
    assert due is None or due < now + HOUR
    assert waits is not None
    assert waits < now + HOUR
