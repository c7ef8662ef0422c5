"""The watch over the service itself: what is found wrong, told once an occurrence, and edited when it is over."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from bot.service.jobs import Broken, Jobs, Unended
from bot.service.polling.poll_plan import PollPlan
from bot.service.rule_files import Held
from bot.service.ticker import JobState, Step
from bot.service.watching.watchdog import Watchdog
from bot.service.watching.watches import Sight, find_troubles
from eosvolt.client import EosvoltClient
from eosvolt.models import SetAside
from notify.channel_refusals import tell_author
from notify.outbox import ALERT_CARD, NOTICE, new_item
from notify.render import render_message
from notify.troubles import Finding, note_findings, open_troubles
from rules.documents.document import rule_from_document
from rules.registry.authoring import create_rule
from rules.registry.store import FROM_SLACK
from storage.engine import Database
from storage.health import FAILED, WHOLE_API, Counted, Pace, record_counts
from storage.polls import PollState, after_bad_poll, poll_states, record_set_aside, store_poll_states
from storage.recording.doubts import Doubt
from storage.recording.sight import UnreadField
from storage.schema import OUTBOX, TROUBLES
from tests.readings import MINUTE, T0, charger, poll
from tests.rules.engine import FAULTED

HOUR = timedelta(hours=1)
WELL = Sight(
    now=T0,
    began_at=T0 - HOUR,
    polls={"chargers": PollState("chargers", T0, T0, None, None, 0, None)},
    intervals={"chargers": MINUTE},
    absent=frozenset(),
    unauthorized=frozenset(),
    paces={},
    slack_alive=True,
    jobs={"deliver": JobState(timedelta(seconds=1), T0)},
    free_bytes=10**12,
)
OLD = {"chargers": PollState("chargers", T0, T0 - 6 * MINUTE, None, None, 5, "it timed out")}

DOUBT = Doubt("chargers", T0 - HOUR, T0, 20, 20)
BROKEN = Broken(T0, "KeyError")
SEEN_AGAIN = ["set_aside:location", "doubted:chargers"]
SHORT = {"chargers": PollState("chargers", T0, T0, None, T0, 0, "6 rows came of a total of 12")}


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({}, []),
        ({"polls": OLD}, ["polls:chargers"]),
        ({"polls": SHORT}, ["shortfall:chargers"]),
        ({"unended": {"chargers": Unended(T0, "limits.most_things")}}, ["unended:chargers"]),
        ({"polls": OLD, "began_at": T0 - MINUTE}, []),  # the service was down: the first polls are to come
        ({"polls": OLD, "intervals": {"chargers": 10 * MINUTE}}, []),
        ({"polls": OLD, "unauthorized": frozenset({"chargers"})}, ["token"]),
        ({"polls": {"chargers": replace(OLD["chargers"], good_at=T0 + HOUR)}}, ["polls:chargers"]),
        ({"paces": {WHOLE_API: Pace(4, T0 - HOUR), "chargers": Pace(8, T0 - HOUR)}}, ["rate_limit"]),
        ({"paces": {"sessions": Pace(4, T0 - HOUR)}}, ["rate_limit:sessions"]),
        ({"polls": OLD, "paces": {"chargers": Pace(4, T0)}}, ["polls:chargers", "rate_limit:chargers"]),
        ({"broken": {"rule": {"faulted": Broken(T0, "ValueError")}}}, ["rule:faulted"]),
        ({"broken": {"digest": {"daily": BROKEN}, "steps": {"heal": BROKEN}}}, ["digest:daily", "steps:heal"]),
        ({"slack_alive": False, "unsent": (3, T0 - HOUR, None)}, ["slack"]),
        ({"slack_error": "token_revoked"}, ["slack"]),
        ({"jobs": {"deliver": JobState(timedelta(seconds=1), T0 - 6 * MINUTE, "OSError")}}, ["job:deliver"]),
        ({"jobs": {"reload": JobState(None)}}, []),
        # what was read cannot be written down: no fault of EOSVOLT's
        (
            {"polls": OLD, "jobs": {"poll chargers": JobState(MINUTE, T0 - 6 * MINUTE, "OSError")}},
            ["job:poll chargers"],
        ),
        ({"polls": OLD, "jobs": {"poll chargers": JobState(MINUTE, T0)}}, ["polls:chargers"]),
        ({"nobody_may_act": True}, ["nobody"]),
        ({"rule_files": Held(T0, broken="rules/site.yaml: not YAML")}, ["rules_broken"]),
        ({"rule_files": Held(T0, gone=3)}, ["rules_gone"]),
        ({"set_aside": {"connector": (2, 4)}}, []),
        ({"set_aside": {"connector": (3, 20)}}, ["set_aside:connector"]),
        ({"set_aside": {"connector": (9, 200)}}, []),
        ({"set_aside": {"connector": (50, 5_000), "charger": (4, 0)}}, ["set_aside:connector", "set_aside:charger"]),
        ({"set_aside": {"charger": (2, 2)}}, ["set_aside:charger"]),
        ({"doubts": (DOUBT,), "set_aside": {"charger": (20, 20), "location": (3, 3)}}, SEEN_AGAIN),
        ({"unread": (UnreadField("connector", "power_kw", 4, 9, T0, "powerKw"),)}, []),
        ({"unread": (UnreadField("connector", "power_kw", 5, 9, T0, "powerKw"),)}, ["unread:connector power_kw"]),
        ({"unread": (UnreadField("session", "cost", 0, 0, T0, "cost"),)}, []),
        ({"unread": (UnreadField("charger", "name", 12, 900, T0, "name", True, 12, 12),)}, ["unread:charger name"]),
        ({"unread": (UnreadField("charger", "name", 12, 900, T0, "name", True, 12, 13),)}, []),
        ({"unread": (UnreadField("charger", "name", 3, 900, T0, "name", True, 3, 3),)}, []),
        ({"unread": (UnreadField("charger", "name", 12, 900, T0, "name", False, 12, 12),)}, []),
        ({"unsent": (3, T0 - HOUR, "ratelimited")}, ["backlog"]),
        ({"unsent": (3, T0 - HOUR, None), "began_at": T0 - 4 * MINUTE}, []),  # left by the service before this one
        ({"refused": {"#gone": (T0, "channel_not_found", 3)}}, ["refused:#gone"]),
        ({"unwritten": 2}, ["unwritten"]),
        ({"mute": ("faulted",)}, ["mute"]),
        ({"unheard": 25}, ["mute"]),
        ({"free_bytes": 1_000_000}, ["disk"]),
        ({"clock_put": Step(T0, -HOUR)}, ["clock"]),
        ({"clock_still_s": 9.0}, []),
        ({"clock_still_s": 10.0, "clock_put": Step(T0, -MINUTE)}, ["clock_still"]),
        ({"paces": {WHOLE_API: Pace(clock_skew=-HOUR)}}, ["clock_skew"]),
        ({"paces": {WHOLE_API: Pace(clock_skew=MINUTE)}}, []),
    ],
)
def test_each_watch_finds_what_it_is_for_and_nothing_when_all_is_well(changes: dict[str, Any], keys: list[str]) -> None:
    assert [finding.key for finding in find_troubles(replace(WELL, **changes))] == keys


def note(database: Database, now: datetime, *findings: Finding, channel: str | None = "#alerts") -> Any:
    with database.write() as connection:
        return note_findings(connection, findings, now, channel=channel, people=["U1ADMIN", "U2ADMIN"])


def messages(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(sa.select(OUTBOX).order_by(OUTBOX.c.natural_key)).all())


def words(database: Database, row: Any) -> str:
    with database.read() as connection:
        message = render_message(connection, row, T0)
    return f"{message.text}\n{message.all_blocks}"


def test_a_trouble_is_told_once_and_edited_when_it_is_over(database: Database) -> None:
    stale = Finding("polls:chargers", timedelta(), T0 - 6 * MINUTE, facts={"error": "it timed out"})
    assert note(database, T0, stale).raised == ("polls:chargers",)
    assert note(database, T0 + MINUTE, stale).raised == ()
    (row,) = messages(database)
    assert "EOSVOLT's chargers cannot be read" in words(database, row)
    assert "it timed out" in words(database, row)
    assert note(database, T0 + 6 * MINUTE).ended == ("polls:chargers",)
    (row,) = messages(database)
    assert (row.channel, row.version) == ("#alerts", 2)
    assert "EOSVOLT's chargers are read again, after 12 min" in words(database, row)
    note(database, T0 + 7 * MINUTE, stale)
    assert len(messages(database)) == 2  # another occurrence is another message


def test_what_is_over_before_it_lasted_is_never_told(sqlite: Database) -> None:
    slack = Finding("slack", MINUTE)
    note(sqlite, T0, slack)
    note(sqlite, T0 + MINUTE / 2)
    note(sqlite, T0 + MINUTE, slack)
    assert messages(sqlite) == []
    assert note(sqlite, T0 + 2 * MINUTE, slack).raised == ("slack",)
    with sqlite.read() as connection:
        assert [row.since for row in open_troubles(connection)] == [T0 + MINUTE]
        assert connection.execute(sa.select(sa.func.count()).select_from(TROUBLES)).scalar() == 1


@pytest.mark.parametrize("channel", [None, "#gone"])
def test_where_no_channel_can_be_told_the_admins_are(sqlite: Database, channel: str | None) -> None:
    refused = Finding("refused:#gone", timedelta(), not_to="#gone", facts={"error": "channel_not_found"})
    note(sqlite, T0, refused, channel=channel)
    assert [row.channel for row in messages(sqlite)] == ["U1ADMIN", "U2ADMIN"]
    note(sqlite, T0 + MINUTE, channel=channel)
    assert [row.version for row in messages(sqlite)] == [2, 2]


def test_who_must_mend_it_is_told_and_what_they_were_told_follows(database: Database) -> None:
    def broken(error: str) -> Finding:
        return Finding("rules_broken", timedelta(), for_people=True, follows=True, facts={"error": error})

    note(database, T0, broken("line 3"))
    note(database, T0 + MINUTE, broken("line 3"))
    assert [(row.channel, row.version) for row in messages(database)] == [("U1ADMIN", 1), ("U2ADMIN", 1)]
    note(database, T0 + 2 * MINUTE, broken("line 7"))
    assert [row.version for row in messages(database)] == [2, 2]
    assert "line 7" in words(database, messages(database)[0])
    note(database, T0 + 3 * MINUTE)
    assert "The rule files are right again" in words(database, messages(database)[0])


@pytest.mark.parametrize(
    "what",
    [
        "polls:x",
        "shortfall:x",
        "unended:x",
        "token",
        "rate_limit",
        "digest:daily",
        "correction:daily",
        "steps:self-healing",
        "speaking:faulted",
        "slack",
        "job:x",
        "backlog",
        "refused:#x",
        "unwritten",
        "mute",
        "disk",
        "database",
        "clock",
        "clock_still",
        "clock_skew",
        "nobody",
        "rules_broken",
        "rules_gone",
        "set_aside:charger",
        "unread:connector power_kw",
        "doubted:chargers",
    ],
)
def test_every_trouble_has_its_words_also_with_hostile_ones(sqlite: Database, what: str) -> None:
    facts = {
        "error": "<!channel> `x`",
        "slowness": 4,
        "count": 3,
        "free_mb": 5,
        "resources": [],
        "put": "back",
        "side": "behind",
        "by": "1 h",
        "known": 20,
        "missing": 15,
        "confirmed": False,
        "rules": ["<!channel>"],
        "in_all": 3,
    }
    for now, findings in ((T0, [Finding(what, timedelta(), facts=facts)]), (T0 + MINUTE, [])):
        note(sqlite, now, *findings)
        (row,) = messages(sqlite)
        assert "<!channel>" not in words(sqlite, row)
    assert "Good again" in words(sqlite, row)


def watchdog(database: Database, **states: JobState) -> Watchdog:
    work = Jobs(database, cast("EosvoltClient", None), PollPlan(), alert_channel="#alerts")

    async def alive() -> bool:
        return True

    return Watchdog(work, T0 - HOUR, lambda: states, alive)


async def test_a_token_that_stays_refused_is_told_and_a_good_poll_ends_it(database: Database) -> None:
    dog = watchdog(database)
    poll(database, T0, charger())
    for minute in (1, 2, 4):
        now = T0 + minute * MINUTE
        with database.write() as connection:
            state = poll_states(connection)["chargers"]
            store_poll_states(connection, [after_bad_poll("chargers", now, "401", state=state)])
            record_counts(connection, [Counted("chargers", FAILED, "unauthorized")], now)
        with capture_logs():
            await dog.watch(now)
    (row,) = messages(database)
    assert "EOSVOLT refuses the API token" in words(database, row)
    poll(database, T0 + 5 * MINUTE, charger())
    with capture_logs():
        assert (await dog.watch(T0 + 5 * MINUTE)).ended == ("token",)


async def test_a_database_that_cannot_be_written_is_logged_and_told_once_it_can(sqlite: Database) -> None:
    dog = watchdog(sqlite)
    with sqlite.write() as connection:
        connection.exec_driver_sql("ALTER TABLE poll_count RENAME TO away")
    with capture_logs() as logs:
        for minute in (0, 1, 2):
            await dog.watch(T0 + minute * MINUTE)
    assert [entry["event"] for entry in logs] == ["the database cannot be written"]
    assert dog.unwritable_since == T0
    with sqlite.write() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO poll_count")
    with capture_logs():
        await dog.watch(T0 + 3 * MINUTE)
    assert dog.unwritable_since is None
    (row,) = messages(sqlite)
    assert "The database can be written again, after 3 min" in words(sqlite, row)


async def test_a_fleet_that_cannot_be_read_is_told_until_a_sweep_reads_it(database: Database) -> None:
    dog = watchdog(database)
    poll(database, T0, charger(), seen={"charger": {"ch1"}})
    with database.write() as connection:
        aside = [SetAside("charger", f"ch{number}", "online is 1", "{}", "online") for number in range(4)]
        record_set_aside(connection, aside, T0)
    with capture_logs():
        assert (await dog.watch(T0 + MINUTE)).raised == ("set_aside:charger",)
    (row,) = messages(database)
    assert "Many a charger of EOSVOLT's cannot be read" in words(database, row)
    poll(database, T0 + 2 * MINUTE, charger(), seen={"charger": {"ch1"}})
    with capture_logs():
        assert (await dog.watch(T0 + 2 * MINUTE)).ended == ("set_aside:charger",)


async def test_another_cause_is_logged_too(sqlite: Database) -> None:
    dog = watchdog(sqlite)
    with capture_logs() as logs:
        for table in ("poll_count", "poll_count", "trouble"):
            with sqlite.write() as connection:
                connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO away")
            await dog.watch(T0)
            with sqlite.write() as connection:
                connection.exec_driver_sql(f"ALTER TABLE away RENAME TO {table}")
    assert [entry["error"].rpartition(" ")[2] for entry in logs] == ["poll_count", "trouble"]


def test_who_made_a_rule_is_told_once_that_its_channel_refuses(database: Database) -> None:
    rule = rule_from_document(FAULTED | {"notify": ["#gone"]}, FROM_SLACK)
    with database.write() as connection:
        create_rule(connection, rule, "U0ANNA", T0)
        item = new_item("k", ALERT_CARD, "#gone", due_at=T0, now=T0, rule_id="faulted")
        connection.execute(sa.insert(OUTBOX).values(**item))
        row = connection.execute(sa.select(OUTBOX)).one()
        assert tell_author(connection, row, "not_in_channel", T0)
        assert not tell_author(connection, row, "not_in_channel", T0 + MINUTE)
    notices = [row for row in messages(database) if row.kind == NOTICE]
    assert [row.channel for row in notices] == ["U0ANNA"]
    assert "Slack refuses that: not_in_channel" in words(database, notices[0])


@pytest.mark.parametrize("by", [HOUR, timedelta(seconds=-3599.6)])  # it is measured a little short as often as not
async def test_a_step_of_the_clock_is_told_and_makes_nothing_late(database: Database, by: timedelta) -> None:
    poll(database, T0, charger())
    dog = watchdog(database, deliver=JobState(timedelta(seconds=1), T0 + by))
    dog.note_step(Step(T0 + by, by))
    assert dog.began_at == T0 - HOUR + by
    assert (await dog.watch(T0 + by)).raised == ("clock",)
    (row,) = messages(database)
    assert f"The clock was put {'forward' if by > timedelta() else 'back'} by 1 h" in words(database, row)
    poll(database, T0 + by + 14 * MINUTE, charger())
    dog.job_states = dict
    assert (await dog.watch(T0 + by + 14 * MINUTE)).ended == ()
    assert (await dog.watch(T0 + by + 15 * MINUTE)).ended == ("clock",)


async def test_a_clock_that_stands_still_is_told_as_that_and_once_it_goes_on_as_put_back(database: Database) -> None:
    dog = watchdog(database)
    dog.clock_stood_still_s = lambda: 12.0
    for _ in range(40):
        dog.note_step(Step(T0, timedelta(seconds=-2)))
    assert (await dog.watch(T0)).raised == ("clock_still",)
    (row,) = messages(database)
    assert "The clock stands still" in words(database, row)
    dog.clock_stood_still_s = lambda: 0.0
    told = await dog.watch(T0 + timedelta(seconds=1))
    assert (told.ended, told.raised) == (("clock_still",), ("clock",))


async def test_steps_that_are_small_are_told_once_they_come_to_much(sqlite: Database) -> None:
    dog = watchdog(sqlite)
    for _ in range(29):
        dog.note_step(Step(T0, timedelta(seconds=-2)))
    assert (await dog.watch(T0)).raised == ()
    dog.note_step(Step(T0, timedelta(seconds=-2)))
    assert (await dog.watch(T0)).raised == ("clock",)
