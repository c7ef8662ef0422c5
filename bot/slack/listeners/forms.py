"""Forms: opened before anything is looked up, read when they are sent, and answered where they stood.

What is wrong is shown at its field. What writes is written down, then acknowledged; what only reads, or must ask
outside, acknowledges first. Nothing here knows what a form asks.
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from sqlalchemy import Connection

from bot.slack.charge import registry
from bot.slack.charge.answer import Answer, Asked
from bot.slack.charge.own_time import with_site_clock
from bot.slack.crowd.intents import TooLateError
from bot.slack.doors.bolt_app import ONCE
from bot.slack.listeners.responder import Responder, too_late
from bot.slack.views import handling_forms, price_form, rule_forms, silence_form, start_form
from bot.slack.views.form import CALLBACK, Form, Said, Written
from bot.slack.views.inputs import FieldErrors, Typed
from bot.slack.views.showing import SHOWN, channel_of, metadata_of, modal, of_answer, open_then, show_in, waiting
from notify.text.action_ids import ActionId
from notify.text.message import Block
from notify.text.words import slack_escape
from storage.engine import Database

Json = dict[str, Any]

ALL = (
    silence_form.FORM,
    price_form.FORM,
    start_form.FORM,
    rule_forms.RULE,
    rule_forms.EDIT,
    rule_forms.DIGEST,
    handling_forms.ASSIGN,
    handling_forms.NOTE,
)
FORMS: Mapping[str, Form] = {form.name: form for form in ALL}


def register(app: AsyncApp, responder: Responder) -> None:
    """Register the clicks that open forms, and the forms that are sent."""

    @app.action(re.compile(rf"^{ActionId.OPEN_FORM}(_\d+)?$"))
    async def on_open(ack: AsyncAck, body: Json, action: Json) -> None:
        await ack()
        value: Json = json.loads(action["value"])
        await open_form(responder, body, str(value.pop("form")), value)

    @app.view(re.compile(f"^{CALLBACK}"))
    async def on_sent(ack: AsyncAck, body: Json, view: Json, context: AsyncBoltContext) -> None:
        form = FORMS[view["callback_id"].removeprefix(CALLBACK)]
        await take(responder, form, body, ack, context.get(ONCE, ""))


async def open_form(responder: Responder, body: Json, name: str, given: Json | Callable[[Connection], Json]) -> None:
    """Show a form with what it is opened with (or what is looked up for that), or why this person may not have it."""
    form, channel = FORMS[name], channel_of(body)

    async def build() -> Json:
        standing, asked = await responder.asking(body["user"]["id"], channel)
        if not standing.may(form.needs):
            answer = registry.not_allowed(standing, form.needs, form.title)
            return of_answer(answer, channel=channel, title=form.title)
        opened, about = await asyncio.to_thread(_opened, responder, form, asked, given)
        if isinstance(opened, Answer):
            return of_answer(opened, channel=channel, title=form.title)
        kept = {**about, "channel": channel}
        return modal(form.title, opened, submit=form.submit, callback_id=CALLBACK + name, metadata=kept, close="Cancel")

    await open_then(responder.slack, body, build, form.title)


def _opened(
    responder: Responder, form: Form, asked: Asked, given: Json | Callable[[Connection], Json]
) -> tuple[Sequence[Block] | Answer, Json]:
    with responder.database.read() as connection:
        about = given(connection) if callable(given) else given
        return form.opened(connection, asked, about), about


async def take(responder: Responder, form: Form, body: Json, ack: AsyncAck, once: str) -> None:
    """Do what a form says, or show what is wrong with it at its fields."""
    user, channel = body["user"]["id"], channel_of(body)
    standing, asked = await responder.asking(user, channel, writes=True)
    if not standing.may(form.needs):
        answer = registry.not_allowed(standing, form.needs, form.title)
        await ack(response_action="update", view=of_answer(answer, channel=channel, title=form.title))
        return
    typed = Typed(body["view"]["state"]["values"], metadata_of(body))
    try:
        done = await asyncio.to_thread(_sent, responder, form, asked, typed)
    except FieldErrors as wrong:
        await ack(response_action="errors", errors=wrong.errors)
        return
    if isinstance(done, Written):
        answer = await _write(responder, done, asked, once)
        await ack(response_action="update", view=of_answer(answer, channel=channel, title=form.title))
        return
    text = slack_escape(done.words)
    if registry.writes(text):
        answer = await responder.answer(text, user=user, channel=channel, once=once)
        await ack(response_action="update", view=of_answer(answer, channel=channel, title=form.title))
        return
    await ack(response_action="update", view=waiting(form.title))
    body[SHOWN] = body["view"]["id"]
    said: Answer | None = await responder.answer(text, user=user, channel=channel, once=once)
    while said is not None:
        await show_in(responder.slack, body["view"]["id"], of_answer(said, channel=channel, title=form.title))
        said = await responder.finish(_with(said, done.later))


def _with(said: Answer, later: Callable[[Database], Answer] | None) -> Answer:
    """An answer that says more later, below what it says now; itself where there is nothing more."""
    if later is None or said.later is not None or said.blocks[-1].get("block_id") == "more":
        return said

    def both(database: Database) -> Answer:
        more = later(database)
        below = [{**block, "block_id": f"more_{n}"} for n, block in enumerate(more.blocks)]
        return Answer(said.text, [*said.blocks, {"type": "divider"}, *below, {"type": "divider", "block_id": "more"}])

    return replace(said, later=both)


def _sent(responder: Responder, form: Form, asked: Any, typed: Typed) -> Said | Written:
    with responder.database.read() as connection:
        return form.sent(connection, asked, typed)


async def _write(responder: Responder, done: Written, asked: Any, once: str) -> Answer:
    def write(connection: Connection) -> Answer:
        return done.write(connection, asked)

    try:
        answer = await responder.write(write, once)
    except TooLateError:
        return too_late("Nothing was done")
    responder.wake_reminders()
    responder.wake_deliveries()
    return with_site_clock(answer, asked.own_zone, asked.zone, asked.now)
