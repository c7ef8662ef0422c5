"""Modals as Slack takes them: opened at once, before any slow query, and filled when it is known what they say.

A click in a modal or in the Home tab has no response URL: its answer is shown in a modal as well. Nothing here decides
what is said.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from slack_sdk.models.blocks import PlainTextObject
from slack_sdk.models.views import View
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook import WebhookResponse

from bot.slack.charge.answer import Answer
from bot.slack.web_client import SLACK_FAULTS, error_name
from notify.text.blocks import sections
from notify.text.limits import VIEW_BLOCKS, VIEW_TITLE, check_view
from notify.text.message import Block

log = structlog.get_logger()

Json = dict[str, Any]

TITLE = "Chargehand"
WAITING = "One moment…"
SHOWN = "shown_view"
"""The key in a request's body of the modal that waits for its answer."""


def modal(
    title: str,
    blocks: Sequence[Block],
    *,
    submit: str | None = None,
    callback_id: str = "",
    metadata: Json | None = None,
    close: str = "Close",
) -> Json:
    """A modal as the SDK writes it; `metadata` comes back with every click and submission."""
    view = View(
        type="modal",
        title=PlainTextObject(text=title[:VIEW_TITLE], emoji=False),
        close=PlainTextObject(text=close, emoji=False),
        submit=PlainTextObject(text=submit, emoji=False) if submit else None,
        blocks=list(blocks)[:VIEW_BLOCKS],
        callback_id=callback_id or None,
        private_metadata=json.dumps(metadata, separators=(",", ":")) if metadata else None,
    )
    made = dict(view.to_dict())
    problems = check_view(made)
    if problems:
        log.error("a modal breaks Slack's limits", title=title, problems=problems[:5])
    return made


def waiting(title: str = TITLE) -> Json:
    """What a modal says until it is known what it says."""
    return modal(title, sections(WAITING))


def of_answer(answer: Answer, *, channel: str = "", title: str = TITLE) -> Json:
    """An answer as a modal: its buttons go on there. `channel` is where a command's card would stand."""
    return modal(title, answer.blocks, metadata={"channel": channel} if channel else None)


def metadata_of(body: Json) -> Json:
    """What the modal in which somebody clicked, or which they sent, was given to keep; empty where it is none."""
    try:
        told = json.loads((body.get("view") or {}).get("private_metadata") or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def channel_of(body: Json) -> str:
    """Where somebody clicked: the channel, or the one that a modal was opened in, or their own messages."""
    channel = (body.get("channel") or {}).get("id") or metadata_of(body).get("channel")
    return str(channel or body["user"]["id"])


async def open_then(
    slack: AsyncWebClient, body: Json, build: Callable[[], Awaitable[Json]], title: str = TITLE
) -> None:
    """Open a modal at once, and fill it with what `build` makes.

    The body keeps which modal it is (SHOWN), so that what `build` raises is told there.
    """
    shown = body[SHOWN] = await _open(slack, body, waiting(title))
    view = await build()
    if shown is not None:
        await show_in(slack, shown, view)


async def show_in(slack: AsyncWebClient, view_id: str, view: Json) -> None:
    """Fill a modal that is open; one that was closed meanwhile stays closed."""
    try:
        await slack.views_update(view_id=view_id, view=view)
    except SLACK_FAULTS as error:
        log.info("a modal could not be filled", error=error_name(error))


async def _open(slack: AsyncWebClient, body: Json, view: Json) -> str | None:
    """The id of a modal that is opened, on top of the one where somebody clicked; None where Slack opens none."""
    in_modal = (body.get("view") or {}).get("type") == "modal"
    trigger: Json = {"trigger_id": body["trigger_id"], "view": view}
    try:
        told = await (slack.views_push(**trigger) if in_modal else slack.views_open(**trigger))
    except SLACK_FAULTS as error:
        if in_modal and error_name(error) == "push_limit_reached":
            return str(body["view"]["id"])
        log.warning("a modal could not be opened", error=error_name(error))
        return None
    return str(told["view"]["id"])


class ViewRespond:
    """Answers a click in a view as Bolt's `respond` does: in a modal on top, or in place of the one that was clicked.

    `at_once`: it is opened before the answer is known, since the trigger lives three seconds. Where Slack opens none
    any more the answer is a message to the person.
    """

    def __init__(self, slack: AsyncWebClient, body: Json, *, at_once: bool) -> None:
        self._slack = slack
        self._body = body
        self._opened = asyncio.create_task(_open(slack, body, waiting())) if at_once else None
        self._shown: str | None = None

    async def __call__(self, *, text: str, blocks: list[Block], **how: Any) -> WebhookResponse:
        """Show an answer; `how` may say `replace_original`."""
        view = of_answer(Answer(text, blocks), channel=channel_of(self._body))
        if self._opened is not None:
            self._shown, self._opened = await self._opened, None
        clicked = self._body.get("view") or {}
        if self._shown is None and how.get("replace_original") and clicked.get("type") == "modal":
            self._shown = str(clicked["id"])
        if self._shown is not None:
            await show_in(self._slack, self._shown, view)
        else:
            self._shown = await _open(self._slack, self._body, view)
            if self._shown is None:
                await self._slack.chat_postMessage(channel=self._body["user"]["id"], text=text, blocks=blocks)
        return WebhookResponse(url="", status_code=200, body="ok", headers={})
