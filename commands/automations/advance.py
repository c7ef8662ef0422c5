"""One step of a rule's actions, advanced: decided once it is due, followed once it was sent, watched once it helped.

A step makes at most one command, through the same rows as people's commands, and never calls anything itself. Each
advance works inside the caller's transaction, so that a stop between two of them loses and repeats nothing.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from commands.automations.facts import NOT_KNOWN, Attempt, Automating, read_back_of, sight_of, situation_of
from commands.automations.switch import lock_switch, read_switch
from commands.automations.tries import ONLY_TOLD, UNSENT, end_try, insert_try, update_try
from commands.outcomes.sending import APPROVE_WITHIN, cancel_command
from commands.requests.enqueue import enqueue_command
from commands.requests.prices import default_price
from rules.actions.automations import (
    LOOK_AGAIN,
    STAYS_MENDED,
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
from rules.documents.document import rule_from_document
from rules.lifecycle import State
from storage.schema import ALERT, COMMAND, RULE, RULE_VERSION, TRY


def due_tries(connection: Connection, now: datetime) -> dict[int, str]:
    """The steps that are to be decided or looked at now, the oldest first: the rule of each by its id."""
    due = sa.select(TRY.c.id, TRY.c.rule_id).where(TRY.c.due_at <= now)
    return {row.id: row.rule_id for row in connection.execute(due.order_by(TRY.c.planned_at, TRY.c.id))}


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
        return end_try(connection, row, TryState.CANCELLED, "the rule is gone", now)
    mode = read_switch(connection, work.default).mode
    if row.state == TryState.WAITING:
        return _decide(connection, attempt, mode, work, now)
    if row.state == TryState.HELPED:
        return _watch(connection, attempt, now)
    return _follow(connection, attempt, mode, work, now)


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
    return update_try(connection, row, values, now)


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
        return update_try(connection, row, {"state": TryState.SENT.value}, now)
    if attempt.step.price is not None:
        decision = judge_prices(read_back_of(command))
        return decision is not None and _conclude(connection, attempt, decision, now)
    return _judge(connection, attempt, command, work, now)


def _still_against(
    connection: Connection, attempt: Attempt, mode: Mode, work: Automating, now: datetime
) -> Decision | None:
    """What speaks against a command that was made and not sent."""
    against = stopped(situation_of(connection, attempt, mode, work, now))
    if against is None and mode is Mode.DRY_RUN:
        return Decision(TryState.CANCELLED, ONLY_TOLD, ends_ladder=True)
    return against


def _judge(connection: Connection, attempt: Attempt, command: Row[Any], work: Automating, now: datetime) -> bool:
    """Look whether a command that was sent helped."""
    row = attempt.row
    sight = sight_of(connection, attempt, command, now, work.routing.default_zone)
    seen = verify(attempt.step, sight, row.verify_until, now)
    if seen.state is TryState.HELPED:
        firing = attempt.alert.state == State.FIRING
        due_at = now + STAYS_MENDED if firing else None
        values = {"state": TryState.HELPED.value, "reason": "", "ended_at": now, "due_at": due_at}
        return update_try(connection, row, values, now)
    if seen.state is not None:
        return _conclude(connection, attempt, Decision(seen.state, seen.reason, ends_ladder=sight.unknown), now)
    if sight.unknown and not row.reason:
        return update_try(connection, row, {"reason": NOT_KNOWN, "verify_until": seen.until}, now)
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
    if not end_try(connection, row, decision.state, decision.reason, now):
        return False
    failed = decision.state in {TryState.DID_NOT_HELP, TryState.REFUSED}
    if failed and not decision.ends_ladder and alert.state == State.FIRING and attempt.in_force:
        insert_try(connection, alert, attempt.rule, now, number=row.step + 1, version=row.rule_version)
    return True


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
