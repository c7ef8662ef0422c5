"""Clicks. Acknowledge and Confirm write one intent row, then acknowledge; paging and words acknowledge first.

Everything a button needs is in its value and in the database, so that buttons from before a restart work, and two
clicks on one have one effect: each person is told what happened.
"""

import json
import re
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncRespond
from sqlalchemy import Connection

from bot.slack.charge import registry
from bot.slack.charge.acting import own_commands, session_commands
from bot.slack.charge.answer import Answer, refused, told
from bot.slack.crowd.intents import TooLateError
from bot.slack.doors.bolt_app import ONCE
from bot.slack.listeners.responder import Responder, too_late, whisper
from bot.slack.permissions import Role
from bot.slack.views.showing import channel_of
from commands.outcomes.approvals import Decision, approve_command, refuse_command
from commands.outcomes.sending import APPROVE_WITHIN
from commands.requests.enqueue import Enqueued, enqueue_command
from notify.alert_cards.card import (
    Acknowledgement,
    acknowledge_alerts,
    acknowledge_incident,
    acknowledge_roll_up,
    named_alerts,
)
from notify.text.action_ids import ActionId
from rules.actions.command_kinds import OWN, is_own
from storage.tables import AuditEntry

Json = dict[str, Any]

ACTS = Role.OPERATOR


