"""The Socket Mode door: connections that died silently, addresses used up, and a start while Slack is odd or away."""

import pytest

from bot.settings import SettingsError
from bot.slack.doors.socket_door import SocketDoor
from tests.bot.house import House


async def test_a_connection_that_died_silently_is_replaced(closed_house: House) -> None:
    house = closed_house
    service = await house.start()
    await service.socket.close()  # type: ignore[union-attr]
    service.socket = SocketDoor(service.app, house.workspace.app_token, ping_seconds=1.0)
    await service.socket.open()
    before = house.workspace.link.connections[-1].number
    house.workspace.link.silence()
    await house.wait_for(lambda: any(c.number > before and not c.silent for c in house.workspace.link.connections))
    await house.wait_for(lambda: all(not c.silent for c in house.workspace.link.connections))
    assert "connectors" in (await house.ask("status")).plain()
    assert (await service.wellness.health())[0]


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
    service.socket = SocketDoor(service.app, house.workspace.app_token, ping_seconds=1.0)
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


ODD = ["", "upstream connect error", "null", "[]", "{}", "42", '"ok"', '{"ok": true}', '{"ok": true, "url": null}']


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "text/html"])
async def test_the_service_starts_whatever_slack_answers(closed_house: House, content_type: str) -> None:
    house = closed_house
    _answer_oddly(house, ODD[0], content_type)
    service = await house.start()
    await _assert_at_work(house, ODD[0])
    for odd in ODD[1:]:  # what a start asks of Slack, without the rest of a start and a stop for each
        assert service.socket is not None
        await service.socket.close()
        await house.wait_for(lambda: not house.workspace.link.connections)
        _answer_oddly(house, odd, content_type)
        service.identity.known = None
        await service.identity.learn()
        service.socket = SocketDoor(service.app, house.workspace.app_token)
        await service.socket.open()
        await _assert_at_work(house, odd)


def _answer_oddly(house: House, odd: str, content_type: str) -> None:
    while house.workspace.faults.take("apps.connections.open"):
        pass
    house.workspace.faults.answer_next("auth.test", odd, content_type)
    house.workspace.faults.answer_next("apps.connections.open", odd, content_type)


async def _assert_at_work(house: House, odd: str) -> None:
    await house.wait_for(lambda: house.workspace.link.connections)
    assert "connectors" in (await house.ask("status")).plain(), odd


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_the_first_click_after_a_start_is_taken_while_slack_fails(either_house: House, status: int) -> None:
    house = either_house
    if status == 429:
        house.workspace.faults.limit_next("auth.test", 30, times=5)
    else:
        house.workspace.faults.fail_next("auth.test", status, times=5)
    assert "connectors" in (await house.ask("status")).plain()


async def test_an_address_that_was_limited_is_asked_for_again_without_a_wait_at_the_start(closed_house: House) -> None:
    closed_house.workspace.faults.limit_next("apps.connections.open", 600)
    await closed_house.start()
    await closed_house.wait_for(lambda: closed_house.workspace.link.connections)
