"""Exports of any length: EOSVOLT gives at most 30 days at once, so longer ranges are asked for in parts and stitched.

The parts are half open and touch, so that no session is lost between them; one that two of them hold (an account that
counts both ends) comes once. It waits by the function that it is given, and keeps no more than one part at a time.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime, timedelta

from eosvolt.client import EosvoltClient
from eosvolt.errors import EosvoltError, MalformedAnswer, Timeout
from eosvolt.models import ExportReading

LONGEST_PART = timedelta(days=30)
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 30.0
PATIENCE_SECONDS = 900.0
"""How long one part may take to be made ready."""

ATTEMPTS = 5
WORKING = frozenset({None, "Pending"})

Wait = Callable[[float], Awaitable[object]]


def parts_of(since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """A range as touching parts of at most LONGEST_PART, the oldest first; none where it is empty."""
    parts = []
    while since < until:
        parts.append((since, min(until, since + LONGEST_PART)))
        since = parts[-1][1]
    return parts


async def fetch_exports(
    client: EosvoltClient, since: datetime, until: datetime, location_id: str | None = None, *, wait: Wait
) -> AsyncGenerator[ExportReading, None]:
    """Order the sessions that ended in [since, until), part by part, and give each part once it is ready.

    Raises EosvoltError: for a refusal, for what went wrong ATTEMPTS times, and Timeout for a part that is never ready.
    """
    seen: frozenset[str] = frozenset()
    for start, end in parts_of(since, until):
        ready = await _ready(client, await _ordered(client, start, end, location_id, wait), wait)
        fresh: dict[str, int] = {}
        for place, session in enumerate(ready.sessions):
            if session.id not in seen:
                fresh.setdefault(session.id, place)
        seen = frozenset(session.id for session in ready.sessions)
        rows = tuple(ready.sessions[place] for place in fresh.values())
        yield ExportReading(ready.id, ready.status, rows, ready.set_aside)


async def _ordered(
    client: EosvoltClient, start: datetime, end: datetime, location_id: str | None, wait: Wait
) -> ExportReading:
    """Order one part; what went wrong is tried again, because a second order does nothing but make a second file."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await client.post_export(start, end, location_id)
        except EosvoltError as error:
            if error.refused or isinstance(error, MalformedAnswer) or attempt == ATTEMPTS:
                raise
            seconds = error.retry_after if error.retry_after is not None else FIRST_WAIT_SECONDS * 2**attempt
            await wait(min(seconds, 2 * LONGEST_WAIT_SECONDS))
    raise AssertionError("the last attempt raises")


async def _ready(client: EosvoltClient, ordered: ExportReading, wait: Wait) -> ExportReading:
    waited, pause, export = 0.0, FIRST_WAIT_SECONDS, ordered
    while export.status in WORKING:
        if waited >= PATIENCE_SECONDS:
            raise Timeout(f"the export was not ready after {PATIENCE_SECONDS / 60:.0f} min", request="export")
        await wait(pause)
        waited, pause = waited + pause, min(LONGEST_WAIT_SECONDS, 1.5 * pause)
        try:
            export = await client.fetch_export(ordered.id)
        except EosvoltError as error:
            if error.refused or isinstance(error, MalformedAnswer):
                raise
            await wait(min(error.retry_after or pause, 2 * LONGEST_WAIT_SECONDS))
    if export.status != "Ready":
        raise MalformedAnswer(f"the export ended as {export.status}", request="export")
    return export
