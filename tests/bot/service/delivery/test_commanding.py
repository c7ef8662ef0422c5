"""Commands against the stand-in EOSVOLT API: accepted at most once whatever becomes of answers, then seen to work."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.service.commanding import run_commands
from bot.service.delivering.workers import deliver
from commands.outcomes.sending import claim_next_command
from storage.engine import Database
from storage.schema import COMMAND
from tests.bot.service.delivery.bench import OPS, Bench, words_of
from tests.bot.service.delivery.site import Site, site_on
from tests.eosvolt.accounts import ACCOUNTS


@pytest.fixture(params=ACCOUNTS)
async def site(request: pytest.FixtureRequest, sqlite: Database) -> AsyncIterator[Site]:
    """A site in each of the accounts that examples/contracts is written for."""
    async with site_on(sqlite, request.param) as running:
        yield running


async def test_a_session_is_started_seen_charging_stopped_and_seen_to_end(site: Site) -> None:
    connector_id = site.free()
    site.ask("start_session", connector_id=connector_id)
    assert await site.run() == 1
    assert (site.command().state, site.waits()) == ("succeeded", True)
    started = await site.until("verified")
    assert (started.connector_id, site.waits()) == (connector_id, False)
    site.ask("stop_session", "stop", session_id=started.session_id)
    await site.until("verified", nonce="stop")
    assert site.posts == ["/v1/sessions/start", "/v1/sessions/stop"]


async def test_a_start_whose_answer_is_lost_is_accepted_once_and_seen(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    site.link.lose_answers = 1
    await site.run()
    assert site.command().state == "unknown"
    command = await site.until("verified")
    assert site.posts == ["/v1/sessions/start"]
    assert command.session_id in site.api.source.world.sessions.rows


async def test_a_stop_whose_answer_is_lost_is_accepted_once_and_seen(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    started = await site.until("verified")
    site.ask("stop_session", "stop", connector_id=started.connector_id)
    site.link.lose_answers = 1
    await site.until("verified", nonce="stop")
    assert site.posts == ["/v1/sessions/start", "/v1/sessions/stop"]


async def test_after_the_platforms_own_time_out_nothing_is_repeated(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    site.api.faults.commands_unknown = 1
    await site.run()
    assert site.command().state == "unknown"
    await site.until("verified")
    assert site.posts == ["/v1/sessions/start"]


async def test_a_request_lost_before_the_api_ends_as_not_verified_and_is_not_sent_again(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    site.api.faults.answers_503 = 1
    await site.run()
    assert site.command().state == "unknown"
    command = await site.until("not_verified")
    assert "the connector is Available; it was not sent again" in command.outcome
    assert site.posts == []


async def test_a_409_is_explained_in_words(site: Site) -> None:
    connector_id = site.free()
    charger_id = connector_id.rpartition(".")[0]
    site.ask("start_session", connector_id=connector_id)
    site.api.source.force_online(charger_id, False, site.clock.now)  # since the last poll, so only EOSVOLT knows
    await site.run()
    command = site.command()
    assert (command.state, command.error_code) == ("failed", "charger_offline")
    assert command.outcome.startswith("the charger is offline: ask again when it is back")
    assert site.posts == []


async def test_without_a_connection_a_command_is_tried_again_and_accepted_once(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    site.link.refuse_posts = 3
    await site.run()
    assert site.command().state == "requested"
    await site.until("verified")
    assert site.posts == ["/v1/sessions/start"]


async def test_without_a_connection_for_long_a_command_expires_and_is_never_sent(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    site.link.refuse_posts = 1000
    await site.until("expired")
    site.link.refuse_posts = 0
    for _ in range(3):
        await site.tick(60)
    assert site.posts == []


async def test_a_refused_token_sends_nothing_until_it_is_mended(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    site.api.token = "another"
    await site.run()
    assert (site.command().state, site.command().error_code is None) == ("requested", False)
    site.api.token = "sandbox-token"
    await site.until("verified")
    assert site.posts == ["/v1/sessions/start"]


async def test_two_tickers_at_once_send_a_command_once(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    assert sum(await asyncio.gather(site.run(), site.run(), site.run())) == 1
    assert site.posts == ["/v1/sessions/start"]


async def test_a_stuck_command_of_a_dead_process_becomes_unknown_by_itself(site: Site) -> None:
    class VanishError(BaseException):
        pass

    def vanish(point: str) -> None:
        if point == "after_call":
            raise VanishError

    site.ask("start_session", connector_id=site.free())
    with pytest.raises(VanishError):
        await run_commands(site.jobs, site.clock.now, crash_at=vanish)
    assert site.command().state == "sending"
    await site.until("verified")
    assert site.posts == ["/v1/sessions/start"]


async def test_an_answer_counts_from_when_it_came(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    real = loop.time

    def slow(point: str) -> None:
        if point == "after_call":  # the call took eight seconds, as the platform's time-out does
            monkeypatch.setattr(loop, "time", lambda: real() + 8)

    site.ask("start_session", connector_id=site.free())
    await run_commands(site.jobs, site.clock.now, crash_at=slow)
    monkeypatch.undo()
    assert site.command().answered_at - site.clock.now >= timedelta(seconds=8)


async def test_one_card_follows_a_start_until_charging(site: Site, bench: Bench) -> None:
    async def shown() -> str:
        await deliver(bench.delivery(), site.clock.now)
        (card,) = bench.messages(OPS)
        return words_of(card)

    site.ask("start_session", connector_id=site.free(), channel=OPS)
    assert "Waiting to be sent to EOSVOLT" in await shown()
    await site.run()
    site.clock.after(seconds=1)
    assert "EOSVOLT accepted the start; waiting for Charging" in await shown()
    await site.until("verified")
    assert "Charging since <!date" in await shown()
    assert bench.calls("chat.postMessage") == 1


async def test_a_hard_reset_is_seen_to_take_the_charger_away_and_back(site: Site) -> None:
    charger_id = site.free().rpartition(".")[0]
    site.ask("reset_hard", charger_id=charger_id)
    await site.run()
    assert (site.command().state, site.command().details) == ("succeeded", {"answer": "Accepted"})
    command = await site.until("verified")
    assert command.outcome.startswith("it was away and is back")
    assert site.posts == [f"/v1/chargers/{charger_id}/reset"]


async def test_a_charger_is_taken_out_of_service_and_put_back(site: Site) -> None:
    connector_id = site.free()
    site.ask("disable", connector_id=connector_id)
    await site.until("verified")
    assert site.api.source.world.connectors[connector_id][1]["status"] == "Unavailable"
    site.ask("enable", "back", connector_id=connector_id)
    assert (await site.until("verified", nonce="back")).outcome == f"connector {connector_id} is Available"


async def test_an_unlock_whose_answer_is_lost_is_seen_by_the_end_of_its_session(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    started = await site.until("verified")
    site.ask("unlock", "unlock", connector_id=started.connector_id, ends=[started.session_id])
    site.link.lose_answers = 1
    await site.until("verified", nonce="unlock")
    assert len(site.posts) == 2


async def test_the_platforms_own_time_out_leaves_a_reset_unknown_until_it_is_seen(site: Site) -> None:
    site.ask("reset_hard", charger_id=site.free().rpartition(".")[0])
    site.api.faults.commands_unknown = 1
    await site.run()
    assert site.command().state == "unknown"
    await site.until("verified")
    assert len(site.posts) == 1


async def test_a_command_asked_for_by_a_clock_that_was_ahead_is_sent_at_once_and_for_as_long_as_any(site: Site) -> None:
    now = site.clock.now
    site.clock.now = now + timedelta(days=1)
    site.ask("start_session", connector_id=site.free())
    site.clock.now = now
    site.link.refuse_posts = 1
    await site.run()
    command = site.command()
    assert (command.state, command.requested_at) == ("requested", now)
    assert command.expires_at - now < timedelta(hours=1)
    await site.until("verified")
    assert site.posts == ["/v1/sessions/start"]


async def test_a_command_that_was_being_sent_by_a_clock_that_was_ahead_is_unknown_and_never_sent_again(
    site: Site,
) -> None:
    site.ask("start_session", connector_id=site.free())
    with site.jobs.database.write() as connection:
        assert claim_next_command(connection, site.clock.now + timedelta(days=1)) is None  # it has expired by then
        assert claim_next_command(connection, site.clock.now) is not None
        connection.execute(sa.update(COMMAND).values(sending_at=site.clock.now + timedelta(days=1)))
    await site.run()
    assert site.command().state == "unknown"
    for _ in range(40):
        await site.tick()
    assert site.command().state == "not_verified"
    assert site.posts == []
