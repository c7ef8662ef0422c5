"""From transitions to messages: one card an incident and channel, and what is said in its thread.

An edit of a card notifies nobody, so what matters is also said as a broadcast reply, at most once per
`group_interval`. Nothing here decides what fires: it reads the alerts and incidents that the evaluation wrote.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row
from sqlmodel import SQLModel

from notify.outbox import ALERT_CARD, ALERT_REPLY, OUTBOX, insert_items, new_item, one_version_on
from rules.lifecycle import State, Transition
from storage.tables import Alert, Incident

ALERTS = SQLModel.metadata.tables[Alert.__tablename__]
INCIDENTS = SQLModel.metadata.tables[Incident.__tablename__]

GROUP_WAIT = timedelta(seconds=30)
GROUP_INTERVAL = timedelta(minutes=5)
CHUNK = 500  # below every database's limit of bound values, with several a row


@dataclass
class News:
    """What one evaluation changed about one incident."""

    rule_id: str
    fired: list[int] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What a click on Acknowledge did.

    `outcome` is "acknowledged", "already acknowledged", "already resolved" or "unknown incident"; `by` and `at` tell
    who was first; `members` counts the alerts this click acknowledged.
    """

    outcome: str
    by: str | None = None
    at: datetime | None = None
    members: int = 0


def enqueue_alert_messages(
    connection: Connection,
    transitions: Iterable[Transition],
    *,
    channels: Mapping[str, Sequence[str]],
    now: datetime,
    group_wait: timedelta = GROUP_WAIT,
    group_interval: timedelta = GROUP_INTERVAL,
) -> None:
    """Enqueue what a firing or a resolve makes worth saying; `channels` gives the channels of each rule id.

    1. The cards that the touched incidents have become one version newer: an edit.
    2. Where something fired and a channel has no card yet, one is due after `group_wait`.
    3. Where a card is already shown (or on its way), new members and the full resolve are also said in its thread.
    """
    news = _news_by_incident(transitions)
    incident_ids = sorted(news)
    for start in range(0, len(incident_ids), CHUNK):
        chunk = incident_ids[start : start + CHUNK]
        # the update locks the rows: a worker cannot pick a card up between this and our commit
        cards = _bump_cards(connection, chunk, now)
        _insert_cards(
            connection, {i: news[i] for i in chunk}, cards, channels=channels, now=now, due_at=now + group_wait
        )
        resolved = _resolved_among(connection, chunk)
        for card in cards:
            told = news[card.incident_id]
            full_resolve = card.incident_id in resolved and bool(told.resolved)
            if _somebody_saw(card) and (told.fired or full_resolve):
                _enqueue_reply(
                    connection, card, told, full_resolve=full_resolve, now=now, group_interval=group_interval
                )


def refresh_alert_cards(connection: Connection, incident_ids: Collection[int], now: datetime) -> int:
    """Make the cards of these incidents be shown anew, for changes that are no transitions (held, acknowledged)."""
    ids = sorted(incident_ids)
    return sum(len(_bump_cards(connection, ids[i : i + CHUNK], now)) for i in range(0, len(ids), CHUNK))


def acknowledge_incident(connection: Connection, incident_id: int, user: str, now: datetime) -> Acknowledgement:
    """Acknowledge the present firing members of an incident for `user` (a Slack user id) and refresh its cards.

    Idempotent: a second click changes nothing and is told who was first.
    """
    mine = (ALERTS.c.incident_id == incident_id, ALERTS.c.state == State.FIRING.value)
    newly = connection.execute(
        sa.update(ALERTS)
        .where(*mine, ALERTS.c.acknowledged_at.is_(None))
        .values(acknowledged_at=now, acknowledged_by=user)
        .returning(ALERTS.c.id)
    ).all()
    if newly:
        refresh_alert_cards(connection, [incident_id], now)
        return Acknowledgement("acknowledged", user, now, len(newly))
    found = connection.execute(
        sa.select(ALERTS.c.acknowledged_by, ALERTS.c.acknowledged_at)
        .where(*mine)
        .order_by(ALERTS.c.acknowledged_at.desc(), ALERTS.c.id)
        .limit(1)
    ).first()
    if found is not None:
        return Acknowledgement("already acknowledged", found.acknowledged_by, found.acknowledged_at)
    known = connection.execute(sa.select(INCIDENTS.c.id).where(INCIDENTS.c.id == incident_id)).first()
    return Acknowledgement("already resolved" if known is not None else "unknown incident")


