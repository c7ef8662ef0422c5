"""Answers to response URLs share a connection, and one that the other side let go of costs no answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest

from bot.slack.doors.answering import Answering, KeptRespond

TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Hooks:
    """Takes answers; `breaks` says at which of them the connection is cut without a word."""

    breaks: set[int] = field(default_factory=set)
    connections: int = 0
    heard: list[bytes] = field(default_factory=list)
    url: str = ""

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while head := await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b"":
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            self.heard.append(await reader.readexactly(length))
            if len(self.heard) in self.breaks:
                break
            writer.write(TAKEN)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def listening(hooks: Hooks) -> AsyncIterator[Answering]:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await hooks.take(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    hooks.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/commands/1"
    answering = Answering()
    async with server:
        yield answering
        await answering.close()


async def test_answers_share_a_connection() -> None:
    hooks = Hooks()
    async with listening(hooks) as answering:
        respond = KeptRespond(answering, hooks.url)
        for number in range(5):
            told = await respond(text=f"Answer {number}", blocks=[], response_type="ephemeral", replace_original=None)
            assert (told.status_code, told.body) == (200, "ok")
    assert hooks.connections == 1
    assert hooks.heard[4] == b'{"text": "Answer 4", "response_type": "ephemeral"}'


async def test_an_answer_on_a_connection_that_was_let_go_of_is_sent_once_more() -> None:
    hooks = Hooks(breaks={2})
    async with listening(hooks) as answering:
        respond = KeptRespond(answering, hooks.url)
        assert [(await respond(text=text)).status_code for text in ("one", "two", "three")] == [200, 200, 200]
    assert hooks.heard == [b'{"text": "one"}', b'{"text": "two"}', b'{"text": "two"}', b'{"text": "three"}']


async def test_nothing_is_answered_after_a_close_and_no_connection_is_left_open() -> None:
    hooks = Hooks()
    async with listening(hooks) as answering:
        await KeptRespond(answering, hooks.url)(text="one")
        await answering.close()
        with pytest.raises(aiohttp.ClientConnectionError, match="nothing is answered any more"):
            await KeptRespond(answering, hooks.url)(text="two")
    assert hooks.connections == 1


async def test_an_answer_without_an_address_is_refused() -> None:
    respond = KeptRespond(Answering(), "")
    respond.response_url = None
    with pytest.raises(Exception, match="goes to a response URL"):
        await respond(text="one")
