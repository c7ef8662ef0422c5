"""Laws of quiet, for any story of polls, silences and acknowledgements: no transition changes, and nothing is lost."""

import contextlib
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from notify.alerts import acknowledge_incident
from notify.outbox import ALERT_CARD, OUTBOX
from rules.incidents import ALERT, INCIDENT
from rules.maintenance import WeeklyWindow
from rules.silences import SILENCE, create_silence, end_silence
from storage.engine import Database
from tests.jobs.site import Site
from tests.readings import MINUTE, T0, charger, connector, poll, session

FAULTED = {
    "name": "a-faulted",
    "for_each": "connector",
    "when": 'connector.status == "Faulted"',
    "for": "2m",
    "keep_firing_for": "1m",
}
OFFLINE = {"name": "offline", "for_each": "charger", "when": "not charger.online", "inhibits": ["a-faulted"]}

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
)


def play(database: Database, story: list[tuple[Any, ...]], *, quiet: bool) -> tuple[Site, list[Any]]:
    """Play a story on an empty database; every transition, those of one poll in order. Without `quiet` all is loud."""
    with database.write() as connection:
        for table in SQLModel.metadata.sorted_tables:
            connection.execute(sa.delete(table))
    now = T0
    site = Site(database, FAULTED, OFFLINE | {"inhibits": OFFLINE["inhibits"] if quiet else []}, now=now)
    told: list[Any] = []
    for kind, *details in story:
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
        else:
            acknowledge_incident(connection, details[0], "U1", now)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(st.one_of(polls, polls, quiets), max_size=14))
def test_quiet_changes_no_transition_and_loses_no_alert(sqlite: Database, story: list[tuple[Any, ...]]) -> None:
    _, loud = play(sqlite, story, quiet=False)
    site, told = play(sqlite, story, quiet=True)
    assert told == loud
    assert unsaid(site) == []
    if not story:
        return
    # once every silence is over, what still fires unacknowledged has a card
    with sqlite.write() as connection:
        connection.execute(sa.update(SILENCE).values(ended_at=T0))
    site.tick(T0 + 60 * MINUTE)
    site.tick(T0 + 61 * MINUTE)
    assert unsaid(site) == []
    assert quiet_ones(site) <= {"a-faulted"}  # by inhibition alone


def unsaid(site: Site) -> list[Any]:
    """The firing alerts that nothing keeps quiet, nobody acknowledged, and no card tells."""
    told = sa.select(OUTBOX.c.incident_id).where(OUTBOX.c.kind == ALERT_CARD, OUTBOX.c.incident_id.is_not(None))
    loud = (ALERT.c.silence_id.is_(None), ALERT.c.inhibited_by.is_(None), ALERT.c.acknowledged_at.is_(None))
    firing = sa.select(ALERT.c.rule_id, ALERT.c.subject).join(INCIDENT, INCIDENT.c.id == ALERT.c.incident_id)
    return list(site.rows(firing.where(ALERT.c.state == "firing", *loud, INCIDENT.c.id.not_in(told))))


def quiet_ones(site: Site) -> set[str]:
    """The rules of the firing alerts that are kept quiet."""
    quiet = sa.or_(ALERT.c.silence_id.is_not(None), ALERT.c.inhibited_by.is_not(None))
    return {row.rule_id for row in site.rows(sa.select(ALERT.c.rule_id).where(ALERT.c.state == "firing", quiet))}
