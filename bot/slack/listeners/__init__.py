"""What Slack tells us, grouped by kind; `register` hangs every listener into a Bolt app.

What only reads acknowledges first. What acts writes one intent row and then acknowledges. Nothing here calls EOSVOLT.
"""

import contextlib
from functools import partial
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp, AsyncRespond
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.slack.charge.answer import Answer, refused, told
from bot.slack.crowd.intents import NotKnownYetError
from bot.slack.listeners import (
    block_actions,
    card_buttons,
    channel_events,
    copies,
    events,
    forms,
    home,
    rule_buttons,
    shortcuts,
    slash_command,
    snooze_buttons,
    word_buttons,
)
from bot.slack.listeners.responder import HeardBeforeError, Responder, whisper
from bot.slack.views.showing import SHOWN, ViewRespond, of_answer, show_in
from bot.slack.web_client import SLACK_FAULTS, error_name
from notify.text.action_ids import ActionId
from storage.faults import mend_of

log = structlog.get_logger()


def register(app: AsyncApp, responder: Responder) -> None:
    """Register every listener, and what is said where one breaks."""

    @app.error
    async def on_error(
        error: Exception, body: dict[str, Any], respond: AsyncRespond, response: BoltResponse | None
    ) -> BoltResponse | None:
        if isinstance(error, HeardBeforeError):
            log.info("a request is heard once more, and nothing is done", request=str(error))
            return BoltResponse(status=200, body="") if response is not None else None
        log.error("a listener failed", exc_info=error)
        answer = _answer_to(error)
        await _tell_of_a_fault(responder, answer or told("answer_broken"), body, respond)
        # what the person is told of in words is not shown as failed as well
        return BoltResponse(status=200, body="") if answer is not None and response is not None else None

    app.use(AnswerInViews(responder))
    copies.register(app, responder)
    slash_command.register(app, responder)
    block_actions.register(app, responder)
    snooze_buttons.register(app, responder)
    events.register(app, responder)
    channel_events.register(app, responder)
    rule_buttons.register(app, responder)
    card_buttons.register(app, responder)
    forms.register(app, responder)
    home.register(app, responder)
    shortcuts.register(app, responder)
    word_buttons.register(app, responder)


def _answer_to(error: Exception) -> Answer | None:
    """What to tell the person whose request failed for a reason that somebody can mend; None for a fault of ours."""
    if isinstance(error, NotKnownYetError):
        mend = "It is shown where it stands once it is. Pressing again is safe: it acts once."
        return refused("It is not known yet whether this was done, the database is slow", mend=mend)
    trouble = mend_of(error)
    return None if trouble is None else refused(f"Nothing was done: {trouble.what}", mend=trouble.mend)


IN_PLACE = frozenset(
    {
        ActionId.CONFIRM_COMMAND,
        ActionId.CONFIRM_RULE,
        ActionId.CANCEL_COMMAND,
        ActionId.PREVIOUS_PAGE,
        ActionId.NEXT_PAGE,
    }
)
"""The clicks whose answer takes the place of what was clicked."""
OWN_MODAL = (ActionId.OPEN_FORM, ActionId.SILENCE_ALERTS, ActionId.ACT_ON_ALERTS, ActionId.ALERT_MENU)
"""The clicks that open a modal of their own."""


class AnswerInViews(AsyncMiddleware):
    """A click in a modal or the Home tab, which has no response URL, is answered in a modal."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder

    async def async_process(self, *, req: AsyncBoltRequest, resp: BoltResponse, next: copies.Next) -> None:  # noqa: A002 - Bolt's name
        """Give a click there another way to answer, and let it go on."""
        body = req.body
        if body.get("type") == "block_actions" and body.get("view") and not body.get("response_url"):
            action = str(body["actions"][0].get("action_id"))
            own = action in IN_PLACE or action.startswith(OWN_MODAL)
            req.context["respond"] = ViewRespond(self._responder.slack, body, at_once=not own)
        await next()


async def _tell_of_a_fault(responder: Responder, answer: Answer, body: dict[str, Any], respond: AsyncRespond) -> None:
    """Tell the person who asked, where the request says how; Slack's own faults are logged."""
    if body.get(SHOWN):
        await show_in(responder.slack, body[SHOWN], of_answer(answer))
        return
    if body.get("response_url") or isinstance(respond, ViewRespond):
        await whisper(respond, answer, replace_original=False)
        return
    if body.get("type") == "view_submission":
        told_ = {"channel": body["user"]["id"], "text": answer.text, "blocks": answer.blocks}
        with contextlib.suppress(*SLACK_FAULTS):
            await responder.say(partial(responder.slack.chat_postMessage, **told_))
        return
    event = body.get("event") or {}
    user, channel = event.get("user"), event.get("channel")
    if not user or not channel or event.get("type") not in {"app_mention", "message"}:
        return
    place = {"channel": channel, "user": user, "thread_ts": event.get("thread_ts")}
    try:
        await responder.say(
            partial(responder.slack.chat_postEphemeral, **place, text=answer.text, blocks=answer.blocks)
        )
    except SLACK_FAULTS as error:
        log.warning("nobody could be told that a listener failed", error=error_name(error))
