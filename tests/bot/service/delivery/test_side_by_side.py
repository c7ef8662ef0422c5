"""Commands to several chargers at once: one that hangs holds up its own charger alone, and stops go first."""

import asyncio
from typing import Any

import sqlalchemy as sa

from bot.service import commanding
from bot.service.commanding import Commanding
from commands.outcomes import sending
from storage.schema import COMMAND
from tests.bot.service.delivery.site import Site


def connectors(site: Site, number: int) -> list[str]:
    """Free connectors of as many chargers."""
    found: dict[str, str] = {}
    for charger in site.api.source.world.chargers:
        free = [one["id"] for one in charger.fields["connectors"] if one["status"] == "Available"]
        if charger.fields["online"] and free:
            found[charger.id] = free[0]
    assert len(found) >= number
    return list(found.values())[:number]


def states(site: Site) -> dict[str, str]:
    with site.jobs.database.read() as connection:
        return {row.nonce: row.state for row in connection.execute(sa.select(COMMAND.c.nonce, COMMAND.c.state))}


async def test_one_charger_that_does_not_answer_holds_up_no_other(site: Site) -> None:
    first, second, third = connectors(site, 3)
    work = Commanding(site.jobs)
    async with site.link.held() as way:
        site.ask("start_session", "hangs", connector_id=first)
        assert await work.run(site.clock.now) == 1
        await way.reached(1)
        site.clock.after(seconds=5)
        site.ask("start_session", "second", connector_id=second)
        site.ask("reset_soft", "third", charger_id=third.rpartition(".")[0])
        assert await work.run(site.clock.now) == 2
        await way.reached(2)
        assert states(site) == {"hangs": "sending", "second": "sending", "third": "sending"}
        way.let_go.set()
        await work.finish(site.clock.now)
    assert states(site) == {"hangs": "succeeded", "second": "succeeded", "third": "succeeded"}
    assert len(site.posts) == 3


async def test_outcomes_are_judged_while_a_call_hangs(site: Site) -> None:
    first, second = connectors(site, 2)
    work = Commanding(site.jobs)
    site.ask("start_session", "seen", connector_id=second)
    await site.run()
    async with site.link.held() as way:
        site.ask("start_session", "hangs", connector_id=first)
        await work.run(site.clock.now)
        await way.reached(1)
        for _ in range(4):
            site.clock.after(seconds=20)
            await site.poll()
            await work.run(site.clock.now)
        assert states(site) == {"seen": "verified", "hangs": "sending"}
        way.let_go.set()
        await work.finish(site.clock.now)


async def test_stops_go_first(site: Site, monkeypatch: Any) -> None:
    monkeypatch.setattr(commanding, "AT_ONCE", 1)
    first, second, third = connectors(site, 3)
    site.ask("start_session", "began", connector_id=third)
    began = await site.until("verified", nonce="began")
    site.api.commands.clear()
    site.ask("start_session", "first", connector_id=first)
    site.clock.after(seconds=1)
    site.ask("reset_soft", "second", charger_id=second.rpartition(".")[0])
    site.clock.after(seconds=1)
    site.ask("stop_session", "stop", session_id=began.session_id)
    await site.run()
    assert site.posts[0] == "/v1/sessions/stop"
    assert len(site.posts) == 3


async def test_one_charger_is_told_one_thing_at_a_time(site: Site) -> None:
    first, second = connectors(site, 2)
    site.ask("start_session", "one", connector_id=first)
    site.ask("start_session", "other", connector_id=second)
    with site.jobs.database.write() as connection:
        charger = first.rpartition(".")[0]
        connection.execute(sa.update(COMMAND).values(charger_id=charger))  # as if both were for one
    work = Commanding(site.jobs)
    async with site.link.held() as way:
        assert await work.run(site.clock.now) == 1
        await way.reached(1)
        assert await Commanding(site.jobs).run(site.clock.now) == 0  # nor by another process
        way.let_go.set()
        assert await work.finish(site.clock.now) == 1
    assert len(site.posts) == 2


async def test_a_command_that_is_cut_off_is_unknown_and_never_sent_again(site: Site) -> None:
    work = Commanding(site.jobs)
    async with site.link.held() as way:
        site.ask("start_session", connector_id=site.free())
        await work.run(site.clock.now)
        await way.reached(1)
        await work.stop(seconds=0)
        assert site.command().state == "sending"
    with site.jobs.database.write() as connection:
        assert sending.recover_commands(connection, site.clock.now) == 1
    await site.until("not_verified")
    assert site.posts == []


async def test_a_call_whose_answer_cannot_be_written_fails_no_other(site: Site) -> None:
    first, second = connectors(site, 2)

    def burn(point: str) -> None:
        if point == "before_mark" and not burnt:
            burnt.append(point)
            raise RuntimeError("disk on fire")

    burnt: list[str] = []
    site.ask("start_session", "burns", connector_id=first)
    site.ask("start_session", "well", connector_id=second)
    work = Commanding(site.jobs, burn)
    await work.run(site.clock.now)
    told = await asyncio.gather(work.finish(site.clock.now), return_exceptions=True)
    await work.finish(site.clock.now)
    assert isinstance(told[0], RuntimeError)
    assert sorted(states(site).values()) == ["sending", "succeeded"]
    await site.until("verified", nonce=next(nonce for nonce, state in states(site).items() if state == "sending"))
    assert len(site.posts) == 2
