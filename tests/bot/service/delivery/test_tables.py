"""The lists of a digest stand in its thread, once, and are edited with it."""

import sqlalchemy as sa

from notify.outbox import DIGEST_TABLES
from storage.schema import OUTBOX
from tests.bot.service.delivery.bench import DAILY, Bench
from tests.bot.service.delivery.service import serve_once
from tests.bot.service.delivery.test_kills import told
from tests.bot.service.delivery.test_pictures import corrected, desk
from tests.forks import KILLED, run

__all__ = ["desk"]


async def test_they_follow_the_digest_into_its_thread_and_are_edited_with_it(desk: Bench) -> None:
    assert [await desk.deliver(), await desk.deliver()] == [2, 0]
    digest, lists = desk.messages(DAILY)
    assert "Top connectors" not in str(digest.blocks)
    assert lists.thread_ts == digest.ts
    assert not lists.broadcast
    assert "10.0 kWh in 1 session" in str(lists.blocks)
    corrected(desk, "late")
    await desk.deliver()
    await desk.deliver()
    digest, lists = desk.messages(DAILY)
    assert "20.0 kWh in 2 sessions" in str(lists.blocks)
    assert desk.calls("chat.postMessage") == 2


async def test_facts_that_cannot_be_read_cost_no_mark_of_the_digest(desk: Bench) -> None:
    item = desk.item()
    with desk.database.write() as connection:
        facts = {name: told for name, told in item.facts.items() if name != "top"}
        connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == item.id).values(facts=facts))
    await desk.settle(steps=3)
    assert len(desk.messages(DAILY)) == desk.calls("chat.postMessage") == 1
    assert desk.item().shown_version == 1


async def test_killed_around_them_there_is_one_message_of_each(desk: Bench) -> None:
    for point in ("after_mark", "after_call"):
        assert await run(serve_once, told(desk, crash_at=point)) == KILLED
        desk.after(120)
    for _ in range(2):
        assert await run(serve_once, told(desk)) == 0
        desk.after(120)
    assert len(desk.messages(DAILY)) == 2
    assert [item.kind for item in desk.items()].count(DIGEST_TABLES) == 1
