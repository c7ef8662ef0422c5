"""Laws of alert life, for any sequence of polls, gaps, restarts, lost evaluations and edits of the rule, however quiet
people and quiet hours keep it.
"""

from collections import defaultdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from notify.alert_cards.due_messages import speak_due
from notify.routing import Routing
from rules.alerts.silences import create_silence
from rules.alerts.snoozes import snooze
from rules.documents.document import rule_from_document
from rules.documents.maintenance import WeeklyWindow
from rules.documents.quiet_hours import QuietHours
from rules.documents.speech_plan import SpeechPlan
from storage.engine import Database
from storage.schema import ALERT, INCIDENT, TRANSITION
from tests.examples import examples
from tests.readings import MINUTE, T0, charger, connector, poll
from tests.rules.engine import FAULTED, Engine

statuses = st.sampled_from(["Available", "Faulted", "Faulted", "Odd", None])
onlines = st.sampled_from([True, True, True, False, None])
steps = st.one_of(
    st.tuples(st.just("poll"), st.integers(1, 3), st.lists(statuses, min_size=2, max_size=2), onlines),
    st.tuples(st.just("quiet"), st.integers(1, 3)),
    st.tuples(st.just("gap"), st.integers(4, 20)),
    st.tuples(st.just("recorded only"), st.integers(1, 3), st.lists(statuses, min_size=2, max_size=2), onlines),
    st.tuples(st.just("restart")),
    st.tuples(st.just("edit"), st.sampled_from([0, 3, 8]), st.sampled_from([0, 4])),
    st.tuples(st.just("remove")),
)


def document(for_: int, keep: int, on_gap: str) -> dict[str, Any]:
    return {
        **FAULTED,
        "for": f"{for_}m" if for_ else "0s",
        "keep_firing_for": f"{keep}m" if keep else "0s",
        "on_gap": on_gap,
    }


def play(database: Database, story: list[tuple[Any, ...]], on_gap: str, *, restarts: bool) -> list[tuple[Any, ...]]:
    """Play a story on an empty database; every transition as it was told, in order."""
    with database.write() as connection:
        for table in SQLModel.metadata.sorted_tables:
            connection.execute(sa.delete(table))
    rule = document(5, 2, on_gap)
    now = T0
    engine = Engine(database, rule, now=now)
    told: list[tuple[Any, ...]] = []

    def heard(transitions: list[Any]) -> None:
        told.extend((t.at, t.subject, str(t.from_state), str(t.to_state), t.active_at, t.reason) for t in transitions)
        transitions.clear()

    for kind, *details in story:
        if kind in {"poll", "recorded only"}:
            now += details[0] * MINUTE
            both = [connector(name, status) for name, status in zip(["c1", "c2"], details[1], strict=True)]
            reading = charger(*both, online=details[2])
            if kind == "poll":
                engine.tick(now, reading)
            else:
                poll(database, now, reading)
        elif kind in {"quiet", "gap"}:
            now += details[0] * MINUTE
            engine.tick(now)
        elif kind == "edit":
            rule = document(details[0], details[1], on_gap)
            engine.use(rule, now=now)
        elif kind == "remove":
            engine.use(now=now)
            engine.use(rule, now=now)
        elif kind == "restart" and restarts:
            heard(engine.transitions)
            engine = Engine(database, rule, now=now)
        elif kind == "hush":
            hush(database, details[0], now + details[1] * MINUTE, now)
        heard(engine.transitions)
    return told


def hush(database: Database, how: str, until: datetime, now: datetime) -> None:
    """Keep every alert that fires quiet, in one of the ways there are."""
    firing = ALERT.c.state == "firing"
    with database.write() as connection:
        if how == "silence":
            create_silence(connection, author="U1", reason="r", now=now, until=until, location_id="l1")
        elif how == "snooze":
            snooze(connection, firing, until, "U1")
        elif how == "quiet hours":
            connection.execute(sa.update(ALERT).where(firing).values(quiet_since=now, quiet_ended_at=None))
        elif how == "acknowledge":
            connection.execute(sa.update(ALERT).where(firing).values(acknowledged_at=now, acknowledged_by="U1"))
        elif how == "review":
            rule = rule_from_document(FAULTED | {"ack_for": "5m"}, "test.yaml")
            plan = SpeechPlan(quiet_hours=QuietHours(WeeklyWindow((0,), "10:05", "10:15")))
            speak_due(connection, Routing(now, {rule.name: ["#alerts"]}, plan, {rule.name: rule}))


