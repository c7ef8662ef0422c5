"""Bolt's app as both doors use it, and what every request passes in it before a listener hears of it.

It decides nothing about what is asked: only that the request was not heard before, that its answer goes to Slack, and
that an acknowledgement stands.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.doors import response_urls
from bot.slack.doors.answering import Answering, KeptRespond
from bot.slack.doors.identity import Identity
from bot.slack.doors.runner import FirmAck

log = structlog.get_logger()

REMEMBERED = 2_000
ONCE = "once"
"""The name in Bolt's context under which a listener finds what tells its request from every other."""

Json = dict[str, Any]
Next = Callable[[], Awaitable[BoltResponse]]


class Gate(AsyncMiddleware):
    """What every request passes. `api_url` is SLACK_API_URL; answers go out by `answering`."""

    def __init__(self, api_url: str, answering: Answering) -> None:
        self._api_url = api_url
        self._answering = answering
        self._heard = OrderedDict[str, None]()  # looked up at each request, which a list would be slow at

    async def async_process(self, *, req: AsyncBoltRequest, resp: BoltResponse, next: Next) -> BoltResponse | None:  # noqa: A002 - Bolt's name
        """Let a request through once; None where it goes on."""
        body, context = req.body, req.context
        urls = [body["response_url"]] if body.get("response_url") else []
        urls += [one.get("response_url") for one in body.get("response_urls") or () if isinstance(one, dict)]
        foreign = [url for url in urls if not response_urls.is_slacks(url, self._api_url)]
        if foreign:
            log.error("a request is refused: its answer would not go to Slack", to=response_urls.shown(foreign[0]))
            return BoltResponse(status=400, body="")
        once = name_of(body)
        if once is not None:
            if once in self._heard:
                log.info("a request is heard once more, and nothing is done", request=once)
                return BoltResponse(status=200, body="")
            self._heard[once] = None
            if len(self._heard) > REMEMBERED:
                self._heard.popitem(last=False)
            context[ONCE] = once
        if context.response_url:
            context["respond"] = KeptRespond(self._answering, context.response_url)
        context["ack"] = FirmAck()
        await next()
        return None


def name_of(body: Json) -> str | None:
    """What tells a command, a click or an event from every other, the same each time that Slack sends it."""
    if isinstance(body.get("event_id"), str):
        return f"event:{body['event_id']}"
    if isinstance(body.get("trigger_id"), str):
        return f"trigger:{body['trigger_id']}"
    return None


def build_app(slack: AsyncWebClient, identity: Identity, api_url: str, answering: Answering) -> AsyncApp:
    """Bolt's app, with no listener yet. Requests are verified at the door: Bolt's own check logs refused bodies."""

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:  # Bolt takes no method
        return identity.authorize(enterprise_id, team_id)

    return AsyncApp(
        name="chargehand",
        client=slack,
        signing_secret="",
        request_verification_enabled=False,
        ssl_check_enabled=False,  # answers whoever asks, signed or not
        authorize=authorize,
        before_authorize=Gate(api_url, answering),
    )
