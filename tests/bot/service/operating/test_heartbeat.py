"""The heartbeat is heard while Chargehand can do its work, and stops when it cannot; no failure of it does harm."""

from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from bot.service.app import build
from bot.service.operating.heartbeat import Heartbeat
from tests.bot.house import House
from tests.readings import T0

URL = "https://ping.example/secret-7f3a"


async def well() -> tuple[bool, dict[str, Any]]:
    return True, {}


async def ill() -> tuple[bool, dict[str, Any]]:
    return False, {}


def listening(heard: list[str], status: int = 200) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        heard.append(str(request.url))
        return httpx.Response(status)

    return httpx.MockTransport(answer)


async def test_it_is_heard_while_all_is_well() -> None:
    heard: list[str] = []
    await Heartbeat(URL, (well, well), listening(heard)).beat(T0)
    assert heard == [URL]


async def test_it_is_silent_while_chargehand_cannot_do_its_work() -> None:
    heard: list[str] = []
    with capture_logs() as said:
        await Heartbeat(URL, (well, ill), listening(heard)).beat(T0)
    assert heard == []
    assert said[0]["event"].startswith("no heartbeat is sent")


@pytest.mark.parametrize("broken", [httpx.ConnectError(f"cannot reach {URL}"), httpx.ReadTimeout("late")])
async def test_one_that_is_not_heard_is_logged_without_its_address(broken: httpx.HTTPError) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise broken

    with capture_logs() as said:
        await Heartbeat(URL, (well,), httpx.MockTransport(fail)).beat(T0)
        await Heartbeat(URL, (well,), listening([], 500)).beat(T0)
    assert [one["event"] for one in said] == ["the heartbeat was not heard", "the heartbeat was refused"]
    assert "secret-7f3a" not in str(said)


async def test_the_service_sends_one_where_an_address_is_set(closed_house: House) -> None:
    for url in (None, SecretStr(URL)):
        service = build(closed_house.settings(chargehand_heartbeat_url=url), clock=closed_house.clock)
        assert ("heartbeat" in {job.name for job in service.table()}) == (url is not None)
        if service.heartbeat is not None:
            assert service.heartbeat.url == URL
        await service.stop()
