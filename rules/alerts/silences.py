"""What keeps an alert quiet at a moment: a silence that people asked for, or another alert that inhibits it.

Quiet is about messages alone: nothing here moves an alert, and an alert that is quiet advances like any other.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from rules.alerts.incidents import EVERY_RULE
from rules.documents.maintenance import BY_LOCATION, WeeklyWindow, window_from
from rules.lifecycle import OPEN_STATES, State
from storage.prepared import Prepared
from storage.schema import ALERT, INHIBITION, LOCATION, SESSION, SILENCE

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
    until_session_end: bool = False,
    weekly: WeeklyWindow | None = None,
    rule_id: str | None = None,
    labels: Mapping[str, str] | None = None,
    **places: str | None,
) -> int:
    """Silence, from `now` on, the alerts that agree with every matcher given; returns the silence's id.

    `places` are any of location_id, charger_id, connector_id, session_id; `author` is a Slack user id.
    `until_session_end` ends it with the sessions that are open there now; `weekly` keeps quiet in its window until
    somebody ends it. ValueError for a silence without a matcher, a reason or an end that is to come; one until recovery
    needs an alert that is open, as its end would else be now.
    """
    matchers = _matchers(rule_id, labels, places)
    if not reason.strip():
        raise ValueError("a silence needs a reason")
    if until is None and not until_recovery and not until_session_end and weekly is None:
        raise ValueError("a silence needs an end: a time, recovery, the end of a session, or a weekly window")
    if until is not None and until <= now:
        raise ValueError(f"a silence until {until:%Y-%m-%d %H:%M} UTC would be over already")
    if weekly is not None and weekly.is_over(now):
        raise ValueError(f"a silence whose last window was on {weekly.last} would be over already")
    if until_recovery and not _is_open(connection, matchers, labels or {}):
        raise ValueError("nothing that it matches is firing or pending, so there is no recovery to wait for")
    sessions = _open_sessions(connection, places) if until_session_end else []
    said = reason.replace("\x00", "")  # which PostgreSQL keeps in no text
    facts = {
        "until": until,
        "until_recovery": until_recovery,
        "until_sessions": sessions,
        "weekly": weekly.document() if weekly is not None else {},
        "author": author,
        "reason": said,
        "created_at": now,
    }
    values = {**matchers, **facts, "labels": dict(labels or {})}
    return int(connection.execute(sa.insert(SILENCE).values(**values).returning(SILENCE.c.id)).scalar_one())


def _matchers(
    rule_id: str | None, labels: Mapping[str, str] | None, places: Mapping[str, str | None]
) -> dict[str, str | None]:
    """The rule and the places that a silence matches; ValueError for a place that there is not, or for none at all."""
    unknown = sorted(set(places) - set(PLACES))
    if unknown:
        raise ValueError(
            f"a silence cannot match {', '.join(unknown)}; it matches rule_id, labels, {', '.join(PLACES)}"
        )
    matchers = {"rule_id": rule_id, **{name: places.get(name) for name in PLACES}}
    if not labels and not any(matchers.values()):
        raise ValueError("a silence needs a matcher: a rule, a label, a location, a charger, a connector or a session")
    return matchers


def end_silence(connection: Connection, silence_id: int, user: str, now: datetime) -> bool:
    """End a silence before its time; False where it is over already or was never there."""
    ended = connection.execute(
        sa.update(SILENCE).where(SILENCE.c.id == silence_id, _lasts(now)).values(ended_at=now, ended_by=user)
    )
    return ended.rowcount == 1


def active_silences(connection: Connection, now: datetime) -> Sequence[Row[Any]]:
    """The silences that last at `now`, the one that lasts longest first."""
    return _ACTIVE.once(connection, {"now": now})


def newest_silence(connection: Connection) -> int | None:
    """The id of the silence made last of those that nobody has ended."""
    found: int | None = connection.execute(
        sa.select(sa.func.max(SILENCE.c.id)).where(SILENCE.c.ended_at.is_(None))
    ).scalar()
    return found


def muting(connection: Connection, rule_id: str, alert_ids: Collection[int], now: datetime) -> dict[int, Muting]:
    """What keeps these alerts of one rule quiet at `now`, by alert id; those that may speak are not in it."""
    silences = [silence for silence in active_silences(connection, now) if silence.rule_id in {None, rule_id}]
    has_sources = any(row.target_rule == rule_id for row in _TARGETS.once(connection))
    if not silences and not has_sources:
        return {}
    zones = local_zones(connection, silences)
    found: dict[int, Muting] = {}
    for ids in _chunks(sorted(alert_ids)):
        if has_sources:
            for row in connection.execute(_sources_of(TARGET.c.id.in_(ids))):
                said = {"rule": row.source_rule, "subject": row.source_subject}
                found[row.target_id] = Muting(None, row.source_id, said)
        for alert in connection.execute(sa.select(ALERT).where(ALERT.c.id.in_(ids))) if silences else ():
            silence = _silence_of(alert, silences, zones, now)
            if silence is not None:
                other = found.get(alert.id)
                until = quiet_until(silence, zones.get(alert.location_id), now)
                found[alert.id] = Muting(silence.id, other.inhibited_by if other else None, _said(silence, until))
    return found


def quiet_until(silence: Row[Any], local_zone: str | None, now: datetime) -> datetime | None:
    """Until when a silence keeps quiet at a location in `local_zone`; None where an event ends it, or nothing now."""
    window = window_from(silence.weekly).open_at(now, local_zone) if silence.weekly else None
    ends = [moment for moment in (silence.until, window[1] if window else None) if moment is not None]
    return min(ends, default=None)


def matches(silence: Any, alert: Row[Any]) -> bool:
    """Whether an alert agrees with every matcher of a silence (its row, or what has the same names) that is set."""
    set_ = (name for name in ("rule_id", *PLACES) if getattr(silence, name) is not None)
    if any(getattr(silence, name) != getattr(alert, name) for name in set_):
        return False
    return all(alert.labels.get(name) == value for name, value in silence.labels.items())


def note_mutings(connection: Connection, mutings: Mapping[int, Muting]) -> None:
    """Write down at the alerts what keeps them quiet."""
    rows = [{"alert_id": key, "silence": m.silence_id, "inhibitor": m.inhibited_by} for key, m in mutings.items()]
    if rows:
        connection.execute(_NOTE, rows)


def review_mutings(connection: Connection, now: datetime, which: ColumnElement[bool] = EVERY_RULE) -> Reviewed:
    """Bring what keeps the firing alerts quiet up to `now`: silences end, and so does inhibition; of `which` alerts.

    1. End the silences whose time is over, those until recovery that have no open alert any more, and those whose
       sessions have ended.
    2. Note which silence each firing alert is under; a silenced source inhibits nothing, so that comes second.
    3. Note what inhibits each. Whoever was quiet and is not any more is heard from now on.
    """
    silences = _lasting(connection, now)
    marked = sa.or_(ALERT.c.silence_id.is_not(None), ALERT.c.inhibited_by.is_not(None))
    targets = sa.select(INHIBITION.c.target_rule)
    concerned = which if silences else sa.and_(which, sa.or_(marked, ALERT.c.rule_id.in_(targets)))
    firing = connection.execute(sa.select(ALERT).where(ALERT.c.state == State.FIRING, concerned)).all()
    if not firing:
        return Reviewed()
    zones = local_zones(connection, silences)
    by_alert = {a.id: _silence_of(a, silences, zones, now) for a in firing}
    silenced = {key: silence.id if silence is not None else None for key, silence in by_alert.items()}
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
_SAID = (
    _SOURCE.c.silence_id.is_(None),
    _SOURCE.c.snoozed_until.is_(None),
    sa.or_(_SOURCE.c.quiet_since.is_(None), _SOURCE.c.quiet_ended_at.is_not(None)),
)
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
    """The alert that inhibits each of the targets: the oldest one that fires and is itself told to people."""
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
        .where(which, _SOURCE.c.state == State.FIRING, *_SAID)
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
        over = bool(silence.weekly) and window_from(silence.weekly).is_over(now)
        if silence.until_recovery and not over:
            if open_ is None:
                open_ = connection.execute(sa.select(ALERT).where(ALERT.c.state.in_(OPEN_STATES))).all()
            over = not any(matches(silence, alert) for alert in open_)
        if silence.until_sessions and not over:
            mine = (SESSION.c.id.in_(silence.until_sessions), SESSION.c.ended_at.is_(None))
            over = connection.execute(sa.select(SESSION.c.id).where(*mine).limit(1)).first() is None
        if over:
            connection.execute(sa.update(SILENCE).where(SILENCE.c.id == silence.id).values(ended_at=now))
        else:
            lasting.append(silence)
    return lasting


def _is_open(connection: Connection, matchers: Mapping[str, str | None], labels: Mapping[str, str]) -> bool:
    """Whether an alert is open that agrees with every matcher that is set."""
    mine = [ALERT.c[name] == value for name, value in matchers.items() if value is not None]
    open_ = connection.execute(sa.select(ALERT.c.labels).where(ALERT.c.state.in_(OPEN_STATES), *mine)).scalars()
    return any(all(own.get(name) == value for name, value in labels.items()) for own in open_)


def _open_sessions(connection: Connection, places: Mapping[str, str | None]) -> list[str]:
    """The ids of the sessions that are open on the one connector, charger or session that a silence names."""
    columns = {"session_id": SESSION.c.id, "connector_id": SESSION.c.connector_id, "charger_id": SESSION.c.charger_id}
    mine = [columns[name] == value for name, value in places.items() if value is not None and name in columns]
    if not mine:
        raise ValueError("a silence until the session ends needs a connector, a charger or a session")
    statement = sa.select(SESSION.c.id).where(*mine, SESSION.c.ended_at.is_(None)).order_by(SESSION.c.id)
    open_ = list(connection.execute(statement).scalars())
    if not open_:
        raise ValueError("no session is open there, so the silence would be over already")
    return open_


def local_zones(connection: Connection, silences: Collection[Row[Any]]) -> dict[str | None, str]:
    """The zone of each location by its id, where one of these silences asks for it."""
    if not any(silence.weekly.get("zone") == BY_LOCATION for silence in silences):
        return {}
    statement = sa.select(LOCATION.c.id, LOCATION.c.timezone).where(LOCATION.c.timezone.is_not(None))
    return {row.id: row.timezone for row in connection.execute(statement)}


def _silence_of(
    alert: Row[Any], silences: Collection[Row[Any]], zones: Mapping[str | None, str], now: datetime
) -> Row[Any] | None:
    """The silence that keeps an alert quiet at `now`, if one does."""
    for silence in silences:
        if matches(silence, alert):
            local = zones.get(alert.location_id)
            if not silence.weekly or window_from(silence.weekly).open_at(now, local) is not None:
                return silence
    return None


def _lasts(now: datetime | sa.BindParameter[Any]) -> ColumnElement[bool]:
    return sa.and_(
        SILENCE.c.ended_at.is_(None),
        SILENCE.c.created_at <= now,
        sa.or_(SILENCE.c.until.is_(None), SILENCE.c.until > now),
    )


_ACTIVE = Prepared(
    sa.select(SILENCE)
    .where(_lasts(sa.bindparam("now", type_=SILENCE.c.until.type)))
    .order_by(SILENCE.c.until.is_not(None), SILENCE.c.until.desc(), SILENCE.c.id)
)
_TARGETS = Prepared(sa.select(INHIBITION.c.target_rule).distinct())


def _said(silence: Row[Any], until: datetime | None) -> dict[str, Any]:
    ends = until.isoformat() if until is not None else None
    return {"silence": silence.id, "by": silence.author, "until": ends, "reason": silence.reason}


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
