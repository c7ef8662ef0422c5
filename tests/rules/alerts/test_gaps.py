"""What a gap in polling does to what an alert waits for: counted once, after the moment from which it counts."""

from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from rules.alerts.gaps import Gaps
from rules.lifecycle import AlertState, State
from storage.engine import Database
from storage.schema import ALERT
from tests.readings import MINUTE, T0, at, charger, connector, location, poll
from tests.rules.engine import FAULTED, Engine

PAUSE = FAULTED | {"on_gap": "pause"}
QUICK = FAULTED | {"for": "0s"}
OVER_PLACES = {"when": 'connector.status == "Faulted" and location.type == "public"', "on_gap": "pause"}


def faulted(**values: Any) -> Any:
    return charger(connector(status="Faulted", **values))


def due(database: Database) -> list[tuple[datetime, float]]:
    with database.read() as connection:
        rows = connection.execute(sa.select(ALERT).where(ALERT.c.due_at.is_not(None)))
        return [(row.due_at, row.gap_s) for row in rows]


def moves(engine: Engine, first: str, last: str, every: int = 1) -> dict[str, list[str]]:
    """Good polls without news from first to last; what moved, by its minute."""
    told, now = {}, at(first)
    while now <= at(last):
        lines = engine.tick(now)
        if lines:
            told[f"{now:%H:%M}"] = lines
        now += every * MINUTE
    return told


def test_keep_firing_for_adds_only_the_longest_gap_where_most_polls_fail(database: Database) -> None:
    engine = Engine(database, QUICK, now=at("00:55"))
    engine.tick(at("00:55"), faulted())
    engine.tick(at("01:00"), charger(connector()))
    assert moves(engine, "01:05", "02:00", every=5) == {"01:10": ["c1 firing>resolved since 00:55"]}


def test_a_longer_gap_adds_what_it_is_longer_by_and_what_was_added_is_stored(database: Database) -> None:
    engine = Engine(database, QUICK, now=T0)
    engine.tick(at("10:00"), faulted())
    engine.tick(at("10:01"), charger(connector()))
    assert due(database) == [(at("10:06"), 0.0)]
    engine.tick(at("10:05"))
    assert due(database) == [(at("10:10"), 240.0)]
    engine.tick(at("10:09:59"))
    assert due(database) == [(at("10:10:59"), 299.0)]
    engine.tick(at("10:10"), faulted())
    engine.tick(at("10:11"), charger(connector()))
    assert due(database) == [(at("10:16"), 0.0)]  # another beginning, from which no gap counts yet


def test_what_lies_before_the_first_false_answer_does_not_keep_an_alert(database: Database) -> None:
    engine = Engine(database, FAULTED | {"for": "0s", **OVER_PLACES}, now=T0)
    poll(database, at("10:00"), location(type="public"), resource="locations")
    engine.tick(at("10:00"), faulted())
    for minute in range(1, 11):
        engine.tick(T0 + minute * MINUTE)
    engine.tick(at("10:10:30"), charger(connector()))
    poll(database, at("10:12"), location(type="public"), resource="locations")  # not polled since 10:00
    engine.tick(at("10:12"))
    assert due(database) == [(at("10:17"), 90.0)]


def test_a_pause_counts_only_what_lies_after_the_beginning(database: Database) -> None:
    engine = Engine(database, PAUSE, now=T0)
    engine.tick(at("10:00"), charger(connector()))
    assert engine.tick(at("10:20"), faulted(status_changed_at=at("10:10"))) == ["c1 inactive>pending since 10:10"]
    assert due(database) == [(at("10:50"), 600.0)]
    assert moves(engine, "10:21", "11:00") == {"10:50": ["c1 pending>firing since 10:10"]}


def test_a_pause_before_an_alert_could_begin_counts_too(database: Database) -> None:
    engine = Engine(database, PAUSE, now=T0)
    engine.tick(at("10:00"), charger(connector(status="Faulted"), online=False))
    engine.tick(at("10:20"), charger(connector(status="Faulted"), online=False))
    assert engine.tick(at("10:22"), faulted()) == ["c1 inactive>pending since 10:00"]
    assert due(database) == [(at("10:50"), 1200.0)]


