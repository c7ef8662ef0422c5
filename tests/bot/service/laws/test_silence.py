"""The law of silence: for any fault of the world that ends, what is true afterwards is said afterwards.

While it lasts, somebody is told that Chargehand cannot see. What is true is read off the API's own world, what is said
off Slack's side; nothing of the service is asked. A plain run lives through a few faults of each kind, one after
another, and goes on as soon as all is told and said; CI begins anew for each of all, and looks for longer.
"""

import os
import random
from functools import partial
from pathlib import Path

import pytest

from storage.engine import Database
from tests.bot.service.laws.faults import FAULTS
from tests.bot.service.laws.world import World, world_on
from tests.examples import examples

THOROUGH = bool(os.environ.get("CI"))
CALM, AFTERWARDS, QUIET = 4 if THOROUGH else 2, 75, 3 if THOROUGH else 2
TOGETHER = 1 if THOROUGH else 4
LIVED = [name for number, name in enumerate(FAULTS) if THOROUGH or number % 4 == 1]
LIVES = [tuple(LIVED[start : start + TOGETHER]) for start in range(0, len(LIVED), TOGETHER)]
LONGER = 2
"""How many minutes a fault lasts longer than it may take until somebody is told of it."""


def happen(world: World, seed: int, minute: int) -> None:
    """Break or mend somewhat, every other minute."""
    chance = random.Random(f"{seed}:{minute}")
    if minute % 2:
        plugs = sorted(world.source.world.connectors)
        world.force(chance.choice(plugs[:6]), chance.choice(["Faulted", "Faulted", "Unavailable", "Available"]))
    elif minute % 4 == 0:
        charger = chance.choice(sorted(world.source.world.chargers.rows))
        world.source.force_online(charger, chance.random() < 0.5, world.true)


def have_news(world: World) -> None:
    """Break a plug that nothing else touches, or mend it: who has nothing to say anywhere cannot be kept from it."""
    plug = max(world.source.world.connectors)
    now = world.source.world.connectors[plug][1]["status"]
    world.force(plug, "Available" if now == "Faulted" else "Faulted")


async def live_through(world: World, faults: list[str], seed: int) -> None:
    """Calm, then these faults together, then calm; told while it lasts, and true in the end."""
    world.stands_still = False
    for minute in range(CALM):
        await world.minute(partial(happen, seed=seed, minute=minute))
    limits = [FAULTS[name].told_within for name in faults]
    within = max((limit for limit in limits if limit is not None), default=0)
    world.listens = True
    told: list[set[str]] = []
    for name in faults:
        FAULTS[name].begin(world)
    have_news(world)
    try:
        for minute in range(max(within, CALM) + LONGER):
            await world.minute(partial(happen, seed=seed, minute=CALM + minute))
            told.append(world.told)
            if world.told and minute >= CALM and not THOROUGH:
                break
    finally:
        for name in faults:
            FAULTS[name].end(world)
    assert not within or any(told[: within + 1]), f"nobody was told of {faults}"
    world.stands_still = True
    await calm_down(world)
    assert world.said_now() == world.true_now(), faults


async def calm_down(world: World) -> None:
    """Let time pass until all is said and no trouble is told, at most AFTERWARDS minutes; in CI so long in any case."""
    good = 0
    for _ in range(AFTERWARDS):
        await world.minute()
        good = good + 1 if not world.told and world.said_now() == world.true_now() else 0
        if good >= QUIET and not THOROUGH:
            return


@pytest.mark.parametrize("faults", LIVES, ids=[names[0] for names in LIVES])
async def test_what_is_true_after_a_fault_is_said_after_it(
    sqlite: Database, tmp_path: Path, faults: tuple[str, ...]
) -> None:
    async with world_on(sqlite, tmp_path) as world:
        for seed, fault in enumerate(faults):
            await live_through(world, [fault], seed)


@pytest.mark.parametrize("seed", range(examples(6) if THOROUGH else 1))
async def test_what_is_true_after_several_faults_at_once_is_said_after_them(
    sqlite: Database, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    async with world_on(sqlite, tmp_path) as world:
        await live_through(world, chance.sample(sorted(FAULTS), 3), seed)


@pytest.mark.parametrize("seed", range(max(1, examples(6) // 3)))
async def test_it_holds_on_postgresql_too(postgresql: Database, tmp_path: Path, seed: int) -> None:
    able = sorted(name for name in FAULTS if not name.startswith("database"))
    async with world_on(postgresql, tmp_path) as world:
        for each in random.Random(seed).sample(able, 3 if THOROUGH else 1):
            await live_through(world, [each], seed)


async def test_a_channel_whose_answers_never_come_keeps_no_other_quiet(sqlite: Database, tmp_path: Path) -> None:
    async with world_on(sqlite, tmp_path) as world:
        await world.minutes(2)
        FAULTS["Slack: a channel's answers never come"].begin(world)
        world.stands_still = True
        chargers = sorted(world.source.world.chargers.rows)
        for number, charger in enumerate(chargers):
            world.force(f"{charger}.1", "Faulted")
            world.source.force_online(charger, False, world.true)
            await world.minutes(2)
            assert world.said_now(["offline"]) == [("offline", name) for name in chargers[: number + 1]]
        FAULTS["Slack: a channel's answers never come"].end(world)
        await calm_down(world)
        assert world.said_now() == world.true_now()
