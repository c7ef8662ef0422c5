"""Delivery: claim, render, send, mark, until nothing is due; each step in its own transaction, the call in none.

A kill at any instant loses no message, and doubles none where the channel's history can be read. It decides neither
what is said nor where: the outbox row does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.faults import CrashAt, never_crash
from storage.engine import Database


@dataclass(slots=True)
class Delivery:
    """What delivering needs: `worker` is this process's own name, `fallback_channel` takes what no channel took."""

    database: Database
    slack: AsyncWebClient
    worker: str
    fallback_channel: str | None = None
    run: Callable[..., Awaitable[Any]] = asyncio.to_thread
    crash_at: CrashAt = never_crash


async def deliver(delivery: Delivery, now: datetime) -> int:
    """Send everything that is due at `now`; how many messages were posted or edited."""
    raise NotImplementedError
