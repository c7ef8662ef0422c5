"""A backtest that is foreseen is the replay of every poll, to the last figure, and is foreseen where it may be."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from bot.trials.rehearsal import Rehearsal
from rules.documents.document import rule_from_document
from rules.trials.backtest import Backtest, backtest, period
from rules.trials.scratch import Answer, Scratch
from storage.engine import Database
from tests.examples import examples
from tests.readings import MINUTE, T0
from tests.rules.trials.drawn_histories import CHARGERS, CONNECTORS, live
from tests.rules.trials.test_backtest import fired, found

OUT = 'connector.status == "Faulted"'
PLAIN: list[dict[str, Any]] = [
    {"for_each": "connector", "when": OUT},
    {"for_each": "connector", "when": OUT, "while": "charger.online"},
    {"for_each": "connector", "when": f'{OUT} and not charger.labels contains "test"', "while": "charger.online"},
    {"for_each": "connector", "when": f'charger.name == "Charger ch1" and connector.status != "Charging" or {OUT}'},
    {"for_each": "connector", "when": 'connector.status in ["Faulted", "Unavailable"] and charger.online'},
    {"for_each": "connector", "when": f"{OUT} or not charger.online", "group_by": ["location"]},
    {"for_each": "connector", "when": "connector.status is unknown", "group_by": []},
    {"for_each": "connector", "when": 'connector.status != "Available"', "while": f"charger.online or {OUT}"},
    {"for_each": "charger", "when": "not charger.online"},
    {"for_each": "charger", "when": "charger.online is unknown or not charger.online", "group_by": ["location"]},
]
TIMES: list[dict[str, Any]] = [
    {},
    {"for": "3m"},
    {"for": "2m", "keep_firing_for": "3m"},
    {"keep_firing_for": "5m"},
    {"for": "90s", "keep_firing_for": "45s"},
]
RULES = st.builds(
    lambda rule, times: {"name": "rule-0", **rule, **times}, st.sampled_from(PLAIN), st.sampled_from(TIMES)
)
STATUSES = ["Available", "Faulted", "Faulted", "Unavailable", "Charging", None]
ACTS = st.one_of(
    st.tuples(st.just("status"), st.sampled_from(sorted(CONNECTORS)), st.sampled_from(STATUSES)),
    st.tuples(st.just("online"), st.sampled_from(sorted(CHARGERS)), st.sampled_from([True, False, False, None])),
)
STRETCHES = st.tuples(st.integers(1, 6), st.sampled_from([True, True, True, False]), st.lists(ACTS, max_size=6))
STORIES = st.lists(STRETCHES, min_size=3, max_size=8)


def both(database: Database, document: dict[str, Any], interval: timedelta = MINUTE) -> tuple[Backtest, Backtest]:
    """The backtest of everything that is kept, and the replay of every poll of it."""
    told, every = (_tried(database, document, interval, every_poll=slowly) for slowly in (False, True))
    return told, every


def _tried(database: Database, document: dict[str, Any], interval: timedelta, *, every_poll: bool) -> Backtest:
    rule = rule_from_document(document, "test.yaml")
    with database.read() as connection:
        _, until = period(connection, timedelta(days=1))
        speaker = Rehearsal()
        asked: dict[str, Any] = {"since": T0, "until": until, "interval": interval, "every_poll": every_poll}
        return backtest(connection, rule, speaker=speaker, **asked)


@settings(max_examples=examples(15), deadline=None, phases=[Phase.explicit, Phase.generate])
@given(RULES, STORIES, st.sampled_from([MINUTE, MINUTE, 1.5 * MINUTE, 4 * MINUTE]))
def test_what_is_foreseen_is_what_every_poll_says_to_the_last_figure(
    document: dict[str, Any], story: Any, interval: timedelta
) -> None:
    database = Database("sqlite://", durable=False)
    SQLModel.metadata.create_all(database.engine)
    engine, _, _ = live(database, [document], (frozenset(), story))
    told, every = both(database, document, interval)
    assert replace(told, evaluated=every.evaluated) == every
    assert told.evaluated <= every.evaluated
    if interval == MINUTE:
        assert found(told) == fired(engine.transitions, "rule-0")
    database.close()


STORY = [(3, True, [("status", "c1", "Faulted"), ("online", "ch3", False)]), (6, True, [("status", "c1", "Available")])]
VANISHING = [*STORY, (4, True, [("toggle", "c2", None)])]


@pytest.mark.parametrize(
    ("more", "story", "is_foreseen"),
    [
        ({}, STORY, True),
        ({}, VANISHING, False),
        ({"when": f'{OUT} or connector.error_code == "GroundFailure"'}, STORY, False),
        ({"when": f"{OUT} and since(connector.status) > 1m"}, STORY, False),
        ({"when": f'{OUT} and location.name == "Location l1"'}, STORY, False),
        ({"repeat": "30m"}, STORY, False),
        ({"on_gap": "pause"}, STORY, False),
    ],
)
def test_polls_are_foreseen_where_a_rule_reads_plain_fields_and_speaks_of_nothing_else(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], story: Any, is_foreseen: bool
) -> None:
    document = {"name": "rule-0", "for_each": "connector", "when": OUT, "for": "1m", **more}
    live(sqlite, [document], (frozenset(), story))
    ticks: list[datetime] = []
    tick = Scratch.tick

    def counted(self: Scratch, now: datetime, answers: Sequence[Answer]) -> list[Any]:
        ticks.append(now)
        return tick(self, now, answers)

    monkeypatch.setattr(Scratch, "tick", counted)
    told, every = both(sqlite, document)
    assert (told.firings, told.cards, told.replies) == (every.firings, every.cards, every.replies)
    played = len(ticks) - every.polls
    assert (played == 1) is is_foreseen
