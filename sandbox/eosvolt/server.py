"""Serving the sandbox over the network, and keeping a source's world in step with a clock.

It knows neither what is served nor how fast time goes; a port in use is one clear error, never a traceback.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import uvicorn

from sandbox.world.source import Source


class PortInUseError(OSError):
    """The address cannot be listened on; the message says what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 lets the system choose. PortInUseError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # only where the protocol is named does asyncio send small parts at once, instead of 40 ms later
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = f"cannot listen on {host} port {port}: {getattr(error, 'strerror', None) or error}"
        raise PortInUseError(f"{reason}; stop what uses it or choose another port") from error
    return listener


async def serve(app: Any, host: str, port: int) -> None:
    """Serve the ASGI application until it is cancelled or the process is told to stop. PortInUseError as `listen`."""
    listener = listen(host, port)
    server = uvicorn.Server(_config(app))
    try:
        await server.serve(sockets=[listener])
    finally:
        listener.close()


@contextlib.asynccontextmanager
async def serving(app: Any, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """The application served within the block; gives its base URL, with the port that the system chose."""
    listener = listen(host, port)
    server = _QuietServer(_config(app))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        # the socket listens already: a call made before the server has started waits for it
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


class _QuietServer(uvicorn.Server):
    """A server inside somebody else's process: it leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


async def drive(source: Source, clock: Callable[[], datetime], *, step_seconds: float = 0.5) -> None:
    """Move the source's world to the clock's moment every `step_seconds` of wall time, until cancelled.

    Answers do not need it, because each call moves the world first; it spreads the work while nobody asks.
    """
    while True:
        source.advance_to(clock())
        await asyncio.sleep(step_seconds)


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(app, log_level="warning", access_log=False, date_header=False, server_header=False, ws="none")
