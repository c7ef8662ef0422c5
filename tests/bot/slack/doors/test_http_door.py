"""The HTTP door: what Slack signed is taken, once; what it did not sign reaches nothing, however it is made."""

import asyncio
import contextlib
import io
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from bot.settings import Settings, SettingsError
from bot.slack.doors import http_door
from bot.slack.doors.connections import BoundedConnection
from sandbox.slack.workspace.app_link import signature
from tests.bot.house import House, open_house

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def http_house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}", http=True) as house:
        await house.start()
        yield house


SLASH = {
    "command": "/charge",
    "text": "help",
    "user_id": "U0ADA00001",
    "channel_id": "C0OPS00003",
    "team_id": "T0SANDBOX1",
    "trigger_id": "1.1.1",
}


def signed(body: str, secret: str, age: timedelta = timedelta(0)) -> dict[str, str]:
    """The headers that Slack sends with a body, signed at a moment in the past."""
    moment = int(time.time() - age.total_seconds())
    return {
        "Content-Type": FORM,
        "X-Slack-Request-Timestamp": str(moment),
        "X-Slack-Signature": signature(secret, moment, body),
    }


async def post(house: House, body: str | bytes, headers: dict[str, str] | dict[bytes, bytes]) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        url = str(house.workspace.link.request_url)
        return await client.post(url, content=body, headers=headers)


async def post_command(house: House, *, age: timedelta = timedelta(0), **changes: str) -> httpx.Response:
    """A slash command as Slack posts it."""
    fields = SLASH | {"response_url": f"{house.workspace.base_url}/commands/none"} | changes
    body = urlencode(fields)
    return await post(house, body, signed(body, house.workspace.signing_secret, age))


@dataclass
class Elsewhere:
    """An address that is not Slack's, and how many have called it."""

    url: str
    calls: int = 0


@asynccontextmanager
async def elsewhere() -> AsyncIterator[Elsewhere]:
    async def hear(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place.calls += 1
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    place = Elsewhere(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/commands/T0/secret-part")
    async with server:
        yield place


@pytest.fixture
def logged() -> io.StringIO:
    """Everything that is logged, by us and by the libraries."""
    stream = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stream))
    logging.getLogger().addHandler(logging.StreamHandler(stream))
    return stream


async def test_a_request_that_slack_signed_is_taken(http_house: House) -> None:
    assert (await post_command(http_house)).status_code == 200


@pytest.mark.parametrize("words", ["payload", "the payload & payload=1 %70ayload"])
async def test_a_command_may_hold_the_word_by_which_bolt_knows_an_interaction(http_house: House, words: str) -> None:
    told = (await http_house.ask(f"charger {words}")).plain()
    assert words.partition(" ")[0] in told


async def test_who_asks_otherwise_is_told_how(http_house: House) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(str(http_house.workspace.link.request_url))
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_request_older_than_five_minutes_is_refused(http_house: House) -> None:
    assert (await post_command(http_house, age=timedelta(minutes=4, seconds=50))).status_code == 200
    late = await post_command(http_house, age=timedelta(minutes=5, seconds=10), trigger_id="2.2.2")
    assert late.status_code == 401


GOOD = f"v0={'0' * 64}"


UNSIGNED: list[dict[str, str]] = [
    {},
    {"X-Slack-Signature": GOOD},
    {"X-Slack-Request-Timestamp": "NOW"},
    {"X-Slack-Request-Timestamp": "NOW", "X-Slack-Signature": GOOD},
    {"X-Slack-Request-Timestamp": "abc", "X-Slack-Signature": GOOD},
    {"X-Slack-Request-Timestamp": "", "X-Slack-Signature": GOOD},
    {"X-Slack-Request-Timestamp": "-1", "X-Slack-Signature": GOOD},
    {"X-Slack-Request-Timestamp": "1e9", "X-Slack-Signature": GOOD},
    {"X-Slack-Request-Timestamp": "9" * 400, "X-Slack-Signature": GOOD},
    {"X-Slack-Request-Timestamp": "NOW", "X-Slack-Signature": "v0=" + "\u00e9" * 64},
    {"X-Slack-Request-Timestamp": "NOW", "X-Slack-Signature": "\u00ff"},
    {"X-Slack-Request-Timestamp": "NOW", "X-Slack-Signature": "v0="},
    {"X-Slack-Request-Timestamp": "NOW", "X-Slack-Signature": "v1=" + "0" * 64},
    {"X-Slack-Request-Timestamp": "\u00b2", "X-Slack-Signature": GOOD},
]


