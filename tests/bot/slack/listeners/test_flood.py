"""A flood of commands and clicks: what is acknowledged is written down, once, and answered or counted as cut off."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from bot.service.operating.process import _signals
from sandbox.slack.workspace.workspace import Outcome
from storage.schema import COMMAND, SILENCE
from tests.bot.house import House, open_house

Typing = dict[str, asyncio.Task[Outcome]]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The service at work, in HTTP mode, where Slack waits for each acknowledgement by itself."""
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}", http=True) as opened:
        await opened.start()
        yield opened


def typed(house: House, user: str, texts: list[str]) -> Typing:
    """Commands under way, by their text."""
    slash = house.workspace.slash
    return {text: asyncio.create_task(slash(user, "#ev-ops", "/charge", text)) for text in texts}


def told(house: House, user: str) -> list[str]:
    """What the bot told this person alone."""
    bot = house.workspace.team.bot_user
    return [message.plain() for message in house.workspace.ephemerals(user) if message.user == bot]


def answered(house: House, looked: list[str]) -> Counter[str]:
    """How often each text that looks was answered, which names it, and each that silences, which names the silence."""
    looking, acting = told(house, "ada"), told(house, "ole")
    found = Counter(text for text in looked for said in looking if text in said)
    return found + Counter(why for number, why in silences(house) for said in acting if f"Silence `#{number}`" in said)


def silences(house: House) -> list[tuple[int, str]]:
    """The silences that were written: their numbers, and why."""
    with house.running.database.read() as connection:
        return [(number, why) for number, why in connection.execute(sa.select(SILENCE.c.id, SILENCE.c.reason))]


def resets(house: House) -> int:
    with house.running.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(COMMAND)).scalar_one())


async def test_what_acts_in_a_flood_is_written_down_once_and_all_is_answered(house: House) -> None:
    plugs = [house.free(number) for number in range(6)]
    chargers = sorted({plug.rpartition(".")[0] for plug in plugs})[:3]
    previews = [await house.ask(f"reset {charger}", "ole") for charger in chargers]
    looking = [f"xyzzy{number}q" for number in range(60)]
    acting = {f"silence {plug} for 2h visit{number}q": f"visit{number}q" for number, plug in enumerate(plugs * 4)}
    reading, writing = typed(house, "ada", looking), typed(house, "ole", list(acting))
    await asyncio.gather(*(house.click("ole", preview, "confirm_command") for preview in previews))
    outcomes = await asyncio.gather(*reading.values(), *writing.values())
    assert [outcome.error for outcome in outcomes] == [None] * (len(looking) + len(acting))
    assert sorted(why for _, why in silences(house)) == sorted(acting.values())
    assert resets(house) == len(previews)
    await house.wait_for(lambda: answered(house, looking) == Counter([*looking, *acting.values()]))


async def test_at_a_stop_in_a_flood_each_acknowledged_command_was_answered_or_is_counted_as_cut_off(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.service.app.ANSWERS_SECONDS", 1.0)
    house.workspace.faults.limit_next("response_url", 60, times=3)  # so many answers wait for a minute
    stopping, plug = asyncio.Event(), house.free()
    looking = [f"xyzzy{number}q" for number in range(80)]
    acting = {f"silence {plug} for 2h visit{number}q": f"visit{number}q" for number in range(12)}
    with _signals({signal.SIGTERM: stopping.set}), capture_logs() as logs:
        reading, writing = typed(house, "ada", looking), typed(house, "ole", list(acting))
        await house.wait_for(lambda: len(told(house, "ada")) > 3)
        os.kill(os.getpid(), signal.SIGTERM)
        await stopping.wait()
        await house.running.stop()
    outcomes = {text: await typing for text, typing in (reading | writing).items()}
    answers = answered(house, looking)
    taken = [acting.get(text, text) for text, outcome in outcomes.items() if outcome.ok]
    (cut,) = (one["requests"] for one in logs if "requests" in one)
    missing = [text for text in taken if not answers[text]]
    assert len(missing) >= 3
    assert len(missing) <= cut <= len(missing) + len(answers), "a cut off answer may have reached Slack all the same"
    assert max(answers.values()) == 1
    written = [why for _, why in silences(house)]
    assert {text for text in taken if text in acting.values()} <= set(written)
    assert len(set(written)) == len(written), "once"
