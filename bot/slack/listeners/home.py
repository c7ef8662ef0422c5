"""The Home tab: published when it is opened, and again where it has changed for those who opened it within the hour.

Who opened it is kept in the database: what changes is published after a restart too, by whichever process leads.
"""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.slack.charge import registry
from bot.slack.charge.own_time import whose_clock
from bot.slack.listeners.home_tabs import digest_of, due_tabs, note_opened, note_shown
from bot.slack.listeners.responder import Responder
from bot.slack.permissions import Role, Standing
from bot.slack.views.home import home_blocks
from bot.slack.web_client import SLACK_FAULTS, error_name
from notify.text.limits import VIEW_BLOCKS
from notify.text.message import Block

log = structlog.get_logger()

Json = dict[str, Any]

LASTED = re.compile(r"\d+ (?:d|h|min|s)\b")
MOST_AT_ONCE = 15
"""How many tabs are published a minute: `views.publish` takes about 20."""


def register(app: AsyncApp, responder: Responder) -> None:
    """Register the event."""

    @app.event("app_home_opened")
    async def on_home(event: Json) -> None:
        if event.get("tab") != "home":
            return
        user, now = event["user"], responder.clock()
        blocks = await _blocks(responder, user)
        await _publish(responder, user, blocks)
        await _write(responder, partial(note_opened, user=user, now=now, shown=_written(blocks)))


async def refresh_homes(responder: Responder, now: datetime) -> None:
    """Publish the tabs anew that were opened within the hour and have changed; at most MOST_AT_ONCE of them."""
    published = 0
    for user, shown in (await asyncio.to_thread(_due, responder, now)).items():
        blocks = await _blocks(responder, user)
        if digest_of(_written(blocks)) == shown:
            continue
        try:
            await _publish(responder, user, blocks)
        except SLACK_FAULTS as error:
            log.warning("a Home tab could not be published", user=user, error=error_name(error))
            return  # what keeps one back keeps others back; the next minute tries again
        await _write(responder, partial(note_shown, user=user, now=now, shown=_written(blocks)))
        published += 1
        if published >= MOST_AT_ONCE:
            return


def _due(responder: Responder, now: datetime) -> dict[str, str]:
    with responder.database.read() as connection:
        return due_tabs(connection, now)


async def _write(responder: Responder, note: Callable[[Connection], None]) -> None:
    """Note what a tab shows; where that cannot be written the tab stands all the same."""

    def write() -> None:
        with responder.database.write() as connection:
            note(connection)

    try:
        await asyncio.to_thread(write)
    except SQLAlchemyError as error:
        log.warning("what a Home tab shows could not be noted", error=str(error)[:200])


async def _blocks(responder: Responder, user: str) -> list[Block]:
    standing = await responder.permissions.standing_of(user)
    if not standing.may(Role.VIEWER):
        return registry.not_allowed(standing, Role.VIEWER, "/charge").blocks
    return await asyncio.to_thread(_read, responder, user, standing)


def _read(responder: Responder, user: str, standing: Standing) -> list[Block]:
    now, zone = responder.clock(), responder.zone
    how: Json = {"now": now, "interval": responder.interval, "zone": zone}
    with responder.database.read() as connection:
        shown = home_blocks(connection, user=user, role=standing.role, **how)
    return [*shown, *whose_clock(standing.zone, zone, now)][:VIEW_BLOCKS]


async def _publish(responder: Responder, user: str, blocks: list[Block]) -> None:
    view = {"type": "home", "blocks": blocks}
    await responder.say(partial(responder.slack.views_publish, user_id=user, view=view))


def _written(blocks: list[Block]) -> str:
    """What a tab says, without how long things have lasted: that alone is no news."""
    return LASTED.sub("", json.dumps(blocks, sort_keys=True))
