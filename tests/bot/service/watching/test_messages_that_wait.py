"""What cannot be said is a trouble of its own: told where it can be, with what to do, and over once it is mended."""

from typing import Any, cast

import sqlalchemy as sa
from structlog.testing import capture_logs

from bot.service.jobs import Jobs, use_rules
from bot.service.polling.poll_plan import PollPlan
from bot.service.speaking import speak
from bot.service.watching.watchdog import Watchdog
from eosvolt.client import EosvoltClient
from notify.alert_cards.card import enqueue_alert_messages
from notify.channel_refusals import postpone_probe
from notify.claims import UNWRITTEN
from notify.outbox import NOTICE, TROUBLE, new_item
from notify.render import render_message
from rules.documents.document import rule_from_document
from storage.engine import Database
from storage.schema import OUTBOX
from tests.notify.records import fired, insert_alert, insert_connector, insert_incident, insert_location
from tests.readings import MINUTE, T0, charger, poll
from tests.rules.engine import FAULTED

RULE = {name: value for name, value in FAULTED.items() if name != "notify"}


def watchdog(database: Database, alert_channel: str | None = "#alerts") -> Watchdog:
    work = Jobs(database, cast("EosvoltClient", None), PollPlan(), alert_channel=alert_channel)

    async def alive() -> bool:
        return True

    return Watchdog(work, T0 - MINUTE, dict, alive, ["U1ADMIN"])


def told(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(sa.select(OUTBOX).where(OUTBOX.c.kind == TROUBLE)).all())


def words(database: Database) -> str:
    with database.read() as connection:
        said = [render_message(connection, row, T0) for row in told(database)]
    return " ".join(f"{message.text} {message.all_blocks}" for message in said)


def waits(database: Database, key: str, channel: str, error: str) -> None:
    with database.write() as connection:
        item = new_item(key, NOTICE, channel, due_at=T0, now=T0, error=error)
        connection.execute(sa.insert(OUTBOX).values(**item))


async def test_what_cannot_be_said_is_told_with_what_to_do(database: Database) -> None:
    dog = watchdog(database)
    poll(database, T0, charger())
    waits(database, "a", "#gone", "is_archived")
    waits(database, "b", "#other", UNWRITTEN)
    with database.write() as connection:
        postpone_probe(connection, "#gone", "is_archived", T0)
    with capture_logs():
        assert sorted((await dog.watch(T0 + MINUTE)).raised) == ["refused:#gone", "unwritten"]
    assert "`#gone` takes no messages, and is tried again at least every 5 minutes. 1 wait for it" in words(database)
    assert "Take it out of the archive" in words(database)
    assert "restore the database from a backup" in words(database)
    assert {row.channel for row in told(database)} == {"#alerts"}


async def test_where_the_alert_channel_refuses_another_trouble_is_told_to_the_admins(database: Database) -> None:
    dog = watchdog(database)
    poll(database, T0, charger())
    waits(database, "b", "#x", UNWRITTEN)
    with database.write() as connection:
        postpone_probe(connection, "#alerts", "not_in_channel", T0)
    with capture_logs():
        await dog.watch(T0 + MINUTE)
    assert {row.channel for row in told(database)} == {"U1ADMIN"}


async def test_rules_without_any_channel_are_told_and_so_is_how_much_fires_unheard(database: Database) -> None:
    dog = watchdog(database, alert_channel=None)
    poll(database, T0, charger())
    with capture_logs():
        use_rules(dog.jobs, [rule_from_document(RULE, "test")], T0)
        assert (await dog.watch(T0 + MINUTE)).raised == ("mute",)
    assert "`faulted` name no channel" in words(database)
    with database.write() as connection:
        insert_location(connection)
        for number in range(1, 4):
            insert_incident(connection, number)
            insert_connector(connection, f"c{number}")
            insert_alert(connection, number, incident_id=number, fired_at=T0)
        news = [fired(number, T0, number) for number in range(1, 4)]
        enqueue_alert_messages(connection, news, dog.jobs.routing(T0))
    with capture_logs():
        await dog.watch(T0 + 2 * MINUTE)
    assert "3 alerts fire that nobody was told of" in words(database)
    dog.jobs.alert_channel = "#alerts"
    with capture_logs():
        assert (await dog.watch(T0 + 3 * MINUTE)).ended == ()
        speak(dog.jobs, T0 + 3 * MINUTE)
        assert (await dog.watch(T0 + 4 * MINUTE)).ended == ("mute",)
