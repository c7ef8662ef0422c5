"""What is told over many sessions: digests of a day, a week and a month, and words of /charge that list them.

A hundred days of sessions are written by one statement of SQLite's, each figure in it known beforehand.
"""

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bench.house import House, WrongWorldError
from bench.measuring import Stopwatch
from bench.sandboxes import TOKEN, Addresses, sandboxes
from bench.sizes import Size
from bench.world import T0, Fleet, chargers
from bot.slack.charge import registry
from bot.slack.charge.answer import Answer, Asked, Errand, Office
from bot.slack.charge.spoken import split
from bot.slack.permissions import Role, Standing
from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.tokens import TokenSource
from notify.digests.digest import facts_now
from rules.documents.document import Rule, rule_from_document

CONNECTORS, DAYS = 2_000, 100
FLEET = 400
"""Of the stand-in, which a report asks."""
WINDOWS = {"day": "yesterday", "week": "last week", "month": "last month"}
WORDS = ("status", "sessions", "sessions 2026-02-01..2026-02-28", "report month")
MOST_MINUTES = 40
"""A session lasts so long at most: so few of a day end on the next one."""

_AT = "strftime('%Y-%m-%d %H:%M:%S', {}, 'unixepoch') || '.000000'"
_WRITE = f"""
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :count),
drawn AS (SELECT n, n * 7919 % :connectors AS plug, :first + n * :days * 86400 / :count AS began FROM numbers)
INSERT INTO charging_session (
  id, connector_id, charger_id, location_id, status, status_changed_at, type, started_at, ended_at, energy_kwh,
  energy_changed_at, cost, currency, extra, first_seen_at, changed_at, changed_seq
)
SELECT 's' || n, (plug / 4) || '.' || (plug % 4), plug / 4, 'l' || (plug / 40),
  CASE n % 50 WHEN 0 THEN 'Failed' ELSE 'Completed' END, {_AT.format("began")}, 'OnDemand', {_AT.format("began")},
  {_AT.format("began + 60 * (1 + n % :minutes)")}, 1 + n % 40, {_AT.format("began")}, (1 + n % 40) * 3.5, 'DKK', '{{}}',
  {_AT.format("began")}, {_AT.format("began")}, 1
FROM drawn
"""


def measure(watch: Stopwatch, folder: Path, size: Size) -> None:
    """Write the sessions, then tell of them."""
    house = filled(f"sqlite:///{folder}/sessions.db", size.sessions)
    try:
        with sandboxes(FLEET, T0) as world:
            for _ in range(size.laps):
                for name in WINDOWS:
                    facts = watch.time(f"digest {name}", partial(_digest, house, digest_rule(name)))
                    _check(name, facts, size.sessions)
                for words in WORDS:
                    _answer(watch, house, words, world.addresses)
                if not watch.has_time(0.8):
                    break
    finally:
        house.close()


def filled(url: str, sessions: int) -> House:
    """A house with a fleet at rest and so many sessions in the hundred days before T0."""
    house = House(url, 0)
    house.move_in(CONNECTORS)
    house.record(chargers(Fleet(CONNECTORS)), T0)
    house.record([], T0, "sessions")
    first = int((T0 - timedelta(days=DAYS)).timestamp())
    told = {"count": sessions, "connectors": CONNECTORS, "first": first, "days": DAYS, "minutes": MOST_MINUTES}
    with house.database.write() as connection:
        connection.exec_driver_sql(_WRITE, told)
    return house


def digest_rule(name: str) -> Rule:
    """A rule that tells of the last day, week or month."""
    told = {
        "name": name,
        "schedule": "0 8 * * *",
        "digest": "sessions",
        "window": WINDOWS[name],
        "notify": ["#ev-daily"],
    }
    return rule_from_document(told, "bench")


def _digest(house: House, rule: Rule) -> dict[str, Any]:
    with house.database.read() as connection:
        return facts_now(connection, rule, "UTC", T0, default_zone="UTC")


def _check(name: str, facts: dict[str, Any], sessions: int) -> None:
    """That the digest tells of the sessions that there are; at their days' ends some are of the next one."""
    days = {"day": 1, "week": 7, "month": 28}[name]
    expected = sessions / DAYS * days * 49 / 50
    if abs(facts["sessions"] - expected) > max(3, expected / 20):
        raise WrongWorldError(
            f"a digest of a {name} tells of {facts['sessions']} sessions, not of about {expected:.0f}"
        )


def _answer(watch: Stopwatch, house: House, words: str, stand_in: Addresses) -> None:
    """Time one word's answer: of one that asks EOSVOLT, with what it asks of the stand-in."""
    asked = Asked((), "U0ADA00001", Role.ADMIN, T0, timedelta(minutes=1))

    def answer() -> Answer | Errand:
        with house.database.read() as connection:
            return registry.answer(connection, split(words), asked, Standing(Role.ADMIN))

    def whole() -> None:
        told = answer()
        if isinstance(told, Errand):
            asyncio.run(_run(told, house, stand_in))

    answer()
    watch.time(f"/charge {words}", whole)


async def _run(errand: Errand, house: House, stand_in: Addresses) -> None:
    async def link() -> str:
        return ""

    async with EosvoltClient(stand_in.eosvolt, TokenSource.from_text(TOKEN), load_contract()) as client:
        await errand.run(Office(house.database, client, AsyncWebClient(), link))
