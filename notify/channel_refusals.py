"""A channel that refuses messages: it is noted, what has nowhere to stand speaks elsewhere, and one message probes it.

Nothing is given up: what stands stays where it is, and is edited once the channel takes messages again. The person who
named the channel is told once; nothing here posts.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.alert_cards.joining import join_again
from notify.alert_cards.thread import Saying, Voice, say_in_thread, spoken_incidents
from notify.channel_returns import drop_what_is_over, note_elsewhere, roll_up_moved
from notify.claims import NOWHERE, leave_out
from notify.outbox import (
    ALERT_CARD,
    ALERT_REPLY,
    NOTICE,
    OF_SEVERITY,
    RETURNED,
    ROLL_UP,
    SAID_ELSEWHERE,
    enqueue_message,
    insert_items,
    new_item,
)
from notify.routing import Routing
from rules.alerts.incidents import AUDIBLE
from rules.lifecycle import State
from rules.registry.store import FROM_SLACK
from storage.dialects import insert
from storage.schema import ALERT, INCIDENT, OUTBOX, REFUSED, RULE, RULE_VERSION

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=5)


def refuse_channel(connection: Connection, item: Row[Any], error: str, now: datetime) -> None:
    """Note that the channel of a claimed message refuses messages, give the message back, and set the next probe.

    `error` is Slack's error name. The pauses between two probes grow from FIRST_PAUSE to LONGEST_PAUSE.
    """
    given_back = {"claimed_by": None, "claimed_until": None, "error": error, "attempts": 0}
    connection.execute(
        sa.update(OUTBOX).where(OUTBOX.c.id == item.id, OUTBOX.c.claimed_by == item.claimed_by).values(given_back)
    )
    postpone_probe(connection, item.channel, error, now)
    tell_author(connection, item, error, now)


def postpone_probe(connection: Connection, channel: str, error: str, now: datetime) -> None:
    """Note a refusal of a channel: from now on, or once more."""
    known = connection.execute(sa.select(REFUSED.c.probes).where(REFUSED.c.channel == channel)).scalar()
    probes = 0 if known is None else known + 1
    pause = min(FIRST_PAUSE * (1 << min(probes, 10)), LONGEST_PAUSE)
    values = {"error": error, "probe_at": now + pause, "probes": probes}
    statement = insert(connection, REFUSED).values(channel=channel, since=now, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["channel"], set_=values))


def refused_channels(connection: Connection) -> Sequence[Row[Any]]:
    """The channels that take no messages now."""
    return connection.execute(sa.select(REFUSED).order_by(REFUSED.c.since, REFUSED.c.channel)).all()


def due_probes(connection: Connection, now: datetime) -> list[str]:
    """The channels that are to be tried again now; a moment that a clock that was wrong has set is none."""
    due = sa.or_(REFUSED.c.probe_at <= now, REFUSED.c.probe_at > now + 2 * LONGEST_PAUSE)
    return list(connection.execute(sa.select(REFUSED.c.channel).where(due).order_by(REFUSED.c.channel)).scalars())


def begin_probe(connection: Connection, channel: str, now: datetime, lease: timedelta) -> bool:
    """Take it on to try a channel again; False where another worker got there first."""
    due = sa.or_(REFUSED.c.probe_at <= now, REFUSED.c.probe_at > now + 2 * LONGEST_PAUSE)
    taken = sa.update(REFUSED).where(REFUSED.c.channel == channel, due).values(probe_at=now + lease)
    return connection.execute(taken).rowcount == 1


def probe_soon(connection: Connection, now: datetime) -> int:
    """Let every refused channel be tried at once, because something about channels has changed; how many there are."""
    return connection.execute(sa.update(REFUSED).values(probe_at=now, probes=0)).rowcount


def take_again(connection: Connection, channel: str) -> bool:
    """Note that a channel has taken a message; False where it was not known to refuse any."""
    return connection.execute(sa.delete(REFUSED).where(REFUSED.c.channel == channel)).rowcount == 1


def move_elsewhere(connection: Connection, channel: str, elsewhere: str, routing: Routing) -> int:
    """Let what has nowhere to stand in a channel that refuses messages speak elsewhere; how many messages that makes.

    1. What is over by now is left out.
    2. What nobody has seen yet moves with the reason, cards through the budget of the other channel. One whose problems
       are told there anyway is left out; so is a person's, who asked to be told beside others.
    3. A card that stands stays, and is edited when it can be. News of it speaks elsewhere in a card of its own.
    """
    refused = connection.execute(sa.select(REFUSED).where(REFUSED.c.channel == channel)).first()
    if refused is None or not _movable(connection, channel, routing.now):
        return 0
    drop_what_is_over(connection, channel, routing.now)
    moved = there = 0
    because = {"moved_from": channel, "moved_because": refused.error}
    for row in connection.execute(_UNSEEN.where(OUTBOX.c.channel == channel, OUTBOX.c.thread_of.is_(None))).all():
        if told := _told_beside(connection, row, elsewhere):
            there += elsewhere in told
            leave_out(connection, row, SAID_ELSEWHERE, routing.now)
            continue
        facts = {**row.facts, **because}
        values = {"channel": elsewhere, "facts": facts, "created_at": routing.now, "due_at": routing.now, "attempts": 0}
        moves = sa.update(OUTBOX).where(OUTBOX.c.id == row.id).values(**values, error=None, **NOWHERE)
        moved += connection.execute(moves).rowcount
        _take_thread_along(connection, row.id, elsewhere)
    replies = sa.and_(OUTBOX.c.channel == channel, OUTBOX.c.kind == ALERT_REPLY, OUTBOX.c.due_at <= routing.now)
    for reply in connection.execute(_UNSEEN.where(replies)).all():
        moved += _speak_elsewhere(connection, reply, elsewhere, because, routing)
    if moved:
        roll_up_moved(connection, elsewhere, routing, because)
    if moved + there:
        note_elsewhere(connection, refused, moved + there, elsewhere, routing.now)
    return moved


def _told_beside(connection: Connection, row: Row[Any], elsewhere: str) -> set[str]:
    """The channels in which all that a card or roll-up tells of is told as well: that one, or of a person's card any.

    Empty where something of it is told nowhere else.
    """
    incidents = spoken_incidents(connection, row) if row.kind in {ALERT_CARD, ROLL_UP} else []
    if not incidents:
        return set()
    takes = ~sa.exists().where(REFUSED.c.channel == OUTBOX.c.channel)
    own = row.channel[:1] in {"U", "W"}
    counts = (OUTBOX.c.channel != row.channel, takes) if own else (OUTBOX.c.channel == elsewhere,)
    cards = sa.select(OUTBOX.c.incident_id, OUTBOX.c.channel).where(
        OUTBOX.c.incident_id.in_(incidents), OUTBOX.c.kind == ALERT_CARD, OUTBOX.c.abandoned_at.is_(None), *counts
    )
    found = connection.execute(cards).all()
    return {card.channel for card in found} if {card.incident_id for card in found} == {*incidents} else set()


_UNSEEN = sa.select(OUTBOX).where(
    OUTBOX.c.shown_version == 0,
    OUTBOX.c.message_ts.is_(None),
    OUTBOX.c.abandoned_at.is_(None),
    OUTBOX.c.claimed_by.is_(None),
    OUTBOX.c.uncertain.is_(False),
    OUTBOX.c.kind != RETURNED,
)


def _movable(connection: Connection, channel: str, now: datetime) -> bool:
    waits = _UNSEEN.with_only_columns(OUTBOX.c.id).where(OUTBOX.c.channel == channel, OUTBOX.c.due_at <= now)
    return connection.execute(waits.limit(1)).first() is not None


def _take_thread_along(connection: Connection, card_id: str, elsewhere: str) -> None:
    unseen = (OUTBOX.c.thread_of == card_id, OUTBOX.c.shown_version == 0)
    connection.execute(sa.update(OUTBOX).where(*unseen).values(channel=elsewhere))


def _speak_elsewhere(
    connection: Connection, reply: Row[Any], elsewhere: str, because: dict[str, Any], routing: Routing
) -> int:
    """Give the open incidents that a reply speaks of a card elsewhere, and page whom it mentions there."""
    incidents = _incidents_of(connection, reply)
    if not incidents:
        return 0
    cards = [
        new_item(
            f"incident:{incident.id}:{elsewhere}",
            ALERT_CARD,
            elsewhere,
            due_at=routing.now,
            now=routing.now,
            rule_id=incident.rule_id,
            incident_id=incident.id,
            rank=OF_SEVERITY.get(incident.severity),
            facts=because,
        )
        for incident in incidents
    ]
    made = insert_items(connection, cards)
    join_again(connection, elsewhere)
    leave_out(connection, reply, SAID_ELSEWHERE, routing.now)
    if reply.facts.get("mentions"):
        first = sa.select(OUTBOX).where(OUTBOX.c.natural_key == cards[0]["natural_key"])
        card = connection.execute(first).one()
        if card.rolled_into is not None:
            card = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == card.rolled_into)).one()
        saying = Saying(repeated=bool(reply.facts.get("repeated")), mentions=list(reply.facts["mentions"]))
        say_in_thread(connection, Voice(card, [incident.id for incident in incidents]), saying, routing)
    return max(made, 1)


def _incidents_of(connection: Connection, reply: Row[Any]) -> Sequence[Row[Any]]:
    """The open incidents of a reply that somebody should still hear of."""
    card = connection.execute(sa.select(OUTBOX.c.id, OUTBOX.c.rolled_into).where(OUTBOX.c.id == reply.thread_of)).one()
    rolled = sa.select(OUTBOX.c.incident_id).where(OUTBOX.c.rolled_into == card.id, OUTBOX.c.kind == ALERT_CARD)
    own = INCIDENT.c.id == reply.incident_id if reply.incident_id is not None else sa.false()
    which = sa.or_(own, INCIDENT.c.id.in_(rolled))
    fires = sa.exists().where(
        ALERT.c.incident_id == INCIDENT.c.id,
        ALERT.c.state == State.FIRING.value,
        ALERT.c.acknowledged_at.is_(None),
        AUDIBLE,
    )
    open_ = sa.select(INCIDENT).where(which, INCIDENT.c.resolved_at.is_(None), fires)
    return connection.execute(open_.order_by(INCIDENT.c.id)).all()


def tell_author(connection: Connection, item: Row[Any], error: str, now: datetime) -> bool:
    """Tell whoever last changed the rule of a refused message, once a version of the rule and channel.

    `error` is Slack's error name. False where there is nobody to tell, or they were told before.
    """
    if item.rule_id is None:
        return False
    last = connection.execute(
        sa.select(RULE_VERSION.c.author, RULE_VERSION.c.version)
        .join(RULE, sa.and_(RULE.c.id == RULE_VERSION.c.rule_id, RULE.c.version == RULE_VERSION.c.version))
        .where(RULE.c.id == item.rule_id, RULE.c.source == FROM_SLACK)
    ).first()
    if last is None or item.channel == last.author:
        return False
    facts = {
        "title": "A channel of your rule takes no messages",
        "text": f"Rule {item.rule_id} speaks in {item.channel}, and Slack refuses that: {error}. Invite the app there, "
        f"or change the rule: /charge rules edit {item.rule_id} notify: #another-channel",
    }
    key = f"refused:{item.rule_id}:{last.version}:{item.channel}"
    return enqueue_message(connection, natural_key=key, kind=NOTICE, channel=last.author, facts=facts, now=now)
