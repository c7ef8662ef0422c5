"""The doors: signatures and age in HTTP mode, a connection that died silently, health, tokens that Slack refuses."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from bot.settings import SettingsError
from bot.slack.doors import SocketDoor
from sandbox.slack.workspace.link import signature
from tests.bot.house import House, open_house

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def http_house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}", http=True) as house:
        await house.start()
        yield house


async def post_command(house: House, *, secret: str | None = None, age: timedelta = timedelta(0)) -> httpx.Response:
    """A slash command as Slack posts it, signed with `secret` at a moment in the past."""
    url, _ = house.workspace.base_url, None
    fields = {"command": "/charge", "text": "help", "user_id": "U0ADA00001", "channel_id": "C0OPS00003"}
    fields |= {"team_id": "T0SANDBOX1", "response_url": f"{url}/commands/none", "trigger_id": "1.1.1"}
    body, moment = urlencode(fields), int(time.time() - age.total_seconds())
    headers = {
        "Content-Type": FORM,
        "X-Slack-Request-Timestamp": str(moment),
        "X-Slack-Signature": signature(secret or house.workspace.signing_secret, moment, body),
    }
    async with httpx.AsyncClient() as client:
        return await client.post(str(house.workspace.link.request_url), content=body, headers=headers)


async def test_a_request_that_slack_signed_is_taken(http_house: House) -> None:
    assert (await post_command(http_house)).status_code == 200


async def test_a_wrong_signature_is_refused(http_house: House) -> None:
    answer = await post_command(http_house, secret="another-secret")
    assert answer.status_code == 401
    assert http_house.workspace.calls[-1].method != "users.info", "nobody was asked about"


async def test_a_request_older_than_five_minutes_is_refused(http_house: House) -> None:
    assert (await post_command(http_house, age=timedelta(minutes=4, seconds=50))).status_code == 200
    assert (await post_command(http_house, age=timedelta(minutes=5, seconds=10))).status_code == 401


async def test_an_unsigned_request_is_refused(http_house: House) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.post(str(http_house.workspace.link.request_url), data={"command": "/charge"})
    assert answer.status_code == 401


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


async def test_a_connection_that_died_silently_is_replaced(closed_house: House) -> None:
    house = closed_house
    service = await house.start()
    await service.socket.close()  # type: ignore[union-attr]
    service.socket = SocketDoor(service.app, house.workspace.app_token, ping_seconds=0.1)
    await service.socket.open()
    before = house.workspace.link.connections[-1].number
    house.workspace.link.silence()
    await house.wait_for(lambda: any(c.number > before and not c.silent for c in house.workspace.link.connections))
    await house.wait_for(lambda: all(not c.silent for c in house.workspace.link.connections))
    assert "connectors" in (await house.ask("status")).plain()
    assert (await service.health())[0]


async def test_an_address_that_slack_no_longer_takes_is_asked_for_anew(closed_house: House) -> None:
    house = closed_house
    service = await house.start()
    await service.socket.close()  # type: ignore[union-attr]

    class ForgetsTheFirst(set[str]):
        forgotten = 0

        def add(self, ticket: str) -> None:
            if self.forgotten:
                super().add(ticket)
            self.forgotten += 1

    house.workspace.tickets = ForgetsTheFirst()
    service.socket = SocketDoor(service.app, house.workspace.app_token, ping_seconds=0.1)
    await service.socket.open()
    await house.wait_for(lambda: house.workspace.link.connections)
    assert "connectors" in (await house.ask("status")).plain()


@pytest.mark.parametrize("setting", ["SLACK_APP_TOKEN", "SLACK_BOT_TOKEN"])
async def test_a_token_that_slack_refuses_is_one_clear_error(closed_house: House, setting: str) -> None:
    house = closed_house
    settings = house.settings
    house.settings = lambda **changes: settings(**{setting.lower(): "xoxb-wrong-token"})  # type: ignore[method-assign]
    with pytest.raises(SettingsError, match=rf"{setting} is refused by Slack \(invalid_auth\).*api\.slack\.com/apps"):
        await house.start()


async def test_the_service_starts_while_slack_is_away_and_connects_later(closed_house: House) -> None:
    house = closed_house
    house.workspace.faults.lose_next_answer("auth.test")
    house.workspace.faults.lose_next_answer("apps.connections.open")
    await house.start()
    await house.wait_for(lambda: house.workspace.link.connections)
    assert "connectors" in (await house.ask("status")).plain()
