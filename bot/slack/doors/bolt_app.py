"""Bolt's app as both doors use it, and what every request passes in it before a listener hears of it.

It decides nothing about what is asked: only that the request was not heard before, that its answer goes to Slack, and
that an acknowledgement stands.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.listener.async_listener_completion_handler import AsyncListenerCompletionHandler
from slack_bolt.listener.async_listener_start_handler import AsyncListenerStartHandler
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.doors import response_urls
from bot.slack.doors.answering import Answering, KeptRespond
from bot.slack.doors.identity import Identity

log = structlog.get_logger()

REMEMBERED = 2_000
ONCE = "once"
"""The name in Bolt's context under which a listener finds what tells its request from every other."""

Json = dict[str, Any]
Next = Callable[[], Awaitable[None]]


class FirmAck(AsyncAck):
    """An acknowledgement that stands: Bolt takes it back when the listener fails later, and then answers 404."""

    _given: BoltResponse | None = None

    @property
    def response(self) -> BoltResponse | None:
        """The answer to Slack, once there is one."""
        return self._given

    @response.setter
    def response(self, given: BoltResponse | None) -> None:
        self._given = self._given or given


class Gate:
    """What every request passes. `api_url` is SLACK_API_URL; answers go out by `answering`."""

    def __init__(self, api_url: str, answering: Answering) -> None:
        self._api_url = api_url
        self._answering = answering
        self._heard: deque[str] = deque(maxlen=REMEMBERED)

    async def check(self, body: Json, context: AsyncBoltContext, go_on: Next) -> BoltResponse | None:
        """Let a request through once; None where it goes on."""
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
            self._heard.append(once)
            context[ONCE] = once
        if context.response_url:
            context["respond"] = KeptRespond(self._answering, context.response_url)
        context["ack"] = FirmAck()  # type: ignore[no-untyped-call]  # Bolt's has no types
        await go_on()
        return None


class Listening:
    """The listeners of an app that are at work: Bolt starts each in a task that it forgets.

    Whoever asked has been told that the request came; what it answers is yet to come.
    """

    def __init__(self, app: AsyncApp) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        app.listener_runner.listener_start_handler = _Handler(self._begin)
        app.listener_runner.listener_completion_handler = _Handler(self._end)

    async def end(self, seconds: float) -> int:
        """Let them end, and cut off those that are not done after so long; how many were cut off."""
        await asyncio.sleep(0)  # one that Bolt has just begun is at work then
        if not self._tasks:
            return 0
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    def _begin(self) -> None:
        if task := asyncio.current_task():
            self._tasks.add(task)

    def _end(self) -> None:
        if task := asyncio.current_task():
            self._tasks.discard(task)


class _Handler(AsyncListenerStartHandler, AsyncListenerCompletionHandler):
    """What Bolt calls where a listener begins or ends."""

    def __init__(self, note: Callable[[], None]) -> None:
        self._note = note

    async def handle(self, request: AsyncBoltRequest, response: BoltResponse | None) -> None:
        """Note it; what was asked and answered is nothing to this."""
        self._note()


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

    async def check(body: Json, context: AsyncBoltContext, next: Next) -> BoltResponse | None:  # noqa: A002 - Bolt's name
        return await gate.check(body, context, next)

    gate = Gate(api_url, answering)
    return AsyncApp(
        name="chargehand",
        client=slack,
        signing_secret="",
        request_verification_enabled=False,
        ssl_check_enabled=False,  # answers whoever asks, signed or not
        authorize=authorize,
        before_authorize=check,
    )
