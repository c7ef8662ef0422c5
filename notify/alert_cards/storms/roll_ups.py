"""Storms: more new cards in one evaluation than a channel's budget become one roll-up that names the places.

Nothing is dropped: each incident keeps its rows, and its card is said by the roll-up instead of being sent. One
message cannot name any number of places, so a roll-up has pages, never more than the budget.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.alert_cards.joining import follow_into_roll_up
from notify.alert_cards.storms.storm_facts import DETAILED
from notify.alert_cards.thread import bump_roll_ups
from notify.outbox import ALERT_CARD, ROLL_UP, insert_items, new_item
from notify.routing import Routing
from storage.prepared import Prepared, noted
from storage.schema import INCIDENT, OUTBOX

PLACES_A_PAGE = 180
MOST_IN_THREAD = 50
"""How many pages the summary of a switch-on may have: only the first goes to the channel, the others to its thread."""


def roll_up(connection: Connection, channels: Collection[str], routing: Routing) -> None:
    """Roll the cards up that were made now, in each of these channels where they are more than the budget.

    The rules of one evaluation have one transaction each: what an earlier one made at `now` counts as well, and none
    of it can have been sent before its group_wait is over.
    """
    now, budget = routing.now, routing.budget
    for channel in sorted(channels):
        key = f"storm:{channel}:{now.isoformat()}"
        made = {"channel": channel, "now": now}
        head = _HEAD.scalar(connection, {"key": f"{key}:1"})
        count = _COUNT_FRESH.scalar(connection, made)
        if not count or (head is None and count <= budget):
            continue
        if head is None:
            item = new_item(f"{key}:1", ROLL_UP, channel, due_at=routing.due_at, now=now, facts={"page": 1, "pages": 1})
            insert_items(connection, [item])
            head = item["id"]
        # said by the roll-up: never due itself
        _ROLL_IN.run(connection, {**made, "head": head})
        follow_into_roll_up(connection, head)
        rank_head(connection, head)
        make_pages(connection, connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == head)).one(), budget)


def rank_head(connection: Connection, head: str) -> None:
    """Let a roll-up go as early as the gravest that it tells of."""
    _RANK_HEAD.run(connection, {"head": head})


_FRESH = (
    OUTBOX.c.kind == ALERT_CARD,
    OUTBOX.c.channel == sa.bindparam("channel"),
    OUTBOX.c.created_at == sa.bindparam("now"),
    OUTBOX.c.shown_version == 0,
    OUTBOX.c.claimed_by.is_(None),
    OUTBOX.c.rolled_into.is_(None),
    OUTBOX.c.abandoned_at.is_(None),
)
_ROLLED = OUTBOX.alias("rolled")
_HEAD = Prepared(sa.select(OUTBOX.c.id).where(OUTBOX.c.natural_key == sa.bindparam("key")))
_GRAVEST = (
    sa.select(sa.func.min(_ROLLED.c.rank))
    .where(_ROLLED.c.rolled_into == sa.bindparam("head"), _ROLLED.c.kind == ALERT_CARD)
    .scalar_subquery()
)
_RANK_HEAD = Prepared(sa.update(OUTBOX).where(OUTBOX.c.id == sa.bindparam("head")).values(rank=_GRAVEST))

_OPEN = (_ROLLED.c.kind == ALERT_CARD, INCIDENT.c.resolved_at.is_(None))
_TOLD = sa.or_(_ROLLED.c.rolled_into == sa.bindparam("head"), _ROLLED.c.id == sa.bindparam("head"))
_OPEN_TOLD = (
    sa.select(INCIDENT.c.id).join(_ROLLED, _ROLLED.c.incident_id == INCIDENT.c.id).where(*_OPEN, _TOLD).limit(1)
)


def _open_told(connection: Connection) -> sa.Select[Any]:
    """Of a storm the first rules' incidents end first, and most may be over: SQLite looks from the last one on."""
    if connection.dialect.name != "sqlite":
        return _OPEN_TOLD
    found = sa.select(INCIDENT.c.id).join(_ROLLED, _ROLLED.c.incident_id == INCIDENT.c.id).where(*_OPEN).limit(1)
    own = found.where(_ROLLED.c.id == sa.bindparam("head"))
    told = found.where(_ROLLED.c.rolled_into == sa.bindparam("head")).order_by(sa.text("rolled.rowid DESC"))
    return sa.select(sa.func.coalesce(own.scalar_subquery(), told.scalar_subquery()))


