"""Laws of quiet, for any story of polls, silences, snoozes, acknowledgements that run out, quiet hours and restarts: no
transition changes, nothing is lost, and a restart at any point changes nothing that is said.
"""

import contextlib
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from notify.alert_cards.card import acknowledge_incident
from notify.alert_cards.snoozes import Snoozable, wake_alerts
from notify.outbox import ALERT_CARD
from rules.alerts.incidents import AUDIBLE
from rules.alerts.silences import create_silence, end_silence
from rules.alerts.snoozes import snooze
from rules.documents.maintenance import WeeklyWindow
from rules.documents.quiet_hours import QuietHours
from rules.documents.speech_plan import PLAIN, SpeechPlan
from storage.engine import Database
from storage.schema import ALERT, INCIDENT, OUTBOX, SILENCE
from tests.bot.service.jobs.site import Site
from tests.examples import examples
from tests.readings import MINUTE, T0, charger, connector, poll, session

FAULTED = {
    "name": "a-faulted",
    "for_each": "connector",
    "when": 'connector.status == "Faulted"',
    "for": "2m",
    "keep_firing_for": "1m",
    "ack_for": "5m",
    "repeat": "5m",
    "escalate": [{"after": "4m", "notify": ["@oncall"]}],
}
OFFLINE = {"name": "offline", "for_each": "charger", "when": "not charger.online", "inhibits": ["a-faulted"]}
NIGHT = SpeechPlan(quiet_hours=QuietHours(WeeklyWindow(tuple(range(7)), "10:05", "10:15")))
"""Quiet hours in the middle of each story, which begins at 10:00 and lasts 42 minutes at most."""

statuses = st.sampled_from(["Available", "Faulted", "Faulted", None])
polls = st.tuples(st.just("poll"), st.integers(1, 3), statuses, statuses, st.sampled_from([True, True, False, None]))
quiets = st.one_of(
    st.tuples(st.just("silence"), st.sampled_from(["a-faulted", "offline"]), st.integers(1, 6)),
    st.tuples(st.just("until recovery"), st.sampled_from(["c1", "c2"])),
    st.tuples(st.just("until session end"), st.sampled_from(["c1", "c2"])),
    st.tuples(st.just("session"), st.sampled_from(["c1", "c2"]), st.booleans()),
    st.tuples(st.just("weekly"), st.sampled_from(["c1", "c2"]), st.integers(0, 8), st.integers(1, 8)),
    st.tuples(st.just("end"), st.integers(1, 3)),
    st.tuples(st.just("acknowledge"), st.integers(1, 3)),
    st.tuples(st.just("snooze"), st.integers(1, 3), st.integers(1, 12)),
    st.tuples(st.just("wake"), st.integers(1, 3)),
)
stories = st.lists(st.one_of(polls, polls, quiets), max_size=14)


def play(
    database: Database, story: list[tuple[Any, ...]], *, quiet: bool, restarts: bool = False
) -> tuple[Site, list[Any]]:
    """Play a story on an empty database; every transition, those of one poll in order. Without `quiet` all is loud."""
    with database.write() as connection:
        for table in SQLModel.metadata.sorted_tables:
            connection.execute(sa.delete(table))
    now = T0
    rules = (FAULTED, OFFLINE | {"inhibits": OFFLINE["inhibits"] if quiet else []})
    plan = NIGHT if quiet else PLAIN
    site = Site(database, *rules, now=now, plan=plan)
    told: list[Any] = []
    for kind, *details in story:
        if restarts:
            site = Site(database, *rules, now=now, plan=plan)
        if kind == "poll":
            now += details[0] * MINUTE
            both = [connector(name, status) for name, status in zip(["c1", "c2"], details[1:3], strict=True)]
            moved = site.tick(now, charger(*both, online=details[3]))
            told.append(sorted((now, t.rule_id, t.subject, str(t.from_state), str(t.to_state)) for t in moved))
        elif kind == "session":
            ended = now if details[1] else None
            one = session(f"s-{details[0]}", started=T0, connector_id=details[0], ended_at=ended)
            poll(database, now, one, resource="sessions")
        elif quiet:
            hush(database, kind, details, now)
    return site, told


