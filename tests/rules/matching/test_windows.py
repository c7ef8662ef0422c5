"""The functions of a condition against a plain walk over all stored rows."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from rules.alerts.query import compile_rule
from rules.documents.document import rule_from_document
from rules.language.conditions import parse_condition
from rules.language.expressions import Compare, Windowed
from rules.matching.clauses import compile_condition
from rules.matching.scope import SUBJECT
from rules.matching.windows import local_clocks
from storage.engine import Database
from storage.recording.staleness import mark_stale
from tests.examples import examples
from tests.readings import MINUTE, T0, charger, connector, location, record_poll, session
from tests.rules.matching.asked_of_sql import answers, forgotten
from tests.rules.matching.drawn_functions import written
from tests.rules.matching.drawn_polls import SLOW, ZONES, Step, record, scripts
from tests.rules.matching.plain_conditions import truth
from tests.rules.matching.plain_functions import Stored

FOR_EACH = ("connector", "charger", "location", "session", "network")
CASES = st.sampled_from(FOR_EACH).flatmap(lambda thing: st.tuples(st.just(thing), written(thing)))


def parameters(now: datetime) -> dict[str, Any]:
    return {"rule": "law", "now": now, "seen": 0, "clocks": local_clocks(ZONES.values(), now)}


def test_sql_says_of_functions_what_a_plain_walk_over_all_rows_says(database: Database) -> None:
    many = 40 if database.engine.dialect.name == "sqlite" else 6

    @settings(max_examples=examples(many), suppress_health_check=SLOW)
    @given(scripts(), st.lists(CASES, min_size=4, max_size=4), st.sampled_from([0, 1, 10]))
    def law(script: tuple[Step, ...], cases: list[tuple[str, str]], later: int) -> None:
        with forgotten(database) as connection:
            now = record(connection, script) + later * MINUTE
            stored = Stored(connection, now)
            for for_each, text in cases:
                condition = parse_condition(text, for_each=for_each)
                expected = {id_: truth(condition, subject) for id_, subject in stored.subjects(for_each).items()}
                event(f"{text.split('(')[0]} {sorted({str(answer) for answer in expected.values()})}")
                assert answers(connection, for_each, text, now) == expected, text
            whole = {"name": "law", "for_each": cases[0][0], "when": cases[0][1]}
            found = compile_rule(rule_from_document(whole, "law.yaml")).births.all(connection, parameters(now))
            assert {row.subject for row in found} <= {id_ for id_, subject in stored.subjects(cases[0][0]).items()}

    law()


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


def test_uptime_leaves_out_the_time_in_which_the_connector_could_not_be_read(database: Database) -> None:
    with forgotten(database) as connection:
        record_poll(connection, T0, charger(connector("c1", "Available")), interval=60 * MINUTE)
        record_poll(connection, T0 + 10 * MINUTE, charger(connector("c1", "Faulted")), interval=60 * MINUTE)
        mark_stale(connection, {"connector": {"c1"}}, T0 + 20 * MINUTE)
        now = T0 + 40 * MINUTE  # 10 minutes up, 10 down, 20 not seen
        assert said(connection, "uptime(connector, 40m) == 50 % and downtime(connector, 40m) == 10m", now)["c1"]
        record_poll(connection, now, charger(connector("c1", "Faulted")), interval=60 * MINUTE)
        later = now + 20 * MINUTE  # and 20 down
        assert said(connection, "uptime(connector, 1h) == 25 % and downtime(connector, 1h) == 30m", later)["c1"]


def test_members_that_cannot_be_read_decide_nothing_and_what_they_cannot_change_is_decided(database: Database) -> None:
    with forgotten(database) as connection:
        for number, online in enumerate([True, True, True, False]):
            record_poll(connection, T0, charger(charger_id=f"ch{number}", online=online))
        record_poll(connection, T0, location(), resource="locations")
        offline, of_location = "share(location.chargers where not charger.online)", "location"
        assert answers(connection, of_location, f"{offline} == 25 %", T0) == {"l1": True}
        mark_stale(connection, {"charger": {"ch2"}}, T0 + MINUTE)
        expected = {
            f"{offline} >= 25 %": True,  # 1 of 4 at least, 2 of 4 at the most, whatever ch2 is
            f"{offline} > 50 %": False,
            f"{offline} >= 50 %": None,
            f"{offline} == 25 %": None,
            f"{offline} is unknown": True,
            "count(location.chargers) == 4": True,
            "count(location.chargers where charger.online) < 4": True,
            "count(location.chargers where charger.online) >= 3": None,
            'count(location.chargers where charger.id == "ch2") == 1': True,  # what it is stays known
        }
        for text, truth_ in expected.items():
            assert answers(connection, of_location, text, T0 + MINUTE) == {"l1": truth_}, text


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


def delivered(connection: Connection, *course: tuple[float, float | None], minute: float, window: str) -> Any:
    """What `increase` over a window is at a minute, after energies came at theirs; SQL and the plain walk agree."""
    for told_at, energy in course:
        reading = session("s1", started=T0, energy_kwh=energy)
        record_poll(connection, T0 + told_at * MINUTE, reading, resource="sessions")
    now = T0 + minute * MINUTE
    condition = parse_condition(f"increase(session.energy, {window}) < 1 kWh", for_each="session")
    assert isinstance(condition, Compare)
    assert isinstance(condition.left, Windowed)
    found = connection.execute(sa.select(compile_condition(condition.left, SUBJECT)), {"now": now}).scalar_one()
    assert found == Stored(connection, now).increase(condition.left, Stored(connection, now).rows["session"][0])
    return found if found is None else round(found, 9)


STALL = ((0, 0.0), (2, 1.0), (3, 2.0), (4, 3.0), (40, 3.02))
RESTART = ((0, 5.0), (1, 5.5), (2, 0.0), (3, 0.5), (4, 1.0), (5, 1.5), (9, 2.0))


@pytest.mark.parametrize(
    ("course", "minute", "window", "expected"),
    [
        (STALL, 40, "20m", 0.02),  # what it stood at was never sampled by the clock
        (STALL, 44, "20m", 0.02),
        (STALL, 60, "20m", 0.0),
        (STALL, 23, "20m", 2.0),
        (STALL, 40, "37m", 2.02),
        (STALL, 40, "41m", None),
        (RESTART, 9, "9m", 2.5),  # 0.5 to 5.5, then 2.0 from the start
        (RESTART, 9, "7m", 2.0),
        (RESTART, 2, "2m", 0.5),
        (((0, 1.0), (5, None), (10, 3.0)), 10, "8m", 2.0),  # the last known before the edge
        (((0, 1.0), (5, None)), 6, "3m", None),
        (((0, 6.0), (1, None), (2, 0.4)), 3, "3m", 0.4),
        (((0, 1.0), (5, 2.0), (10, 1.5), (15, 1.25)), 15, "15m", 1.0 + 1.5 + 1.25),
    ],
)
def test_what_a_window_delivered_is_right_through_stalls_restarts_and_silence(
    database: Database,
    course: tuple[tuple[float, float | None], ...],
    minute: float,
    window: str,
    expected: float | None,
) -> None:
    with forgotten(database) as connection:
        told = [one for one in course if one[0] <= minute]
        assert delivered(connection, *told, minute=minute, window=window) == expected
