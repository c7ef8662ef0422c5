"""A poller under a hostile API: nothing raises, every fault is counted, and nothing is lost once the API is well.

Not lost means: the database says the same as that of a poller which never saw a fault.
"""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlmodel import SQLModel

from storage.engine import Database
from tests.bot.service.hostile.faults import FOREVER, HARMLESS, SET_ASIDE, SPOILS, Spoil
from tests.bot.service.hostile.fleet import START, poller

pytestmark = pytest.mark.on_either_database

WELL, ILL, AGAIN = 8, 6, 30  # the ill spell holds a full sweep, the spell after it several
_UNSPOILT: dict[int, Any] = {}


async def unspoilt(folder: Path, minutes: int) -> Any:
    """The state of a poller that never saw a fault, after so many minutes."""
    if minutes not in _UNSPOILT:
        database = Database(f"sqlite:///{folder / 'unspoilt.db'}", durable=False)
        SQLModel.metadata.create_all(database.engine)
        async with poller(database, folder) as calm:
            assert await calm.poll(minutes) == minutes
            _UNSPOILT[minutes] = calm.state()
        database.close()
    return _UNSPOILT[minutes]


async def healed(database: Database, folder: Path, spoil: Spoil, well: int = WELL) -> Any:
    """Poll through a spell of this fault; the health in its midst, after the state was found whole again."""
    async with poller(database, folder) as ill:
        await ill.poll(well)
        ill.wire.spoil = spoil
        await ill.poll(ILL)
        ill.wire.spoil = None
        during = ill.health()
        await ill.poll(AGAIN + WELL - well)
        assert ill.state() == await unspoilt(folder, WELL + ILL + AGAIN)
        after = ill.health()
        assert all(resource.error is None and resource.failures_in_a_row == 0 for resource in after.resources)
        assert (after.slowness, after.paused_until, after.unknown_statuses) == (1, None, {})
        assert (after.unseen, after.doubts, {one.rows for one in after.unread} - {0}) == ((), (), set())
    return during


@pytest.mark.parametrize("fault", SPOILS)
async def test_a_fault_that_fails_polls_is_counted_and_nothing_is_lost(
    database: Database, tmp_path: Path, fault: str
) -> None:
    spoil, kind = SPOILS[fault]
    health = await healed(database, tmp_path, spoil)
    failed = {resource.resource: resource.failed for resource in health.resources}
    assert any(kind in kinds for kinds in failed.values()), failed
    assert any(resource.error for resource in health.resources)
    assert (health.rate_limit_pauses > 0) == (kind == "rate_limited")


@pytest.mark.parametrize("fault", SET_ASIDE)
async def test_what_cannot_be_read_is_told_counted_and_not_lost(database: Database, tmp_path: Path, fault: str) -> None:
    spoil, field = SET_ASIDE[fault]
    health = await healed(database, tmp_path, spoil)
    aside = [one.example for one in health.set_aside if one.resource == "charger" and one.field == field and one.rows]
    unread = [one.example for one in health.unread if one.resource == "charger"]
    assert any(example.startswith(field) for example in (*aside, *unread))
    assert health.unseen or any(one.rows for one in health.unread)


@pytest.mark.parametrize("fault", HARMLESS)
async def test_an_odd_answer_does_not_raise_and_nothing_is_lost(database: Database, tmp_path: Path, fault: str) -> None:
    health = await healed(database, tmp_path, HARMLESS[fault])
    if fault == "NUL in every text":
        assert {resource.resource for resource in health.resources if resource.cleaned} >= {"chargers", "sessions"}
    if "enum" in fault:
        assert health.unknown_statuses["Levitating"] > 0
    if "the year" in fault:
        assert health.clock_skew is not None
        assert abs(health.clock_skew.days) > 365


# "an empty list" is not among them: an account that says it has no sessions yet is believed
AT_FIRST = ("cut-off JSON", "429 storm", "wrong types", "ids gone", "the year 1", "shifting pages", "NUL in every text")


@pytest.mark.parametrize("fault", AT_FIRST)
async def test_a_first_start_under_a_hostile_api_comes_to_the_same(
    sqlite: Database, tmp_path: Path, fault: str
) -> None:
    spoil = SPOILS[fault][0] if fault in SPOILS else SET_ASIDE[fault][0] if fault in SET_ASIDE else HARMLESS[fault]
    await healed(sqlite, tmp_path, spoil, well=0)


@pytest.mark.parametrize("seed", range(4))
async def test_every_fault_in_any_order_call_by_call_comes_to_the_same(
    database: Database, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    spoils = [spoil for spoil, _ in (*SPOILS.values(), *SET_ASIDE.values())] + list(HARMLESS.values())
    storms = [spoil for name, (spoil, _) in SPOILS.items() if name.startswith("429") or name == "never answers"]
    calm = [spoil for spoil in spoils if spoil not in storms]

    async def any_fault(request: Any, content: bytes) -> Any:
        return await random.choice(calm)(request, content)

    await healed(database, tmp_path, any_fault)


async def test_an_expired_token_is_read_again_and_nothing_is_lost(database: Database, tmp_path: Path) -> None:
    async with poller(database, tmp_path) as ill:
        await ill.poll(WELL)
        ill.api.token = "new-token"
        await ill.poll(ILL - 2)
        ill.token_file.unlink()
        await ill.poll(1)
        ill.token_file.write_text("two tokens")
        await ill.poll(1)
        kinds = {kind for resource in ill.health().resources for kind in resource.failed}
        assert kinds == {"unauthorized", "token_unusable"}
        ill.token_file.write_text("new-token\n")
        assert await ill.poll(AGAIN) == AGAIN
        assert ill.state() == await unspoilt(tmp_path, WELL + ILL + AGAIN)


@pytest.mark.parametrize("told", FOREVER)
async def test_a_pause_as_if_for_ever_is_tried_again_after_an_hour(sqlite: Database, tmp_path: Path, told: str) -> None:
    async with poller(sqlite, tmp_path) as ill:
        await ill.poll(WELL)
        ill.wire.spoil = FOREVER[told]
        await ill.poll(1)
        ill.wire.spoil, calls = None, ill.wire.calls
        assert await ill.poll(59) == 0
        assert ill.wire.calls == calls
        assert ill.health().paused_until is not None
        assert await ill.poll(1) == 1


async def test_data_grows_old_while_polls_fail(sqlite: Database, tmp_path: Path) -> None:
    async with poller(sqlite, tmp_path) as ill:
        await ill.poll(WELL)
        ill.wire.spoil = SPOILS["cut-off JSON"][0]
        await ill.poll(ILL)
        chargers = {resource.resource: resource for resource in ill.health().resources}["chargers"]
    assert chargers.data_age is not None
    assert chargers.data_age.total_seconds() == ILL * 60
    assert (chargers.good, chargers.failures_in_a_row) == (WELL, ILL)
    assert chargers.failed == {"malformed_answer": ILL}
    assert chargers.error is not None
    assert chargers.good_at is not None
    assert (chargers.good_at - START).total_seconds() == WELL * 60
