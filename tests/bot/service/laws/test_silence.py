"""The law of silence: for any fault of the world that ends, what is true afterwards is said afterwards.

While it lasts, somebody is told that Chargehand cannot see. What is true is read off the API's own world, what is said
off Slack's side; nothing of the service is asked.
"""

import random
from functools import partial
from pathlib import Path

import pytest

from storage.engine import Database
from tests.bot.service.laws.faults import FAULTS
from tests.bot.service.laws.world import World, world_on
from tests.examples import examples

CALM, ILL, AFTERWARDS = 6, 12, 75


def happen(world: World, seed: int, minute: int) -> None:
    """Break or mend somewhat, every other minute."""
    if minute % 2:
        chance = random.Random(f"{seed}:{minute}")
        plugs = sorted(world.source.world.connectors)
        world.force(chance.choice(plugs[:6]), chance.choice(["Faulted", "Faulted", "Available"]))


async def live_through(world: World, faults: list[str], seed: int) -> None:
    """Calm, then these faults together, then calm; told while it lasts, and true in the end."""
    for minute in range(CALM):
        await world.minute(partial(happen, seed=seed, minute=minute))
    for name in faults:
        FAULTS[name].begin(world)
    told: dict[int, set[str]] = {}
    try:
        for minute in range(ILL):
            await world.minute(partial(happen, seed=seed, minute=CALM + minute))
            told[minute] = world.told
    finally:
        for name in faults:
            FAULTS[name].end(world)
    within = [FAULTS[name].told_within for name in faults]
    known = [minutes for minutes in within if minutes is not None]
    assert not known or any(told[minute] for minute in range(max(known) + 1)), f"nobody was told of {faults}"
    world.stands_still = True
    await world.minutes(AFTERWARDS)
    assert world.said_to_be_faulted() == world.faulted()


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_is_true_after_a_fault_is_said_after_it(sqlite: Database, tmp_path: Path, fault: str) -> None:
    async with world_on(sqlite, tmp_path) as world:
        await live_through(world, [fault], seed=1)


@pytest.mark.parametrize("seed", range(examples(6)))
async def test_what_is_true_after_several_faults_at_once_is_said_after_them(
    sqlite: Database, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    async with world_on(sqlite, tmp_path) as world:
        await live_through(world, chance.sample(sorted(FAULTS), 3), seed)