@pytest.mark.parametrize("kind", ["command", "click", "event", "nonsense"])
async def test_what_slack_did_not_sign_reaches_nothing(http_house: House, logged: io.StringIO, kind: str) -> None:
    before = len(http_house.workspace.calls)
    async with elsewhere() as place:
        payload = {"type": "block_actions", "response_url": place.url, "trigger_id": "3", "user": {"id": "U0ADA00001"}}
        event = {"type": "event_callback", "event_id": "E", "response_url": place.url, "words": "hidden-words"}
        bodies = {
            "command": urlencode(SLASH | {"response_url": place.url, "text": "hidden-words"}),
            "click": urlencode({"payload": json.dumps(payload), "ssl_check": "1", "words": "hidden-words"}),
            "event": json.dumps(event),
            "nonsense": "\x00{hidden-words",
        }
        for headers in UNSIGNED:
            told = {name: value.replace("NOW", str(int(time.time()))) for name, value in headers.items()}
            raw = {name.encode(): value.encode("latin-1") for name, value in told.items()}
            answer = await post(http_house, bodies[kind], raw)
            assert (answer.status_code, answer.json()) == (401, {"error": "invalid request"}), headers
        assert (await http_house.ask("help")).plain()  # whatever was begun is over by now
    assert place.calls == 0
    asked = [call.method for call in list(http_house.workspace.calls)[before:]]
    assert asked.count("users.info") <= 1, "only the person who asked for help was looked up"
    assert "hidden-words" not in logged.getvalue()
    assert "secret-part" not in logged.getvalue()


async def test_an_answer_goes_nowhere_but_to_slack(http_house: House, logged: io.StringIO) -> None:
    async with elsewhere() as place:
        answer = await post_command(http_house, response_url=place.url, text="silence rule=x for 2h reason")
        assert answer.status_code == 400
        assert (await http_house.ask("silences")).plain()
    assert place.calls == 0
    assert "secret-part" not in logged.getvalue()
    assert place.url.rpartition(":")[0] in logged.getvalue()


CALLERS: dict[tuple[str, ...], str] = {
    (): "127.0.0.1",
    ("10.0.0.0/8", "::1"): "127.0.0.1",
    ("127.0.0.1",): "203.0.113.9",
    ("127.0.0.0/8", "192.0.2.7"): "203.0.113.9",
}


