"""Clicks on a card beside Acknowledge and Snooze: take that back, silence, why, act, assign, note.

What a card named when it was drawn is what a click is about. What opens a modal opens it before anything is looked up.
"""

import asyncio
from typing import Any

import sqlalchemy as sa
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from sqlalchemy import Connection

from bot.slack.charge import registry
from bot.slack.charge.alerting.handling import unacknowledge_firing
from bot.slack.charge.answer import Answer, refused, told, words_button
from bot.slack.crowd.intents import TooLateError
from bot.slack.listeners.forms import open_form
from bot.slack.listeners.responder import Responder, too_late, whisper
from bot.slack.listeners.snooze_buttons import snooze
from bot.slack.permissions import Role
from bot.slack.views import act_menu
from bot.slack.views.named import Named, named_by
from bot.slack.views.showing import channel_of, of_answer, open_then
from notify.charts.asked import enqueue_card_chart
from notify.text.action_ids import ActionId
from notify.text.card_buttons import CHART
from rules.lifecycle import State
from storage.schema import ALERT, OUTBOX

Json = dict[str, Any]

MOST_WHY = 5
FORMS = {"silence_alerts": "silence", "assign": "assign", "note": "note"}


def register(app: AsyncApp, responder: Responder) -> None:
    """Register the clicks."""

    @app.action(ActionId.UNDO_ACKNOWLEDGE.value)
    async def on_undo(ack: AsyncAck, body: Json, action: Json, respond: AsyncRespond) -> None:
        answer = await unacknowledge(responder, body["user"]["id"], named_by(body, action["value"]))
        await ack()
        await whisper(respond, answer, replace_original=False, **_thread(body))

    @app.action(ActionId.SILENCE_ALERTS.value)
    async def on_silence(ack: AsyncAck, body: Json, action: Json) -> None:
        await ack()
        await open_form(responder, body, "silence", named_by(body, action["value"]).about)

    @app.action(ActionId.WHY_ALERTS.value)
    async def on_why(ack: AsyncAck, body: Json, action: Json, respond: AsyncRespond) -> None:
        await ack()
        await tell_why(responder, body, named_by(body, action["value"]), respond)

    @app.action(ActionId.ACT_ON_ALERTS.value)
    async def on_act(ack: AsyncAck, body: Json, action: Json) -> None:
        await ack()
        await show_acts(responder, body, named_by(body, action["value"]))

    @app.action(ActionId.ALERT_MENU.value)
    async def on_menu(ack: AsyncAck, body: Json, action: Json, respond: AsyncRespond) -> None:
        named = named_by(body, action["selected_option"]["value"])
        does = str(named.value.get("do"))
        if does in {ActionId.END_SNOOZE, CHART}:  # written down, then acknowledged
            snoozes = does == ActionId.END_SNOOZE
            answer = await (snooze(responder, body["user"]["id"], named) if snoozes else chart(responder, body, named))
            await ack()
            await whisper(respond, answer, replace_original=False, **_thread(body))
            return
        await ack()
        if does in FORMS:
            await open_form(responder, body, FORMS[does], named.about)
        elif does == ActionId.WHY_ALERTS:
            await tell_why(responder, body, named, respond)
        elif does == ActionId.ACT_ON_ALERTS:
            await show_acts(responder, body, named)


async def unacknowledge(responder: Responder, user: str, named: Named) -> Answer:
    """Take the acknowledgement back of what a card named, for a person who may; what to tell them."""
    standing, asked = await responder.asking(user, "", writes=True)
    if not standing.may(Role.OPERATOR):
        return registry.not_allowed(standing, Role.OPERATOR, "Undo acknowledge")
    try:
        answer = await responder.write(
            lambda connection: unacknowledge_firing(connection, asked, named.alerts(), named.subject)
        )
    except TooLateError:
        return too_late("Nothing was changed")
    responder.wake_deliveries()
    return answer


async def chart(responder: Responder, body: Json, named: Named) -> Answer:
    """Let the chart of what a card is about come in its thread, once for all who ask; what to tell who asked."""
    user, place = body["user"]["id"], body.get("container", {})
    standing, asked = await responder.asking(user, "", writes=True)
    if not standing.may(Role.VIEWER):
        return registry.not_allowed(standing, Role.VIEWER, "Chart")

    def write(connection: Connection) -> bool | None:
        stands = (OUTBOX.c.message_channel == place.get("channel_id"), OUTBOX.c.message_ts == place.get("message_ts"))
        card = connection.execute(sa.select(OUTBOX.c.id).where(*stands)).scalar()
        if card is None:
            return None
        return enqueue_card_chart(connection, card, named.alerts(), user, default_zone=responder.zone, now=asked.now)

    try:
        done = await responder.write(write)
    except TooLateError:
        return too_late("No chart was drawn")
    if done is None:
        return refused("This message is not known any more", mend="Try:", examples=["/charge chart status"])
    responder.wake_deliveries()
    return told("answer_card_chart", asked=done)


async def tell_why(responder: Responder, body: Json, named: Named, respond: AsyncRespond) -> None:
    """Explain the first alert that fires of what a card named, with buttons for the next ones."""
    firing = await asyncio.to_thread(_firing, responder, named)
    if not firing:
        answer = refused("Nothing of it fires any more", mend="What fires now:", examples=["/charge alerts"])
    else:
        (subject, rule), *others = firing
        answer = await responder.answer(f"why {subject} {rule}", user=body["user"]["id"], channel=channel_of(body))
        buttons = [
            words_button(f"Why {name} on {thing}", f"why {thing} {name}", n).to_dict()
            for n, (thing, name) in enumerate(others, 2)
        ]
        if buttons:
            answer = Answer(
                answer.text, [*answer.blocks, {"type": "actions", "block_id": "others", "elements": buttons}]
            )
    await whisper(respond, answer, replace_original=False, **_thread(body))


def _firing(responder: Responder, named: Named) -> list[tuple[str, str]]:
    with responder.database.read() as connection:
        mine = (named.alerts(), ALERT.c.state == State.FIRING.value)
        found = sa.select(ALERT.c.subject, ALERT.c.rule_id).where(*mine)
        order = (ALERT.c.acknowledged_at.is_not(None), ALERT.c.silence_id.is_not(None), ALERT.c.id)
        return [(row.subject, row.rule_id) for row in connection.execute(found.order_by(*order).limit(MOST_WHY))]


async def show_acts(responder: Responder, body: Json, named: Named) -> None:
    """Show what a person may do where a card stands."""
    channel = channel_of(body)

    async def build() -> Json:
        standing, asked = await responder.asking(body["user"]["id"], channel)
        if not standing.may(Role.OPERATOR):
            answer = registry.not_allowed(standing, Role.OPERATOR, "Act")
        else:
            answer = await asyncio.to_thread(_menu, responder, named, asked.now)
        return of_answer(answer, channel=channel, title="What can be done")

    await open_then(responder.slack, body, build, "What can be done")


def _menu(responder: Responder, named: Named, now: Any) -> Answer:
    with responder.database.read() as connection:
        return act_menu.act_menu(connection, named.alerts(), now, responder.commands_per_day)


def _thread(body: Json) -> Json:
    thread_ts = body.get("container", {}).get("thread_ts")
    return {"thread_ts": thread_ts} if thread_ts else {}
