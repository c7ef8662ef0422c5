"""Moments that a clock which was ahead has written: what each table's are, and what becomes of them."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel, UTCDateTime

from storage.ahead import AHEAD, OF_THE_SERVICE, OF_THE_WORLD, bring_down_service, done
from storage.engine import Database
from storage.polls import PollState, after_bad_poll, known_at, poll_states, store_poll_states
from storage.schema import (
    ALERT,
    COMMAND,
    CONNECTOR,
    GAP,
    HOME_TAB,
    INTERVAL,
    OUTBOX,
    POLL,
    RULE,
    SAMPLE,
    SESSION,
    SILENCE,
    SUBSCRIPTION,
)
from tests.readings import MINUTE, T0, at, charger, connector, poll, session
from tests.rules.engine import FAULTED, Engine

DAY = timedelta(days=1)
FAR = T0 + 30 * DAY
HOUR = timedelta(hours=1)


def rows(database: Database, table: sa.Table, *names: str) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        found = connection.execute(sa.select(*(table.c[name] for name in names)).order_by(*table.primary_key))
        return [tuple(row) for row in found]


def test_every_moment_of_every_table_is_of_one_kind() -> None:
    kinds = {**OF_THE_WORLD, **OF_THE_SERVICE}
    assert len(kinds) == len(OF_THE_WORLD) + len(OF_THE_SERVICE)
    for table in SQLModel.metadata.sorted_tables:
        moments = [column.name for column in table.c if isinstance(column.type, UTCDateTime)]
        told = list(kinds[table].every) if table in kinds else []
        assert sorted(told) == sorted(moments), f"{table.name}: say in storage/ahead.py what its moments are"
        for written in kinds[table].planned.values() if table in kinds else ():
            assert set(written) <= set(moments)


@pytest.mark.parametrize(("moment", "known"), [(T0, T0), (T0 + AHEAD, T0 + AHEAD), (T0 + AHEAD + MINUTE, None)])
def test_what_was_done_over_two_minutes_ahead_was_never_done(moment: datetime, known: datetime | None) -> None:
    assert done(moment, T0) == known
    state = PollState("chargers", moment, moment, moment, moment, 0, None, moment, moment, moment)
    assert known_at(state, T0).good_at == known
    assert known_at(state, T0).first_good_at == known
    assert known_at(state, T0).attempted_at == (known or T0)
    assert known_at(state, T0).unread_at == (known or T0)


def test_the_first_good_poll_of_a_right_clock_brings_down_what_a_wrong_one_dated(database: Database) -> None:
    engine = Engine(database, FAULTED | {"on_gap": "pause"}, now=T0)
    engine.tick(T0, charger(connector()))
    for minute in range(5):
        status = "Faulted" if minute else "Available"
        engine.tick(FAR + minute * MINUTE, charger(connector(status=status), online=True))
    assert rows(database, ALERT, "active_at", "due_at") == [(FAR + MINUTE, FAR + 31 * MINUTE)]
    with database.write() as connection:
        bad = after_bad_poll("chargers", at("10:06"), "503", state=poll_states(connection)["chargers"])
        store_poll_states(connection, [bad])
    assert engine.tick(at("10:07")) == []
    now = at("10:07")
    assert rows(database, ALERT, "active_at", "due_at", "gap_s") == [(now, at("10:37"), 0.0)]
    assert rows(database, CONNECTOR, "status_changed_at", "changed_at") == [(now, now)]
    assert rows(database, GAP, "valid_from", "valid_to") == [(T0, now)]
    history = rows(database, INTERVAL, "field", "value", "valid_from", "valid_to")
    assert ("status", "Available", T0, now) in history
    assert ("status", "Faulted", now, None) in history
    assert rows(database, POLL, "good_at", "previous_good_at", "first_good_at") == [(now, None, T0)]
    told = [engine.tick(at("10:07") + minute * MINUTE) for minute in range(1, 31)]
    assert told[-1] == ["c1 pending>firing since 10:07"]
    assert not any(told[:-1])


def test_no_later_change_is_dated_ahead(database: Database) -> None:
    poll(database, FAR, charger(connector(status="Faulted")))
    poll(database, at("10:01"), charger(connector(status="Available", status_changed_at=at("09:00"))))
    poll(database, at("10:02"), charger(connector(status="Faulted", status_changed_at=at("10:01:30"))))
    assert rows(database, CONNECTOR, "status_changed_at") == [(at("10:01:30"),)]
    status = [row for row in rows(database, INTERVAL, "field", "value", "valid_from", "valid_to") if row[0] == "status"]
    assert status[1:] == [
        ("status", "Available", at("10:01"), at("10:01:30")),
        ("status", "Faulted", at("10:01:30"), None),
    ]


def test_a_pause_that_a_leap_of_the_clock_made_is_taken_back_to_what_there_was_time_for(database: Database) -> None:
    engine = Engine(database, FAULTED | {"on_gap": "pause"}, now=T0)
    engine.tick(T0, charger(connector(status="Faulted", status_changed_at=T0)))
    engine.tick(FAR)
    assert rows(database, ALERT, "active_at", "gap_s") == [(T0, 30 * 86400.0)]
    engine.tick(at("10:05"))
    assert rows(database, ALERT, "due_at", "gap_s") == [(at("10:35"), 300.0)]


def test_a_rule_that_follows_the_clock_is_matched_anew_by_the_right_one(database: Database) -> None:
    long = {"name": "long", "for_each": "session", "when": "session.duration > 24h"}
    late = {"name": "late", "for_each": "connector", "when": "since(connector.status) + 1h > 2h"}
    engine = Engine(database, long, late, now=T0)
    engine.tick(T0, charger(connector()))
    engine.tick(T0, session("s1", started=at("09:00")), resource="sessions")
    poll(database, FAR, charger(connector()))
    assert sorted(engine.tick(FAR, resource="sessions")) == [
        "c1 inactive>firing since 10:00",
        "s1 inactive>firing since 09:00",
    ]
    assert [row.full_match_at for row in stored(database, RULE) if row.id == "late"] == [FAR]
    poll(database, at("10:01"), charger(connector()))
    assert sorted(engine.tick(at("10:01"), resource="sessions")) == [
        "c1 firing>resolved since 10:01",
        "s1 firing>resolved since 10:01",
    ]
    assert [row.full_match_at for row in stored(database, RULE) if row.id == "late"] == [at("10:01")]


def stored(database: Database, table: sa.Table) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(sa.select(table)))


def test_the_energy_of_a_session_is_sampled_again(database: Database) -> None:
    poll(database, FAR, session("s1", started=T0, energy_kwh=1.0), resource="sessions")
    assert rows(database, SAMPLE, "at") == [(FAR,)]
    poll(database, at("10:01"), resource="sessions")
    assert (rows(database, SAMPLE, "at"), rows(database, SESSION, "sampled_at")) == ([], [(None,)])
    poll(database, at("10:02"), session("s1", started=T0, energy_kwh=2.0), resource="sessions")
    assert rows(database, SAMPLE, "at", "energy_kwh") == [(at("10:02"), 2.0)]


def bring_down(database: Database, now: datetime) -> bool:
    with database.write() as connection:
        return bring_down_service(connection, now)


def put(database: Database, table: sa.Table, **values: Any) -> None:
    with database.write() as connection:
        connection.execute(sa.insert(table).values(**values))


SILENT = {"author": "U1", "reason": "r", "labels": {}, "until_recovery": False, "until_sessions": [], "weekly": {}}
ASKED = {"nonce": "n", "kind": "unlock", "requested_by": "U1", "channel": "C1", "state": "requested", "details": {}}


@pytest.mark.parametrize("planned", [FAR, T0 - HOUR])
def test_what_is_planned_is_counted_anew_only_where_it_was_written_ahead(database: Database, planned: datetime) -> None:
    put(database, SILENCE, created_at=planned, until=planned + 40 * DAY, **SILENT)
    put(database, COMMAND, id="c", requested_at=planned, due_at=planned, expires_at=planned + 2 * MINUTE, **ASKED)
    ahead = planned == FAR
    assert bring_down(database, T0) is ahead
    base = T0 if ahead else planned
    assert rows(database, SILENCE, "created_at", "until") == [(base, base + 40 * DAY)]
    assert rows(database, COMMAND, "requested_at", "due_at", "expires_at") == [(base, base, base + 2 * MINUTE)]
    assert bring_down(database, T0) is False


def test_who_opened_home_or_subscribed_by_a_wrong_clock_did_so_now(database: Database) -> None:
    put(database, HOME_TAB, user="U1", opened_at=FAR, shown_at=FAR, shown="")
    put(database, HOME_TAB, user="U2", opened_at=T0 - HOUR, shown_at=T0, shown="")
    put(database, SUBSCRIPTION, channel="C1", severities=[], labels={}, author="U1", created_at=FAR)
    put(database, SUBSCRIPTION, channel="C2", severities=[], labels={}, author="U1", created_at=T0, ended_at=FAR)
    assert bring_down(database, T0) is True
    assert rows(database, HOME_TAB, "opened_at", "shown_at") == [(T0, T0), (T0 - HOUR, T0)]
    assert rows(database, SUBSCRIPTION, "created_at", "ended_at") == [(T0, None), (T0, T0)]
    assert bring_down(database, T0) is False


SAID = {"kind": "alert_card", "channel": "C1", "facts": {}, "attempts": 0, "version": 2, "broadcast": False}


def test_a_message_that_was_put_off_by_right_stays_so_and_any_other_is_due(database: Database) -> None:
    def message(name: str, **values: Any) -> None:
        said = {"uncertain": False, "shown_version": 0, "due_at": FAR, "created_at": T0 - HOUR} | SAID | values
        put(database, OUTBOX, id=name, natural_key=name, **said)

    message("1 quiet hours")
    message("2 new", created_at=FAR, due_at=FAR + MINUTE)
    message("3 edited", shown_version=1, sent_at=T0 - HOUR)
    message("4 sent ahead", shown_version=2, sent_at=FAR, created_at=FAR)
    message("5 perhaps sent", uncertain=True, created_at=FAR)
    message("6 waits", claimed_until=FAR, created_at=FAR)
    bring_down(database, T0)
    found = {row.id: row for row in stored(database, OUTBOX)}
    assert {name: row.due_at for name, row in found.items()} == {
        "1 quiet hours": FAR,
        "2 new": T0 + MINUTE,
        "3 edited": T0,
        "4 sent ahead": T0,
        "5 perhaps sent": T0 - DAY,  # it is looked for from there on
        "6 waits": T0,
    }
    assert found["4 sent ahead"].sent_at is None
    assert found["5 perhaps sent"].created_at == T0 - DAY
    assert found["6 waits"].claimed_until == T0