def test_gaps_of_several_resources_that_overlap_count_once_also_over_several_evaluations(database: Database) -> None:
    engine = Engine(database, FAULTED | OVER_PLACES, now=T0)
    poll(database, at("10:00"), location(type="public"), resource="locations")
    engine.tick(at("10:00"), faulted(status_changed_at=at("10:00")))
    engine.tick(at("10:10"))
    assert due(database) == [(at("10:40"), 600.0)]
    engine.tick(at("10:11"))
    poll(database, at("10:12"), location(type="public"), resource="locations")
    engine.tick(at("10:12"))  # nothing was seen of locations from 10:00 to 10:12
    assert due(database) == [(at("10:42"), 720.0)]


@pytest.mark.parametrize("edit", [{"description": "In other words"}, {"severity": "warning"}])
def test_an_edit_of_the_words_keeps_what_gaps_have_added(database: Database, edit: dict[str, str]) -> None:
    engine = Engine(database, PAUSE, now=T0)
    engine.tick(at("10:00"), charger(connector()))
    engine.tick(at("10:02"), faulted(status_changed_at=at("10:02")))
    assert moves(engine, "10:03", "10:04") == {}
    assert moves(engine, "10:25", "10:29") == {}
    engine.use(PAUSE | edit, now=at("10:30"))
    assert moves(engine, "10:30", "11:10") == {"10:53": ["c1 pending>firing since 10:02"]}


def test_an_edit_that_pauses_no_more_takes_away_what_was_added(database: Database) -> None:
    engine = Engine(database, PAUSE, now=T0)
    engine.tick(at("10:00"), faulted(status_changed_at=at("10:00")))
    engine.tick(at("10:20"))
    engine.use(FAULTED, now=at("10:21"))
    assert moves(engine, "10:21", "10:40") == {"10:30": ["c1 pending>firing since 10:00"]}


@pytest.mark.parametrize("when", [FAULTED["when"], "connector.status   ==  'Faulted'"])
def test_an_edit_that_asks_the_same_ends_no_alert_that_is_kept(database: Database, when: str) -> None:
    engine = Engine(database, QUICK, now=T0)
    engine.tick(at("10:00"), faulted())
    engine.tick(at("10:01"), charger(connector()))
    engine.use(QUICK | {"description": "In other words", "when": when}, now=at("10:02"))
    assert moves(engine, "10:02", "10:10") == {"10:06": ["c1 firing>resolved since 10:00"]}
    assert engine.transitions[-1].reason == "recovered"


def test_what_becomes_false_as_its_words_are_edited_is_kept_all_the_same(database: Database) -> None:
    engine = Engine(database, QUICK, now=T0)
    engine.tick(at("10:00"), faulted())
    engine.use(QUICK | {"description": "In other words"}, now=at("10:01"))
    assert engine.tick(at("10:01"), charger(connector())) == []
    assert moves(engine, "10:02", "10:10") == {"10:06": ["c1 firing>resolved since 10:00"]}


def test_a_condition_that_is_edited_and_edited_back_ends_what_it_made_false(database: Database) -> None:
    engine = Engine(database, QUICK, now=T0)
    engine.tick(at("10:00"), faulted())
    engine.use(QUICK | {"when": 'connector.status == "Unavailable"'}, now=at("10:01"))
    assert engine.tick(at("10:01")) == ["c1 firing>resolved since 10:00"]
    assert engine.transitions[-1].reason == "rule changed"
    engine.use(QUICK, now=at("10:02"))
    assert engine.tick(at("10:02")) == ["c1 inactive>firing since 10:00"]


minutes = st.integers(0, 60)
spans = st.lists(st.tuples(minutes, st.integers(1, 30)), max_size=6)


@given(counted=spans, new=spans, since=minutes)
def test_what_is_counted_is_each_minute_once_and_never_again(
    counted: list[tuple[int, int]], new: list[tuple[int, int]], since: int
) -> None:
    def moments(some: list[tuple[int, int]]) -> list[tuple[datetime, datetime]]:
        return [(T0 + start * MINUTE, T0 + (start + length) * MINUTE) for start, length in some]

    def covered(some: list[tuple[int, int]]) -> set[int]:
        return {minute for start, length in some for minute in range(start, start + length) if minute >= since}

    gaps, began = Gaps(moments(counted), moments(new)), T0 + since * MINUTE
    assert gaps.unseen_since(began) == len(covered(counted + new)) * MINUTE
    added = gaps.told_to(AlertState(State.PENDING, began))
    assert added == (len(covered(new) - covered(counted)) * MINUTE if new else 0 * MINUTE)
    kept = gaps.told_to(AlertState(State.FIRING, T0, false_since=began))
    lengths = [start + length - max(start, since) for start, length in counted + new if start + length > since]
    assert kept == (max(lengths, default=0) * MINUTE if new else 0 * MINUTE)
