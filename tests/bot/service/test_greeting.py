"""A new installation greets the first admin whom the settings name, once; one that has spoken before greets nobody."""

import pytest
import sqlalchemy as sa

from bot.service.greeting import greet
from notify.outbox import HELLO, NOTICE, enqueue_message
from notify.render import render_message
from sandbox.slack import Message
from storage.engine import Database
from storage.migrate import upgrade
from storage.schema import OUTBOX
from storage.upkeep.lives import Lengths
from storage.upkeep.prune import prune
from tests.bot.house import FAULTED, House
from tests.notify.records import HOSTILE, T0, without_nul
from tests.storage.test_released import load

pytestmark = pytest.mark.on_either_database

ADMINS = ("@oncall", "U0OLE00002", "U0ADA00001")


def hellos(house: House) -> dict[str, list[Message]]:
    own = house.workspace
    told = {name: own.direct_channel(own.user(name).id).messages for name in ("@ada", "@ole", "@vera")}
    return {name: [one for one in messages if "I am at work" in one.plain()] for name, messages in told.items()}


async def test_hello_is_said_once_with_three_next_steps_that_can_be_pressed(closed_house: House) -> None:
    house = closed_house
    house.changes["chargehand_admins"] = ()
    await house.start(FAULTED)
    await house.stop()  # nobody is named as yet
    house.changes["chargehand_admins"] = ADMINS
    await house.start(FAULTED)
    (hello,) = await house.wait_for(lambda: hellos(house)["@ole"])
    said = hello.plain()
    for step in ("*1. Look at the fleet.*", "*2. Say who may act.*", "1 rule is in force", "`#ev-alerts`"):
        assert step in said
    for number, told in enumerate(("connectors", "You are *operator*", "connector-faulted", "What you can say"), 1):
        before = len(house.workspace.ephemerals("ole"))
        await house.click("ole", hello, f"run_words_{number}")
        answer = (await house.next_whisper("ole", before)).plain()
        assert told in answer or number in {2, 4}, answer
    for _ in range(2):
        await house.stop()
        with Database(house.database_url).write() as connection:
            connection.execute(sa.delete(OUTBOX))
        await house.start(FAULTED)
    await house.ask("status", "ole")
    assert {name: len(found) for name, found in hellos(house).items()} == {"@ada": 0, "@ole": 1, "@vera": 0}


def test_of_two_that_start_one_greets_and_nothing_that_is_pruned_makes_it_greet_again(database: Database) -> None:
    assert [greet(database, ADMINS, None, 0, T0) for _ in range(3)] == [True, False, False]
    with database.write() as connection:
        (row,) = connection.execute(sa.select(OUTBOX)).all()
        assert (row.kind, row.channel) == (HELLO, "U0OLE00002")
        message = render_message(connection, row, T0)
        connection.execute(sa.update(OUTBOX).values(shown_version=1, sent_at=T0, shown_at=T0))
    assert "`/charge rules library`" in str(message.blocks)
    assert "CHARGEHAND_ALERT_CHANNEL" in str(message.blocks)
    assert prune(database, T0.replace(year=T0.year + 3), Lengths())["outbox"] == 1
    assert not greet(database, ADMINS, None, 0, T0)


def test_one_that_has_spoken_is_never_greeted_and_neither_are_groups(database: Database) -> None:
    assert not greet(database, ("@oncall", "S0ONCALL01"), "#ev", 3, T0)
    with database.write() as connection:
        facts = {"title": "t", "text": "t"}
        enqueue_message(connection, natural_key="n", kind=NOTICE, channel="C1", facts=facts, now=T0)
    assert not greet(database, ADMINS, "#ev", 3, T0)
    with database.write() as connection:
        connection.execute(sa.delete(OUTBOX))
    assert not greet(database, ADMINS, "#ev", 3, T0)


@pytest.mark.parametrize("revision", ["0001", "0007"])
def test_an_installation_from_before_is_not_greeted_after_its_upgrade(database_url: str, revision: str) -> None:
    load(database_url, revision)
    database = Database(database_url, durable=False)
    upgrade(database)
    with database.write() as connection:
        connection.execute(sa.update(OUTBOX).values(rolled_into=None))
        connection.execute(sa.delete(OUTBOX))
    assert not greet(database, ADMINS, "#ev", 3, T0)
    database.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_the_hello_takes_any_channel_s_name(database: Database, name: str) -> None:
    assert greet(database, ADMINS, without_nul(name, database), 3, T0)
    with database.read() as connection:
        message = render_message(connection, connection.execute(sa.select(OUTBOX)).one(), T0)
    assert "<!channel>" not in str(message.blocks)
