"""What speaks for an incident in a channel: its own card, or the roll-up of a storm; and what is said in its thread.

It writes outbox rows, and notes at incidents when they were heard. Whether there is something to say is decided by its
callers.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.alert_cards import recoveries
from notify.outbox import ALERT_CARD, ALERT_REPLY, ROLL_UP, Rank, insert_items, new_item, one_version_on
from notify.routing import Routing
from rules.lifecycle import State, Transition
from storage.prepared import Prepared
from storage.schema import ALERT, INCIDENT, OUTBOX

CHUNK = 500  # below every database's limit of bound values, with several a row


AGAIN = ("unmuted", "woken", "lapsed", "released", "unmended", "repriced", "risen")
"""Why an alert that still fires speaks again."""


@dataclass
class Voice:
    """A message that stands in a channel for incidents: `row` is a card's, or the first one's of a roll-up.

    `incident_ids` are those of them that were asked for.
    """

    row: Row[Any]
    incident_ids: list[int]

    @property
    def somebody_saw(self) -> bool:
        # a message that is being posted at this moment may already have been read
        return bool(self.row.shown_version > 0 or self.row.claimed_by is not None or self.row.uncertain)

    @property
    def is_roll_up(self) -> bool:
        return bool(self.row.kind == ROLL_UP)


@dataclass
class Saying:
    """What is said in a thread: ids of alerts that are new, ended, or speak again, each for its reason; whom it
    mentions.
    """

    fired: list[int] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)
    full_resolve: bool = False
    unmuted: list[int] = field(default_factory=list)  # no silence and no other alert keeps it quiet any more
    woken: list[int] = field(default_factory=list)  # its snooze is over
    lapsed: list[int] = field(default_factory=list)  # its acknowledgement ran out
    released: list[int] = field(default_factory=list)  # quiet hours are over
    unmended: list[int] = field(default_factory=list)  # its rule's actions are over and did not help
    repriced: list[int] = field(default_factory=list)  # its rule has changed the price, which ends no alert
    risen: list[int] = field(default_factory=list)  # it became graver, because it has fired for so long
    repeated: bool = False
    mentions: list[str] = field(default_factory=list)
    held_since: str | None = None  # ISO 8601: quiet hours keep it back from then on

    @property
    def is_news(self) -> bool:
        """Whether it tells more than that something is over."""
        return bool(self.fired or self.repeated or self.mentions or any(getattr(self, reason) for reason in AGAIN))

    def facts(self, before: dict[str, Any] | None = None) -> dict[str, Any]:
        """The facts of a reply, added to those of one that nobody has seen yet."""
        told: dict[str, Any] = before or {}
        facts = {
            **told,
            "fired": [*told.get("fired", ()), *self.fired],
            "resolved": [*told.get("resolved", ()), *self.resolved],
            "full_resolve": told.get("full_resolve", False) or self.full_resolve,
        }
        again = {reason: [*told.get(reason, ()), *getattr(self, reason)] for reason in AGAIN}
        mentions = list(dict.fromkeys([*told.get("mentions", ()), *self.mentions]))
        optional = {**again, "mentions": mentions, "repeated": told.get("repeated", False) or self.repeated}
        optional["held_since"] = told.get("held_since") or self.held_since
        return facts | {key: value for key, value in optional.items() if value}


@dataclass(slots=True)
class News:
    """What is new about one incident: the ids of alerts by why they are told, each a list of Saying's."""

    rule_id: str
    incident_id: int
    told: dict[str, list[int]] = field(default_factory=dict)

    @property
    def fired(self) -> list[int]:
        """The alerts that fire since now."""
        return self.told.get("fired", [])


def news_by_incident(transitions: Iterable[Transition]) -> dict[int, News]:
    """What these transitions make known of each incident; of what is kept quiet no alert fires."""
    news: dict[int, News] = {}
    for transition in transitions:
        incident_id = transition.incident_id
        fires = transition.to_state == _FIRING
        ends = transition.from_state == _FIRING and transition.to_state in _ENDED
        if incident_id is None or not (fires or ends):
            continue
        one = news.get(incident_id)
        if one is None:
            one = news[incident_id] = News(transition.rule_id, incident_id)
        if ends or not transition.muted:
            one.told.setdefault("resolved" if ends else "fired", []).append(transition.alert_id)
    return news