hushes = st.tuples(
    st.just("hush"),
    st.sampled_from(["silence", "snooze", "quiet hours", "acknowledge", "review", "review"]),
    st.integers(1, 10),
)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(story=st.lists(st.one_of(steps, hushes), max_size=14), on_gap=st.sampled_from(["keep", "pause", "reset"]))
def test_nothing_that_keeps_messages_back_moves_an_alert(
    sqlite: Database, story: list[tuple[Any, ...]], on_gap: str
) -> None:
    hushed = play(sqlite, story, on_gap, restarts=True)
    assert hushed == play(sqlite, [step for step in story if step[0] != "hush"], on_gap, restarts=False)


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(story=st.lists(steps, max_size=14), on_gap=st.sampled_from(["keep", "pause", "reset"]))
def test_for_any_story_alerts_keep_their_laws(sqlite: Database, story: list[tuple[Any, ...]], on_gap: str) -> None:
    told = play(sqlite, story, on_gap, restarts=True)
    state: dict[str, str] = defaultdict(lambda: "inactive")
    since: dict[str, Any] = {}
    for at, subject, before, after, active_at, _ in told:
        expected = "inactive" if state[subject] == "resolved" else state[subject]
        assert before == expected, "each transition starts where the one before it ended"
        assert (before, after) in {
            ("inactive", "pending"),
            ("inactive", "firing"),
            ("pending", "firing"),
            ("pending", "inactive"),
            ("firing", "resolved"),
        }, "nothing resolves that did not fire"
        assert active_at <= at
        if before != "inactive":
            assert active_at == since[subject], "active_at of an open alert never moves"
        state[subject], since[subject] = after, active_at
    with sqlite.read() as connection:
        stored = connection.execute(sa.select(ALERT.c.subject, ALERT.c.state)).all()
        incidents = connection.execute(sa.select(INCIDENT.c.id, INCIDENT.c.resolved_at)).all()
        firing = set(connection.execute(sa.select(ALERT.c.incident_id).where(ALERT.c.state == "firing")).scalars())
        transitions = connection.execute(sa.select(sa.func.count()).select_from(TRANSITION)).scalar_one()
    open_now = [(row.subject, row.state) for row in stored if row.state in {"pending", "firing"}]
    assert len(open_now) == len({subject for subject, _ in open_now}), "at most one open alert a subject"
    assert dict(open_now) == {subject: at for subject, at in state.items() if at in {"pending", "firing"}}
    assert {row.id for row in incidents if row.resolved_at is None} == firing, (
        "an incident is open while a member fires"
    )
    assert transitions == len(told), "every transition is written down"


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(story=st.lists(steps, max_size=12), on_gap=st.sampled_from(["keep", "pause", "reset"]))
def test_a_restart_at_any_point_changes_nothing_that_is_told(
    sqlite: Database, story: list[tuple[Any, ...]], on_gap: str
) -> None:
    everywhere = [step for one in story for step in (("restart",), one)]
    assert play(sqlite, everywhere, on_gap, restarts=True) == play(sqlite, everywhere, on_gap, restarts=False)


unseen = st.tuples(st.lists(statuses, min_size=2, max_size=2), st.sampled_from([False, None]))


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(polls=st.lists(unseen, min_size=1, max_size=12), fired=st.booleans())
def test_nothing_moves_while_the_charger_is_offline_or_that_is_unknown(
    sqlite: Database, polls: list[tuple[list[str | None], bool | None]], fired: bool
) -> None:
    story: list[tuple[Any, ...]] = [("poll", 1, ["Faulted", "Faulted"], True)]
    story += [("quiet", 3), ("quiet", 3)] if fired else []
    before = play(sqlite, story, "keep", restarts=True)
    assert [line[3] for line in before] == (["pending"] * 2 + ["firing"] * 2 if fired else ["pending"] * 2)
    story += [("poll", 3, both, online) for both, online in polls]
    assert play(sqlite, story, "keep", restarts=True) == before
