"""What may go wrong around the service, each as something that begins and ends.

`told` says where it must be told while it lasts: on Slack's side or the health page, or on the health page alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import httpx
import sqlalchemy as sa

from sandbox.slack.workspace.faults import Faults as SlackFaults
from storage.engine import Database
from tests.bot.service.hostile.faults import JSON, SET_ASIDE, SPOILS, Spoil, answering, rows
from tests.bot.service.laws.world import ALERTS, World

MANY = 10_000
_POSTS = ("chat.postMessage", "chat.update")


@dataclass(frozen=True)
class WorldFault:
    """`begin` breaks something and `end` mends it; somebody is told within so many minutes, or None: of that nobody."""

    begin: Callable[[World], None]
    end: Callable[[World], None]
    told_within: int | None = 5


def _spoilt(spoil: Spoil, told_within: int = 5) -> WorldFault:
    return WorldFault(lambda world: _spoil(world, spoil), lambda world: _spoil(world, None), told_within)


def _spoil(world: World, spoil: Spoil | None) -> None:
    world.wire.spoil = spoil


def _clock(by: timedelta) -> WorldFault:
    return WorldFault(lambda world: world.put_clock(by), lambda world: world.put_clock(timedelta()))


def _slack(order: Callable[[SlackFaults, str], None]) -> WorldFault:
    """A fault of whatever posts and edits."""

    def begin(world: World) -> None:
        for method in _POSTS:
            order(world.server.workspace.faults, method)

    def end(world: World) -> None:
        for method in _POSTS:
            while world.server.workspace.faults.take(method) is not None:
                pass

    return WorldFault(begin, end)


class Unwritable:
    """A database that takes no write, as when its disk is full."""

    def __init__(self) -> None:
        self._patch: Any = None

    def begin(self, _: World) -> None:
        def refuse(database: Database) -> Any:
            raise sa.exc.OperationalError("BEGIN IMMEDIATE", {}, OSError("database or disk is full"))

        self._patch = patch.object(Database, "write", refuse)
        self._patch.start()

    def end(self, _: World) -> None:
        if self._patch is not None:
            self._patch.stop()
            self._patch = None


_UNWRITABLE = Unwritable()


def only(path: str, spoil: Spoil) -> Spoil:
    """A fault of one resource alone."""

    async def some(request: httpx.Request, content: bytes) -> httpx.Response:
        if path in request.url.path:
            return await spoil(request, content)
        return httpx.Response(200, content=content, headers=JSON)

    return some


SWEEP = 11
"""How many minutes it takes at most until the next full sweep, which alone shows that everything is odd."""

API_FAULTS = (
    {
        f"API: {name}": _spoilt(spoil)
        for name, (spoil, _) in SPOILS.items()
        # the first two take real seconds, and what is no UTF-8 is read all the same
        if name not in {"repeated pages", "never answers", "Latin-1 without saying so"}
    }
    | {f"API: {name}": _spoilt(spoil, SWEEP) for name, (spoil, _) in SET_ASIDE.items()}
    | {
        "API: an empty list": _spoilt(rows(lambda _: [], total=0, hasNextPage=False), SWEEP),
        "API: most of a list": _spoilt(
            only("chargers", rows(lambda told: told[:1], total=1, hasNextPage=False)), SWEEP
        ),
        "API: 429 for sessions alone": _spoilt(only("sessions", answering(429, retry_after="600"))),
        "API: 404 for chargers": _spoilt(only("chargers", answering(404, b'{"code": "not_found"}'))),
    }
)
SLACK_FAULTS = {
    "Slack: the channel is archived": WorldFault(
        lambda world: world.server.workspace.archive(ALERTS), lambda world: world.server.workspace.unarchive(ALERTS)
    ),
    "Slack: the bot is not in the channel": WorldFault(
        lambda world: world.server.workspace.remove_bot(ALERTS),
        lambda world: world.server.workspace.channel(ALERTS).members.append(world.server.workspace.team.bot_user),
    ),
    "Slack: 503": _slack(lambda slack, method: slack.fail_next(method, times=MANY)),
    "Slack: 500 after it took them": _slack(
        lambda slack, method: slack.fail_next(method, 500, MANY, after_acting=True)
    ),
    "Slack: answers are lost": _slack(lambda slack, method: slack.lose_next_answer(method, MANY)),
    "Slack: a channel's answers never come": WorldFault(
        lambda world: world.server.workspace.faults.hang(world.server.workspace.channel(ALERTS).id),
        lambda world: world.server.workspace.faults.answer_again(world.server.workspace.channel(ALERTS).id),
    ),
    "Slack: 429 to everything": _slack(lambda slack, method: slack.limit_next(method, 30, MANY)),
    "Slack: an error that nobody knows": _slack(lambda slack, method: slack.refuse_next(method, "strange_error", MANY)),
}
CLOCK_FAULTS = {
    "clock: three minutes back": _clock(-timedelta(minutes=3)),
    "clock: two days back": _clock(-timedelta(days=2)),
    "clock: half an hour ahead": _clock(timedelta(minutes=30)),
    "clock: thirty days ahead": _clock(timedelta(days=30)),
}
OTHER_FAULTS = {
    "database: takes no write": WorldFault(_UNWRITABLE.begin, _UNWRITABLE.end),
    "service: killed": WorldFault(lambda world: None, lambda world: world.start(), told_within=None),
}
FAULTS: dict[str, WorldFault] = {**API_FAULTS, **SLACK_FAULTS, **CLOCK_FAULTS, **OTHER_FAULTS}
