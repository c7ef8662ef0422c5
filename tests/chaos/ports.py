"""Ports of this machine, and a network of its own for a process, whose cable can be pulled: nothing is refused then."""

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator

HOST_SIDE, INNER_SIDE = "10.77.41.1", "10.77.41.2"
NAME, OUTER, INNER = "chargehand-chaos", "chg-outer", "chg-inner"


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.asynccontextmanager
async def relayed(address: str, port: int) -> AsyncIterator[None]:
    """A way to a port of this machine from the same port at another of its addresses."""
    tasks: set[asyncio.Task[None]] = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        for come, go in ((reader, back), (there, writer)):
            task = asyncio.create_task(_pass(come, go))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(meet, address, port)
    try:
        yield
    finally:
        server.close()
        for task in tasks:
            task.cancel()


async def _pass(come: asyncio.StreamReader, go: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await come.read(65536):
            go.write(data)
            await go.drain()
    go.close()


class Namespace:
    """A network of its own for a process, with one cable to the machine's; `words` run a command in it."""

    words = ("ip", "netns", "exec", NAME)

    def cut(self) -> None:
        """Pull the cable: what is sent is lost without a word."""
        _ip("link", "set", OUTER, "down")

    def heal(self) -> None:
        """Put it in again."""
        _ip("link", "set", OUTER, "up")


@contextlib.contextmanager
def namespace() -> Iterator[Namespace | None]:
    """A network namespace with an address in it and one beside it; None where this machine makes none for us."""
    steps = [
        ("netns", "add", NAME),
        ("link", "add", OUTER, "type", "veth", "peer", "name", INNER, "netns", NAME),
        ("addr", "add", f"{HOST_SIDE}/24", "dev", OUTER),
        ("link", "set", OUTER, "up"),
        ("-n", NAME, "addr", "add", f"{INNER_SIDE}/24", "dev", INNER),
        ("-n", NAME, "link", "set", INNER, "up"),
        ("-n", NAME, "link", "set", "lo", "up"),
    ]
    _take_away()  # what a run that was killed has left
    try:
        yield Namespace() if all(_ip(*step) for step in steps) else None
    finally:
        _take_away()


def _take_away() -> None:
    _ip("link", "del", OUTER)
    _ip("netns", "del", NAME)


def _ip(*words: str) -> bool:
    try:
        return subprocess.run(["ip", *words], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
