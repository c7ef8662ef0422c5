"""What keeps an alert quiet at a moment: a silence that people asked for, or another alert that inhibits it.

Quiet is about messages alone: nothing here moves an alert, and an alert that is quiet advances like any other.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row, Table

from rules.incidents import ALERT
from rules.inhibition import INHIBITION
from rules.lifecycle import OPEN_STATES, State
from storage.tables import Silence

SILENCE: Table = Silence.__table__  # type: ignore[attr-defined]

PLACES = ("location_id", "charger_id", "connector_id", "session_id")
CHUNK = 500  # below every database's limit of bound values


@dataclass(frozen=True, slots=True)
class Muting:
    """What keeps one alert quiet; `said` is how the alert's transitions tell it."""

    silence_id: int | None
    inhibited_by: int | None
    said: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a review changed: the alerts that may speak again, and the incidents whose cards say something else."""

    unmuted: tuple[int, ...] = ()
    incidents: frozenset[int] = field(default_factory=frozenset)


def create_silence(
    connection: Connection,
    *,
    author: str,
    reason: str,
    now: datetime,
    until: datetime | None = None,
    until_recovery: bool = False,
    rule_id: str | None = None,
    labels: Mapping[str, str] | None = None,
    **places: str | None,
) -> int:
    """Silence, from `now` on, the alerts that agree with every matcher given; returns the silence's id.

    `places` are any of location_id, charger_id, connector_id, session_id; `author` is a Slack user id. ValueError for
    a silence without a matcher, a reason or an end that is to come.
    """
    unknown = sorted(set(places) - set(PLACES))
    if unknown:
        raise ValueError(
            f"a silence cannot match {', '.join(unknown)}; it matches rule_id, labels, {', '.join(PLACES)}"
        )
    matchers = {"rule_id": rule_id, **{name: places.get(name) for name in PLACES}}
    if not labels and not any(matchers.values()):
        raise ValueError("a silence needs a matcher: a rule, a label, a location, a charger, a connector or a session")
    if not reason.strip():
        raise ValueError("a silence needs a reason")
    if until is None and not until_recovery:
        raise ValueError("a silence needs an end: a time, or recovery")
    if until is not None and until <= now:
        raise ValueError(f"a silence until {until:%Y-%m-%d %H:%M} UTC would be over already")
    said = reason.replace("\x00", "")  # which PostgreSQL keeps in no text
    facts = {"until": until, "until_recovery": until_recovery, "author": author, "reason": said, "created_at": now}
    values = {**matchers, **facts, "labels": dict(labels or {})}
    return int(connection.execute(sa.insert(SILENCE).values(**values).returning(SILENCE.c.id)).scalar_one())


def end_silence(connection: Connection, silence_id: int, user: str, now: datetime) -> bool:
    """End a silence before its time; False where it is over already or was never there."""
    ended = connection.execute(
        sa.update(SILENCE).where(SILENCE.c.id == silence_id, _lasts(now)).values(ended_at=now, ended_by=user)
    )
    return ended.rowcount == 1


def active_silences(connection: Connection, now: datetime) -> Sequence[Row[Any]]:
    """The silences that last at `now`, the one that lasts longest first."""
    longest_first = (SILENCE.c.until.is_not(None), SILENCE.c.until.desc(), SILENCE.c.id)
    return connection.execute(sa.select(SILENCE).where(_lasts(now)).order_by(*longest_first)).all()


def muting(connection: Connection, rule_id: str, alert_ids: Collection[int], now: datetime) -> dict[int, Muting]:
    """What keeps these alerts of one rule quiet at `now`, by alert id; those that may speak are not in it."""
    silences = [silence for silence in active_silences(connection, now) if silence.rule_id in {None, rule_id}]
    inhibited = connection.execute(sa.select(INHIBITION.c.source_rule).where(INHIBITION.c.target_rule == rule_id))
    has_sources = inhibited.first() is not None
    found: dict[int, Muting] = {}
    for ids in _chunks(sorted(alert_ids) if silences or has_sources else ()):
        if has_sources:
            for row in connection.execute(_sources_of(TARGET.c.id.in_(ids))):
                said = {"rule": row.source_rule, "subject": row.source_subject}
                found[row.target_id] = Muting(None, row.source_id, said)
        for alert in connection.execute(sa.select(ALERT).where(ALERT.c.id.in_(ids))) if silences else ():
            silence = next((silence for silence in silences if matches(silence, alert)), None)
            if silence is not None:
                other = found.get(alert.id)
                found[alert.id] = Muting(silence.id, other.inhibited_by if other else None, _said(silence))
    return found


def matches(silence: Row[Any], alert: Row[Any]) -> bool:
    """Whether an alert agrees with every matcher of a silence that is set."""
    set_ = (name for name in ("rule_id", *PLACES) if getattr(silence, name) is not None)
    if any(getattr(silence, name) != getattr(alert, name) for name in set_):
        return False
    return all(alert.labels.get(name) == value for name, value in silence.labels.items())


def note_mutings(connection: Connection, mutings: Mapping[int, Muting]) -> None:
    """Write down at the alerts what keeps them quiet."""
    rows = [{"alert_id": key, "silence": m.silence_id, "inhibitor": m.inhibited_by} for key, m in mutings.items()]
    if rows:
        connection.execute(_NOTE, rows)


def review_mutings(connection: Connection, now: datetime) -> Reviewed:
    """Bring what keeps the firing alerts quiet up to `now`: silences end, and so does inhibition.

    1. End the silences whose time is over, and those until recovery that have no open alert any more.
    2. Note which silence each firing alert is under; a silenced source inhibits nothing, so that comes second.
    3. Note what inhibits each. Whoever was quiet and is not any more is heard from now on.
    """
    silences = _lasting(connection, now)
    marked = sa.or_(ALERT.c.silence_id.is_not(None), ALERT.c.inhibited_by.is_not(None))
    targets = sa.select(INHIBITION.c.target_rule)
    concerned = sa.true() if silences else sa.or_(marked, ALERT.c.rule_id.in_(targets))
    firing = connection.execute(sa.select(ALERT).where(ALERT.c.state == State.FIRING, concerned)).all()
    if not firing:
        return Reviewed()
    silenced = {a.id: next((s.id for s in silences if matches(s, a)), None) for a in firing}
    moved = [alert for alert in firing if alert.silence_id != silenced[alert.id]]
    note_mutings(connection, {a.id: Muting(silenced[a.id], a.inhibited_by, {}) for a in moved})
    inhibitors = {row.target_id: row.source_id for row in connection.execute(_sources_of(TARGET.c.state == "firing"))}
    changed = [a for a in firing if a.inhibited_by != inhibitors.get(a.id) or a.silence_id != silenced[a.id]]
    note_mutings(connection, {a.id: Muting(silenced[a.id], inhibitors.get(a.id), {}) for a in changed})
    quiet = {a.id for a in firing if a.silence_id is not None or a.inhibited_by is not None}
    unmuted = tuple(a.id for a in changed if a.id in quiet and silenced[a.id] is None and a.id not in inhibitors)
    for ids in _chunks(unmuted):
        connection.execute(sa.update(ALERT).where(ALERT.c.id.in_(ids)).values(heard_at=now))
    return Reviewed(unmuted, frozenset(a.incident_id for a in changed if a.incident_id is not None))


TARGET = ALERT.alias("target")
_SOURCE = ALERT.alias("source")
_NOTE = (
    sa.update(ALERT)
    .where(ALERT.c.id == sa.bindparam("alert_id"))
    .values(silence_id=sa.bindparam("silence"), inhibited_by=sa.bindparam("inhibitor"))
)

_BELOW = sa.case(
    # a connector has its sessions below it, a charger its connectors, a location its chargers; never itself
    (_SOURCE.c.session_id.is_not(None), sa.false()),
    (
        _SOURCE.c.connector_id.is_not(None),
        sa.and_(TARGET.c.connector_id == _SOURCE.c.connector_id, TARGET.c.session_id.is_not(None)),
    ),
    (
        _SOURCE.c.charger_id.is_not(None),
        sa.and_(TARGET.c.charger_id == _SOURCE.c.charger_id, TARGET.c.connector_id.is_not(None)),
    ),
    (
        _SOURCE.c.location_id.is_not(None),
        sa.and_(
            TARGET.c.location_id == _SOURCE.c.location_id,
            sa.or_(TARGET.c.charger_id.is_not(None), TARGET.c.connector_id.is_not(None)),
        ),
    ),
    else_=sa.false(),
)


def _sources_of(which: ColumnElement[bool]) -> sa.Select[Any]:
    """The alert that inhibits each of the targets: the oldest one that fires and is not silenced itself."""
    return (
        sa.select(
            TARGET.c.id.label("target_id"),
            _SOURCE.c.id.label("source_id"),
            _SOURCE.c.rule_id.label("source_rule"),
            _SOURCE.c.subject.label("source_subject"),
        )
        .select_from(TARGET)
        .join(INHIBITION, INHIBITION.c.target_rule == TARGET.c.rule_id)
        .join(_SOURCE, sa.and_(_SOURCE.c.rule_id == INHIBITION.c.source_rule, _BELOW))
        .where(which, _SOURCE.c.state == State.FIRING, _SOURCE.c.silence_id.is_(None))
        .order_by(_SOURCE.c.id.desc())  # of several the last one read, so the oldest, stays
    )


def _lasting(connection: Connection, now: datetime) -> list[Row[Any]]:
    """The silences that last, once those that are over are marked so."""
    connection.execute(
        sa.update(SILENCE).where(SILENCE.c.ended_at.is_(None), SILENCE.c.until <= now).values(ended_at=SILENCE.c.until)
    )
    lasting = []
    open_: Sequence[Row[Any]] | None = None
    for silence in active_silences(connection, now):
        if silence.until_recovery:
            if open_ is None:
                open_ = connection.execute(sa.select(ALERT).where(ALERT.c.state.in_(OPEN_STATES))).all()
            if not any(matches(silence, alert) for alert in open_):
                connection.execute(sa.update(SILENCE).where(SILENCE.c.id == silence.id).values(ended_at=now))
                continue
        lasting.append(silence)
    return lasting


def _lasts(now: datetime) -> ColumnElement[bool]:
    return sa.and_(
        SILENCE.c.ended_at.is_(None),
        SILENCE.c.created_at <= now,
        sa.or_(SILENCE.c.until.is_(None), SILENCE.c.until > now),
    )


def _said(silence: Row[Any]) -> dict[str, Any]:
    until = silence.until.isoformat() if silence.until is not None else None
    return {"silence": silence.id, "by": silence.author, "until": until, "reason": silence.reason}


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
