"""The functions of a condition against a plain walk over all stored rows, and what brings a rule to look again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlmodel import SQLModel

from rules.alerts.query import compile_rule
from rules.documents.document import rule_from_document
from rules.language.conditions import parse_condition
from rules.matching.clauses import compile_condition, current
from rules.matching.compile import CLOCK_EVERY
from rules.matching.scope import PATHS, TABLES
from rules.matching.windows import local_clocks
from storage.engine import Database
from storage.schema import ALERT, RULE, WAKE
from tests.examples import examples
from tests.readings import MINUTE, T0, charger, connector, location, poll, record_poll, session
from tests.rules.engine import Engine
from tests.rules.matching.plain import truth
from tests.rules.matching.plain_functions import Stored

PLACES = {"ch1": "l1", "ch2": "l1", "ch3": "l2"}
PLUGS = {"ch1": ("ch1.a", "ch1.b"), "ch2": ("ch2.a",), "ch3": ("ch3.a",)}
ZONES = {"l1": "Europe/Copenhagen", "l2": "America/New_York"}
INTERVAL = timedelta(minutes=20)  # between polls, as far as gaps are concerned


@dataclass(frozen=True)
class Step:
    """One poll, `minutes` after the one before it."""

    minutes: int
    resource: str
    readings: tuple[Any, ...]
    seen: frozenset[str] | None = None


def _chargers() -> st.SearchStrategy[tuple[Any, ...]]:
    statuses = st.sampled_from(["Available", "Faulted", "Unavailable", "Rebooting", "Charging"])
    powers = st.sampled_from([None, 0.0, 3.5, 7.25])

    def one(id_: str) -> st.SearchStrategy[Any]:
        plugs = st.tuples(
            *(
                st.builds(lambda s, p, plug=plug: connector(plug, s, charger=id_, power_kw=p), statuses, powers)
                for plug in PLUGS[id_]
            )
        )
        online = st.sampled_from([True, True, False, None])
        return st.builds(
            lambda plugs, on: charger(*plugs, charger_id=id_, location_id=PLACES[id_], online=on), plugs, online
        )

    chosen = st.lists(st.sampled_from(list(PLACES)), unique=True, min_size=1)
    return chosen.flatmap(lambda ids: st.tuples(*(one(id_) for id_ in ids)))


@st.composite
def scripts(draw: st.DrawFn) -> tuple[Step, ...]:
    """Polls of a small fleet over some hours: sessions begin, grow and end, things vanish, polling has gaps."""
    steps = [Step(0, "locations", tuple(location(one, timezone=zone) for one, zone in ZONES.items()))]
    now = T0
    sessions: dict[str, Any] = {}
    for _ in range(draw(st.integers(2, 12))):
        minutes = draw(st.sampled_from([1, 1, 5, 10, 30, 90]))
        now += minutes * MINUTE
        kind = draw(st.sampled_from(["chargers", "chargers", "sessions", "sessions", "sweep"]))
        if kind == "chargers":
            steps.append(Step(minutes, "chargers", draw(_chargers())))
        elif kind == "sweep":
            seen = draw(
                st.frozensets(st.sampled_from([*PLACES, *(plug for plugs in PLUGS.values() for plug in plugs)]))
            )
            steps.append(Step(minutes, "chargers", (), seen))
        else:
            id_ = draw(st.sampled_from(["s1", "s2", "s3", "s4"]))
            plug, started, ended, energy = sessions.get(id_, ("", None, None, None))
            plug = plug or draw(st.sampled_from(["ch1.a", "ch1.a", "ch1.b", "ch3.a"]))
            started = started or now - draw(st.sampled_from([0, 1, 20])) * MINUTE
            energy = draw(st.sampled_from([energy, None, 0.0, 0.25, 1.5]))
            if ended is None and draw(st.booleans()):
                ended = now - draw(st.sampled_from([0, 1])) * MINUTE
            sessions[id_] = (plug, started, ended, energy)
            charger_id = plug.split(".")[0]
            status = draw(st.sampled_from(["Completed", "Failed"])) if ended else draw(st.sampled_from(["Active", "?"]))
            values: dict[str, Any] = {"connector_id": plug, "charger_id": charger_id, "ended_at": ended}
            values |= {"location_id": PLACES[charger_id], "status": status, "energy_kwh": energy}
            steps.append(Step(minutes, "sessions", (session(id_, started=started, **values),)))
    return tuple(steps)


WINDOWS = st.sampled_from(["1m", "5m", "10m", "30m", "1h", "90m", "3h", "840h"])  # 840h: the 35 days read back
OF_SESSION = st.sampled_from(
    [
        "session.energy < 0.5 kWh",
        'session.status == "Completed"',
        "session.duration >= 5m",
        "session.energy is unknown",
        'session.status == "Failed" or connector.status == "Faulted"',
        "not (session.energy < 0.5 kWh)",
        "charger.online",
    ]
)
OF_CONNECTOR = st.sampled_from(
    [
        'connector.status == "Faulted"',
        "connector.power > 1 kW",
        "connector.status is unknown",
        "since(connector.status) >= 5m",
        'connector.status == "Available" and charger.online',
        'location.name == "Location l1"',
    ]
)
OF_CHARGER = st.sampled_from(["charger.online", "not charger.online", "charger.online is unknown"])
COMPARED = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


@st.composite
def functions(draw: st.DrawFn, for_each: str) -> str:
    """One comparison of a function, as written."""
    starts = {"location": ["location"], "charger": ["charger", "location"]}.get(
        for_each, ["connector", "charger", "location"]
    )
    start = draw(st.sampled_from(starts))
    inner = draw(
        st.sampled_from(
            {"connector": ["session"], "charger": ["session", "connector"]}.get(
                start, ["session", "connector", "charger"]
            )
        )
    )
    where = draw({"session": OF_SESSION, "connector": OF_CONNECTOR, "charger": OF_CHARGER}[inner])
    path, op, window = f"{start}.{inner}s", draw(COMPARED), draw(WINDOWS)
    tail = draw(st.sampled_from(["", f" where {where}"]))
    number, ratio = draw(st.sampled_from(["0", "1", "2", "3"])), draw(st.sampled_from(["0 %", "25 %", "50 %", "100 %"]))
    made = [f"count({path}{tail}) {op} {number}", f"share({path} where {where}) {op} {ratio}"]
    if inner == "session":
        aggregate = draw(st.sampled_from(["sum", "avg", "min", "max"]))
        among = draw(st.sampled_from(["", f" where {draw(OF_SESSION)}"]))
        last = f"last({draw(st.sampled_from([1, 2, 3]))}, {path}"
        made += [f"count({path}{tail}, {window}) {op} {number}", f"share({path} where {where}, {window}) {op} {ratio}"]
        made += [
            f"{aggregate}({path}.energy{tail}, {window}) {op} 0.25 kWh",
            f"streak({path} where {where}) {op} {number}",
        ]
        made += [f"{aggregate}({path}.duration{tail}) {op} 5m", f"{aggregate}({path}.duration{tail}, {window}) {op} 5m"]
        made += [f"share({last}{among}) where {where}) {op} {ratio}", f"count({last}{among}){tail}) {op} {number}"]
        made += [f"avg({last[: -len(path)]}{path}.energy{among}){tail}) {op} 0.25 kWh"]
    if inner == "connector":
        made += [f"{draw(st.sampled_from(['sum', 'avg', 'min', 'max']))}({path}.power{tail}) {op} 3.5 kW"]
    if for_each != "location":
        made += [f"changes(charger.online, {window}) {op} {number}", f"since(charger.online) {op} {window}"]
        made += [f"changes(not charger.online, {window}) {op} {number}"]
    if for_each in {"connector", "session"}:
        made += [f"changes(connector.status, {window}) {op} {number}", f"since(connector.status) {op} {window}"]
        made += [
            f'changes(connector.status == "Faulted", {window}) {op} {number}',
            f"{window} {op} since(connector.id)",
        ]
        counted = draw(
            st.sampled_from(
                [
                    "",
                    "",
                    ' where connector.status != "Unavailable"',
                    " where charger.online",
                    " where not charger.online",
                ]
            )
        )
        made += [f"uptime(connector{counted}, {window}) {op} {ratio}"] * 3
        made += [f"downtime(connector{counted}, {window}) {op} {draw(st.sampled_from(['0s', '5m', '30m']))}"] * 2
    if for_each == "session":
        made += [f"increase(session.energy, {window}) {op} 0.25 kWh"] * 3 + [f"session.duration {op} {window}"]
    made += [
        'weekday in ["Monday", "Sunday"]',
        'hours("11:00-13:30")',
        'hours("21:00-06:30")',
        'business_hours("06:00-09:00")',
    ]
    return draw(st.sampled_from(made))


@st.composite
def written(draw: st.DrawFn, for_each: str) -> str:
    """One or two functions in one condition."""
    one = draw(functions(for_each))
    form = draw(st.sampled_from(["{0}", "{0}", "not ({0})", "({0}) is unknown", "{0} and {1}", "{0} or {1}"]))
    return form.format(one, draw(functions(for_each)))


@contextmanager
def forgotten(database: Database) -> Iterator[Connection]:
    """A transaction that leaves nothing behind."""
    with database.engine.connect() as connection:
        connection.execution_options(begin="IMMEDIATE")
        transaction = connection.begin()
        try:
            yield connection
        finally:
            transaction.rollback()


def record(connection: Connection, script: tuple[Step, ...]) -> datetime:
    now = T0
    for step in script:
        now += step.minutes * MINUTE
        seen = None if step.seen is None else {"charger": set(step.seen), "connector": set(step.seen)}
        record_poll(connection, now, *step.readings, resource=step.resource, interval=INTERVAL, seen=seen)
    return now


def answers(connection: Connection, for_each: str, text: str, now: datetime) -> dict[str, bool | None]:
    """What SQL says of each subject: true, false or unknown."""
    table = TABLES[for_each]
    source: sa.FromClause = table
    for thing, column in PATHS[for_each].items():
        source = source.outerjoin(TABLES[thing], TABLES[thing].c.id == column)
    truth = sa.type_coerce(compile_condition(parse_condition(text, for_each=for_each), current), sa.Boolean())
    looked_at = table.c.ended_at if for_each == "session" else table.c.gone_at
    statement = sa.select(table.c.id, truth).select_from(source).where(looked_at.is_(None))
    given = {"now": now, "clocks": local_clocks(ZONES.values(), now)}
    return {row.id: row[1] for row in connection.execute(statement, given)}


FOR_EACH = ("connector", "charger", "location", "session")
CASES = st.sampled_from(FOR_EACH).flatmap(lambda thing: st.tuples(st.just(thing), written(thing)))
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


def test_sql_says_of_functions_what_a_plain_walk_over_all_rows_says(database: Database) -> None:
    many = 40 if database.engine.dialect.name == "sqlite" else 6

    @settings(max_examples=examples(many), suppress_health_check=SLOW)
    @given(scripts(), st.lists(CASES, min_size=10, max_size=10), st.sampled_from([0, 1, 10]))
    def law(script: tuple[Step, ...], cases: list[tuple[str, str]], later: int) -> None:
        with forgotten(database) as connection:
            now = record(connection, script) + later * MINUTE
            stored = Stored(connection, now)
            for for_each, text in cases:
                condition = parse_condition(text, for_each=for_each)
                expected = {id_: truth(condition, subject) for id_, subject in stored.subjects(for_each).items()}
                event(f"{text.split('(')[0]} {sorted({str(answer) for answer in expected.values()})}")
                assert answers(connection, for_each, text, now) == expected, text

    law()


WATCHED = [
    ("location", "share(location.chargers where not charger.online) >= 50 %"),
    ("location", 'count(location.connectors where connector.status == "Faulted" and charger.online) >= 1'),
    ("location", "sum(location.connectors.power) > 5 kW"),
    (
        "location",
        'count(location.sessions where session.energy < 0.5 kWh and connector.status != "Available", 30m) >= 1',
    ),
    ("charger", "count(charger.sessions where session.energy < 0.5 kWh, 30m) >= 1"),
    ("charger", "changes(charger.online, 30m) >= 1"),
    ("charger", "since(charger.online) >= 30m"),
    ("connector", "share(location.chargers where charger.online) < 100 % and changes(connector.status, 10m) < 1"),
    ("connector", 'changes(connector.status == "Faulted", 90m) >= 2 or since(charger.online) < 5m'),
    ("connector", "streak(connector.sessions where session.energy < 0.5 kWh) >= 2 or count(connector.sessions) == 0"),
    ("connector", 'share(last(2, connector.sessions) where session.status == "Completed") < 90 %'),
    ("connector", 'since(connector.status) > 10m and connector.status != "Faulted"'),
    ("connector", 'count(connector.sessions where session.status == "Completed", 1h) == 0 and charger.online'),
    ("session", "session.duration > 30m"),
    ("session", "session.duration < 30m or since(session.energy) >= 10m"),
    ("session", "session.energy >= 0.25 kWh and count(connector.sessions, 10m) == 0"),
]
RULES: list[dict[str, Any]] = [
    {"name": f"rule-{number}", "for_each": for_each, "when": when, "for": "1m" if number % 3 == 0 else "0m"}
    for number, (for_each, when) in enumerate(WATCHED)
]


@pytest.fixture
def twins(tmp_path: Path) -> Iterator[tuple[Database, Database]]:
    databases = [Database(f"sqlite:///{tmp_path / name}.db", durable=False) for name in ("changed", "full")]
    for database in databases:
        SQLModel.metadata.create_all(database.engine)
    yield databases[0], databases[1]
    for database in databases:
        database.close()


def test_looking_when_something_changed_or_woke_gives_what_looking_at_everything_gives(
    twins: tuple[Database, Database],
) -> None:
    def open_alerts(database: Database) -> list[tuple[Any, ...]]:
        names = ("rule_id", "subject", "state", "due_at")
        statement = sa.select(*(ALERT.c[name] for name in names)).where(ALERT.c.state.in_(["pending", "firing"]))
        with database.read() as connection:
            return sorted(tuple(row) for row in connection.execute(statement.order_by(*names[:2])))

    @settings(max_examples=examples(10), suppress_health_check=SLOW)
    @given(scripts(), st.lists(st.booleans(), min_size=20, max_size=20))
    def law(script: tuple[Step, ...], evaluated: list[bool]) -> None:
        for database in twins:
            with database.write() as connection:
                for table in SQLModel.metadata.sorted_tables:
                    connection.execute(sa.delete(table))
        engines = [Engine(database, *RULES, now=T0) for database in twins]
        now, last = T0, script[0]
        for engine in engines:
            poll(engine.database, T0, resource="sessions")
            poll(engine.database, T0, resource="chargers")
        # after the last poll nothing is said any more, but the clock goes on
        quiet = tuple(Step(minutes, last.resource, ()) for minutes in (1, 4, 5, 20, 35, 60))
        for number, step in enumerate((*script, *quiet)):
            now += step.minutes * MINUTE
            seen = None if step.seen is None else {"charger": set(step.seen), "connector": set(step.seen)}
            for engine in engines:
                poll(engine.database, now, *step.readings, resource=step.resource, interval=INTERVAL, seen=seen)
            if number < len(evaluated) and evaluated[number]:
                continue
            with twins[1].write() as connection:
                connection.execute(sa.update(RULE).values(evaluated_seq=0))
            for engine in engines:
                engine.evaluate(now)
            assert open_alerts(twins[0]) == open_alerts(twins[1]), step
        told = [[(one.at, one.rule_id, one.subject, one.to_state) for one in engine.transitions] for engine in engines]
        assert sorted(told[0]) == sorted(told[1])
        for one in engines[0].transitions:
            event(f"{one.rule_id} {one.to_state}")

    law()
    assert all(compile_rule(rule_from_document(rule, "r")).full_every != CLOCK_EVERY for rule in RULES)


def said(connection: Connection, text: str, now: datetime) -> dict[str, bool | None]:
    found = answers(connection, "connector", text, now)
    subjects = Stored(connection, now).subjects("connector")
    plainly = {id_: truth(parse_condition(text, for_each="connector"), one) for id_, one in subjects.items()}
    assert found == plainly
    return found


def test_unknown_values_are_passed_over_where_changes_are_counted(database: Database) -> None:
    with forgotten(database) as connection:
        for minute, status in enumerate(["Available", "Rebooting", "Faulted", "Rebooting", "Faulted", "Available"]):
            now = T0 + minute * MINUTE
            long_ago = T0 - 60 * MINUTE if minute == 0 else None
            record_poll(connection, now, charger(connector("c1", status, status_changed_at=long_ago)))
        assert said(connection, "changes(connector.status, 1h) == 2", now) == {"c1": True}
        assert said(connection, 'changes(connector.status == "Charging", 1h) == 0', now) == {"c1": True}
        assert said(connection, "changes(connector.status, 3m) == 1", now) == {"c1": True}  # at 10:02 no more
        assert said(connection, "changes(connector.status, 181s) == 2", now) == {"c1": True}


def test_a_session_leaves_a_window_exactly_when_the_window_has_passed_since_its_end(database: Database) -> None:
    with forgotten(database) as connection:
        record_poll(connection, T0, charger(connector("c1")))
        ended = session("s1", started=T0 - MINUTE, ended_at=T0, energy_kwh=0.5)
        record_poll(connection, T0, ended, resource="sessions")
        text = "count(connector.sessions, 10m) == 1"
        assert said(connection, text, T0 + 10 * MINUTE - timedelta(seconds=1)) == {"c1": True}
        assert said(connection, text, T0 + 10 * MINUTE) == {"c1": False}


def test_unknown_sessions_are_neither_in_a_share_nor_in_a_streak(database: Database) -> None:
    with forgotten(database) as connection:
        record_poll(connection, T0, charger(connector("c1")))
        for number, energy in enumerate([5.0, 0.0, None, 0.0]):
            ended = T0 - (10 - number) * MINUTE
            one = session(f"s{number}", started=ended - MINUTE, ended_at=ended, energy_kwh=energy)
            record_poll(connection, T0, one, resource="sessions")
        zero = "connector.sessions where session.energy < 0.1 kWh"
        for text in (f"streak({zero}) == 2", f"count({zero}, 1h) == 2", f"share({zero}, 1h) > 66 %"):
            assert said(connection, text, T0) == {"c1": True}
        assert said(connection, "share(last(3, connector.sessions) where session.energy < 0.1 kWh) == 100 %", T0)["c1"]
        learning = "share(last(5, connector.sessions) where session.energy < 0.1 kWh) == 100 %"
        assert said(connection, learning, T0) == {"c1": None}


def test_uptime_leaves_gaps_out_and_is_unknown_before_the_window_is_covered(database: Database) -> None:
    with forgotten(database) as connection:
        for minute, status in {
            0: "Available",
            10: "Faulted",
            20: "Available",
            30: "Available",
            90: "Available",
        }.items():
            record_poll(connection, T0 + minute * MINUTE, charger(connector("c1", status)), interval=10 * MINUTE)
        now = T0 + 90 * MINUTE  # 20 minutes up, 10 down, 60 not seen
        assert said(connection, "uptime(connector, 90m) > 66.6 % and uptime(connector, 90m) < 66.7 %", now) == {
            "c1": True
        }
        assert said(connection, "uptime(connector, 91m) is unknown", now) == {"c1": True}


def test_downtime_leaves_out_what_is_planned_and_counts_what_is_not_known(database: Database) -> None:
    codes = {0: "NoError", 10: "GroundFailure", 20: "Planned", 30: None, 40: "NoError"}
    with forgotten(database) as connection:
        for minute, code in codes.items():
            status = "Available" if code == "NoError" else "Unavailable"
            plug = connector("c1", status, error_code=code)
            record_poll(connection, T0 + minute * MINUTE, charger(plug), interval=10 * MINUTE)
        now = T0 + 60 * MINUTE
        unplanned = 'connector where connector.error_code != "Planned"'
        for text in (
            "downtime(connector, 1h) == 30m",
            f"downtime({unplanned}, 1h) == 20m",
            f"uptime({unplanned}, 1h) == 60 %",
            "downtime(connector, 2h) >= 30m",  # seen already, though one hour is not known
            "downtime(connector, 2h) is unknown",
        ):
            assert said(connection, text, now) == {"c1": True}, text
        assert said(connection, "downtime(connector, 2h) < 31m", now) == {"c1": None}


def test_a_window_is_learning_until_it_is_covered_unless_what_was_seen_decides(database: Database) -> None:
    with forgotten(database) as connection:
        record_poll(connection, T0, charger(connector("c1"), connector("c2")))
        for minute, status in enumerate(["Faulted", "Available", "Faulted", "Available"], 1):
            record_poll(connection, T0 + minute * MINUTE, charger(connector("c1", status), connector("c2")))
        now = T0 + 5 * MINUTE
        for text, c1, c2 in (
            ("changes(connector.status, 1h) >= 4", True, None),
            ("changes(connector.status, 1h) >= 5", None, None),
            ("changes(connector.status, 1h) == 0", False, None),
            ("changes(connector.status, 1h) < 4", False, None),
            ("changes(connector.status, 5m) == 0", False, True),
            ("2 * changes(connector.status, 1h) >= 4", None, None),  # only a comparison with itself is decided early
        ):
            assert said(connection, text, now) == {"c1": c1, "c2": c2}, text
        assert said(connection, "changes(connector.status, 1h) == 0", T0 + 65 * MINUTE)["c2"] is True


def test_sessions_are_known_35_days_back_of_what_was_there_first_and_of_a_newcomer_from_its_first_sight(
    database: Database,
) -> None:
    with forgotten(database) as connection:
        record_poll(connection, T0, charger(connector("c1")))
        record_poll(connection, T0, resource="sessions")
        record_poll(connection, T0 + MINUTE, charger(connector("c1"), connector("c2")))
        text, now = "count(connector.sessions, {}) == 0", T0 + 2 * MINUTE
        assert said(connection, text.format("48h"), now) == {"c1": True, "c2": None}
        assert said(connection, text.format("35d"), now) == {"c1": True, "c2": None}
        assert said(connection, text.format("36d"), now) == {"c1": None, "c2": None}
        assert said(connection, text.format("48h"), T0 + MINUTE + timedelta(hours=48)) == {"c1": True, "c2": True}
        assert said(connection, "count(connector.sessions) == 0", now) == {"c1": True, "c2": True}


def test_three_in_a_row_are_three_whatever_was_before_them(database: Database) -> None:
    with forgotten(database) as connection:
        record_poll(connection, T0, charger(connector("c1")))
        for number in range(3):
            ended = T0 - (10 - number) * MINUTE
            one = session(f"s{number}", started=ended - 3 * MINUTE, ended_at=ended, energy_kwh=0.0)
            record_poll(connection, T0, one, resource="sessions")
        zero = "connector.sessions where session.energy < 0.1 kWh"
        for text, answer in (
            (f"streak({zero}) >= 3", True),
            (f"streak({zero}) >= 4", None),
            ("count(last(3, connector.sessions) where session.energy < 0.1 kWh) == 3", True),
            ("count(last(4, connector.sessions) where session.energy < 0.1 kWh) >= 3", True),
            ("count(last(4, connector.sessions) where session.energy < 0.1 kWh) == 3", None),
        ):
            assert said(connection, text, T0) == {"c1": answer}, text


def test_energy_increases_since_the_last_sample_before_the_window(database: Database) -> None:
    with forgotten(database) as connection:
        for minute, energy in {0: 1.0, 10: 2.0, 20: 2.5}.items():
            reading = session("s1", started=T0, energy_kwh=energy)
            record_poll(connection, T0 + minute * MINUTE, reading, resource="sessions")
        for text, minute, answer in (
            ("increase(session.energy, 10m) == 0.5 kWh", 20, True),
            ("increase(session.energy, 15m) == 1.5 kWh", 20, True),
            ("increase(session.energy, 21m) is unknown", 20, True),
            ("increase(session.energy, 20m) == 0 kWh", 40, True),
        ):
            assert answers(connection, "session", text, T0 + minute * MINUTE) == {"s1": answer}


def test_a_subject_is_woken_once_and_then_not_again(database: Database) -> None:
    engine = Engine(
        database, {"name": "still", "for_each": "connector", "when": "since(connector.status) >= 2m"}, now=T0
    )
    assert engine.tick(T0, charger(connector("c1", status_changed_at=T0))) == []
    assert engine.tick(T0 + MINUTE) == []
    assert engine.tick(T0 + 2 * MINUTE) == ["c1 inactive>firing since 10:02"]
    with database.read() as connection:
        assert connection.execute(sa.select(WAKE)).all() == []
    changed = charger(connector("c1", "Charging", status_changed_at=T0 + 5 * MINUTE))
    assert engine.tick(T0 + 5 * MINUTE, changed) == ["c1 firing>resolved since 10:02"]
    with database.read() as connection:
        assert [row.wake_at for row in connection.execute(sa.select(WAKE))] == [T0 + 7 * MINUTE]


@pytest.mark.parametrize(("for_each", "when"), WATCHED)
def test_what_changed_is_looked_up_and_no_table_is_read_through(for_each: str, when: str, sqlite: Database) -> None:
    compiled = compile_rule(rule_from_document({"name": "x", "for_each": for_each, "when": when}, "x.yaml"))
    asked: list[tuple[str, Any]] = []

    @sa.event.listens_for(sqlite.engine, "before_cursor_execute")
    def on_execute(_: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        asked.append((statement, parameters))

    with sqlite.read() as connection:
        for prepared in (compiled.changed, compiled.wakes_changed):
            if prepared is not None:
                connection.execute(prepared.statement, {"rule": "x", "now": T0, "seen": 1})
        plans = [
            str(line[3])
            for text, values in list(asked)
            if not text.startswith("BEGIN")
            for line in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
        ]
    assert any(line.startswith("SEARCH") for line in plans)
    assert [line for line in plans if line.startswith("SCAN") and "CONSTANT ROW" not in line] == []