_FIRING = State.FIRING
_ENDED = frozenset({State.RESOLVED, State.INACTIVE})


def merged(news: Iterable[News]) -> Saying:
    """What is said of several incidents together."""
    saying = Saying()
    for one in news:
        for why, ids in one.told.items():
            getattr(saying, why).extend(ids)
    return saying


NONE_JOINED: Mapping[int, Sequence[str]] = MappingProxyType({})


def bump_voices(
    connection: Connection,
    incident_ids: Sequence[int],
    now: datetime,
    joined: Mapping[int, Sequence[str]] = NONE_JOINED,
) -> list[Voice]:
    """Make what speaks for these incidents be shown anew; at most CHUNK ids.

    Of those that `joined` is known what speaks for them, and that no card of their own does.
    """
    rolled: dict[str, list[int]] = {}
    for incident_id in incident_ids:
        for head in joined.get(incident_id, ()):
            rolled.setdefault(head, []).append(incident_id)
    asked = [i for i in incident_ids if i not in joined]
    mine = {"incidents": asked}
    told = _TOLD_BY.all(connection, mine) if asked else []
    own = sum(row.rolled_into is None for row in told)
    cards = _BUMP_CARDS.all(connection, {**mine, "now": now}) if own else []
    if len(cards) < own:  # one of them was rolled up just now
        told = _TOLD_BY.all(connection, mine)
    for row in told:
        if row.rolled_into is not None:
            rolled.setdefault(row.rolled_into, []).append(row.incident_id)
    voices = {card.id: Voice(card, [card.incident_id]) for card in cards}
    heads = bump_roll_ups(connection, rolled.keys() - voices.keys(), now)
    voices |= {head.id: Voice(head, []) for head in heads}
    for head_id, incidents in rolled.items():
        if head_id in voices:
            voices[head_id].incident_ids += sorted(incidents)
    return list(voices.values())


def spoken_incidents(connection: Connection, card: Row[Any]) -> list[int]:
    """The incidents that a card tells of: its own, and those whose cards it says."""
    own = [card.incident_id] if card.incident_id is not None else []
    return [*own, *_SAID_BY.scalars(connection, {"card": card.id})]


_SAID_BY = Prepared(
    sa.select(OUTBOX.c.incident_id)
    .where(OUTBOX.c.rolled_into == sa.bindparam("card"), OUTBOX.c.kind == ALERT_CARD)
    .order_by(OUTBOX.c.incident_id)
)


def firing_on(connection: Connection, card: str) -> list[int]:
    """The alerts that fire among those that a card or a roll-up tells of."""
    told = sa.select(OUTBOX.c.incident_id).where(
        OUTBOX.c.kind == ALERT_CARD, sa.or_(OUTBOX.c.id == card, OUTBOX.c.rolled_into == card)
    )
    mine = (ALERT.c.incident_id.in_(told), ALERT.c.state == State.FIRING.value)
    return list(connection.execute(sa.select(ALERT.c.id).where(*mine).order_by(ALERT.c.id)).scalars())


def bump_roll_ups(connection: Connection, ids: Collection[str], now: datetime) -> list[Row[Any]]:
    """Make these cards and every message of these roll-ups be shown anew; the rows of the first ones."""
    if not ids:
        return []
    rows = _BUMP_PAGES.all(connection, {"ids": list(ids), "now": now})
    return [row for row in rows if row.rolled_into is None]


