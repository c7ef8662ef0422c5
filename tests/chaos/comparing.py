"""Compares what Slack's and EOSVOLT's sides hold with what should be there, and reads who led from the database.

Each function gives what differs, in words; empty where all is right. None waits, and none repairs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.actions.command_kinds import CommandKind
from sandbox.slack import Message
from storage.schema import ALERT, COMMAND, LEASE_TERM, OUTBOX, RULE
from storage.sharing.leases import LENGTH
from tests.bot.house import House
from tests.chaos.people import People, words_of

DIGEST_WITHIN = timedelta(seconds=90)
"""A digest's job runs each minute; so long after its slot, in quiet, it stands."""

WORDS = {
    CommandKind.START_SESSION.value: "start {0.connector_id}",
    CommandKind.STOP_SESSION.value: "stop {0.connector_id}",
    CommandKind.RESET_SOFT.value: "reset {0.charger_id}",
    CommandKind.UNLOCK.value: "unlock {0.connector_id}",
    CommandKind.DISABLE.value: "disable {0.connector_id}",
    CommandKind.ENABLE.value: "enable {0.connector_id}",
}

RECORD = """
CREATE SCHEMA chaos;
CREATE TABLE chaos.writer (at timestamptz, token bigint, writer text);
CREATE FUNCTION chaos.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO chaos.writer SELECT clock_timestamp(), token, current_setting('application_name')
  FROM public.lease WHERE name = 'leader';
  RETURN NULL;
END $$;
CREATE TRIGGER chaos_note AFTER INSERT OR UPDATE ON public.poll FOR EACH STATEMENT EXECUTE FUNCTION chaos.note();
"""
"""Who wrote down a poll, which is the leader's to do, and under which token: kept by PostgreSQL itself."""


def more_than_once(values: Iterable[Any]) -> list[Any]:
    """The values that are there more than once, None aside."""
    return [value for value, times in Counter(values).items() if value is not None and times > 1]


def alerts(connection: Connection, broken: set[str], messages: Sequence[Message]) -> Iterator[str]:
    """Alerts that are lost, that are told of what is in order, or that are there twice."""
    firing = set(connection.execute(sa.select(ALERT.c.subject).where(ALERT.c.state == "firing")).scalars())
    yield from (f"{one} is out of order and not told" for one in sorted(broken - firing))
    yield from (f"{one} is in order and told as out of order" for one in sorted(firing - broken))
    is_open = ALERT.c.state.in_(["pending", "firing"])
    for one in more_than_once(connection.execute(sa.select(ALERT.c.subject).where(is_open)).scalars()):
        yield f"{one} has two open alerts"
    cards = sa.select(ALERT.c.subject, OUTBOX.c.message_ts).join(OUTBOX, OUTBOX.c.incident_id == ALERT.c.incident_id)
    alone = (ALERT.c.state == "firing", OUTBOX.c.kind == "alert_card", OUTBOX.c.rolled_into.is_(None))
    by_ts = {one.ts: one for one in messages}
    for subject, ts in connection.execute(cards.where(*alone)):
        if ts in by_ts and subject not in by_ts[ts].plain():
            yield f"{subject} is out of order and its card does not say so"


def cards(connection: Connection, channel: str, messages: Sequence[Message]) -> Iterator[str]:
    """Messages that wait, that stand nowhere, or that stand twice."""
    standing = {one.ts for one in messages}
    for item in connection.execute(sa.select(OUTBOX).where(OUTBOX.c.rolled_into.is_(None))).all():
        if item.abandoned_at is None and item.shown_version < item.version:
            yield f"{item.kind} {item.natural_key} waits: {item.error}"
        if item.message_ts is not None and item.channel == channel and item.message_ts not in standing:
            yield f"{item.natural_key} stands nowhere"
    for one in more_than_once(map(item_of, messages)):
        yield f"the message {one} stands twice"


