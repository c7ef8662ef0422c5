"""What delivering works with: the database, Slack, this worker's name and pace, and the values that its steps pass on.

It sends nothing and stores nothing by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Row

from bot.kill_points import CrashAt, never_crash
from bot.service.delivering.pace import Pace
from bot.slack.channel_names import ChannelNames
from bot.slack.client import MessageRef, without_retries
from bot.slack.user_groups import GroupIds
from notify.house_words import PLAIN_WORDS, HouseWords
from notify.routing import BUDGET
from notify.text.message import SlackMessage
from storage.engine import Database

LEASE = timedelta(seconds=90)


def _untold(_outcome: str, _error: str | None = None) -> None:
    """Nobody counts."""


def _never_again(_seconds: float) -> None:
    """Whoever calls `deliver` at each tick needs no reminder."""


@dataclass(slots=True)
class Delivery:
    """What delivering needs: `worker` is this process's own name, `fallback_channel` takes what no channel took.

    The client is used without the SDK's own retries, whatever it was made with. `run` runs a function that uses the
    database, `crash_at` is a test's. `again` is told in how many seconds a channel may take its next message.
    """

    database: Database
    slack: AsyncWebClient
    worker: str
    fallback_channel: str | None = None
    run: Callable[..., Awaitable[Any]] = asyncio.to_thread
    crash_at: CrashAt = never_crash
    card_budget: int = BUDGET
    interval: timedelta = timedelta(minutes=1)  # how often EOSVOLT is polled: what a backtest replays
    words: HouseWords = PLAIN_WORDS
    pace: Pace = field(default_factory=Pace)
    again: Callable[[float], None] = _never_again
    note: Callable[..., None] = _untold  # how each call ended, and Slack's name for what was wrong
    names: ChannelNames = field(default_factory=ChannelNames)
    groups: GroupIds = field(default_factory=GroupIds)
    at_work: dict[str, asyncio.Task[int]] = field(default_factory=dict)  # by channel

    def __post_init__(self) -> None:
        self.slack = without_retries(self.slack)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The newest state of a claimed row and its words, addressed to where it stands or should stand."""

    row: Row[Any]
    message: SlackMessage
    problem: str | None

    @property
    def place(self) -> MessageRef | None:
        """Where the message stands already."""
        return None if self.row.message_ts is None else MessageRef(self.row.message_channel, self.row.message_ts)


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment of a job and when it began by the event loop's clock: a lease must last from when it is taken."""

    began_at: datetime
    started: float

    @property
    def now(self) -> datetime:
        """The moment of the job, and how long it has run."""
        return self.began_at + timedelta(seconds=asyncio.get_running_loop().time() - self.started)


def moment_of(now: datetime) -> Moment:
    """The moment of a job that begins at `now`."""
    return Moment(now, asyncio.get_running_loop().time())
