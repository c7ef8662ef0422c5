"""Intents that wait together share a transaction and nothing else: neither a fault, nor a lateness."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from bot.slack.crowd import together as together_module
from bot.slack.crowd.intents import Intents, TooLateError
from storage.engine import Database
from storage.heard import claim_request
from storage.schema import HEARD

NOW = datetime(2026, 3, 4, 8, 15, tzinfo=UTC)
WITHIN = 20

Write = Callable[[sa.Connection], Any]


def claiming(name: str) -> Write:
    return lambda connection: claim_request(connection, name, NOW)


def heard(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(sa.select(HEARD.c.name)).scalars())


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing begins beside what is at work, however slow the machine is."""
    monkeypatch.setattr(together_module, "LONG_SECONDS", WITHIN)


class Commits:
    """Counts the commits of a database."""

    def __init__(self, database: Database) -> None:
        self.number = 0
        sa.event.listen(database.engine, "commit", self._note)

    def _note(self, _: sa.Connection) -> None:
        self.number += 1


async def together(intents: Intents, writes: list[Write]) -> list[Any]:
    """Have them wait for one that is at work, so that one transaction takes them all; what came of each."""
    begun, go_on = threading.Event(), threading.Event()

    def first(_: sa.Connection) -> None:
        begun.set()
        go_on.wait(WITHIN)

    asked: list[Coroutine[Any, Any, Any]] = [intents.write(first)]
    at_work = [asyncio.ensure_future(asked[0])]
    await asyncio.to_thread(begun.wait, WITHIN)
    at_work += [asyncio.ensure_future(intents.write(write)) for write in writes]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    go_on.set()
    return (await asyncio.gather(*at_work, return_exceptions=True))[1:]


def patient(database: Database) -> Intents:
    return Intents(database, lambda: None, write_seconds=WITHIN, commit_seconds=WITHIN)


async def test_those_who_wait_share_one_commit(database: Database) -> None:
    commits = Commits(database)
    assert await together(patient(database), [claiming(f"r{n}") for n in range(12)]) == [True] * 12
    assert heard(database) == {f"r{n}" for n in range(12)}
    assert commits.number == 2


async def test_one_that_fails_writes_nothing_and_keeps_no_other_from_it(database: Database) -> None:
    def fails(connection: sa.Connection) -> None:
        claim_request(connection, "of the one that fails", NOW)
        raise LookupError("no such charger")

    def wrong(connection: sa.Connection) -> None:
        connection.execute(sa.text("INSERT INTO nowhere VALUES (1)"))

    told = await together(patient(database), [claiming("before"), fails, wrong, claiming("after")])
    assert [told[0], type(told[1]).__name__, isinstance(told[2], sa.exc.DBAPIError), told[3]] == [
        True,
        "LookupError",
        True,
        True,
    ]
    assert heard(database) == {"before", "after"}


async def test_one_that_breaks_the_transaction_of_all_takes_no_other_with_it(sqlite: Database) -> None:
    def breaks(connection: sa.Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")  # as SQLite does by itself where a disk is full
        raise OSError("the disk")

    told = await together(patient(sqlite), [claiming("before"), breaks, claiming("after")])
    assert [told[0], type(told[1]).__name__, told[2]] == [True, "OSError", True]
    assert heard(sqlite) == {"before", "after"}


async def test_what_was_given_up_is_not_written_and_the_others_are(database: Database) -> None:
    intents = patient(database)
    given_up = threading.Event()

    def waits(connection: sa.Connection) -> None:
        claim_request(connection, "given up", NOW)
        given_up.wait(WITHIN)

    async def impatient() -> None:
        intents.write_seconds = 0.3
        writing = asyncio.ensure_future(intents.write(waits))
        await asyncio.sleep(0)
        intents.write_seconds = WITHIN
        with pytest.raises(TooLateError):
            await writing
        given_up.set()

    begun, go_on = threading.Event(), threading.Event()

    def first(_: sa.Connection) -> None:
        begun.set()
        go_on.wait(WITHIN)

    at_work = asyncio.ensure_future(intents.write(first))
    await asyncio.to_thread(begun.wait, WITHIN)
    before = asyncio.ensure_future(intents.write(claiming("before")))
    await asyncio.sleep(0)
    late = asyncio.ensure_future(impatient())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    after = asyncio.ensure_future(intents.write(claiming("after")))
    await asyncio.sleep(0)
    go_on.set()
    assert list(await asyncio.gather(at_work, before, late, after)) == [None, True, None, True]
    assert heard(database) == {"before", "after"}
