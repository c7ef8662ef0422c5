"""What is still to be said: one outbox row a message, written with the transition that caused it.

A row is out of date while `shown_version` < `version`; whoever claims it (`notify.claims`) renders the newest and marks
what was shown. Nothing here posts, renders or reads a clock; every function works inside the caller's transaction.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from storage.dialects import Insert, insert
from storage.prepared import Prepared
from storage.schema import OUTBOX

ALERT_CARD = "alert_card"
ALERT_REPLY = "alert_reply"
ROLL_UP = "roll_up"
COMMAND_CARD = "command_card"
DIGEST = "digest"
DIGEST_TABLES = "digest_tables"
CARD_CHART = "card_chart"
EVENT = "event"
EVENTS = "events"
QUIET_SUMMARY = "quiet_summary"
NOTICE = "notice"
TROUBLE = "trouble"
ACT = "act"
HELLO = "hello"

RETURNED = "returned"
COPY = "copy"


class Rank(IntEnum):
    """How early a message goes among what is due, before others: news before what has ended, the graver first."""

    CLICK = 0  # somebody clicked and looks at it
    CRITICAL = 1
    WARNING = 2
    INFO = 3
    OTHER = 4
    ENDED = 5  # resolves, and edits of what stands
    DIGEST = 6


OF_SEVERITY = {"critical": Rank.CRITICAL, "warning": Rank.WARNING, "info": Rank.INFO}
OF_KIND = {
    COMMAND_CARD: Rank.CLICK,
    ALERT_CARD: Rank.WARNING,
    ALERT_REPLY: Rank.WARNING,
    ROLL_UP: Rank.WARNING,
    TROUBLE: Rank.WARNING,
    EVENT: Rank.OTHER,
    EVENTS: Rank.OTHER,
    NOTICE: Rank.OTHER,
    ACT: Rank.OTHER,
    HELLO: Rank.OTHER,
    RETURNED: Rank.OTHER,
    COPY: Rank.OTHER,
    QUIET_SUMMARY: Rank.DIGEST,
    DIGEST: Rank.DIGEST,
    DIGEST_TABLES: Rank.DIGEST,
    CARD_CHART: Rank.CLICK,
}
"""The rank of what says none by itself."""

SAID_ELSEWHERE = "said elsewhere"
OVER = "over before it could be said"
SAME_CHANNEL = "its channel has it under its other name"
LEFT_OUT = (SAID_ELSEWHERE, OVER, SAME_CHANNEL)
"""Why a message is left out that nobody misses: the `error` of one that is abandoned."""


DELIVERY_FACTS = ("moved_from", "moved_because", "may_repeat", "copies_sought", "picture", "backtests")
"""Facts about the delivery itself: they stay when the facts of a message change."""


def enqueue_message(
    connection: Connection,
    *,
    natural_key: str,
    kind: str,
    channel: str,
    facts: Mapping[str, Any],
    now: datetime,
    rule_id: str | None = None,
    thread_of: str | None = None,
) -> bool:
    """Enqueue a message once per natural key; different facts under a known key edit it. False: nothing changed."""
    more = {"facts": dict(facts), "rule_id": rule_id, "thread_of": thread_of}
    item = new_item(natural_key, kind, channel, due_at=now, now=now, **more)
    if insert_items(connection, [item]):
        return True
    known = connection.execute(
        sa.select(OUTBOX.c.id, OUTBOX.c.facts).where(OUTBOX.c.natural_key == natural_key).with_for_update()
    ).one()
    told = {**facts, **{key: known.facts[key] for key in DELIVERY_FACTS if key in known.facts}}
    if known.facts == told:
        return False
    connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == known.id).values(facts=told, **one_version_on(now)))
    return True


def new_item(
    natural_key: str, kind: str, channel: str, *, due_at: datetime, now: datetime, **columns: Any
) -> dict[str, Any]:
    """The row of a message that nobody has seen yet."""
    own = {"id": new_id(), "natural_key": natural_key, "channel": channel}
    return {**unseen(kind, due_at, now), **own, **columns}


def unseen(kind: str, due_at: datetime, now: datetime) -> dict[str, Any]:
    """What messages of a kind that nobody has seen yet have alike, but for what is told of each."""
    return {
        "kind": kind,
        "due_at": due_at,
        "created_at": now,
        "version": 1,
        "shown_version": 0,
        "uncertain": False,
        "attempts": 0,
        "thread_of": None,
        "rolled_into": None,
        "broadcast": False,
        "rank": None,
        "rule_id": None,
        "incident_id": None,
        "facts": {},
    }


def new_id() -> str:
    """A random id of a message, carried in its metadata."""
    return secrets.token_hex(16)


def new_ids(many: int) -> list[str]:
    """Ids of messages that are written together: they begin alike, so that their places in an index are neighbours."""
    first = secrets.token_hex(12)
    return [f"{first}{number:08x}" for number in range(many)]


def insert_alike(connection: Connection, items: Sequence[Mapping[str, Any]], alike: Mapping[str, Any]) -> None:
    """Insert those of these messages whose natural keys are new; what they have `alike` is told once."""
    if not items:
        return
    columns = {name: [item[name] for item in items] for name in items[0]}
    told = {name: value for name, value in alike.items() if value is not None and name not in columns}
    _insert_many(frozenset({*told, *columns})).run_columns(connection, columns, told)


def insert_items(connection: Connection, items: Sequence[Mapping[str, Any]]) -> int:
    """Insert the messages whose natural keys are new; how many were."""
    if not items:
        return 0
    if len(items) == 1:
        return len(_insert_one(frozenset(items[0])).all(connection, items[0]))
    alike: dict[frozenset[str], list[Mapping[str, Any]]] = {}
    for item in items:
        alike.setdefault(frozenset(item), []).append(item)
    return sum(_insert_many(names).run_many(connection, some) for names, some in alike.items())


@cache
def _insert_one(names: frozenset[str]) -> Prepared:
    return Prepared(lambda connection: _inserting(connection, names).returning(OUTBOX.c.id))


@cache
def _insert_many(names: frozenset[str]) -> Prepared:
    return Prepared(lambda connection: _inserting(connection, names))


def _inserting(connection: Connection, names: Collection[str]) -> Insert:
    values: dict[str, Any] = {name: sa.bindparam(name) for name in sorted(names)}
    return insert(connection, OUTBOX).values(values).on_conflict_do_nothing()


def one_version_on(now: datetime | ColumnElement[Any]) -> dict[str, Any]:
    """The columns that make a message out of date: an unseen one keeps its moment, a shown one is due at once.

    An edit that already waits is never put off; a moment to wait for (429) still holds.
    """
    due_at = sa.case(
        (OUTBOX.c.shown_version == 0, OUTBOX.c.due_at),
        (sa.and_(OUTBOX.c.shown_version < OUTBOX.c.version, OUTBOX.c.due_at < now), OUTBOX.c.due_at),
        else_=now,
    )
    return {"version": OUTBOX.c.version + 1, "due_at": due_at}


def note_click(connection: Connection, incident_ids: Collection[int], now: datetime) -> None:
    """Let the edits of what speaks for these incidents go before everything: somebody looks at what their click did."""
    rolled = OUTBOX.alias("rolled")
    mine = rolled.c.incident_id.in_(sorted(incident_ids))
    heads = sa.select(rolled.c.rolled_into).where(mine, rolled.c.rolled_into.is_not(None))
    speaks = sa.or_(OUTBOX.c.incident_id.in_(sorted(incident_ids)), OUTBOX.c.id.in_(heads))
    waits = (OUTBOX.c.shown_version < OUTBOX.c.version, OUTBOX.c.message_ts.is_not(None))
    connection.execute(sa.update(OUTBOX).where(speaks, *waits).values(clicked_at=now))


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be said: how many messages are due, since when the first was, and how many nobody will get."""

    due: int
    oldest: datetime | None
    failing: int
    abandoned: int


def backlog(connection: Connection, now: datetime) -> Backlog:
    """What is due at `now` and not said yet; `failing` of them were tried before."""
    waits = sa.and_(OUTBOX.c.shown_version < OUTBOX.c.version, OUTBOX.c.abandoned_at.is_(None), OUTBOX.c.due_at <= now)
    mine = sa.and_(waits, OUTBOX.c.rolled_into.is_(None))
    row = connection.execute(
        sa.select(
            sa.func.count().filter(mine).label("due"),
            sa.func.min(OUTBOX.c.due_at).filter(mine).label("oldest"),
            sa.func.count().filter(mine, OUTBOX.c.error.is_not(None)).label("failing"),
            sa.func.count()
            .filter(OUTBOX.c.abandoned_at.is_not(None), sa.func.coalesce(OUTBOX.c.error, "").not_in(LEFT_OUT))
            .label("abandoned"),
        )
    ).one()
    return Backlog(row.due, row.oldest, row.failing, row.abandoned)
