"""One connection to the HTTP port, bounded: so many at a time, and so long for a whole request to come in.

uvicorn limits neither the time of a request's head nor that of its body, so that a few hundred idle connections would
keep Slack out.
"""

import asyncio

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

log = structlog.get_logger()

MOST_CONNECTIONS = 500
REQUEST_SECONDS = 10.0
FULL = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BoundedConnection(H11Protocol):
    """uvicorn's own connection; one too many is refused, and one that brings no whole request in time is cut."""

    most_connections = MOST_CONNECTIONS
    request_seconds = REQUEST_SECONDS
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's is
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            log.warning("too many connections to the HTTP port: more are refused", most=self.most_connections)
            transport.write(FULL)
            transport.close()
        else:
            self._deadline = self.loop.call_later(self.request_seconds, self._cut)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)
            self._time_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._time_request()

    def _time_request(self) -> None:
        """Let the time run from a request's first byte to its last; between two requests uvicorn's own limit holds."""
        state = self.conn.their_state
        begun = state is h11.SEND_BODY or (state is h11.IDLE and bool(self.conn.trailing_data[0]))
        if not begun:
            self._stop_waiting()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.request_seconds, self._cut)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self) -> None:
        log.warning("a request to the HTTP port did not come in whole in time", seconds=self.request_seconds)
        self.transport.abort()