_OPEN_IN_IT = Prepared(_open_told)
_STILL_OPEN = Prepared(_OPEN_TOLD.where(INCIDENT.c.id == sa.bindparam("likely")))
_COUNT_PLACES = Prepared(
    sa.select(
        sa.func.count(sa.distinct(INCIDENT.c.location_id)).label("places"),
        sa.func.count().filter(INCIDENT.c.location_id.is_(None)).label("nowhere"),
        sa.func.count(sa.distinct(sa.func.coalesce(INCIDENT.c.problem_key, INCIDENT.c.group_key))).label("problems"),
    )
    .join(_ROLLED, _ROLLED.c.incident_id == INCIDENT.c.id)
    .where(_ROLLED.c.rolled_into == sa.bindparam("head"), _ROLLED.c.kind == ALERT_CARD)
)
_COUNT_FRESH = Prepared(sa.select(sa.func.count()).select_from(OUTBOX).where(*_FRESH))
_ROLL_IN = Prepared(
    sa.update(OUTBOX).where(*_FRESH).values(rolled_into=sa.bindparam("head"), shown_version=OUTBOX.c.version)
)


def is_over(connection: Connection, head: str) -> bool:
    """Whether every incident of a roll-up, or of a card, is resolved."""
    known, key = noted(connection), ("open in", head)
    # of a storm most of the first may be over: what was open as the rule before told of it is looked at first
    if key in known and _STILL_OPEN.first(connection, {"head": head, "likely": known[key]}) is not None:
        return False
    known[key] = _OPEN_IN_IT.scalar(connection, {"head": head})
    return known[key] is None


def make_pages(connection: Connection, head: Row[Any], budget: int) -> None:
    """Give a roll-up as many messages as its places need, and tell each how many there are.

    Of a storm they all stand in the channel, within its budget; the summary of a switch-on goes on in its thread.
    """
    now, places = head.created_at, _count_places(connection, head.id)
    is_summary = "switched_on" in head.facts
    a_page, most = (DETAILED, MOST_IN_THREAD) if is_summary else (PLACES_A_PAGE, max(budget, 1))
    pages = min(most, -(-places // a_page)) or 1
    rows = [
        new_item(
            f"{head.natural_key[:-1]}{page if page < 10 else f'9{page:03}'}",  # they go in the order of their keys
            ROLL_UP,
            head.channel,
            due_at=head.due_at + timedelta(milliseconds=page),  # in their order
            now=now,
            rolled_into=head.id,
            thread_of=head.id if is_summary else None,
            rank=head.rank,
            rule_id=head.rule_id,
            facts={**head.facts, "page": page, "pages": pages},
        )
        for page in range(2, pages + 1)
    ]
    insert_items(connection, rows)
    for row in _all_pages(connection, head.id, now):
        facts = {**row.facts, "pages": pages}
        connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == row.id).values(facts=facts))


def _count_places(connection: Connection, head: str) -> int:
    """The locations of a roll-up, or where it is only one, what stands there."""
    row = _COUNT_PLACES.first(connection, {"head": head})
    return int(row.problems if row.places < 2 and not row.nowhere else row.places + bool(row.nowhere))


def _all_pages(connection: Connection, head: str, now: datetime) -> list[Row[Any]]:
    """Every page of a roll-up, which is to be shown anew."""
    bump_roll_ups(connection, [head], now)
    mine = sa.or_(OUTBOX.c.id == head, OUTBOX.c.rolled_into == head)
    return list(connection.execute(sa.select(OUTBOX).where(OUTBOX.c.kind == ROLL_UP, mine)))
