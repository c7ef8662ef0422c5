"""The Home tab: published when it is opened, and again where it has changed for those who opened it within the hour.

Who opened it is kept in memory alone: after a restart a tab is as old as its words until it is opened again.
"""

import asyncio
import json
import re
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp

from bot.slack.charge import registry
from bot.slack.listeners.responder import Responder
from bot.slack.permissions import Role
from bot.slack.views.home import home_blocks
from bot.slack.web_client import SLACK_FAULTS, error_name
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
        responder.homes.note_opened(user, now, _written(blocks))


async def refresh_homes(responder: Responder, now: datetime) -> None:
    """Publish the tabs anew that were opened within the hour and have changed; at most MOST_AT_ONCE of them."""
    published = 0
    for user in responder.homes.followed(now):
        blocks = await _blocks(responder, user)
        if responder.homes.shows(user, _written(blocks)):
            continue
        try:
            await _publish(responder, user, blocks)
        except SLACK_FAULTS as error:
            log.warning("a Home tab could not be published", user=user, error=error_name(error))
            return  # what keeps one back keeps others back; the next minute tries again
        responder.homes.note_shown(user, _written(blocks))
        published += 1
        if published >= MOST_AT_ONCE:
            return


async def _blocks(responder: Responder, user: str) -> list[Block]:
    standing = await responder.permissions.standing_of(user)
    if not standing.may(Role.VIEWER):
        return registry.not_allowed(standing, Role.VIEWER, "/charge").blocks
    return await asyncio.to_thread(_read, responder, user, standing.role)


def _read(responder: Responder, user: str, role: Role) -> list[Block]:
    how: Json = {"now": responder.clock(), "interval": responder.interval, "zone": responder.zone}
    with responder.database.read() as connection:
        return home_blocks(connection, user=user, role=role, **how)


async def _publish(responder: Responder, user: str, blocks: list[Block]) -> None:
    view = {"type": "home", "blocks": blocks}
    await responder.say(partial(responder.slack.views_publish, user_id=user, view=view))


def _written(blocks: list[Block]) -> str:
    """What a tab says, without how long things have lasted: that alone is no news."""
    return LASTED.sub("", json.dumps(blocks, sort_keys=True))
