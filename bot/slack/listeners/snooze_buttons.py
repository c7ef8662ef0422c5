"""Clicks that put alerts off for a while, or end that: one intent is written, then the click is acknowledged.

Everything a menu needs is in its values and in the database, so that one from before a restart works.
"""

from typing import Any

import sqlalchemy as sa
import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from sqlalchemy import Connection

from bot.slack.charge import registry
from bot.slack.charge.answer import Answer, refused, told
from bot.slack.crowd.intents import TooLateError
from bot.slack.listeners.responder import Responder, whisper
from bot.slack.permissions import Role
from bot.slack.views.named import Named, named_by
from notify.alert_cards.snoozes import Snoozable, Snoozing, snooze_alerts, wake_alerts
from notify.text.action_ids import ActionId
from storage.tables import AuditEntry

log = structlog.get_logger()

Json = dict[str, Any]

ACTS = Role.OPERATOR


def register(app: AsyncApp, responder: Responder) -> None:
    """Register the clicks."""

    @app.action(ActionId.SNOOZE_INCIDENT.value)
    async def on_snooze(ack: AsyncAck, body: Json, action: Json, respond: AsyncRespond) -> None:
        answer = await snooze(responder, body["user"]["id"], named_by(body, action["selected_option"]["value"]))
        await ack()
        await whisper(respond, answer, replace_original=False, **_thread(body))

    @app.action(ActionId.END_SNOOZE.value)
    async def on_end(ack: AsyncAck, body: Json, action: Json, respond: AsyncRespond) -> None:
        answer = await snooze(responder, body["user"]["id"], named_by(body, action["value"]))
        await ack()
        await whisper(respond, answer, replace_original=False, **_thread(body))


async def snooze(responder: Responder, user: str, named: Named) -> Answer:
    """Snooze an incident or a roll-up for a person, if they may, or end that where no time is said; what to tell."""
    standing = await responder.permissions.standing_at_click(user)
    if not standing.may(ACTS):
        return registry.not_allowed(standing, ACTS, "Snooze")
    now = responder.clock()
    what, value = named.snoozable, named.value

    def write(connection: Connection) -> Snoozing:
        if "for" in value:
            choice = str(value["for"])
            done = snooze_alerts(connection, what, choice, user, now, default_zone=responder.zone)
        else:
            done = wake_alerts(connection, what, now)
        if done.members:
            _note(connection, user, what, done, now)
        return done

    try:
        done = await responder.write(write)
    except TooLateError:
        log.error("an intent could not be written in time")  # noqa: TRY400 - it says all there is
        return refused("Nothing was snoozed: the database was too busy to write it down", mend="Please click again.")
    responder.wake_deliveries()
    return responder.by_own_clock(told("answer_snoozed", done=done, user=user), standing)


def _note(connection: Connection, user: str, what: Snoozable, done: Snoozing, now: Any) -> None:
    about: Json = {"roll_up": what.roll_up} if what.incident is None else {"incident": what.incident}
    subject = "roll-up" if what.incident is None else f"incident {what.incident}"
    facts = {**about, "members": done.members, "until": done.until.isoformat() if done.until else None}
    action = "snooze" if done.outcome == "snoozed" else "end snooze"
    row = AuditEntry(at=now, user=user, action=action, subject=subject, facts=facts, outcome=done.outcome)
    connection.execute(sa.insert(AuditEntry).values(**row.model_dump(exclude={"id"})))


def _thread(body: Json) -> Json:
    thread_ts = body.get("container", {}).get("thread_ts")
    return {"thread_ts": thread_ts} if thread_ts else {}