def _news_by_incident(transitions: Iterable[Transition]) -> dict[int, News]:
    news: dict[int, News] = {}
    for transition in transitions:
        if transition.incident_id is None:
            continue
        fires = transition.to_state == State.FIRING
        ends = transition.from_state == State.FIRING and transition.to_state in {State.RESOLVED, State.INACTIVE}
        if fires or ends:
            told = news.setdefault(transition.incident_id, News(transition.rule_id))
            (told.fired if fires else told.resolved).append(transition.alert_id)
    return news


def _bump_cards(connection: Connection, incident_ids: Sequence[int], now: datetime) -> Sequence[Row[Any]]:
    return connection.execute(
        sa.update(OUTBOX)
        .where(OUTBOX.c.incident_id.in_(incident_ids), OUTBOX.c.kind == ALERT_CARD, OUTBOX.c.abandoned_at.is_(None))
        .values(one_version_on(now))
        .returning(*OUTBOX.c)
    ).all()


def _insert_cards(
    connection: Connection,
    news: Mapping[int, News],
    cards: Sequence[Row[Any]],
    *,
    channels: Mapping[str, Sequence[str]],
    now: datetime,
    due_at: datetime,
) -> None:
    known = {card.natural_key for card in cards}
    wanted = [
        (f"incident:{incident_id}:{channel}", incident_id, told.rule_id, channel)
        for incident_id, told in news.items()
        if told.fired  # a channel that never heard of it is not told that it ended
        for channel in dict.fromkeys(channels.get(told.rule_id, ()))
    ]
    items = [
        new_item(key, ALERT_CARD, channel, due_at=due_at, now=now, rule_id=rule_id, incident_id=incident_id)
        for key, incident_id, rule_id, channel in wanted
        if key not in known
    ]
    for start in range(0, len(items), CHUNK):
        insert_items(connection, items[start : start + CHUNK])


def _resolved_among(connection: Connection, incident_ids: Sequence[int]) -> set[int]:
    return set(
        connection.execute(
            sa.select(INCIDENTS.c.id).where(INCIDENTS.c.id.in_(incident_ids), INCIDENTS.c.resolved_at.is_not(None))
        ).scalars()
    )


def _somebody_saw(card: Row[Any]) -> bool:
    # a card that is being posted at this moment may already have been read
    return bool(card.shown_version > 0 or card.claimed_by is not None or card.uncertain)


def _enqueue_reply(
    connection: Connection, card: Row[Any], told: News, *, full_resolve: bool, now: datetime, group_interval: timedelta
) -> None:
    replies = connection.execute(
        sa.select(OUTBOX)
        .where(OUTBOX.c.thread_of == card.id, OUTBOX.c.kind == ALERT_REPLY)
        .order_by(OUTBOX.c.due_at.desc(), OUTBOX.c.created_at.desc())
        .limit(1)
        .with_for_update()
    ).all()
    last = replies[0] if replies else None
    if last is not None and last.shown_version == 0 and last.claimed_by is None and not last.uncertain:
        facts = {
            **last.facts,
            "fired": [*last.facts["fired"], *told.fired],
            "resolved": [*last.facts["resolved"], *told.resolved],
            "full_resolve": last.facts["full_resolve"] or full_resolve,
        }
        connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == last.id).values(facts=facts, **one_version_on(now)))
        return
    due_at = now if last is None else max(now, (last.sent_at or last.due_at) + group_interval)
    number = connection.execute(
        sa.select(sa.func.count()).select_from(OUTBOX).where(OUTBOX.c.thread_of == card.id)
    ).scalar_one()
    reply = new_item(
        f"reply:{card.id}:{number + 1}",
        ALERT_REPLY,
        card.channel,
        due_at=due_at,
        now=now,
        thread_of=card.id,
        broadcast=True,
        rule_id=card.rule_id,
        incident_id=card.incident_id,
        facts={"fired": told.fired, "resolved": told.resolved, "full_resolve": full_resolve},
    )
    insert_items(connection, [reply])