def hush(database: Database, kind: str, details: list[Any], now: Any) -> None:
    asked: dict[str, Any] = {"author": "U1", "reason": "r", "now": now}
    with database.write() as connection:
        if kind == "silence":
            create_silence(connection, **asked, rule_id=details[0], until=now + details[1] * MINUTE)
        elif kind == "until recovery":
            with contextlib.suppress(ValueError):  # where nothing is open there is no recovery to wait for
                create_silence(connection, **asked, connector_id=details[0], until_recovery=True)
        elif kind == "until session end":
            with contextlib.suppress(ValueError):  # where no session is open there is nothing to wait for
                create_silence(
                    connection, author="U1", reason="r", now=now, connector_id=details[0], until_session_end=True
                )
        elif kind == "weekly":
            begin, end = (f"{T0 + minutes * MINUTE:%H:%M}" for minutes in (details[1], details[1] + details[2]))
            window = WeeklyWindow((T0.weekday(),), begin, end)
            create_silence(connection, **asked, connector_id=details[0], weekly=window)
        elif kind == "end":
            end_silence(connection, details[0], "U1", now)
        elif kind == "snooze":
            snooze(connection, ALERT.c.incident_id == details[0], now + details[1] * MINUTE, "U1")
        elif kind == "wake":
            wake_alerts(connection, Snoozable(incident=details[0]), now)
        else:
            acknowledge_incident(connection, details[0], "U1", now)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories)
def test_quiet_changes_no_transition_and_loses_no_alert(sqlite: Database, story: list[tuple[Any, ...]]) -> None:
    _, loud = play(sqlite, story, quiet=False)
    site, told = play(sqlite, story, quiet=True)
    assert told == loud
    assert unsaid(site) == []
    if not story:
        return
    # once every silence, snooze and acknowledgement is over, and so are quiet hours, what still fires has a card
    with sqlite.write() as connection:
        connection.execute(sa.update(SILENCE).values(ended_at=T0))
    site.tick(T0 + 60 * MINUTE)
    site.tick(T0 + 61 * MINUTE)
    assert unsaid(site) == []
    assert quiet_ones(site) <= {"a-faulted"}  # by inhibition alone


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories)
def test_a_restart_at_any_point_changes_nothing_that_is_said(sqlite: Database, story: list[tuple[Any, ...]]) -> None:
    later = [("poll", 3, None, None, None)] * 4
    plain, told = play(sqlite, [*story, *later], quiet=True)
    heard = said(plain)
    restarted, told_again = play(sqlite, [*story, *later], quiet=True, restarts=True)
    assert told_again == told
    assert said(restarted) == heard


def said(site: Site) -> list[Any]:
    """Every message, with when it was due and sent, in what version and with which facts; without its random id."""
    names = ("kind", "channel", "rule_id", "incident_id", "due_at", "sent_at", "version", "shown_version", "facts")
    rows = site.rows(sa.select(*(OUTBOX.c[name] for name in names), OUTBOX.c.rolled_into.is_not(None)))
    return sorted(repr(tuple(row)) for row in rows)


def unsaid(site: Site) -> list[Any]:
    """The firing alerts that nothing keeps quiet, nobody acknowledged, and no card tells."""
    told = sa.select(OUTBOX.c.incident_id).where(OUTBOX.c.kind == ALERT_CARD, OUTBOX.c.incident_id.is_not(None))
    loud = (AUDIBLE, ALERT.c.acknowledged_at.is_(None))
    firing = sa.select(ALERT.c.rule_id, ALERT.c.subject).join(INCIDENT, INCIDENT.c.id == ALERT.c.incident_id)
    return list(site.rows(firing.where(ALERT.c.state == "firing", *loud, INCIDENT.c.id.not_in(told))))


def quiet_ones(site: Site) -> set[str]:
    """The rules of the firing alerts that are kept quiet."""
    quiet = (ALERT.c.state == "firing", ~AUDIBLE)
    return {row.rule_id for row in site.rows(sa.select(ALERT.c.rule_id).where(*quiet))}
