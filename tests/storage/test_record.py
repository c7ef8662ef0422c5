"""Recording: what a poll said becomes state and history, once, whatever way its pages come."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from storage.engine import Database
from storage.record import record_heartbeats, record_readings
from storage.recording.reading_rows import Observation
from storage.recording.staleness import mark_stale
from storage.schema import CHARGER, CONNECTOR, GAP, INTERVAL, POLL, SAMPLE, SESSION
from tests.examples import examples
from tests.readings import MINUTE, T0, at, charger, connector, location, poll, session


def rows(database: Database, table: sa.Table, *columns: str) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*(table.c[name] for name in columns)))]


def intervals(database: Database, field: str) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        statement = (
            sa.select(INTERVAL.c.thing_id, INTERVAL.c.value, INTERVAL.c.valid_from, INTERVAL.c.valid_to)
            .where(INTERVAL.c.field == field)
            .order_by(INTERVAL.c.thing_id, INTERVAL.c.valid_from, INTERVAL.c.id)
        )
        return [tuple(row) for row in connection.execute(statement)]


def changed_seq(database: Database, table: sa.Table = CONNECTOR) -> int:
    (row,) = rows(database, table, "changed_seq")
    return int(row[0])


def test_first_sight_takes_the_apis_own_timestamp(database: Database) -> None:
    poll(database, at("10:00"), charger(connector(status="Faulted", status_changed_at=at("08:30"))))
    assert rows(database, CONNECTOR, "status", "status_changed_at") == [("Faulted", at("08:30"))]
    assert intervals(database, "status") == [("c1", "Faulted", at("08:30"), None)]


def test_a_change_is_dated_by_the_api_within_the_two_polls(database: Database) -> None:
    poll(database, at("10:00"), charger(connector(status="Available")))
    poll(database, at("10:01"), charger(connector(status="Faulted", status_changed_at=at("10:00:37"))))
    assert intervals(database, "status") == [
        ("c1", "Available", at("10:00"), at("10:00:37")),
        ("c1", "Faulted", at("10:00:37"), None),
    ]


def test_a_change_cannot_be_older_than_the_poll_that_did_not_see_it(database: Database) -> None:
    poll(database, at("10:00"), charger(connector(status="Available")))
    poll(database, at("10:01"), charger(connector(status="Faulted", status_changed_at=at("09:10"))))
    assert rows(database, CONNECTOR, "status_changed_at") == [(at("10:00"),)]


def test_a_change_cannot_be_younger_than_the_poll_that_saw_it(database: Database) -> None:
    poll(database, at("10:00"), charger(connector(status="Faulted", status_changed_at=at("11:00"))))
    assert rows(database, CONNECTOR, "status_changed_at") == [(at("10:00"),)]


def test_the_same_poll_recorded_twice_changes_nothing(database: Database) -> None:
    reading = charger(connector(status="Faulted"), online=False, labels=("test",))
    poll(database, at("10:00"), reading)
    before = {table.name: rows(database, table, *table.c.keys()) for table in SQLModel.metadata.sorted_tables}
    poll(database, at("10:00"), reading)
    after = {table.name: rows(database, table, *table.c.keys()) for table in SQLModel.metadata.sorted_tables}
    assert after == before


def test_what_never_stands_still_is_a_change_and_no_news(database: Database) -> None:
    heard: dict[str, Any] = {"last_heartbeat": at("09:59"), "name": "A"}
    poll(database, at("10:00"), charger(connector(power_kw=1.0), **heard))
    poll(database, at("10:00"), session("s1", started=T0, energy_kwh=1.0, cost=1.0), resource="sessions")
    seen = {table: rows(database, table, "news_seq", "changed_seq")[0] for table in (CONNECTOR, CHARGER, SESSION)}
    poll(database, at("10:01"), charger(connector(power_kw=2.0), **heard))
    poll(database, at("10:01"), session("s1", started=T0, energy_kwh=2.0, cost=3.0), resource="sessions")
    for table, (news, changed) in seen.items():
        ((same_news, newer),) = rows(database, table, "news_seq", "changed_seq")
        assert (same_news, newer > changed) == (news, True), table.name
    assert rows(database, CHARGER, "heartbeat_age_s", "heartbeat_changed_at", "changed_at") == [
        (120.0, at("10:01"), at("10:00"))
    ]
    poll(database, at("10:02"), charger(connector("c1", "Faulted", power_kw=2.0), **heard | {"name": "B"}))
    poll(database, at("10:02"), session("s1", started=T0, ended_at=at("10:02"), energy_kwh=2.0), resource="sessions")
    for table in seen:
        ((news, changed),) = rows(database, table, "news_seq", "changed_seq")
        assert news == changed, table.name


def test_a_heartbeat_is_recorded_of_one_that_could_not_be_read_before(database: Database) -> None:
    poll(database, at("10:00"), charger(connector(), last_heartbeat=at("10:00")))
    with database.write() as connection:
        mark_stale(connection, {"charger": {"ch1"}}, at("10:01"))
    poll(database, at("10:02"), charger(connector(), last_heartbeat=at("10:00")))
    assert rows(database, CHARGER, "stale_since", "heartbeat_age_s") == [(None, 120.0)]


def test_heartbeats_alone_leave_what_a_whole_reading_would(database: Database) -> None:
    earlier, later = at("09:58"), at("10:00:30")
    for light in (True, False):
        poll(database, at("10:00"), charger(connector(), charger_id=f"light-{light}", last_heartbeat=earlier))
    with database.write() as connection:
        told = Observation(at("10:01"), floor=at("10:00"))
        assert record_heartbeats(connection, [charger(charger_id="light-True", last_heartbeat=later)], told)
        assert record_readings(connection, [charger(connector(), charger_id="light-False", last_heartbeat=later)], told)
    names = ("last_heartbeat", "heartbeat_age_s", "heartbeat_changed_at", "changed_at", "stale_since")
    assert rows(database, CHARGER, *names) == [(later, 30.0, at("10:01"), at("10:00"), None)] * 2
    with database.write() as connection:
        assert not record_heartbeats(connection, [charger(charger_id="light-True", last_heartbeat=later)], told)


def test_a_poll_without_news_keeps_changed_seq(database: Database) -> None:
    poll(database, at("10:00"), charger(connector()))
    before = changed_seq(database)
    poll(database, at("10:01"), charger(connector()))
    assert changed_seq(database) == before
    poll(database, at("10:02"), charger(connector(power_kw=7.4)))
    assert changed_seq(database) > before


def test_a_nonstandard_status_is_unknown_and_keeps_its_text(database: Database) -> None:
    poll(database, at("10:00"), charger(connector(status="Rebooting")))
    assert rows(database, CONNECTOR, "status", "status_raw") == [(None, "Rebooting")]
    assert intervals(database, "status") == [("c1", None, at("10:00"), None)]


def test_online_history_is_kept_as_intervals(database: Database) -> None:
    for minute, online in enumerate([True, False, None, True]):
        poll(database, T0 + minute * MINUTE, charger(connector(), online=online))
    assert [(value, start) for _, value, start, _ in intervals(database, "online")] == [
        ("true", at("10:00")),
        ("false", at("10:01")),
        (None, at("10:02")),
        ("true", at("10:03")),
    ]


def test_what_two_complete_sweeps_do_not_show_is_gone_and_its_history_ends(database: Database) -> None:
    both = charger(connector("c1"), connector("c2"))
    sweep = {"charger": {"ch1"}, "connector": {"c1"}}
    poll(database, at("10:00"), both, seen={"charger": {"ch1"}, "connector": {"c1", "c2"}})
    poll(database, at("10:30"), charger(connector("c1")), seen=sweep, interval=30 * MINUTE)
    assert rows(database, CONNECTOR, "id", "gone_at") == [("c1", None), ("c2", None)]
    poll(database, at("11:00"), charger(connector("c1")), seen=sweep, interval=30 * MINUTE)
    assert sorted(rows(database, CONNECTOR, "id", "gone_at")) == [("c1", None), ("c2", at("11:00"))]
    assert intervals(database, "status")[1] == ("c2", "Available", at("10:00"), at("11:00"))


def test_one_missed_sweep_is_forgiven(database: Database) -> None:
    here = {"charger": {"ch1"}, "connector": {"c1"}}
    gone: dict[str, set[str]] = {"charger": {"ch1"}, "connector": set()}
    for minute, seen in enumerate([here, gone, here, gone, here]):
        poll(database, T0 + minute * MINUTE, charger(connector()), seen=seen)
    assert rows(database, CONNECTOR, "gone_at", "missed_sweeps") == [(None, 0)]


def test_a_thing_that_comes_back_is_at_first_sight_again(database: Database) -> None:
    nothing: dict[str, set[str]] = {"charger": {"ch1"}, "connector": set()}
    poll(database, at("10:00"), charger(connector(status="Faulted")))
    for minute in ("10:01", "10:02"):
        poll(database, at(minute), charger(), seen=nothing)
    poll(database, at("10:03"), charger(connector(status="Faulted", status_changed_at=at("09:00"))))
    assert rows(database, CONNECTOR, "gone_at", "status_changed_at") == [(None, at("09:00"))]


def test_two_good_polls_more_than_three_intervals_apart_leave_a_gap(database: Database) -> None:
    for moment in ("10:00", "10:03", "10:07"):
        poll(database, at(moment), charger(connector()))
    assert rows(database, GAP, "resource", "valid_from", "valid_to") == [("chargers", at("10:03"), at("10:07"))]
    assert rows(database, POLL, "good_at", "previous_good_at") == [(at("10:07"), at("10:03"))]


def test_id_tags_are_stored_as_keyed_hashes_or_not_at_all(database: Database) -> None:
    for name, observation in {
        "none": Observation(T0),
        "keyed": Observation(T0, tag_key=b"k"),
        "plain": Observation(T0, plain_tags=True),
    }.items():
        with database.write() as connection:
            record_readings(connection, [session(name, started=T0, id_tag="04A2B3")], observation)
    stored = dict(rows(database, SESSION, "id", "id_tag"))
    assert stored["none"] is None
    assert len(stored["keyed"]) == 64
    assert stored["plain"] == "04A2B3"


def test_an_open_sessions_energy_is_sampled_every_five_minutes(database: Database) -> None:
    for minute in range(12):
        poll(
            database,
            T0 + minute * MINUTE,
            session("s1", started=T0, energy_kwh=minute * 0.5),
            resource="sessions",
        )
    assert rows(database, SAMPLE, "at", "energy_kwh") == [(at("10:00"), 0.0), (at("10:05"), 2.5), (at("10:10"), 5.0)]


def test_hostile_names_are_stored_as_they_are(database: Database) -> None:
    name = "<!channel> `x` \u202eabc'; DROP TABLE charger; --" + "é" * 300
    poll(database, T0, charger(connector(), name=name))
    poll(database, T0, location("l1", name=name), resource="locations")
    assert rows(database, CHARGER, "name") == [(name,)]


statuses = st.sampled_from(["Available", "Faulted", "Charging", "Odd", None])
one_poll = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), statuses, st.sampled_from([True, False, None]), st.integers(-90, 30)),
    max_size=5,
    unique_by=lambda row: row[0],
)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(polls=st.lists(one_poll, min_size=1, max_size=5), data=st.data())
def test_any_split_into_pages_with_repeats_gives_the_same_state(
    sqlite: Database, polls: list[list[tuple[str, str | None, bool | None, int]]], data: st.DataObject
) -> None:
    def readings_of(rows: list[tuple[str, str | None, bool | None, int]], now: datetime) -> list[Any]:
        return [
            charger(
                connector(f"{key}.1", status, charger=key, status_changed_at=now + offset * MINUTE / 60),
                charger_id=key,
                online=online,
            )
            for key, status, online, offset in rows
        ]

    def state(split: bool) -> dict[str, list[Any]]:
        with sqlite.write() as connection:
            for table in SQLModel.metadata.sorted_tables:
                connection.execute(sa.delete(table))
        for index, one in enumerate(polls):
            now = T0 + index * MINUTE
            readings = readings_of(one, now)
            floor = now - MINUTE if index else None
            for _ in range(data.draw(st.integers(1, 2)) if split else 1):
                cuts = sorted(data.draw(st.sets(st.integers(0, len(readings)), max_size=3))) if split else []
                for start, end in zip([0, *cuts], [*cuts, len(readings)], strict=True):
                    with sqlite.write() as connection:
                        record_readings(connection, readings[start:end], Observation(now, floor=floor))
            poll(sqlite, now)
        kept = {
            table: [c.name for c in table.c if c.name not in {"changed_seq", "news_seq"}]
            for table in (CHARGER, CONNECTOR)
        }
        kept[INTERVAL] = [c.name for c in INTERVAL.c if c.name != "id"]
        return {table.name: sorted(rows(sqlite, table, *names), key=repr) for table, names in kept.items()}

    assert state(split=True) == state(split=False)
