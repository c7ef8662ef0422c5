"""Faults that a test orders: answers lost after acting, refused before acting, late or held back.

Each order is for the next calls of one method and is used up by them; nothing fails that was not ordered.
"""

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Literal

When = Literal["before", "after"]


@dataclass
class Hold:
    """One call kept waiting before or after it acted, until it is released or its client gives up."""

    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _abandoned: asyncio.Event = field(default_factory=asyncio.Event)

    async def reached(self, seconds: float = 5.0) -> None:
        """Return once the call has come to this point; raises TimeoutError after that many real seconds."""
        await asyncio.wait_for(self._arrived.wait(), seconds)

    async def abandoned(self, seconds: float = 5.0) -> None:
        """Return once the client that waits here is gone; its call stops at this point for good."""
        await asyncio.wait_for(self._abandoned.wait(), seconds)

    def release(self) -> None:
        self._released.set()

    async def stand(self) -> None:
        self._arrived.set()
        try:
            await self._released.wait()
        except asyncio.CancelledError:
            self._abandoned.set()
            raise


@dataclass(frozen=True)
class Fault:
    """What happens to one call: `drop` the connection, answer `error`, `text` or HTTP `status`, wait, or hold.

    `when` says whether the method has already acted at that point.
    """

    when: When
    drop: bool = False
    error: str | None = None
    status: int | None = None
    text: str | None = None
    content_type: str = "application/json"
    retry_after: int | None = None
    delay: float = 0.0
    hold: Hold | None = None


class Faults:
    """Orders by method name; `"*"` stands for whichever method is called next, `"response_url"` for those."""

    def __init__(self) -> None:
        self._orders: dict[str, deque[Fault]] = defaultdict(deque)
        self.hanging: dict[str, Hold] = {}  # by the id of a channel

    def _order(self, method: str, fault: Fault, times: int) -> None:
        self._orders[method].extend([fault] * times)

    def lose_next_answer(self, method: str, times: int = 1) -> None:
        """Act, then drop the connection: the message is stored, the client sees no answer."""
        self._order(method, Fault("after", drop=True), times)

    def drop_next_request(self, method: str, times: int = 1) -> None:
        """Drop the connection before acting."""
        self._order(method, Fault("before", drop=True), times)

    def refuse_next(self, method: str, error: str, times: int = 1) -> None:
        """Answer `{"ok": false, "error": error}` without acting."""
        self._order(method, Fault("before", error=error), times)

    def limit_next(self, method: str, retry_after: int = 1, times: int = 1) -> None:
        """Answer HTTP 429 `ratelimited` with Retry-After seconds, without acting."""
        self._order(method, Fault("before", error="ratelimited", retry_after=retry_after), times)

    def fail_next(self, method: str, status: int = 503, times: int = 1, *, after_acting: bool = False) -> None:
        """Answer an HTTP 5xx without JSON, before or after acting."""
        self._order(method, Fault("after" if after_acting else "before", status=status), times)

    def answer_next(self, method: str, text: str, content_type: str = "application/json", times: int = 1) -> None:
        """Answer 200 with this text, which may be no JSON object at all, without acting."""
        self._order(method, Fault("before", text=text, content_type=content_type), times)

    def delay_next_answer(self, method: str, seconds: float, times: int = 1) -> None:
        """Act, then answer `seconds` later by the stand-in's clock."""
        self._order(method, Fault("after", delay=seconds), times)

    def hold_next_request(self, method: str) -> Hold:
        """Keep the call waiting before it acts, until `release()`."""
        hold = Hold()
        self._order(method, Fault("before", hold=hold), 1)
        return hold

    def hold_next_answer(self, method: str) -> Hold:
        """Act, then keep the answer back until `release()`."""
        hold = Hold()
        self._order(method, Fault("after", hold=hold), 1)
        return hold

    def hang(self, channel: str) -> None:
        """Act on calls about this channel, and never answer them."""
        self.hanging[channel] = Hold()

    def give_up(self, channel: str) -> None:
        """Break the connections of the calls about this channel that hang, as their clients do in the end."""
        self.hanging[channel].release()
        self.hang(channel)

    def answer_again(self, channel: str) -> None:
        """Answer calls about this channel again; those that hang are broken off."""
        self.hanging.pop(channel).release()

    def take(self, method: str) -> Fault | None:
        """The order for this call, used up by it."""
        for name in (method, "*"):
            if self._orders[name]:
                return self._orders[name].popleft()
        return None
