"""A dead man's switch: one request a minute to an address of the operator's, for as long as Chargehand can do its work.

Whoever listens there tells when the requests stop: also when this machine, its database or its way to Slack is gone,
of which nothing here could tell in Slack. A heartbeat that cannot be sent is logged and holds nothing up.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import structlog

log = structlog.get_logger()

SECONDS = 10.0

Page = Callable[[], Awaitable[tuple[bool, dict[str, Any]]]]


@dataclass(slots=True)
class Heartbeat:
    """`url` is asked while every page of `well` says yes. `transport` is a test's."""

    url: str
    well: tuple[Page, ...]
    transport: httpx.AsyncBaseTransport | None = None

    async def beat(self, _now: datetime) -> None:
        """Send one heartbeat, unless something keeps Chargehand from its work."""
        for page in self.well:
            if not (await page())[0]:
                log.warning("no heartbeat is sent: Chargehand cannot do its work")
                return
        try:
            async with httpx.AsyncClient(timeout=SECONDS, transport=self.transport) as client:
                answer = await client.get(self.url)
        except httpx.HTTPError as error:  # its text may hold the address, which is a secret
            log.warning("the heartbeat was not heard", error=type(error).__name__)
            return
        if not answer.is_success:
            log.warning("the heartbeat was refused", status=answer.status_code)
