"""Gives stored things the ids by which the contract calls them now: history, alerts and what people asked go with them.

What is over keeps the words in which it was told. It decides nothing: the plan is that of `new_ids`.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Table

from storage.polls import CHUNK
from storage.record import close_intervals, next_seq, store_seq
from storage.recording.moves import PLACES, note_ends
from storage.recording.new_ids import IDENTITY_CHANGED, NewIds
from storage.recording.powers import note_powers
from storage.recording.things import RECORDED, news_at
from storage.schema import (
    ALERT,
    COMMAND,
    CONNECTOR,
    INCIDENT,
    INTERVAL,
    POWER,
    RULE,
    RULE_EVENT,
    SAMPLE,
    SESSION,
    SILENCE,
    SUBSCRIPTION,
    TRANSITION,
    TRY,
    WAKE,
)

_NAMED_BY: Mapping[str, tuple[tuple[Table, str], ...]] = {
    "charger": ((CONNECTOR, "charger_id"), (SESSION, "charger_id")),
    "connector": ((SESSION, "connector_id"),),
    "session": ((SAMPLE, "session_id"),),
}
_NAMED_ANYWHERE = (ALERT, SILENCE, SUBSCRIPTION, COMMAND, TRY)
_EVENTS = {"charger": "charger.", "connector": "status.", "session": "session."}
_INNER = {"charger": ("connector_id", "session_id"), "connector": ("session_id",), "session": ()}


def rename_things(connection: Connection, new: NewIds, now: datetime) -> set[int]:
    """Give stored things their new ids, and mark as gone what is nothing's any more; the incidents with them.

    Every rule looks at what was renamed again.
    """
    seq = next_seq(connection)
    incidents: set[int] = set()
    for kind in ("charger", "connector", "session"):
        renamed = new.renamed.get(kind, {})
        if renamed:
            incidents |= _rename_kind(connection, kind, renamed, seq)
    _name_sessions_connectors(connection, new.of_sessions)
    for kind, ids in new.ended.items():
        _end_things(connection, kind, ids, seq, now)
    store_seq(connection, seq)
    return incidents


def _rename_kind(connection: Connection, kind: str, renamed: Mapping[str, str], seq: int) -> set[int]:
    incidents = _rename_alerts(connection, kind, renamed)
    _forget_wakes(connection, kind, renamed)
    _rename_events(connection, kind, renamed)
    recorded = RECORDED[kind]
    _replace(connection, recorded.table, "id", renamed, **news_at(recorded.table, seq))
    if recorded.history:
        _replace(connection, INTERVAL, "thing_id", renamed, INTERVAL.c.thing == kind)
    if kind == "connector":
        _replace(connection, POWER, "thing_id", renamed, POWER.c.thing == kind)
    if kind == "charger":
        _replace(connection, INTERVAL, "value", renamed, INTERVAL.c.field == PLACES["connector"])
    for table, column in _NAMED_BY[kind]:
        _replace(connection, table, column, renamed)
    for table in _NAMED_ANYWHERE:
        _replace(connection, table, f"{kind}_id", renamed)
    if kind == "session":
        _rename_awaited(connection, renamed)
    return incidents


def _replace(
    connection: Connection, table: Table, column: str, renamed: Mapping[str, str], *where: Any, **values: Any
) -> None:
    there = connection.execute(sa.select(table.c[column]).where(*where).distinct()).scalars()
    rows = [{"old": one, "new": renamed[one]} for one in there if one in renamed]
    if rows:
        of_it = table.c[column] == sa.bindparam("old")
        connection.execute(sa.update(table).where(of_it, *where).values({column: sa.bindparam("new"), **values}), rows)


def _rename_alerts(connection: Connection, kind: str, renamed: Mapping[str, str]) -> set[int]:
    """The alerts on these things, their transitions, and of those that are open what they are called and grouped by."""
    of_kind = sa.and_(ALERT.c[f"{kind}_id"].is_not(None), *(ALERT.c[name].is_(None) for name in _INNER[kind]))
    about = sa.select(ALERT.c.id).where(of_kind, ALERT.c.subject == sa.bindparam("old")).scalar_subquery()
    there = connection.execute(sa.select(ALERT.c.subject).where(of_kind).distinct()).scalars()
    rows = [{"old": one, "new": renamed[one]} for one in there if one in renamed]
    if rows:
        statement = sa.update(TRANSITION).where(TRANSITION.c.alert_id.in_(about))
        connection.execute(statement.values(subject=sa.bindparam("new")), rows)
        statement = sa.update(ALERT).where(of_kind, ALERT.c.subject == sa.bindparam("old"))
        connection.execute(statement.values(subject=sa.bindparam("new")), rows)
    open_ones = connection.execute(
        sa.select(ALERT.c.id, ALERT.c.labels, ALERT.c.incident_id).where(
            ALERT.c.state.in_(("pending", "firing")), ALERT.c[f"{kind}_id"].is_not(None)
        )
    ).all()
    relabelled = [one for one in open_ones if one.labels.get(kind) in renamed]
    for one in relabelled:
        labels = {**one.labels, kind: renamed[one.labels[kind]]}
        connection.execute(sa.update(ALERT).where(ALERT.c.id == one.id).values(labels=labels))
    incidents = {one.incident_id for one in relabelled if one.incident_id is not None}
    _regroup(connection, kind, renamed, incidents)
    return incidents


def _regroup(connection: Connection, kind: str, renamed: Mapping[str, str], incidents: set[int]) -> None:
    problems = {f"{kind}:{old}": f"{kind}:{new}" for old, new in renamed.items()}
    known = sa.select(INCIDENT.c.id, INCIDENT.c.group_key, INCIDENT.c.problem_key)
    moved: dict[int, dict[str, str]] = {}
    for row in connection.execute(known.where(INCIDENT.c.resolved_at.is_(None))).all():
        group = json.loads(row.group_key)
        if row.id in incidents and group.get(kind) in renamed:
            moved[row.id] = {"group_key": json.dumps({**group, kind: renamed[group[kind]]}, ensure_ascii=False)}
        elif row.problem_key in problems:
            problem = problems[row.problem_key]
            group = {**group, "problem": problem} if "problem" in group else group
            moved[row.id] = {"group_key": json.dumps(group, ensure_ascii=False), "problem_key": problem}
    # two that change places are no moment equal
    for incident_id in moved:
        aside = {"group_key": f"moved:{incident_id}"}
        connection.execute(sa.update(INCIDENT).where(INCIDENT.c.id == incident_id).values(aside))
    for incident_id, values in moved.items():
        connection.execute(sa.update(INCIDENT).where(INCIDENT.c.id == incident_id).values(values))


def _forget_wakes(connection: Connection, kind: str, renamed: Mapping[str, str]) -> None:
    """When time alone moves a rule is worked out anew with the match that the new id brings."""
    rules = connection.execute(sa.select(RULE.c.id, RULE.c.document)).all()
    of_kind = [row.id for row in rules if row.document.get("for_each") == kind]
    for old in _chunks(list(renamed)):
        connection.execute(sa.delete(WAKE).where(WAKE.c.rule_id.in_(of_kind), WAKE.c.subject.in_(old)))


def _rename_events(connection: Connection, kind: str, renamed: Mapping[str, str]) -> None:
    """What was announced of a thing is known under its new id too, and not announced again."""
    of_kind: ColumnElement[bool] = RULE_EVENT.c.event.startswith(_EVENTS[kind])
    columns = (RULE_EVENT.c.rule_id, RULE_EVENT.c.natural_key, RULE_EVENT.c.event, RULE_EVENT.c.subject)
    known = connection.execute(sa.select(*columns).where(of_kind)).all()
    rows = []
    for row in known:
        if row.subject in renamed:
            rest = row.natural_key.removeprefix(f"{row.event}:{row.subject}")
            subject = renamed[row.subject]
            keys = {"rule": row.rule_id, "old_key": row.natural_key, "new_key": f"{row.event}:{subject}{rest}"}
            rows.append({**keys, "new": subject})
    if rows:
        this = sa.and_(
            RULE_EVENT.c.rule_id == sa.bindparam("rule"), RULE_EVENT.c.natural_key == sa.bindparam("old_key")
        )
        values: dict[str, Any] = {"natural_key": sa.bindparam("new_key"), "subject": sa.bindparam("new")}
        connection.execute(sa.update(RULE_EVENT).where(this).values(values), rows)


def _rename_awaited(connection: Connection, renamed: Mapping[str, str]) -> None:
    """The sessions with which a silence ends."""
    rows = connection.execute(
        sa.select(SILENCE.c.id, SILENCE.c.until_sessions).where(SILENCE.c.ended_at.is_(None))
    ).all()
    for row in rows:
        awaited = [renamed.get(one, one) for one in row.until_sessions]
        if awaited != row.until_sessions:
            connection.execute(sa.update(SILENCE).where(SILENCE.c.id == row.id).values(until_sessions=awaited))


def _name_sessions_connectors(connection: Connection, new: Mapping[tuple[str, str], str]) -> None:
    """Have sessions name their connector by its new id, where their charger and its own id tell which it was."""
    if not new:
        return
    columns = sa.select(SESSION.c.id, SESSION.c.charger_id, SESSION.c.connector_id)
    rows = [
        {"session": row.id, "new": new[row.charger_id, row.connector_id]}
        for row in connection.execute(columns)
        if (row.charger_id, row.connector_id) in new
    ]
    if rows:
        this = SESSION.c.id == sa.bindparam("session")
        connection.execute(sa.update(SESSION).where(this).values(connector_id=sa.bindparam("new")), rows)


def _end_things(connection: Connection, kind: str, ids: Sequence[str], seq: int, now: datetime) -> None:
    """Mark as gone what is nothing's id any more, and end the silences and subscriptions of it."""
    recorded = RECORDED[kind]
    for some in _chunks(list(ids)):
        gone = {"gone_at": now, "changed_at": now, **news_at(recorded.table, seq)}
        connection.execute(sa.update(recorded.table).where(recorded.table.c.id.in_(some)).values(**gone))
        for asked in (SILENCE, SUBSCRIPTION):
            of_it = (asked.c[f"{kind}_id"].in_(some), asked.c.ended_at.is_(None))
            connection.execute(sa.update(asked).where(*of_it).values(ended_at=now, ended_by=IDENTITY_CHANGED))
    for field, dated in recorded.history.items():
        close_intervals(connection, recorded, field, dated, seq)
    note_ends(connection, recorded, seq)
    if kind == "connector":
        note_powers(connection, seq, now)


def _chunks(ids: list[str]) -> list[list[str]]:
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
