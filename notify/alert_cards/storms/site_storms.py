"""A site in trouble: more than three of its chargers whose problems begin within one group interval are one roll-up.

They may come in different polls: cards that stand by then move into the roll-up, and their messages say so. What began
longer ago keeps its own card, and so does what is no charger's. No alert is dropped or named by two messages.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from notify.alert_cards.joining import follow_into_roll_up
from notify.alert_cards.storms.roll_ups import make_pages, rank_head
from notify.claims import leave_out
from notify.outbox import ALERT_CARD, ALERT_REPLY, ROLL_UP, SAID_ELSEWHERE, insert_items, new_item
from notify.routing import Routing
from storage.prepared import Prepared
from storage.schema import INCIDENT, OUTBOX

MOST_CHARGERS = 3
"""How many chargers of a site have cards of their own where their problems begin within one group interval."""

LONGEST_STORM = timedelta(days=1)
"""How old a roll-up may be that more joins."""

STORM = "storm:"
"""How the natural key of a roll-up begins that more may join; what was so at a switch-on is none."""


@dataclass
class _Site:
    """What began at one location within the interval, in one channel: the cards of its chargers' problems."""

    fresh: list[Any] = field(default_factory=list)
    standing: list[Any] = field(default_factory=list)
    rolled: dict[str, int] = field(default_factory=dict)  # how many chargers each roll-up tells of

    @property
    def is_storm(self) -> bool:
        """Whether more chargers are in trouble than have cards of their own."""
        return len(self.fresh) + len(self.standing) + sum(self.rolled.values()) > MOST_CHARGERS

    @property
    def largest(self) -> str | None:
        """The roll-up that tells of the most of its chargers."""
        return max(self.rolled, key=lambda one: (self.rolled[one], one), default=None)


def join_standing_storms(connection: Connection, channels: Collection[str], routing: Routing) -> dict[str, set[int]]:
    """Let the cards that these channels got now join the roll-up that stands for their site; their incidents, by it.

    What joins has to be said in the thread of the roll-up, by the caller.
    """
    joined: dict[str, set[int]] = {}
    for channel in sorted(channels):
        if not _heads(connection, channel, routing):
            continue
        for _, site in sorted(_sites(connection, channel, routing).items()):
            head = site.largest
            if head is not None and site.fresh and site.is_storm:
                _move_into(connection, head, [*site.fresh, *site.standing], routing)
                joined.setdefault(head, set()).update(row.incident_id for row in site.fresh)
    return joined


def open_site_storms(connection: Connection, channels: Collection[str], routing: Routing) -> None:
    """Give a site a roll-up where the cards that these channels got now make it too many chargers.

    Where a storm has just taken them, those of the site that stand by themselves follow.
    """
    now = routing.now
    for channel in sorted(channels):
        for place, site in sorted(_sites(connection, channel, routing).items()):
            if not site.is_storm:
                continue
            head = site.largest
            if head is None:
                key = f"{STORM}{channel}:{now.isoformat()}:{place}:1"
                facts = {"page": 1, "pages": 1}
                item = new_item(key, ROLL_UP, channel, due_at=routing.due_at, now=now, facts=facts)
                insert_items(connection, [item])
                head = item["id"]
            _move_into(connection, head, [*site.fresh, *site.standing], routing)


def _sites(connection: Connection, channel: str, routing: Routing) -> Mapping[str, _Site]:
    """What began within the interval at each location of which a charger's card stands or is made now."""
    since = routing.now - routing.group_interval
    sites: dict[str, _Site] = {}
    for row in _CARDS.all(connection, {"channel": channel, "now": routing.now, "since": since}):
        site = sites.setdefault(row.location_id, _Site())
        (site.fresh if row.created_at == routing.now else site.standing).append(row)
    heads = _heads(connection, channel, routing) if sites else []
    for ids in _in_chunks(sorted(sites)) if heads else ():
        window = {"channel": channel, "since": since, "places": ids, "heads": heads}
        for row in _ROLLED.all(connection, window):
            sites[row.location_id].rolled[row.rolled_into] = row.chargers
    return sites


def _heads(connection: Connection, channel: str, routing: Routing) -> list[str]:
    """The roll-ups of a channel that more may join."""
    recent = {"channel": channel, "since": routing.now - LONGEST_STORM}
    return [row.id for row in _HEADS.all(connection, recent)]


