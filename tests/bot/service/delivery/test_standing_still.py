"""A process that was stopped between its mark and its call makes no call when it wakes up; a lost one's is unknown."""

from datetime import timedelta

import pytest

from bot.service import commanding
from bot.service.commanding import ABANDONED_AFTER
from bot.service.delivering import posting
from commands.outcomes.sending import claim_next_command
from tests.bot.service.delivery.bench import Bench
from tests.bot.service.delivery.site import Site


async def test_a_command_whose_process_stood_still_is_not_sent_by_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.ask("start_session", connector_id=site.free())
    with monkeypatch.context() as stopped:
        stopped.setattr(commanding, "CALL_WITHIN", -1.0)
        await site.run()
    assert site.posts == []
    assert site.command().state == "requested", "it provably did not run, so it may be sent in its time"
    await site.until("verified")
    assert site.posts == ["/v1/sessions/start"]


async def test_what_a_dead_process_was_sending_is_unknown_after_a_while_and_never_sent_again(site: Site) -> None:
    site.ask("start_session", connector_id=site.free())
    with site.jobs.database.write() as connection:
        assert claim_next_command(connection, site.clock.now) is not None
    site.clock.after(seconds=(ABANDONED_AFTER - timedelta(seconds=1)).total_seconds())
    await site.run()
    assert site.command().state == "sending"
    site.clock.after(seconds=2)
    await site.run()
    assert site.command().state == "unknown"
    assert site.posts == []


async def test_a_message_whose_process_stood_still_is_not_posted_by_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.say()
    with monkeypatch.context() as stopped:
        stopped.setattr(posting, "STANDS_STILL", -1.0)
        await bench.deliver()
    assert bench.calls("chat.postMessage") == 0
    bench.after(120)
    await bench.deliver()
    assert bench.calls("chat.postMessage") == 1
