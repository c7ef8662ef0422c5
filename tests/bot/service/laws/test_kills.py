"""The law of silence over a service that is killed again and again, at any word to its database, by a real SIGKILL."""

import random
from pathlib import Path

import pytest

from sandbox.eosvolt.api import create_api
from sandbox.eosvolt.server import serving
from storage.engine import Database
from tests.bot.service.laws.service import live_a_minute
from tests.bot.service.laws.test_silence import THOROUGH, happen
from tests.bot.service.laws.world import MINUTE, world_on
from tests.examples import examples
from tests.forks import KILLED, run

LIVES = 40 if THOROUGH else 8
CALM_LIVES = 4
MOST_WORDS = 120
"""How many statements a minute says at most, about: one that dies later dies of nothing."""


@pytest.mark.parametrize("seed", range(max(1, examples(6) // 3)))
async def test_what_is_true_is_said_once_after_many_kills(sqlite: Database, tmp_path: Path, seed: int) -> None:
    chance = random.Random(f"kills {seed}")
    async with (
        world_on(sqlite, tmp_path) as world,
        serving(create_api(world.source, clock=lambda: world.true, token="sandbox-token")) as eosvolt,
    ):
        endings = []
        for life in range(LIVES + CALM_LIVES):
            world.true += MINUTE
            world.slack_clock.advance(MINUTE.total_seconds())
            dies_after = 0
            if life < LIVES:
                world.source.advance_to(world.true)
                happen(world, seed, 2 * life + 1)
                dies_after = chance.randrange(1, MOST_WORDS) if life else 0  # the rules are switched on in peace
            told = {
                "now": world.true.isoformat(),
                "database": sqlite.url,
                "eosvolt": eosvolt,
                "slack": world.server.api_url,
                "token": world.server.workspace.bot_token,
                "dies_after": dies_after,
                "life": life,
            }
            endings.append(await run(live_a_minute, told))
        assert endings[:LIVES].count(KILLED) > LIVES // 3, "most lives end early"
        assert endings[LIVES:] == [0] * CALM_LIVES
        assert world.said_now() == world.true_now()
