"""What rules do about their alerts, step by step: planned with the firing, cancelled where it is no use, ended once.

While steps are under way they may keep their alert quiet, and it is released here. No command is made here: `advance`
does that. Every function works inside the caller's transaction.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from commands.automations.facts import Automating
from commands.automations.switch import ALL, lock_switch, read_switch
from commands.outcomes.approvals import AWAITING
from commands.outcomes.sending import cancel_command
from commands.requests.enqueue import write_audit
from notify.alert_cards.card import enqueue_unmuted, insert_cards, refresh_alert_cards
from notify.routing import Routing
from rules.actions.automations import QUIET_AT_MOST, UNSENT_TRIES, Mode, TryState
from rules.actions.command_kinds import CommandState
from rules.documents.document import Rule
from rules.lifecycle import State, Transition
from storage.dialects import insert
from storage.prepared import Prepared
from storage.schema import ALERT, COMMAND, INCIDENT, LOCATION, SWITCH, TRANSITION, TRY

_ANY = Prepared(sa.select(TRY.c.id).limit(1))
_WAITING = Prepared(sa.select(TRY.c.id).where(TRY.c.due_at.is_not(None)).limit(1))

UNSENT = (*AWAITING, CommandState.REQUESTED)
ONLY_TOLD = "automations only tell what they would do"


def set_switch(connection: Connection, mode: Mode, user: str, now: datetime) -> int:
    """Switch automations for all rules, with an audit entry; how many actions that waited were cancelled by it.

    Off cancels every step that has sent nothing yet; dry-run those whose command was made and not sent.
    """
    lock_switch(connection)
    set_ = {"mode": mode.value, "set_by": user, "set_at": now}
    connection.execute(sa.update(SWITCH).where(SWITCH.c.name == ALL).values(**set_))
    cancelled = 0
    if mode is Mode.OFF:
        cancelled = cancel_tries(connection, sa.true(), "automations were switched off", now)
    elif mode is Mode.DRY_RUN:
        made = TRY.c.command_id.is_not(None)
        cancelled = cancel_tries(connection, made, ONLY_TOLD, now)
    facts = {"mode": mode.value, "cancelled": cancelled}
    write_audit(connection, at=now, user=user, action="automations", subject=ALL, outcome=mode.value, facts=facts)
    return cancelled


def plan_tries(
    connection: Connection, transitions: Sequence[Transition], routing: Routing, default: Mode
) -> list[Transition]:
    """Write down the first step for each alert that fires, cancel what waited for those that ended.

    The transitions come back; those whose messages wait for the actions are muted. Call it in the transaction that
    made them, before their messages are enqueued.
    """
    rules, now = routing.rules, routing.now
    ended = [t.alert_id for t in transitions if t.from_state == State.FIRING and t.to_state != State.FIRING]
    if ended and _WAITING.once(connection):
        cancel_tries(connection, TRY.c.alert_id.in_(ended), "the alert is over", now)
    fired = [t for t in transitions if t.to_state == State.FIRING and t.rule_id in rules and rules[t.rule_id].actions]
    if not fired:
        return list(transitions)
    mode = read_switch(connection, default).mode
    held: set[int] = set()
    for transition in fired:
        alert = connection.execute(sa.select(ALERT).where(ALERT.c.id == transition.alert_id)).one()
        rule = rules[transition.rule_id]
        if alert.switched_on is not None:  # many things were already so: whoever switched the rule on looks at them
            continue
        if not insert_try(connection, alert, rule, now, number=0, version=alert.rule_version):
            continue
        if mode is Mode.ON and not rule.dry_run and not rule.alert_at_once and not transition.muted:
            held.add(transition.alert_id)
    if held:
        quiet = {"acting_until": now + QUIET_AT_MOST}
        connection.execute(sa.update(ALERT).where(ALERT.c.id.in_(held)).values(**quiet))
        _note_held(connection, held, now)
    return [t._replace(muted=True) if t.alert_id in held and t.to_state == State.FIRING else t for t in transitions]


def tell_recovered(connection: Connection, transitions: Iterable[Transition], routing: Routing) -> None:
    """Let one card tell of an incident that nobody heard of because its actions mended it; after quiet hours."""
    over = {t.incident_id for t in transitions if t.reason == "recovered" and t.incident_id is not None}
    if not over or not _ANY.once(connection):
        return
    sent = (COMMAND.c.id == TRY.c.command_id, COMMAND.c.sending_at.is_not(None))
    acted = sa.exists().where(TRY.c.incident_id == INCIDENT.c.id, *sent)
    told = sa.exists().where(ALERT.c.incident_id == INCIDENT.c.id, ALERT.c.acting_until.is_not(None))
    statement = (
        sa.select(INCIDENT.c.id, INCIDENT.c.rule_id, INCIDENT.c.severity, LOCATION.c.timezone)
        .select_from(INCIDENT.outerjoin(LOCATION, LOCATION.c.id == INCIDENT.c.location_id))
        .where(INCIDENT.c.id.in_(over), INCIDENT.c.resolved_at.is_not(None), acted, told)
    )
    for row in connection.execute(statement).all():
        quiet_until = routing.quiet_until(row.rule_id, row.severity, row.timezone)
        due_at = max(routing.due_at, quiet_until or routing.now)
        insert_cards(connection, {row.id: row.rule_id}, routing, due_at)


def cancel_tries(connection: Connection, which: ColumnElement[bool], reason: str, now: datetime) -> int:
    """Cancel those of these steps that have sent nothing, with their commands; how many there were.

    A step whose command has left stays as it is: what came of it is still looked at.
    """
    unsent = sa.or_(
        TRY.c.state.in_([state.value for state in UNSENT_TRIES]),
        sa.and_(TRY.c.state == TryState.SENT.value, _command_is_unsent()),
    )
    found = connection.execute(sa.select(TRY).where(TRY.c.due_at.is_not(None), unsent, which)).all()
    cancelled = 0
    for row in found:
        if row.command_id is not None and not _cancel_command(connection, row.command_id, reason, now):
            continue
        cancelled += end_try(connection, row, TryState.CANCELLED, reason, now)
    return cancelled


def has_held_alerts(connection: Connection) -> bool:
    """Whether any alert is kept quiet by its actions."""
    held = sa.select(ALERT.c.id).where(ALERT.c.acting_until.is_not(None), ALERT.c.state == State.FIRING.value)
    return connection.execute(held.limit(1)).first() is not None


def release_alerts(connection: Connection, work: Automating, now: datetime) -> int:
    """Let alerts speak that still fire when their actions have ended, or have taken too long; how many there were."""
    at_work = sa.exists().where(TRY.c.alert_id == ALERT.c.id, TRY.c.due_at.is_not(None))
    released = connection.execute(
        sa.update(ALERT)
        .where(
            ALERT.c.acting_until.is_not(None),
            ALERT.c.state == State.FIRING.value,
            sa.or_(ALERT.c.acting_until <= now, ~at_work),
        )
        .values(acting_until=None, heard_at=now)
        .returning(ALERT.c.id)
    ).scalars()
    ids = list(released)
    if ids:
        changed = sa.select(TRY.c.alert_id).where(TRY.c.alert_id.in_(ids), TRY.c.state == TryState.CHANGED.value)
        again = dict.fromkeys(ids, "unmended") | dict.fromkeys(connection.execute(changed).scalars(), "repriced")
        enqueue_unmuted(connection, again, work.routing)
    return len(ids)


def insert_try(
    connection: Connection, alert: Row[Any], rule: Rule, now: datetime, *, number: int, version: int
) -> bool:
    """Write a step down as waiting; False where there is no such step, or it is written already."""
    if number >= len(rule.actions):
        return False
    step = rule.actions[number]
    values = {
        "alert_id": alert.id,
        "step": number,
        "rule_id": alert.rule_id,
        "rule_version": version,
        "incident_id": alert.incident_id,
        "kind": step.kind,
        "price": step.price,
        "location_id": alert.location_id,
        "charger_id": alert.charger_id,
        "connector_id": alert.connector_id,
        "session_id": alert.session_id,
        "state": TryState.WAITING.value,
        "planned_at": now,
        "due_at": now + step.after,
        "reason": "",
    }
    statement = insert(connection, TRY).values(**values).on_conflict_do_nothing().returning(TRY.c.id)
    return connection.execute(statement).first() is not None


def _note_held(connection: Connection, alert_ids: Iterable[int], now: datetime) -> None:
    """Note at the firings of these alerts that their own rule's actions keep them quiet."""
    mine = (TRANSITION.c.alert_id.in_(alert_ids), TRANSITION.c.at == now, TRANSITION.c.to_state == State.FIRING.value)
    for row in connection.execute(sa.select(TRANSITION).where(*mine)).all():
        muted_by = {"rule": row.rule_id, "subject": row.subject, "actions": True}
        trace = {**row.trace, "muted_by": muted_by}
        connection.execute(sa.update(TRANSITION).where(TRANSITION.c.id == row.id).values(trace=trace))


def _command_is_unsent() -> ColumnElement[bool]:
    states = [state.value for state in UNSENT]
    return sa.exists().where(COMMAND.c.id == TRY.c.command_id, COMMAND.c.state.in_(states))


def _cancel_command(connection: Connection, command_id: str, reason: str, now: datetime) -> bool:
    command = connection.execute(sa.select(COMMAND).where(COMMAND.c.id == command_id)).one()
    return cancel_command(connection, command, reason, now)


def end_try(connection: Connection, row: Row[Any], state: TryState, reason: str, now: datetime) -> bool:
    """End a step in this state; False where it has moved on since it was read."""
    return update_try(connection, row, {"state": state.value, "reason": reason, "ended_at": now, "due_at": None}, now)


def update_try(connection: Connection, row: Row[Any], values: dict[str, Any], now: datetime) -> bool:
    """Give a step these values where it is still as it was read, and show it on the alert's card."""
    as_read = (TRY.c.id == row.id, TRY.c.state == row.state, TRY.c.due_at.is_not(None))
    moved = connection.execute(sa.update(TRY).where(*as_read).values(**values)).rowcount == 1
    if moved and row.incident_id is not None:
        refresh_alert_cards(connection, {row.incident_id}, now)
    return moved
