"""Runs a request's listener, and tells Slack the moment that it is acknowledged.

Bolt's own runner looks every 10 ms whether it is, and forgets the listeners that it began; here they are known until
they end. What a listener does is nothing to this.
"""

import asyncio
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.listener.async_listener import AsyncListener
from slack_bolt.listener.asyncio_runner import AsyncioListenerRunner
from slack_bolt.logger.messages import warning_did_not_call_ack
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse


class FirmAck(AsyncAck):
    """An acknowledgement that stands: Bolt takes it back when the listener fails later, and then answers 404."""

    def __init__(self) -> None:
        self._given: BoltResponse | None = None
        self._awaited: asyncio.Future[None] | None = None
        super().__init__()  # type: ignore[no-untyped-call]  # Bolt's has no types

    @property
    def response(self) -> BoltResponse | None:
        """The answer to Slack, once there is one."""
        return self._given

    @response.setter
    def response(self, given: BoltResponse | None) -> None:
        if self._given is None and given is not None:
            self._given = given
            if self._awaited is not None:
                _end_waiting(self._awaited)

    async def wait(self, seconds: float) -> BoltResponse | None:
        """The answer to Slack; None where none is given in so many seconds."""
        if self._given is None:
            loop = asyncio.get_running_loop()
            self._awaited = loop.create_future()
            limit = loop.call_later(seconds, _end_waiting, self._awaited)
            try:
                await self._awaited
            finally:
                limit.cancel()
        return self._given


class Runner(AsyncioListenerRunner):
    """The listeners of an app that are at work, in place of Bolt's runner.

    Whoever asked has been told that the request came; what it answers is yet to come.
    """

    def __init__(self, app: AsyncApp) -> None:
        own = app.listener_runner
        super().__init__(
            logger=own.logger,
            process_before_response=False,
            listener_error_handler=own.listener_error_handler,
            listener_start_handler=own.listener_start_handler,
            listener_completion_handler=own.listener_completion_handler,
            lazy_listener_runner=own.lazy_listener_runner,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        app._async_listener_runner = self  # Bolt has no other way to give it one

    async def run(
        self,
        request: AsyncBoltRequest,
        response: BoltResponse | None,
        listener_name: str,
        listener: AsyncListener,
        starting_time: float | None = None,
    ) -> BoltResponse | None:
        """Begin a listener; what Slack is answered, None where the listener says nothing in time."""
        ack: Any = request.context.ack
        if listener.auto_acknowledgement:
            await ack()
        working = asyncio.create_task(self._work(request, listener, ack))
        self._tasks.add(working)
        working.add_done_callback(self._tasks.discard)
        told: BoltResponse | None = await ack.wait(listener.ack_timeout)
        if told is None:
            self.logger.warning(warning_did_not_call_ack(listener_name))
        return told

    async def end(self, seconds: float) -> int:
        """Let listeners end, and cut off those that are not done after so long; how many were cut off."""
        if not self._tasks:
            return 0
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    async def _work(self, request: AsyncBoltRequest, listener: AsyncListener, ack: FirmAck) -> None:
        # Bolt's own has the types wrong: what is answered may be unknown yet, and nobody waits once it is acknowledged
        answer: Any = None
        try:
            await listener.run_ack_function(request=request, response=answer)
        except Exception as error:
            answer = None if ack.response is not None else BoltResponse(status=500)
            await self.listener_error_handler.handle(error=error, request=request, response=answer)
            ack.response = answer


def _end_waiting(awaited: asyncio.Future[None]) -> None:
    if not awaited.done():
        awaited.set_result(None)
