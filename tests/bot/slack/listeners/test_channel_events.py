"""An invitation, or the end of an archive, makes what waits for a channel be said at once."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.slack.listeners import channel_events
from bot.slack.manifest import EVENTS
from notify.channel_refusals import probe_soon
from storage.schema import REFUSED
from tests.bot.house import FAULTED, House, wake_polls


def refused(house: House) -> list[Any]:
    with house.running.database.read() as connection:
        return list(connection.execute(sa.select(REFUSED)).all())


async def alert_that_is_refused(house: House) -> None:
    """An alert fires while its channel takes nothing, and the next try is four minutes away."""
    house.break_connector(house.free())
    await house.start(FAULTED)
    wake_polls(house.running)
    while not refused(house):
        house.clock.ahead += timedelta(seconds=10)
        house.running.ticker.wake("deliver")
        await house.workspace.next_change(0.1)
    with house.running.database.write() as connection:
        connection.execute(sa.update(REFUSED).values(probe_at=house.clock() + timedelta(minutes=4)))
    assert house.workspace.channel("#ev-alerts").messages == []


@pytest.mark.parametrize("private", [False, True])
async def test_a_channel_out_of_the_archive_is_told_what_waits(closed_house: House, private: bool) -> None:
    house = closed_house
    house.workspace.subscriptions = frozenset(EVENTS)
    house.workspace.channel("#ev-alerts").is_private = private
    house.workspace.archive("#ev-alerts")
    await alert_that_is_refused(house)
    house.workspace.unarchive("#ev-alerts")
    card = (await house.wait_for(lambda: house.workspace.channel("#ev-alerts").messages))[0]
    assert "1 firing" in card.text


async def test_the_apps_own_invitation_counts_and_nobody_elses(
    closed_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, asked = closed_house, list[datetime]()

    def counted(connection: sa.Connection, now: datetime) -> int:
        asked.append(now)
        return probe_soon(connection, now)

    monkeypatch.setattr(channel_events, "probe_soon", counted)
    house.workspace.subscriptions = frozenset(EVENTS)
    house.workspace.remove_bot("#ev-alerts")
    await alert_that_is_refused(house)
    house.workspace.remove("ole", "#ev-ops")
    await house.workspace.join("ole", "#ev-ops")
    await house.wait_for(lambda: house.workspace.deliveries[-1].attempts)
    await house.workspace.join(house.workspace.team.bot_user, "#ev-alerts")
    await house.wait_for(lambda: house.workspace.channel("#ev-alerts").messages)
    assert len(asked) == 1