def register(app: AsyncApp, responder: Responder) -> None:
    """Register the clicks."""

    @app.action(ActionId.ACKNOWLEDGE_INCIDENT.value)
    async def on_acknowledge(ack: AsyncAck, body: Json, action: Json, respond: AsyncRespond) -> None:
        answer = await acknowledge(responder, body["user"]["id"], _value(action))
        await ack()
        await whisper(respond, answer, replace_original=False, **_thread(body))

    @app.action(ActionId.CONFIRM_COMMAND.value)
    async def on_confirm(ack: AsyncAck, body: Json, action: Json, respond: AsyncRespond) -> None:
        answer, final = await confirm(responder, body["user"]["id"], _value(action))
        await ack()
        await whisper(respond, answer, replace_original=final, **({} if final else _thread(body)))

    @app.action(re.compile(f"^({ActionId.APPROVE_COMMAND}|{ActionId.REFUSE_COMMAND})$"))
    async def on_decision(ack: AsyncAck, body: Json, action: Json, respond: AsyncRespond) -> None:
        approves = action["action_id"] == ActionId.APPROVE_COMMAND
        answer = await decide(responder, body["user"]["id"], _value(action), approves=approves)
        await ack()
        await whisper(respond, answer, replace_original=False, **_thread(body))

    @app.action(ActionId.CANCEL_COMMAND.value)
    async def on_cancel(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await whisper(respond, told("answer_cancelled"), replace_original=True)

    _register_words(app, responder)


def _register_words(app: AsyncApp, responder: Responder) -> None:
    """Register the clicks that say words of /charge: another page of an answer, and the words that a button has."""

    @app.action(re.compile(f"^({ActionId.PREVIOUS_PAGE}|{ActionId.NEXT_PAGE})$"))
    async def on_page(ack: AsyncAck, body: Json, action: Json, respond: AsyncRespond) -> None:
        await ack()
        asked = _value(action)
        answer = await responder.answer(
            asked["words"], user=body["user"]["id"], channel=channel_of(body), offset=int(asked["offset"])
        )
        await whisper(respond, answer, replace_original=True)

    @app.action(re.compile(rf"^{ActionId.RUN_WORDS}(_\d+)?$"))
    async def on_words(
        ack: AsyncAck, body: Json, action: Json, respond: AsyncRespond, context: AsyncBoltContext
    ) -> None:
        words = _value(action)["words"]
        writes = registry.writes(words)
        if not writes:
            await ack()
        once = context.get(ONCE, "")
        answer = await responder.answer(words, user=body["user"]["id"], channel=channel_of(body), once=once)
        if writes:
            await ack()
        await whisper(respond, answer, replace_original=False, **_thread(body))
        later = await responder.finish(answer)
        if later is not None:
            await whisper(respond, later, replace_original=False, **_thread(body))


async def acknowledge(responder: Responder, user: str, value: Json) -> Answer:
    """Acknowledge an incident for a person, if they may; what to tell them."""
    standing = await responder.permissions.standing_at_click(user)
    if not standing.may(ACTS):
        return registry.not_allowed(standing, ACTS, "Acknowledge")
    now = responder.clock()

    def write(connection: Connection) -> Acknowledgement:
        if "alerts" in value:
            done = acknowledge_alerts(connection, [named_alerts(str(value["alerts"]))], user, now)
            about: Json = {name: value[name] for name in ("incident", "roll_up") if name in value}
            subject = f"incident {value['incident']}" if "incident" in value else "roll-up"
        elif "roll_up" in value:
            done = acknowledge_roll_up(connection, str(value["roll_up"]), user, now)
            about, subject = {"roll_up": value["roll_up"]}, "roll-up"
        else:
            done = acknowledge_incident(connection, int(value["incident"]), user, now)
            about, subject = {"incident": value["incident"]}, f"incident {value['incident']}"
        if done.outcome == "acknowledged":
            facts = {**about, "members": done.members}
            row = AuditEntry(at=now, user=user, action="acknowledge", facts=facts, outcome=done.outcome)
            values = row.model_dump(exclude={"id"}) | {"subject": subject}
            connection.execute(sa.insert(AuditEntry).values(**values))
        return done

    try:
        done = await responder.write(write)
    except TooLateError:
        return too_late("Nothing was acknowledged")
    responder.wake_deliveries()
    return responder.by_own_clock(told("answer_acknowledged", done=done, user=user), standing)


async def confirm(responder: Responder, user: str, value: Json) -> tuple[Answer, bool]:
    """Write a command down for a person, if they may and it still makes sense.

    What to tell them, and whether that is final, so that it takes the place of the preview.
    """
    words = {name: str(value[name]) for name in ("kind", "target", "thing", "nonce", "channel")}
    intent = session_commands.Intent(**words, ends=tuple(map(str, value["ends"])), details=value["details"])
    standing = await responder.permissions.standing_at_click(user)
    own = responder.office.client.own_commands.get(intent.kind.removeprefix(OWN)) if is_own(intent.kind) else None
    if own is None and is_own(intent.kind):
        return own_commands.gone(intent.kind, responder.office.client.own_commands), True
    needed = session_commands.role_for(intent.kind, own)
    if not standing.may(needed):
        return registry.not_allowed(standing, needed, session_commands.verb_of(intent.kind)), False
    now = responder.clock()
    approved_in = responder.office.approvals.get(intent.kind)
    intent = replace(intent, channel=approved_in or intent.channel)
    approval = APPROVE_WITHIN if approved_in else None
    target: Json = {f"{intent.thing}_id": intent.target}

    def write(connection: Connection) -> Enqueued:
        return enqueue_command(
            connection,
            kind=intent.kind,
            nonce=intent.nonce,
            user=user,
            channel=intent.channel,
            now=now,
            ends=intent.ends,
            per_day=responder.commands_per_day,
            details=intent.details,
            approve_within=approval,
            own_command=own,
            **target,
        )

    try:
        enqueued = await responder.write(write)
    except TooLateError:
        return too_late("Nothing was sent"), False
    responder.wake_commands()
    responder.wake_deliveries()
    return responder.by_own_clock(session_commands.requested(enqueued, intent, user), standing), True


async def decide(responder: Responder, user: str, value: Json, *, approves: bool) -> Answer:
    """Approve or refuse, for a person who may, a command that waits for it; what to tell them."""
    standing = await responder.permissions.standing_at_click(user)
    kind = str(value["kind"])
    there = responder.office.client.own_commands
    own = there.get(kind.removeprefix(OWN)) if is_own(kind) else None
    needed = session_commands.role_for(kind, own)
    if not standing.may(needed):
        return registry.not_allowed(standing, needed, "Approve" if approves else "Refuse")
    if own is None and is_own(kind) and approves:
        return own_commands.gone(kind, there)
    now, command_id = responder.clock(), str(value["command"])

    def write(connection: Connection) -> Decision:
        if approves:
            per_day = responder.commands_per_day
            return approve_command(connection, command_id, user, now, per_day=per_day, own_command=own)
        return refuse_command(connection, command_id, user, now)

    try:
        decision = await responder.write(write)
    except TooLateError:
        return too_late("Nothing was decided")
    responder.wake_commands()
    responder.wake_deliveries()
    if decision.outcome == "changed":
        reasons = [refusal.text for refusal in decision.refusals]
        return refused(
            "Nothing was sent, because things have changed",
            reasons=reasons,
            mend="Look at:",
            examples=["/charge status"],
        )
    return responder.by_own_clock(told("answer_decided", decision=decision, user=user), standing)


def _value(action: Json) -> Json:
    value: Json = json.loads(action["value"])
    return value


def _thread(body: Json) -> Json:
    thread_ts = body.get("container", {}).get("thread_ts")
    return {"thread_ts": thread_ts} if thread_ts else {}
