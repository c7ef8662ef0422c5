"""`/charge do NAME CHARGER`: what the contract names is previewed, done once, journalled and followed on its card."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.schema import AUDIT, COMMAND
from tests.bot.house import House, open_house, polled_anew
from tests.bot.slack.charge.acting.test_session_commands import card_in, posts

OWN = """
[commands.rest]
call = "POST /v1/chargers/{id}/availability"
does = "take the whole box out of service for the night"
fixed = { operative = false }
verified_by = { status = ["Unavailable"] }
[commands.kick]
call = "POST /v1/chargers/{id}/reset"
does = "restart its modem"
who = "admin"
fixed = { type = "Soft" }
ends_sessions = true
verified_by = { restart = true }
[commands.free]
of = "connector"
call = "POST /v1/chargers/{id}/unlock"
does = "open the lid over the plug"
body = { connector_id = "connectorId" }
[commands.gone]
call = "POST /v1/chargers/{id}/nothing"
does = "what this account has not"
"""


@pytest.fixture
async def closed_house(tmp_path: Path) -> AsyncIterator[House]:
    """EOSVOLT's API as it is: the file above is written for it."""
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}") as house:
        yield house


@pytest.fixture
async def own(closed_house: House, tmp_path: Path) -> House:
    """The service at work under a contract file with commands of the account's own."""
    contract = tmp_path / "site.toml"
    contract.write_text(OWN)
    closed_house.changes = {"chargehand_contract": contract}
    await closed_house.start()
    return closed_house


async def test_it_is_previewed_done_once_followed_and_journalled(own: House) -> None:
    charger = own.free().rpartition(".")[0]
    preview = await own.ask(f"do rest {charger}", "ole")
    assert f"*Do rest* charger {charger}" in preview.plain().replace("`", "")
    assert "It is to take the whole box out of service for the night." in preview.plain()
    assert posts(own) == []
    await own.click("ole", preview, "confirm_command")
    card = await card_in(own)
    await own.wait_for(lambda: posts(own))
    await own.wait_for(lambda: "EOSVOLT accepted the rest" in card.plain() or "Done" in card.plain())
    await polled_anew(own.running)
    await own.wait_for(lambda: "*Done" in card.plain())
    assert posts(own) == [f"/v1/chargers/{charger}/availability"]
    assert own.api.commands[0].body == {"operative": False}
    with own.running.database.read() as connection:
        assert connection.execute(sa.select(COMMAND.c.kind, COMMAND.c.state)).all() == [("do:rest", "verified")]
        audit = connection.execute(sa.select(AUDIT.c.action, AUDIT.c.subject, AUDIT.c.outcome)).all()
    assert [one[:2] for one in audit] == [("do:rest", charger)] * len(audit)
    assert [one.outcome.partition(":")[0] for one in audit] == ["requested", "verified"]


async def test_sessions_that_it_ends_are_named_and_one_that_began_since_is_not_ended(own: House) -> None:
    connector = own.free()
    charger = connector.rpartition(".")[0]
    before = await own.ask(f"do kick {charger}")
    session = own.fleet.start_session(connector, None, own.clock())
    await polled_anew(own.running)
    await own.click("ada", before, "confirm_command")
    await own.wait_for(lambda: "things have changed" in before.plain())
    assert f"this ends session {session.id}" in (await own.ask(f"do kick {charger}")).plain()
    assert posts(own) == []


async def test_what_nothing_shows_is_said_to_be_so(own: House) -> None:
    connector = own.free()
    preview = await own.ask(f"do free {connector}", "ole")
    assert "nothing that EOSVOLT tells afterwards shows whether it worked" in preview.plain()
    await own.click("ole", preview, "confirm_command")
    card = await card_in(own)
    await own.wait_for(lambda: "it cannot be seen from here" in card.plain())
    assert own.api.commands[0].body == {"connectorId": connector}


async def test_who_may_and_what_there_is(own: House) -> None:
    charger = own.free().rpartition(".")[0]
    assert "needs the role admin; you are operator" in (await own.ask(f"do kick {charger}", "ole")).plain()
    assert "needs the role operator" in (await own.ask(f"do rest {charger}", "vera")).plain()
    wrong = (await own.ask(f"do rset {charger}", "ole")).plain()
    assert "There is no command" in wrong
    assert wrong.index("do rest") < wrong.index("do kick"), "the nearest first"
    assert "Rest: take the whole box out of service for the night (of a charger; operator)" in wrong
    alone = (await own.ask("do")).plain()
    assert all(f"/charge do {name}" in alone for name in ("rest", "kick", "free", "gone"))
    assert "needs the id of a charger" in (await own.ask("do rest", "ole")).plain()
    assert "has the id 9999" in (await own.ask("do rest 9999", "ole")).plain()


async def test_a_call_that_the_account_has_not_fails_and_one_that_the_file_lost_is_not_sent(own: House) -> None:
    charger = own.free().rpartition(".")[0]
    preview = await own.ask(f"do gone {charger}", "ole")
    await own.click("ole", preview, "confirm_command")
    card = await card_in(own)
    await own.wait_for(lambda: "EOSVOLT refused the gone" in card.plain())
    before = await own.ask(f"do rest {charger}", "ole")
    await own.stop()
    own.changes = {}
    await own.start()
    await own.click("ole", before, "confirm_command")
    await own.wait_for(lambda: "There is no command rest any more" in before.plain())
    assert "has no commands beside the usual ones" in (await own.ask("do")).plain()
    assert posts(own) == [], "nothing ran"


async def test_a_right_that_is_wanting_switches_nothing_else_off_and_is_asked_for_again(own: House) -> None:
    charger = own.free().rpartition(".")[0]
    own.api.faults.forbidden = frozenset({"reset"})
    preview = await own.ask(f"do kick {charger}")
    await own.click("ada", preview, "confirm_command")
    card = await card_in(own)
    await own.wait_for(lambda: "give its key the scope in the EOSVOLT admin portal" in card.plain())
    assert "not in the key's rights: commands.kick" in (await own.ask("health")).plain()
    assert "had no right to it" in (await own.ask(f"do kick {charger}")).plain()
    for other in (f"do rest {charger}", f"reset {charger}", f"start {own.free(3)}"):
        said = (await own.ask(other)).plain()
        assert "admin portal" not in said, f"{other}: another call, another right"
        assert "plan" not in said
    await polled_anew(own.running)
    assert charger in (await own.ask(f"charger {charger}")).plain(), "what is read goes on being read"
    own.api.faults.forbidden = frozenset()
    again = await own.ask(f"do kick {charger}")
    await own.click("ada", again, "confirm_command")
    await own.wait_for(lambda: posts(own) == [f"/v1/chargers/{charger}/reset"])
    await own.wait_for(lambda: "had no right" not in (own.workspace.channel("#ev-ops").messages[-1].plain()))
    assert "commands.kick" not in (await own.ask("health")).plain()


async def test_two_clicks_at_once_do_it_once(own: House) -> None:
    charger = own.free().rpartition(".")[0]
    preview = await own.ask(f"do rest {charger}", "ole")
    await asyncio.gather(*(own.click("ole", preview, "confirm_command") for _ in range(2)))
    await own.wait_for(lambda: posts(own))
    own.clock.ahead += timedelta(minutes=1)
    await polled_anew(own.running)
    assert len(posts(own)) == 1
