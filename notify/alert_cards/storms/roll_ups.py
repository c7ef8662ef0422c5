"""Storms: more new cards in one evaluation than a channel's budget become one roll-up that names the places.

Nothing is dropped: each incident keeps its rows, and its card is said by the roll-up instead of being sent. One
message cannot name any number of places, so a roll-up has pages, never more than the budget.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.alert_cards.card_facts import Snooze, standing_snooze
from notify.alert_cards.joining import follow_into_roll_up
from notify.alert_cards.thread import bump_roll_ups
from notify.outbox import ALERT_CARD, ROLL_UP, insert_items, new_item
from notify.routing import Routing
from notify.text.words import slack_escape
from rules.lifecycle import State
from storage.prepared import Prepared
from storage.schema import ALERT, INCIDENT, LOCATION, OUTBOX

PLACES_A_PAGE = 180
PAGE_TEXT = 11_000  # less than Slack's 13,200 over all blocks, the title and the small print left out
SHORTEST_NAME, LONGEST_NAME = 4, 40
MARKS = 5  # of a line: the bullet, its space, the two of the code span, the line's end
OVER = len(" · over")


@dataclass(frozen=True, slots=True)
class StormPlace:
    """A location in a roll-up, and how many of its alerts fire; None stands for what has no location."""

    name: str | None
    firing: int
    total: int


@dataclass(frozen=True, slots=True)
class SwitchedOn:
    """How many things were already so when a rule was switched on; `thing` says what they are."""

    count: int
    thing: str


@dataclass(frozen=True, slots=True)
class StormContext:
    """What one page of a roll-up says; the figures are those of the whole storm."""

    id: str
    places: tuple[StormPlace, ...]
    name_limit: int
    left_out: int  # places that no page can name any more
    page: int
    pages: int
    places_in_all: int
    firing: int
    total: int
    unacknowledged: int
    rules: tuple[str, ...]
    severity: str
    since: datetime
    resolved_at: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    snooze: Snooze | None = None
    switched_on: SwitchedOn | None = None

    @property
    def snoozable(self) -> bool:
        """Whether an alert fires that is not snoozed."""
        return self.firing > (self.snooze.members if self.snooze else 0)


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
_OPEN_IN_IT = Prepared(
    sa.select(INCIDENT.c.id)
    .join(_ROLLED, _ROLLED.c.incident_id == INCIDENT.c.id)
    .where(
        sa.or_(_ROLLED.c.rolled_into == sa.bindparam("head"), _ROLLED.c.id == sa.bindparam("head")),
        _ROLLED.c.kind == ALERT_CARD,
        INCIDENT.c.resolved_at.is_(None),
    )
    .limit(1)
)
_PLACES_OF_HEAD = (
    sa.select(INCIDENT.c.location_id)
    .join(_ROLLED, _ROLLED.c.incident_id == INCIDENT.c.id)
    .where(_ROLLED.c.rolled_into == sa.bindparam("head"), _ROLLED.c.kind == ALERT_CARD)
    .distinct()
)
_COUNT_PLACES = Prepared(sa.select(sa.func.count()).select_from(_PLACES_OF_HEAD.subquery()))
_COUNT_FRESH = Prepared(sa.select(sa.func.count()).select_from(OUTBOX).where(*_FRESH))
_ROLL_IN = Prepared(
    sa.update(OUTBOX).where(*_FRESH).values(rolled_into=sa.bindparam("head"), shown_version=OUTBOX.c.version)
)


def storm(connection: Connection, row: Row[Any], now: datetime) -> StormContext:
    """What the page of a roll-up in this outbox row says now."""
    head = row.rolled_into or row.id
    page, pages = row.facts["page"], row.facts["pages"]
    in_storm = ALERT.c.incident_id.in_(_incidents_of(head))
    firing = ALERT.c.state == State.FIRING.value
    acknowledged = ALERT.c.acknowledged_at
    figures = connection.execute(
        sa.select(
            sa.func.count().label("total"),
            sa.func.count().filter(firing).label("firing"),
            sa.func.count().filter(firing, acknowledged.is_(None)).label("unacknowledged"),
            sa.func.min(ALERT.c.active_at).label("since"),
            sa.func.max(acknowledged).label("acknowledged_at"),
        ).where(in_storm)
    ).one()
    incidents = connection.execute(
        sa.select(INCIDENT.c.rule_id, INCIDENT.c.severity, INCIDENT.c.resolved_at).where(
            INCIDENT.c.id.in_(_incidents_of(head))
        )
    ).all()
    by = sa.select(ALERT.c.acknowledged_by).where(in_storm, acknowledged == figures.acknowledged_at).limit(1)
    places = _places(connection, head)
    a_page = -(-len(places) // pages)
    named = PAGE_TEXT // (MARKS + OVER + SHORTEST_NAME)
    shown = places[(page - 1) * a_page : page * a_page]
    severities = {incident.severity for incident in incidents}
    open_ = any(incident.resolved_at is None for incident in incidents)
    return StormContext(
        id=head,
        places=tuple(shown[:named]),
        name_limit=_name_limit(shown[:named]),
        left_out=max(0, len(shown) - named),
        page=page,
        pages=pages,
        places_in_all=len(places),
        firing=figures.firing,
        total=figures.total,
        unacknowledged=figures.unacknowledged,
        rules=tuple(sorted({incident.rule_id for incident in incidents})),
        severity=next((word for word in ("critical", "warning", "info") if word in severities), "warning"),
        since=figures.since or now,
        resolved_at=None if open_ else max((incident.resolved_at for incident in incidents), default=None),
        acknowledged_by=connection.execute(by).scalar() if figures.acknowledged_at is not None else None,
        acknowledged_at=figures.acknowledged_at,
        snooze=standing_snooze(connection, in_storm),
        switched_on=SwitchedOn(**row.facts["switched_on"]) if "switched_on" in row.facts else None,
    )


def is_over(connection: Connection, head: str) -> bool:
    """Whether every incident of a roll-up, or of a card, is resolved."""
    return _OPEN_IN_IT.first(connection, {"head": head}) is None


def _incidents_of(head: str) -> sa.Select[Any]:
    return sa.select(OUTBOX.c.incident_id).where(OUTBOX.c.rolled_into == head, OUTBOX.c.kind == ALERT_CARD)


def make_pages(connection: Connection, head: Row[Any], budget: int) -> None:
    """Give a roll-up as many messages as its places need, and tell each how many there are."""
    now, places = head.created_at, _COUNT_PLACES.scalar(connection, {"head": head.id})
    pages = min(max(budget, 1), -(-places // PLACES_A_PAGE)) or 1
    rows = [
        new_item(
            f"{head.natural_key[:-1]}{page}",
            ROLL_UP,
            head.channel,
            due_at=head.due_at + timedelta(milliseconds=page),  # in their order
            now=now,
            rolled_into=head.id,
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


def _name_limit(places: Sequence[StormPlace]) -> int:
    """How many characters each name may have so that all of the page fits; short names leave room to the others."""
    lengths = [len(slack_escape(place.name or "no location")) for place in places]
    rest = PAGE_TEXT - sum(MARKS + max(OVER, len(f" · {place.total} of {place.total}")) for place in places)
    fits = (n for n in range(LONGEST_NAME, SHORTEST_NAME, -1) if sum(min(length, n) for length in lengths) <= rest)
    return next(fits, SHORTEST_NAME)


def _all_pages(connection: Connection, head: str, now: datetime) -> list[Row[Any]]:
    """Every page of a roll-up, which is to be shown anew."""
    bump_roll_ups(connection, [head], now)
    mine = sa.or_(OUTBOX.c.id == head, OUTBOX.c.rolled_into == head)
    return list(connection.execute(sa.select(OUTBOX).where(OUTBOX.c.kind == ROLL_UP, mine)))


def _places(connection: Connection, head: str) -> list[StormPlace]:
    rows = connection.execute(
        sa.select(
            INCIDENT.c.location_id,
            LOCATION.c.name,
            sa.func.count(ALERT.c.id).filter(ALERT.c.state == State.FIRING.value).label("firing"),
            sa.func.count(ALERT.c.id).label("total"),
        )
        .select_from(INCIDENT)
        .outerjoin(ALERT, ALERT.c.incident_id == INCIDENT.c.id)
        .outerjoin(LOCATION, LOCATION.c.id == INCIDENT.c.location_id)
        .where(INCIDENT.c.id.in_(_incidents_of(head)))
        .group_by(INCIDENT.c.location_id, LOCATION.c.name)
        .order_by(LOCATION.c.name, INCIDENT.c.location_id)
    )
    return [StormPlace(row.name or row.location_id, row.firing, row.total) for row in rows]
