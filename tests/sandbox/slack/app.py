"""A small Bolt app, as its makers would write one, and the ways to run it against the stand-in.

Nothing of Bolt or slack_sdk is replaced: only the base address of the Web API is another.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.slack import SlackServer, SlackWorkspace

Json = dict[str, Any]

CARD: list[Json] = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "*242.2.1* is Faulted"}},
    {
        "type": "actions",
        "block_id": "card",
        "elements": [
            {
                "type": "button",
                "action_id": "acknowledge",
                "text": {"type": "plain_text", "text": "Acknowledge"},
                "value": "alert-7",
            },
            {"type": "button", "action_id": "note", "text": {"type": "plain_text", "text": "Add a note"}},
        ],
    },
]
MODAL: Json = {
    "type": "modal",
    "callback_id": "note",
    "title": {"type": "plain_text", "text": "Add a note"},
    "submit": {"type": "plain_text", "text": "Save"},
    "notify_on_close": True,
    "blocks": [
        {
            "type": "input",
            "block_id": "words",
            "label": {"type": "plain_text", "text": "Note"},
            "element": {"type": "plain_text_input", "action_id": "words"},
        },
        {
            "type": "input",
            "block_id": "severity",
            "optional": True,
            "label": {"type": "plain_text", "text": "Severity"},
            "element": {
                "type": "static_select",
                "action_id": "severity",
                "options": [
                    {"text": {"type": "plain_text", "text": "Warning"}, "value": "warning"},
                    {"text": {"type": "plain_text", "text": "Critical"}, "value": "critical"},
                ],
            },
        },
    ],
}


def client_of(server: SlackServer, token: str | None = None) -> AsyncWebClient:
    """slack_sdk's client against the stand-in; its own retries are off, so that a lost answer is seen."""
    token = server.workspace.bot_token if token is None else token
    return AsyncWebClient(token=token, base_url=server.api_url, retry_handlers=[])


class Heard:
    """What the app's listeners received, in order."""

    def __init__(self) -> None:
        self.bodies: list[Json] = []

    def of(self, kind: str) -> list[Json]:
        return [b for b in self.bodies if b.get("type") == kind or b.get("event", {}).get("type") == kind]


def build_app(server: SlackServer, heard: Heard) -> AsyncApp:
    app = AsyncApp(client=client_of(server), signing_secret=server.workspace.signing_secret)

    @app.use
    async def remember(body: Json, next: Any) -> None:  # noqa: A002 (Bolt's name)
        heard.bodies.append(body)
        server.workspace.changed()
        await next()

    answer_words(app)
    answer_clicks(app)
    answer_modals(app)
    answer_shortcuts(app)
    answer_events(app)
    return app


def answer_words(app: AsyncApp) -> None:
    @app.command("/charge")
    async def on_charge(ack: Any, command: Json, respond: Any, client: AsyncWebClient) -> None:
        match command["text"]:
            case "status":
                await ack()
                await respond("All is well")
            case "now":
                await ack("At once")
            case "card":
                await ack()
                await client.chat_postMessage(channel="#ev-alerts", text="Faulted", blocks=CARD)
            case "six":
                await ack()
                for number in range(6):
                    await respond(f"answer {number}")
            case "silence":
                pass


def answer_clicks(app: AsyncApp) -> None:
    @app.action("acknowledge")
    async def on_acknowledge(ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        text = f"Acknowledged by {body['user']['name']}"
        await client.chat_update(channel=body["channel"]["id"], ts=body["message"]["ts"], text=text)

    @app.action("note")
    async def on_note(ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)


def answer_modals(app: AsyncApp) -> None:
    @app.view("note")
    async def on_note_sent(ack: Any, view: Json) -> None:
        words = view["state"]["values"]["words"]["words"]["value"]
        if words == "bad":
            await ack(response_action="errors", errors={"words": "Say something kind"})
        elif words == "more":
            await ack(response_action="update", view={**MODAL, "title": {"type": "plain_text", "text": "More"}})
        elif words == "push":
            await ack(response_action="push", view={**MODAL, "callback_id": "second"})
        else:
            await ack()

    @app.view("second")
    async def on_second_sent(ack: Any) -> None:
        await ack(response_action="clear")

    @app.view_closed("note")
    async def on_note_closed(ack: Any) -> None:
        await ack()


def answer_shortcuts(app: AsyncApp) -> None:
    @app.message_shortcut("note_this")
    async def on_note_this(ack: Any, body: Json, respond: Any, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)
        await respond("Noted")

    @app.global_shortcut("note_that")
    async def on_note_that(ack: Any) -> None:
        await ack()


def answer_events(app: AsyncApp) -> None:
    @app.event("app_mention")
    async def on_mention(event: Json, say: Any) -> None:
        await say(text=f"You said: {event['text']}", thread_ts=event["ts"])

    @app.event("app_home_opened")
    async def on_home(event: Json, client: AsyncWebClient) -> None:
        text = {"type": "plain_text", "text": "The fleet at a glance"}
        await client.views_publish(
            user_id=event["user"], view={"type": "home", "blocks": [{"type": "header", "text": text}]}
        )


@asynccontextmanager
async def in_socket_mode(server: SlackServer, ping_interval: float = 20.0) -> AsyncIterator[Heard]:
    """The app with one websocket, as `AsyncSocketModeHandler` runs it.

    `ping_interval` in seconds: who hears no pong for half of it takes the connection for lost, a busy machine's too.
    """
    heard = Heard()
    handler = AsyncSocketModeHandler(build_app(server, heard), server.workspace.app_token, ping_interval=ping_interval)
    before = len(server.workspace.link.connections)
    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt's handler has no types
    try:
        await server.workspace.wait_for(lambda: len(server.workspace.link.connections) > before)
        yield heard
    finally:
        await close(handler)


async def close(handler: AsyncSocketModeHandler) -> None:
    """Close the handler and let the tasks that it only cancels come to their end."""
    await handler.close_async()  # type: ignore[no-untyped-call]  # Bolt's handler has no types
    tasks = [handler.client.message_processor, handler.client.current_session_monitor, handler.client.message_receiver]
    await asyncio.gather(*[t for t in tasks if t is not None], return_exceptions=True)


@asynccontextmanager
async def in_http_mode(server: SlackServer) -> AsyncIterator[Heard]:
    """The app behind uvicorn on a port that the system chose."""
    heard = Heard()
    handler = AsyncSlackRequestHandler(build_app(server, heard))

    async def events(request: Request) -> Response:
        return await handler.handle(request)

    config = uvicorn.Config(
        Starlette(routes=[Route("/slack/events", events, methods=["POST"])]),
        host="127.0.0.1",
        port=0,
        log_level="warning",
        lifespan="off",
        ws="none",
    )
    uvicorn_server = uvicorn.Server(config)
    # Not `serve()`, which would take the process's signal handlers.
    config.load()
    uvicorn_server.lifespan = config.lifespan_class(config)
    await uvicorn_server.startup()
    port = uvicorn_server.servers[0].sockets[0].getsockname()[1]
    server.workspace.request_url = f"http://127.0.0.1:{port}/slack/events"
    main = asyncio.create_task(uvicorn_server.main_loop())
    try:
        yield heard
    finally:
        server.workspace.request_url = None
        uvicorn_server.should_exit = True
        await main
        await uvicorn_server.shutdown()


def workspace_without_limits() -> SlackWorkspace:
    """A workspace in which a test may post as fast as it likes."""
    return SlackWorkspace(rate_limited=False)