_NOW: sa.BindParameter[datetime] = sa.bindparam("now", type_=OUTBOX.c.due_at.type)
_IDS: sa.BindParameter[str] = sa.bindparam("ids", expanding=True)
_MINE = (
    OUTBOX.c.incident_id.in_(sa.bindparam("incidents", expanding=True)),
    OUTBOX.c.kind == ALERT_CARD,
    OUTBOX.c.abandoned_at.is_(None),
)
_BUMP_CARDS = Prepared(
    sa.update(OUTBOX).where(*_MINE, OUTBOX.c.rolled_into.is_(None)).values(one_version_on(_NOW)).returning(*OUTBOX.c)
)
_TOLD_BY = Prepared(sa.select(OUTBOX.c.rolled_into, OUTBOX.c.incident_id).where(*_MINE))
# SQLite takes the partial index of pages only where the statement says its condition to the letter
_IS_PAGE = OUTBOX.c.kind == sa.bindparam(None, ROLL_UP, literal_execute=True)
_BUMP_PAGES = Prepared(
    sa.update(OUTBOX)
    .where(
        sa.or_(OUTBOX.c.id.in_(_IDS), sa.and_(_IS_PAGE, OUTBOX.c.rolled_into.in_(_IDS))),
        OUTBOX.c.abandoned_at.is_(None),
    )
    .values(one_version_on(_NOW))
    .returning(*OUTBOX.c)
)


def say_in_thread(
    connection: Connection,
    voice: Voice,
    saying: Saying,
    routing: Routing,
    *,
    not_before: datetime | None = None,
) -> None:
    """Say something in the thread and to the channel, at most once per `group_interval`.

    A reply that nobody has seen yet takes it along; an end and no more joins other ends of its channel. The incidents
    note when they are heard, for repeats.
    """
    card, now = voice.row, routing.now
    last = _LAST_REPLY.first(connection, {"card": card.id})
    if last is not None and last.shown_version == 0 and last.claimed_by is None and not last.uncertain:
        facts, newer = saying.facts(last.facts), one_version_on(now)
        due_at = last.due_at
        if last.facts.get("held_since") and saying.held_since is None:  # what may speak waits for no morning
            due_at = newer["due_at"] = min(last.due_at, max(now, not_before or now))
        if saying.is_news and last.rank == Rank.ENDED:
            newer["rank"] = card.rank
        connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == last.id).values(facts=facts, **newer))
        note_spoken(connection, voice.incident_ids, due_at)
        return
    earliest = max(now, not_before or now)
    due_at = earliest if last is None else max(earliest, (last.sent_at or last.due_at) + routing.group_interval)
    if not saying.is_news and not voice.is_roll_up:
        joined = recoveries.join_last(connection, card, saying.held_since, routing)
        if joined is not None:
            note_spoken(connection, voice.incident_ids, joined)
            return
        due_at = max(due_at, recoveries.earliest_next(connection, card.channel, routing))
    number = _REPLIES.scalar(connection, {"card": card.id})
    reply = new_item(
        f"reply:{card.id}:{number + 1}",
        ALERT_REPLY,
        card.channel,
        due_at=due_at,
        now=now,
        thread_of=card.id,
        broadcast=True,
        rank=card.rank if saying.is_news else Rank.ENDED.value,
        rule_id=card.rule_id,
        incident_id=card.incident_id,
        facts=saying.facts(),
    )
    insert_items(connection, [reply])
    note_spoken(connection, voice.incident_ids, due_at)


def note_spoken(connection: Connection, incident_ids: Sequence[int], at: datetime) -> None:
    """Note when incidents are said; an earlier moment changes nothing."""
    for start in range(0, len(incident_ids), CHUNK):
        _NOTE_SPOKEN.run(connection, {"ids": list(incident_ids[start : start + CHUNK]), "at": at})


_REPLY_TO = OUTBOX.c.thread_of == sa.bindparam("card")
_LAST_REPLY = Prepared(
    sa.select(OUTBOX)
    .where(_REPLY_TO, OUTBOX.c.kind == ALERT_REPLY, OUTBOX.c.abandoned_at.is_(None))
    .order_by(OUTBOX.c.due_at.desc(), OUTBOX.c.created_at.desc())
    .limit(1)
    .with_for_update()
)
_REPLIES = Prepared(sa.select(sa.func.count()).select_from(OUTBOX).where(_REPLY_TO))
_NOTE_SPOKEN = Prepared(
    sa.update(INCIDENT)
    .where(
        INCIDENT.c.id.in_(sa.bindparam("ids", expanding=True)),
        sa.or_(INCIDENT.c.spoke_at.is_(None), INCIDENT.c.spoke_at < sa.bindparam("at")),
    )
    .values(spoke_at=sa.bindparam("at"))
)