def _move_into(connection: Connection, head: str, cards: Iterable[Any], routing: Routing) -> None:
    """Let a roll-up say these cards: what nobody has seen is never posted, what stands says where it went."""
    row = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == head)).one()
    for ids in _in_chunks([card.id for card in cards]):
        moved = {"head": head, "ids": ids, "due": max(row.due_at, routing.now)}
        _MOVE_UNSEEN.run(connection, moved)
        _MOVE_SEEN.run(connection, moved)
        unsaid = sa.select(OUTBOX).where(OUTBOX.c.thread_of.in_(ids), OUTBOX.c.kind == ALERT_REPLY, *_UNSEEN)
        for reply in connection.execute(unsaid).all():
            if not reply.facts.get("mentions"):  # whoever is to be called is called
                leave_out(connection, reply, SAID_ELSEWHERE, routing.now)
    follow_into_roll_up(connection, head)
    rank_head(connection, head)
    make_pages(connection, row, routing.budget)


def _in_chunks(ids: list[str]) -> list[list[str]]:
    return [ids[start : start + 500] for start in range(0, len(ids), 500)]


_UNSEEN = (
    OUTBOX.c.shown_version == 0,
    OUTBOX.c.message_ts.is_(None),
    OUTBOX.c.claimed_by.is_(None),
    OUTBOX.c.uncertain.is_(False),
    OUTBOX.c.abandoned_at.is_(None),
)
_A_CHARGERS = (
    OUTBOX.c.kind == ALERT_CARD,
    OUTBOX.c.channel == sa.bindparam("channel"),
    OUTBOX.c.abandoned_at.is_(None),
    INCIDENT.c.problem_key.startswith("charger:", autoescape=True),
    INCIDENT.c.location_id.is_not(None),
    INCIDENT.c.resolved_at.is_(None),
)
_HERE = INCIDENT.c.location_id.in_(sa.bindparam("places", expanding=True))
_CARDS = Prepared(
    sa.select(OUTBOX.c.id, OUTBOX.c.incident_id, OUTBOX.c.created_at, INCIDENT.c.location_id)
    .join(INCIDENT, INCIDENT.c.id == OUTBOX.c.incident_id)
    .where(
        *_A_CHARGERS,
        OUTBOX.c.created_at >= sa.bindparam("since"),
        OUTBOX.c.created_at <= sa.bindparam("now"),
        OUTBOX.c.rolled_into.is_(None),
    )
    .order_by(OUTBOX.c.id)
)
_HEADS = Prepared(
    sa.select(OUTBOX.c.id).where(
        OUTBOX.c.kind == ROLL_UP,
        OUTBOX.c.channel == sa.bindparam("channel"),
        OUTBOX.c.created_at >= sa.bindparam("since"),
        OUTBOX.c.rolled_into.is_(None),
        OUTBOX.c.natural_key.startswith(STORM, autoescape=True),
        OUTBOX.c.abandoned_at.is_(None),
    )
)
_BEGUN = (
    sa.select(INCIDENT.c.location_id, OUTBOX.c.rolled_into, INCIDENT.c.problem_key)
    .join(INCIDENT, INCIDENT.c.id == OUTBOX.c.incident_id)
    .where(*_A_CHARGERS, _HERE, OUTBOX.c.rolled_into.in_(sa.bindparam("heads", expanding=True)))
    .group_by(INCIDENT.c.location_id, OUTBOX.c.rolled_into, INCIDENT.c.problem_key)
    .having(sa.func.min(OUTBOX.c.created_at) >= sa.bindparam("since"))
    .subquery()
)
_ROLLED = Prepared(
    sa.select(_BEGUN.c.location_id, _BEGUN.c.rolled_into, sa.func.count().label("chargers")).group_by(
        _BEGUN.c.location_id, _BEGUN.c.rolled_into
    )
)
_MOVED = (OUTBOX.c.id.in_(sa.bindparam("ids", expanding=True)), OUTBOX.c.kind == ALERT_CARD)
_INTO: dict[str, Any] = {"rolled_into": sa.bindparam("head")}
_MOVE_UNSEEN = Prepared(sa.update(OUTBOX).where(*_MOVED, *_UNSEEN).values({**_INTO, "shown_version": OUTBOX.c.version}))
_MOVE_SEEN = Prepared(
    sa.update(OUTBOX)
    .where(*_MOVED, OUTBOX.c.rolled_into.is_(None))
    .values({**_INTO, "version": OUTBOX.c.version + 1, "due_at": sa.bindparam("due", type_=OUTBOX.c.due_at.type)})
)
