"""One summary for what was already so when a rule was switched on: a roll-up of its incidents, not a card each.

What joins later speaks as anything new does. A rule's one and only group keeps its own card, which says the same.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.alert_cards.joining import follow_into_roll_up
from notify.alert_cards.storms.roll_ups import make_pages
from notify.alert_cards.thread import CHUNK
from notify.outbox import ALERT_CARD, ROLL_UP, insert_items, new_item
from notify.routing import Routing
from rules.lifecycle import OPEN_STATES, State
from storage.prepared import Prepared
from storage.schema import ALERT, OUTBOX

THINGS = ("session", "connector", "charger", "location")


@dataclass(frozen=True, slots=True)
class _SwitchOn:
    """The moment of a rule's first match, and the incidents of what was already so then."""

    rule_id: str
    at: datetime
    incident_ids: tuple[int, ...]


def already_so(connection: Connection, alert_ids: Collection[int]) -> set[int]:
    """Those of these alerts that were so already when their rule was switched on."""
    found: set[int] = set()
    ids = sorted(alert_ids)
    for start in range(0, len(ids), CHUNK):
        found |= set(_ALREADY_SO.scalars(connection, {"ids": ids[start : start + CHUNK]}))
    return found


_ALREADY_SO = Prepared(
    sa.select(ALERT.c.id).where(ALERT.c.id.in_(sa.bindparam("ids", expanding=True)), ALERT.c.switched_on.is_not(None))
)


def gather_switched_on(connection: Connection, incident_ids: Collection[int], routing: Routing) -> None:
    """Let the summary of a switch-on say the cards that were made now for these incidents; one a channel."""
    now, due_at = routing.now, routing.due_at
    for told in _switch_ons(connection, incident_ids):
        fresh = sa.and_(
            OUTBOX.c.kind == ALERT_CARD,
            OUTBOX.c.incident_id.in_(told.incident_ids[:CHUNK]),
            OUTBOX.c.created_at == now,
            OUTBOX.c.shown_version == 0,
            OUTBOX.c.rolled_into.is_(None),
        )
        channels = connection.execute(sa.select(OUTBOX.c.channel).where(fresh).distinct()).scalars().all()
        for channel in sorted(channels):
            key = f"switched_on:{told.rule_id}:{told.at.isoformat()}:{channel}:1"
            head = _head(connection, key)
            if head is None:
                if _is_alone(connection, told):
                    continue
                facts = {"page": 1, "pages": 1, "switched_on": _facts(connection, told)}
                item = new_item(key, ROLL_UP, channel, due_at=due_at, now=now, facts=facts, rule_id=told.rule_id)
                insert_items(connection, [item])
                head = _head(connection, key)
            assert head is not None  # noqa: S101 - just inserted
            here = sa.and_(fresh, OUTBOX.c.channel == channel)
            connection.execute(
                sa.update(OUTBOX).where(here).values(rolled_into=head.id, shown_version=OUTBOX.c.version)
            )
            follow_into_roll_up(connection, head.id)
            make_pages(connection, head, routing.budget)


def _switch_ons(connection: Connection, incident_ids: Collection[int]) -> list[_SwitchOn]:
    """The incidents of which all that fires was already so, by rule and moment; at most CHUNK in each."""
    found: dict[tuple[str, datetime], list[int]] = {}
    ids = sorted(incident_ids)
    for start in range(0, len(ids), CHUNK):
        for row in _ONLY_OLD.all(connection, {"incidents": ids[start : start + CHUNK]}):
            found.setdefault((row.rule_id, row.at), []).append(row.incident_id)
    return [
        _SwitchOn(rule_id, at, tuple(mine[start : start + CHUNK]))
        for (rule_id, at), mine in found.items()
        for start in range(0, len(mine), CHUNK)
    ]


_NEW = sa.func.count().filter(ALERT.c.state == State.FIRING.value, ALERT.c.switched_on.is_(None))
_LAST_SWITCH_ON = sa.func.max(ALERT.c.switched_on)
_ONLY_OLD = Prepared(
    sa.select(ALERT.c.incident_id, ALERT.c.rule_id, _LAST_SWITCH_ON.label("at"))
    .where(ALERT.c.incident_id.in_(sa.bindparam("incidents", expanding=True)))
    .group_by(ALERT.c.incident_id, ALERT.c.rule_id)
    .having(_NEW == 0, _LAST_SWITCH_ON.is_not(None))
)


def _is_alone(connection: Connection, told: _SwitchOn) -> bool:
    """Whether all that was already so, and is, belongs to one incident."""
    elsewhere = sa.or_(ALERT.c.incident_id.is_(None), ALERT.c.incident_id != told.incident_ids[0])
    others = (*_of(told), ALERT.c.state.in_([state.value for state in OPEN_STATES]), elsewhere)
    return connection.execute(sa.select(ALERT.c.id).where(*others).limit(1)).first() is None


def _facts(connection: Connection, told: _SwitchOn) -> dict[str, object]:
    count = connection.execute(sa.select(sa.func.count()).select_from(ALERT).where(*_of(told))).scalar_one()
    one = connection.execute(sa.select(ALERT).where(*_of(told)).limit(1)).one()
    thing = next((name for name in THINGS if getattr(one, f"{name}_id") is not None), "network")
    return {"count": count, "thing": thing}


def _of(told: _SwitchOn) -> tuple[sa.ColumnElement[bool], ...]:
    return ALERT.c.rule_id == told.rule_id, ALERT.c.switched_on == told.at


def _head(connection: Connection, key: str) -> Row[tuple[object, ...]] | None:
    return connection.execute(sa.select(OUTBOX).where(OUTBOX.c.natural_key == key)).first()
