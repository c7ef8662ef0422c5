"""What rules do about their alerts: each step planned with the firing, decided once, and followed until it is known.

A step makes at most one command, through the same rows as people's commands, and never calls anything itself. Every
function works inside the caller's transaction, so that a stop between two of them loses and repeats nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from commands.automations.facts import NOT_KNOWN, Attempt, Automating, read_back_of, sight_of, situation_of
from commands.automations.switch import ALL, lock_switch, read_switch
from commands.outcomes.approvals import AWAITING
from commands.outcomes.sending import APPROVE_WITHIN, cancel_command
from commands.requests.enqueue import enqueue_command, write_audit
from commands.requests.prices import default_price
from notify.alert_cards.card import enqueue_unmuted, insert_cards, refresh_alert_cards
from notify.routing import Routing
from rules.actions.automations import (
    LOOK_AGAIN,
    QUIET_AT_MOST,
    STAYS_MENDED,
    UNSENT_TRIES,
    Decision,
    Mode,
    TryState,
    decide,
    judge_prices,
    relapsed,
    stopped,
    verify,
)
from rules.actions.command_kinds import CommandState, Reason
from rules.documents.document import Rule, rule_from_document
from rules.lifecycle import State, Transition
from storage.dialects import insert
from storage.schema import (
    ALERT,
    COMMAND,
    INCIDENT,
    LOCATION,
    RULE,
    RULE_VERSION,
    SWITCH,
    TRANSITION,
    TRY,
)

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
    if ended:
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
        if not _insert_try(connection, alert, rule, now, number=0, version=alert.rule_version):
            continue
        if mode is Mode.ON and not rule.dry_run and not rule.alert_at_once and not transition.muted:
            held.add(transition.alert_id)
    if held:
        quiet = {"acting_until": now + QUIET_AT_MOST}
        connection.execute(sa.update(ALERT).where(ALERT.c.id.in_(held)).values(**quiet))
        _note_held(connection, held, now)
    return [replace(t, muted=True) if t.alert_id in held and t.to_state == State.FIRING else t for t in transitions]


def tell_recovered(connection: Connection, transitions: Iterable[Transition], routing: Routing) -> None:
    """Let one card tell of an incident that nobody heard of because its actions mended it; after quiet hours."""
    over = {t.incident_id for t in transitions if t.reason == "recovered" and t.incident_id is not None}
    if not over:
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
        cancelled += _end(connection, row, TryState.CANCELLED, reason, now)
    return cancelled


def due_tries(connection: Connection, now: datetime) -> list[int]:
    """The ids of the steps that are to be decided or looked at now, the oldest first."""
    due = sa.select(TRY.c.id).where(TRY.c.due_at <= now)
    return list(connection.execute(due.order_by(TRY.c.planned_at, TRY.c.id)).scalars())


def advance_try(connection: Connection, try_id: int, work: Automating, now: datetime) -> bool:
    """Decide a step that waits, or look at what came of one that was sent; False where nothing moved.

    The switch's row is held meanwhile, so that limits hold over all chargers and nothing is sent after "off".
    """
    lock_switch(connection)
    row = connection.execute(sa.select(TRY).where(TRY.c.id == try_id, TRY.c.due_at.is_not(None))).first()
    if row is None:
        return False
    attempt = _attempt(connection, row, work)
    if attempt is None:
        return _end(connection, row, TryState.CANCELLED, "the rule is gone", now)
    mode = read_switch(connection, work.default).mode
    if row.state == TryState.WAITING:
        return _decide(connection, attempt, mode, work, now)
    if row.state == TryState.HELPED:
        return _watch(connection, attempt, now)
    return _follow(connection, attempt, mode, work, now)


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


def _decide(connection: Connection, attempt: Attempt, mode: Mode, work: Automating, now: datetime) -> bool:
    row, step = attempt.row, attempt.step
    facts = situation_of(connection, attempt, mode, work, now)
    decision = decide(step, facts, now, dry_run=attempt.rule.dry_run)
    if decision is None:
        return False
    if decision.state not in {TryState.SENT, TryState.AWAITING_APPROVAL}:
        return _conclude(connection, attempt, decision, now)
    enqueued = enqueue_command(
        connection,
        kind=step.kind,
        nonce=f"automation:{row.alert_id}:{row.step}",
        user=f"rule {row.rule_id}",
        channel=step.approval or "",
        now=now,
        rule_id=row.rule_id,
        approve_within=APPROVE_WITHIN if step.approval else None,
        charger_id=attempt.target.get("charger_id"),
        connector_id=attempt.target.get("connector_id"),
        session_id=attempt.target.get("session_id"),
        location_id=attempt.target.get("location_id"),
        details=default_price(step.price) if step.price is not None else None,
        per_day=work.per_day,
    )
    if enqueued.command_id is None:
        if any(refusal.reason is Reason.UNDER_WAY for refusal in enqueued.refusals):
            return False
        because = "; ".join(refusal.text for refusal in enqueued.refusals)
        return _conclude(connection, attempt, Decision(TryState.REFUSED, because), now)
    values = {"state": decision.state.value, "command_id": enqueued.command_id, "acted_at": now, "due_at": now}
    return _update(connection, row, values, now)


def _follow(connection: Connection, attempt: Attempt, mode: Mode, work: Automating, now: datetime) -> bool:
    """Look at the command of a step: whether it may still go, whether it went, and whether it helped."""
    row = attempt.row
    command = connection.execute(sa.select(COMMAND).where(COMMAND.c.id == row.command_id)).one()
    if command.state in UNSENT:
        against = _still_against(connection, attempt, mode, work, now)
        cancelled = against is not None and cancel_command(connection, command, against.reason, now)
        return against is not None and cancelled and _conclude(connection, attempt, against, now)
    over = _never_left(command)
    if over is not None:
        return _conclude(connection, attempt, over, now)
    if row.state == TryState.AWAITING_APPROVAL:
        return _update(connection, row, {"state": TryState.SENT.value}, now)
    if attempt.step.price is not None:
        decision = judge_prices(read_back_of(command))
        return decision is not None and _conclude(connection, attempt, decision, now)
    return _judge(connection, attempt, command, now)


def _still_against(
    connection: Connection, attempt: Attempt, mode: Mode, work: Automating, now: datetime
) -> Decision | None:
    """What speaks against a command that was made and not sent."""
    against = stopped(situation_of(connection, attempt, mode, work, now))
    if against is None and mode is Mode.DRY_RUN:
        return Decision(TryState.CANCELLED, ONLY_TOLD, ends_ladder=True)
    return against


def _judge(connection: Connection, attempt: Attempt, command: Row[Any], now: datetime) -> bool:
    """Look whether a command that was sent helped."""
    row = attempt.row
    sight = sight_of(connection, attempt, command, now)
    seen = verify(attempt.step, sight, row.verify_until, now)
    if seen.state is TryState.HELPED:
        firing = attempt.alert.state == State.FIRING
        due_at = now + STAYS_MENDED if firing else None
        values = {"state": TryState.HELPED.value, "reason": "", "ended_at": now, "due_at": due_at}
        return _update(connection, row, values, now)
    if seen.state is not None:
        return _conclude(connection, attempt, Decision(seen.state, seen.reason, ends_ladder=sight.unknown), now)
    if sight.unknown and not row.reason:
        return _update(connection, row, {"reason": NOT_KNOWN, "verify_until": seen.until}, now)
    if seen.until != row.verify_until:
        connection.execute(sa.update(TRY).where(TRY.c.id == row.id).values(verify_until=seen.until))
    return False


def _never_left(command: Row[Any]) -> Decision | None:
    """What a command that EOSVOLT never took means for its step."""
    if command.state == CommandState.EXPIRED:
        return Decision(TryState.REFUSED, command.outcome or "it could not be sent in time", ends_ladder=True)
    if command.state == CommandState.CANCELLED:
        asked = command.decided_by is not None and command.outcome == "refused"
        because = "approval was refused" if asked else command.outcome or "it was cancelled"
        return Decision(TryState.REFUSED, because, ends_ladder=True)
    if command.state == CommandState.FAILED:
        return Decision(TryState.REFUSED, f"EOSVOLT did not do it: {command.outcome}")
    return None


def _watch(connection: Connection, attempt: Attempt, now: datetime) -> bool:
    """See whether an alert ends that a step was seen to help; one that goes on has its next step."""
    row, alert = attempt.row, attempt.alert
    firing = alert.state == State.FIRING
    still_true = alert.false_since is None and alert.held_since is None
    if relapsed(row.ended_at, firing=firing, still_true=still_true, now=now):
        return _conclude(connection, attempt, Decision(TryState.DID_NOT_HELP, "it helped for a moment only"), now)
    due_at = now + LOOK_AGAIN if firing else None
    connection.execute(sa.update(TRY).where(TRY.c.id == row.id).values(due_at=due_at))
    return not firing


def _conclude(connection: Connection, attempt: Attempt, decision: Decision, now: datetime) -> bool:
    """End a step; where it did not mend the alert and nothing else forbids it, the next one has its turn."""
    row, alert = attempt.row, attempt.alert
    if not _end(connection, row, decision.state, decision.reason, now):
        return False
    failed = decision.state in {TryState.DID_NOT_HELP, TryState.REFUSED}
    if failed and not decision.ends_ladder and alert.state == State.FIRING and attempt.in_force:
        _insert_try(connection, alert, attempt.rule, now, number=row.step + 1, version=row.rule_version)
    return True


def _insert_try(
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


def _attempt(connection: Connection, row: Row[Any], work: Automating) -> Attempt | None:
    alert = connection.execute(sa.select(ALERT).where(ALERT.c.id == row.alert_id)).one()
    said = connection.execute(
        sa.select(RULE_VERSION.c.document).where(
            RULE_VERSION.c.rule_id == row.rule_id, RULE_VERSION.c.version == row.rule_version
        )
    ).scalar()
    rule = rule_from_document(said, row.rule_id) if said is not None else None
    if rule is None or row.step >= len(rule.actions):
        return None
    now = connection.execute(sa.select(RULE).where(RULE.c.id == row.rule_id)).first()
    in_force = now is not None and now.enabled and now.removed_at is None and now.version == row.rule_version
    step = rule.actions[row.step]
    if step.price is not None and step.approval is None:  # what people are asked about, rules are too
        step = replace(step, approval=work.price_approval)
    return Attempt(row, alert, rule, step, in_force)


def _command_is_unsent() -> ColumnElement[bool]:
    states = [state.value for state in UNSENT]
    return sa.exists().where(COMMAND.c.id == TRY.c.command_id, COMMAND.c.state.in_(states))


def _cancel_command(connection: Connection, command_id: str, reason: str, now: datetime) -> bool:
    command = connection.execute(sa.select(COMMAND).where(COMMAND.c.id == command_id)).one()
    return cancel_command(connection, command, reason, now)


def _end(connection: Connection, row: Row[Any], state: TryState, reason: str, now: datetime) -> bool:
    return _update(connection, row, {"state": state.value, "reason": reason, "ended_at": now, "due_at": None}, now)


def _update(connection: Connection, row: Row[Any], values: dict[str, Any], now: datetime) -> bool:
    """Give a step these values where it is still as it was read, and show it on the alert's card."""
    as_read = (TRY.c.id == row.id, TRY.c.state == row.state, TRY.c.due_at.is_not(None))
    moved = connection.execute(sa.update(TRY).where(*as_read).values(**values)).rowcount == 1
    if moved and row.incident_id is not None:
        refresh_alert_cards(connection, {row.incident_id}, now)
    return moved