async def test_who_called_is_believed_from_named_proxies_alone(tmp_path: Path) -> None:
    chain = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9, 192.0.2.7", "X-Forwarded-Proto": "https"}
    for number, (proxies, caller) in enumerate(CALLERS.items()):
        named = chain if "192.0.2.7" in proxies else {**chain, "X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
        async with open_house(f"sqlite:///{tmp_path / f'{number}.db'}", http=True) as house:
            house.changes = {"chargehand_proxies": proxies}
            await house.start()
            with capture_logs() as told:
                assert (await post(house, "x", named)).status_code == 401
        assert [one["caller"] for one in told if "is refused" in one["event"]] == [caller], proxies


@pytest.mark.parametrize("wrong", ["*", "proxy.example.org", "10.0.0.0/33"])
def test_a_proxy_that_is_no_address_is_told(wrong: str) -> None:
    with pytest.raises(ValueError, match="no IP address and no network"):
        Settings(_env_file=None, chargehand_proxies=("10.0.0.1", wrong))  # type: ignore[call-arg]  # mypy does not see the name


async def test_a_body_over_a_megabyte_is_refused_before_it_is_read(http_house: House, logged: io.StringIO) -> None:
    host, port = str(http_house.workspace.link.request_url).split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /slack/events HTTP/1.1\r\nHost: x\r\nX-Slack-Request-Timestamp: {int(time.time())}\r\n"
    head += f"X-Slack-Signature: {GOOD}\r\nContent-Length: 60000000\r\n\r\n"
    writer.write(head.encode())  # and not one byte of the body
    await writer.drain()
    assert b" 413 " in (await asyncio.wait_for(reader.read(), 3)).splitlines()[0]
    writer.close()
    assert "over 1 MB" in logged.getvalue()


async def test_a_body_without_an_announced_length_is_cut_at_a_megabyte(http_house: House) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100_000_000:
            sent += 100_000
            yield b"x" * 100_000

    headers = {"X-Slack-Request-Timestamp": str(int(time.time())), "X-Slack-Signature": GOOD}
    try:
        async with httpx.AsyncClient() as client:
            url = str(http_house.workspace.link.request_url)
            assert (await client.post(url, content=endless(), headers=headers)).status_code == 413
    except httpx.HTTPError:
        pass  # the connection was closed while we were still sending, which is the point
    assert sent < 20_000_000


async def test_a_body_that_does_not_come_is_not_waited_for(http_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_door, "BODY_SECONDS", 0.1)
    host, port = str(http_house.workspace.link.request_url).split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /slack/events HTTP/1.1\r\nHost: x\r\nX-Slack-Request-Timestamp: {int(time.time())}\r\n"
    writer.write(f"{head}X-Slack-Signature: {GOOD}\r\nContent-Length: 10\r\n\r\n12345".encode())
    assert b" 408 " in (await asyncio.wait_for(reader.read(), 3)).splitlines()[0]
    writer.close()


@pytest.mark.parametrize(
    "sent", [b"", b"POST /slack/events HTTP/1.1\r\nHost: x\r\nX-A: ", b"GET /healthz HTTP/1.1\r\n"]
)
async def test_a_head_that_does_not_come_is_not_waited_for(
    closed_house: House, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(BoundedConnection, "request_seconds", 0.2)
    closed_house.http = True
    await closed_house.start()
    host, port = str(closed_house.workspace.link.request_url).split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 3) == b""
    writer.close()
    assert (await post_command(closed_house)).status_code == 200


async def test_a_request_after_another_on_one_connection_is_bounded_too(
    closed_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedConnection, "request_seconds", 0.2)
    closed_house.http = True
    await closed_house.start()
    host, port = str(closed_house.workspace.link.request_url).split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200" in await reader.readline()
    writer.write(b"GET /healthz HTTP/1.1\r\nHost:")
    with contextlib.suppress(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 3)
    writer.close()


async def test_connections_beyond_the_limit_are_refused_and_those_within_are_served(
    closed_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedConnection, "most_connections", 3)
    closed_house.http = True
    await closed_house.start()
    host, port = str(closed_house.workspace.link.request_url).split("/")[2].split(":")
    open_ = [await asyncio.open_connection(host, int(port)) for _ in range(3)]
    reader, writer = await asyncio.open_connection(host, int(port))
    assert b" 503 " in (await asyncio.wait_for(reader.read(), 3)).splitlines()[0]
    for one in [writer, *(writer for _, writer in open_)]:
        one.close()
        await one.wait_closed()
    assert (await post_command(closed_house)).status_code == 200


async def test_a_listener_that_fails_in_the_moment_of_its_ack_is_still_a_200(http_house: House) -> None:
    action = {"type": "button", "action_id": "next_page", "block_id": "b", "value": "{"}  # which is no JSON
    payload = {"type": "block_actions", "user": {"id": "U0ADA00001"}, "trigger_id": "9.9.9", "actions": [action]}
    body = urlencode({"payload": json.dumps(payload)})
    answer = await post(http_house, body, signed(body, http_house.workspace.signing_secret))
    assert answer.status_code == 200


async def test_the_same_signed_request_three_times_acts_once(http_house: House) -> None:
    text = f"silence {http_house.free()} for 2h Technician on site"
    answers = [await post_command(http_house, text=text, trigger_id="7.7.7") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert silences(http_house) == 1


async def test_a_request_from_before_a_restart_acts_no_second_time(http_house: House) -> None:
    text = f"silence {http_house.free()} for 2h Technician on site"
    await post_command(http_house, text=text, trigger_id="7.7.7")
    await http_house.stop()
    await http_house.start()
    assert (await post_command(http_house, text=text, trigger_id="7.7.7")).status_code == 200
    assert silences(http_house) == 1
    await post_command(http_house, text=text, trigger_id="8.8.8")
    assert silences(http_house) == 2, "another request is another one"


def silences(house: House) -> int:
    with house.running.database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM silence").scalar_one())


async def test_health_tells_what_was_polled_and_fails_without_a_database(http_house: House) -> None:
    url = str(http_house.workspace.link.request_url).replace("/slack/events", "/healthz")
    async with httpx.AsyncClient() as client:
        well = await client.get(url)
        with http_house.running.database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE poll RENAME TO gone")
        ill = await client.get(url)
    assert (well.status_code, well.json()["status"]) == (200, "well")
    assert set(well.json()["polls"]) == {"locations", "chargers", "sessions"}
    assert (ill.status_code, ill.json()["status"]) == (503, "the database cannot be read")


async def test_in_socket_mode_a_port_serves_health_alone(closed_house: House) -> None:
    settings = closed_house.settings
    closed_house.settings = lambda **changes: settings(port=0)  # type: ignore[method-assign]
    service = await closed_house.start()
    assert service.http is not None
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.http.port}") as client:
        assert (await client.get("/healthz")).json()["slack"] is True
        assert (await client.post("/slack/events")).status_code == 404


async def test_a_port_in_use_is_one_clear_error(closed_house: House) -> None:
    taken = int(closed_house.eosvolt.rpartition(":")[2])
    settings = closed_house.settings
    closed_house.settings = lambda **changes: settings(port=taken)  # type: ignore[method-assign]
    with pytest.raises(SettingsError, match=f"PORT: cannot listen on {taken}"):
        await closed_house.start()


@pytest.mark.parametrize(
    "body", ["[]", "null", '"x"', '{"event":null}', '{"response_urls":{"a":1}}', "5", '{"type":[]}']
)
async def test_a_signed_body_that_is_nothing_of_slacks_is_a_bad_request(
    http_house: House, logged: io.StringIO, body: str
) -> None:
    headers = signed(body, http_house.workspace.signing_secret) | {"Content-Type": "application/json"}
    answer = await post(http_house, body, headers)
    assert answer.status_code < 500
    assert "Traceback" not in logged.getvalue()


async def test_no_request_is_sent_elsewhere_by_its_own_host(http_house: House) -> None:
    async with httpx.AsyncClient() as client:
        url = str(http_house.workspace.link.request_url) + "/"
        answer = await client.post(url, content=b"x", headers={"Host": "stranger.example.net"})
    assert (answer.status_code, answer.headers.get("location")) == (404, None)