def digests(
    connection: Connection, due: dict[str, datetime], messages: Sequence[Message], now: datetime
) -> Iterator[str]:
    """Digests whose slot has come since their rule was made, and that were not told, or more than once."""
    kept = sa.select(OUTBOX.c.id, OUTBOX.c.rule_id).where(OUTBOX.c.kind == "digest")
    rule_of = {row.id: row.rule_id for row in connection.execute(kept)}
    told = Counter(rule_of.get(item_of(one) or "") for one in messages)
    made = {row.id: row.created_at for row in connection.execute(sa.select(RULE.c.id, RULE.c.created_at))}
    for name, at in due.items():
        if told[name] > 1:
            yield f"the digest {name} was told {told[name]} times"
        if told[name] == 0 and name in made and made[name] < at < now - DIGEST_WITHIN:
            yield f"the digest {name} was never told"


def commands(connection: Connection, house: House, people: People, accepted: set[str]) -> Iterator[str]:
    """Commands that EOSVOLT received more often than somebody confirmed them, or that came to no end.

    `accepted` are the ids of those of which a service logged that EOSVOLT took them.
    """
    received = Counter(words_of(house, one) for one in house.api.received)
    for words, times in received.items():
        if times > people.confirmed[words]:
            yield f"'{words}' was confirmed {people.confirmed[words]} times and sent {times} times"
    rows = connection.execute(sa.select(COMMAND)).all()
    asked = Counter(WORDS.get(row.kind, row.kind).format(row) for row in rows)
    for words, times in asked.items():
        if times > people.confirmed[words]:
            yield f"'{words}' was confirmed {people.confirmed[words]} times and taken up {times} times"
    # what was verified alone may have come true by itself: a charge that ended, a connector that others put right
    ran = Counter(WORDS.get(row.kind, row.kind).format(row) for row in rows if row.id in accepted)
    for words, times in ran.items():
        if times > received[words]:
            yield f"'{words}' is called done {times} times and was sent {received[words]} times"
    yield from (f"the command {row.id} waits to be sent" for row in rows if row.state in {"requested", "sending"})


def item_of(message: Message) -> str | None:
    """The id that a message carries for the service itself."""
    payload = (message.metadata or {}).get("event_payload", {})
    return str(payload["item"]) if payload else None


def gaps(connection: Connection, away: Sequence[tuple[datetime, datetime]]) -> list[float]:
    """For how many seconds nobody led, at each change, from the last sign of the leader before; on PostgreSQL.

    While the database itself was `away` nobody could lead: that time does not count.
    """
    terms = connection.execute(sa.select(LEASE_TERM).order_by(LEASE_TERM.c.token)).all()
    found = []
    for term in terms:
        if term.before_until.year > 1970:
            last_sign = term.before_until - LENGTH
            gone = sum(
                (
                    min(end, term.began_at) - max(begin, last_sign)
                    for begin, end in away
                    if begin < term.began_at and end > last_sign
                ),
                timedelta(),
            )
            found.append(max((term.began_at - last_sign - gone).total_seconds(), 0.0))
    return found


def leaders(connection: Connection) -> Iterator[str]:
    """Times of leading that overlap, and tokens under which two wrote; on PostgreSQL, from what it kept itself."""
    terms = connection.execute(sa.select(LEASE_TERM).order_by(LEASE_TERM.c.token)).all()
    for before, term in pairwise(terms):
        if term.began_at < term.before_until or term.began_at < before.began_at:
            yield f"token {term.token} began before token {before.token} had ended"
    wrote = connection.execute(sa.text("SELECT token, writer, min(at), max(at) FROM chaos.writer GROUP BY 1, 2")).all()
    for token in more_than_once(row.token for row in wrote):
        yield f"two wrote under token {token}: {', '.join(sorted(row.writer for row in wrote if row.token == token))}"
    begun = {term.token: term.began_at for term in terms}
    for row in wrote:
        if row.token + 1 in begun and row.max > begun[row.token + 1]:
            yield f"{row.writer} wrote under token {row.token} when {row.token + 1} led already"
