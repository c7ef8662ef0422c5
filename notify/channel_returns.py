"""What waits for a channel that refused messages, brought up to what is still true before the channel is tried again.

What holds is said, through the storm budget; what stands is edited where it stands; what is over is one line with
counts. Nothing here posts, and nothing that still holds is left out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from notify.alert_cards.joining import join_again
from notify.alert_cards.storms.roll_ups import is_over, roll_up
from notify.alert_cards.thread import AGAIN
from notify.claims import leave_out
from notify.outbox import (
    ALERT_CARD,
    ALERT_REPLY,
    DIGEST,
    EVENT,
    EVENTS,
    OVER,
    QUIET_SUMMARY,
    RETURNED,
    ROLL_UP,
    TROUBLE,
    enqueue_message,
)
from notify.routing import Routing
from rules.documents.document import rule_from_document
from rules.documents.reader import MAX_AGE
from rules.language.errors import RuleErrors
from rules.lifecycle import State
from storage.schema import ALERT, OUTBOX, REFUSED, RULE

STALE = timedelta(minutes=5)
"""How late the end of an incident is still told by itself, once its channel takes messages again."""

COUNTED = {
    "ended": ("alert", "came and went"),
    "updates": ("update", "of alerts no longer true"),
    "events": ("event", "too old to tell"),
    "digests": ("older digest", "left out"),
    "elsewhere": ("message", "said in"),
}
"""What the line counts, with its words."""


@dataclass(frozen=True, slots=True)
class Passed:
    """How many of what a channel was not told, and where they were said instead, if they were."""

    count: int
    noun: str
    what: str
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class ReturnContext:
    """What is said when a channel takes messages again: since when it took none, why, and what passed meanwhile."""

    since: datetime
    error: str
    parts: tuple[Passed, ...]


def prepare_return(connection: Connection, channel: str, routing: Routing) -> None:
    """Make what waits for a channel what should be said in it now: before each probe, in the probe's transaction.

    1. What moved to a channel that refuses it too comes home.
    2. What is over, stale or overtaken is left out, and counted.
    3. Cards that nobody has seen count anew: more than the budget are a roll-up.
    """
    _bring_home(connection, channel, routing.now)
    _undo_roll_ups(connection, channel, routing.now)
    join_again(connection, channel)
    drop_what_is_over(connection, channel, routing.now)
    cards = (*_WAITS, OUTBOX.c.channel == channel, OUTBOX.c.due_at <= routing.now, OUTBOX.c.kind == ALERT_CARD)
    of_now = {"created_at": routing.now, "due_at": routing.now}
    connection.execute(sa.update(OUTBOX).where(*cards, OUTBOX.c.rolled_into.is_(None)).values(of_now))
    roll_up(connection, [channel], replace(routing, group_wait=timedelta()))


def return_context(facts: Mapping[str, Any]) -> ReturnContext:
    """What the line says, from the facts of its outbox row."""
    parts = tuple(
        Passed(facts[name], noun, what, facts.get("to") if name == "elsewhere" else None)
        for name, (noun, what) in COUNTED.items()
        if facts.get(name)
    )
    return ReturnContext(datetime.fromisoformat(facts["since"]), facts["error"], parts)


def drop_what_is_over(connection: Connection, channel: str, now: datetime) -> None:
    """Leave out, of what nobody has seen in a channel, what is over, stale or overtaken; a line counts it."""
    counts: Counter[str] = Counter()
    rows = connection.execute(_ids(channel, now)).all()
    over = {row.id for row in rows if row.kind == ALERT_CARD and is_over(connection, row.id)}
    over |= {row.id for row in rows if row.kind == ROLL_UP and is_over(connection, row.rolled_into or row.id)}
    counts["ended"] = sum(row.id in over and not (row.kind == ROLL_UP and row.rolled_into) for row in rows)
    dropped = [row for row in rows if row.id in over]
    facts = _facts_of(connection, [row.id for row in rows if row.kind in _JUDGED])
    for row in rows:
        told = facts.get(row.id)
        if told is None:
            continue
        if row.kind == ALERT_REPLY and (row.thread_of in over or not _holds(connection, row, told, now)):
            counts["updates"] += 1
        elif row.kind in {EVENT, EVENTS} and _is_too_old(connection, row.rule_id, told, now):
            counts["events"] += len(told.get("events", (told,)))
        elif row.kind != TROUBLE or told.get("ended_at") is None:
            continue
        dropped.append(row)
    overtaken = [*_overtaken(rows, facts, DIGEST), *_overtaken(rows, facts, QUIET_SUMMARY)]
    counts["digests"] = len(overtaken)
    for row in (*dropped, *overtaken):
        leave_out(connection, row, OVER, now)
    _count(connection, channel, counts, now)


_JUDGED = frozenset({ALERT_REPLY, EVENT, EVENTS, TROUBLE, DIGEST, QUIET_SUMMARY})
_WAITS: tuple[ColumnElement[bool], ...] = (
    OUTBOX.c.shown_version == 0,
    OUTBOX.c.message_ts.is_(None),
    OUTBOX.c.abandoned_at.is_(None),
    OUTBOX.c.claimed_by.is_(None),
    OUTBOX.c.uncertain.is_(False),
)


def _ids(channel: str, now: datetime) -> sa.Select[Any]:
    # not `facts`: one that is damaged holds up no other
    names = ("id", "kind", "rule_id", "incident_id", "thread_of", "rolled_into", "created_at", "due_at", "natural_key")
    waits = (*_WAITS, OUTBOX.c.channel == channel, OUTBOX.c.due_at <= now)
    return sa.select(*(OUTBOX.c[name] for name in names)).where(*waits).order_by(OUTBOX.c.created_at, OUTBOX.c.id)


def _facts_of(connection: Connection, ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """The facts of these messages, without those that cannot be read."""
    found: dict[str, Mapping[str, Any]] = {}
    for one in ids:
        try:
            found[one] = connection.execute(sa.select(OUTBOX.c.facts).where(OUTBOX.c.id == one)).scalar_one()
        except (ValueError, TypeError):
            continue
    return found


def _holds(connection: Connection, row: Row[Any], told: Mapping[str, Any], now: datetime) -> bool:
    """Whether what a reply says is still so: its incident goes on, and one of whom it speaks still fires."""
    if now - row.due_at <= STALE:
        return True
    if told.get("full_resolve"):
        return False
    if told.get("repeated") or told.get("mentions"):
        return row.incident_id is None or not is_over(connection, row.thread_of)
    named = [*told.get("fired", ()), *(i for reason in AGAIN for i in told.get(reason, ()))]
    fires = (ALERT.c.id.in_(named[:500]), ALERT.c.state == State.FIRING.value)
    return connection.execute(sa.select(ALERT.c.id).where(*fires).limit(1)).first() is not None


def _is_too_old(connection: Connection, rule_id: str, told: Mapping[str, Any], now: datetime) -> bool:
    document = connection.execute(sa.select(RULE.c.document).where(RULE.c.id == rule_id)).scalar()
    try:
        max_age = getattr(rule_from_document(document or {}, rule_id), "max_age", MAX_AGE)
    except RuleErrors:
        max_age = MAX_AGE
    newest = max(datetime.fromisoformat(one["event_at"]) for one in told.get("events", (told,)))
    return now - newest > max_age


def _overtaken(rows: Sequence[Row[Any]], facts: Mapping[str, Mapping[str, Any]], kind: str) -> list[Row[Any]]:
    """All but the newest of each rule and zone: rows are in the order of their making."""
    newest: dict[tuple[str | None, Any], Row[Any]] = {}
    mine = [row for row in rows if row.kind == kind and row.id in facts]
    for row in mine:
        newest[row.rule_id, facts[row.id].get("zone")] = row
    return [row for row in mine if row not in newest.values()]


def _count(connection: Connection, channel: str, counts: Mapping[str, int], now: datetime) -> None:
    refused = connection.execute(sa.select(REFUSED).where(REFUSED.c.channel == channel)).first()
    if refused is None or not any(counts.values()):
        return
    key = f"returned:{channel}:{refused.since.isoformat()}"
    known = connection.execute(sa.select(OUTBOX.c.facts).where(OUTBOX.c.natural_key == key)).scalar() or {}
    facts = {**known, "since": refused.since.isoformat(), "error": refused.error}
    facts |= {name: max(0, known.get(name, 0) + counts.get(name, 0)) for name in COUNTED}
    enqueue_message(connection, natural_key=key, kind=RETURNED, channel=channel, facts=facts, now=now)
    told = any(facts[name] for name in COUNTED)  # a line without counts waits until it has some
    unseen = (OUTBOX.c.natural_key == key, OUTBOX.c.shown_version == 0)
    connection.execute(sa.update(OUTBOX).where(*unseen).values(abandoned_at=None if told else now, error=OVER))


def note_elsewhere(connection: Connection, refused: Row[Any], moved: int, elsewhere: str, now: datetime) -> None:
    """Let the line that a channel is told on its return say how much was said elsewhere."""
    _count(connection, refused.channel, {"elsewhere": moved}, now)
    key = f"returned:{refused.channel}:{refused.since.isoformat()}"
    row = connection.execute(sa.select(OUTBOX.c.id, OUTBOX.c.facts).where(OUTBOX.c.natural_key == key)).one()
    connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == row.id).values(facts={**row.facts, "to": elsewhere}))


def _bring_home(connection: Connection, channel: str, now: datetime) -> None:
    """Take back what moved away from a channel and stands nowhere yet, because the other channel refuses it too."""
    refusing = sa.select(REFUSED.c.channel).where(REFUSED.c.channel != channel)
    waits = (*_WAITS, OUTBOX.c.channel.in_(refusing), OUTBOX.c.kind != RETURNED)
    rows = connection.execute(sa.select(OUTBOX.c.id, OUTBOX.c.natural_key, OUTBOX.c.channel).where(*waits)).all()
    # a card that was made for the other channel has its own here
    ids = [row.id for row in rows if not row.natural_key.endswith(f":{row.channel}")]
    mine = {i: told for i, told in _facts_of(connection, ids).items() if told.get("moved_from") == channel}
    for one, told in mine.items():
        facts = {name: value for name, value in told.items() if name not in {"moved_from", "moved_because"}}
        home = {"channel": channel, "facts": facts, "due_at": now, "attempts": 0, "error": None, "claimed_until": None}
        connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == one).values(home))
        connection.execute(sa.update(OUTBOX).where(OUTBOX.c.thread_of == one).values(channel=channel))
    if mine:
        _count(connection, channel, {"elsewhere": -len(mine)}, now)


def roll_up_moved(connection: Connection, channel: str, routing: Routing, because: Mapping[str, Any]) -> None:
    """Let cards that came to a channel at this moment be a roll-up where they are more than its budget."""
    roll_up(connection, [channel], replace(routing, group_wait=timedelta()))
    made = (OUTBOX.c.kind == ROLL_UP, OUTBOX.c.natural_key.startswith(f"storm:{channel}:{routing.now.isoformat()}:"))
    for row in connection.execute(sa.select(OUTBOX.c.id, OUTBOX.c.facts).where(*made)).all():
        facts = {**row.facts, **because}
        connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id == row.id).values(facts=facts))


def _undo_roll_ups(connection: Connection, channel: str, now: datetime) -> None:
    """Let the cards of a storm that nobody has seen be cards again, to be counted anew.

    One that cards which stand have moved into remains: they say so.
    """
    member = OUTBOX.alias("member")
    seen = sa.exists().where(
        member.c.rolled_into == OUTBOX.c.id, member.c.kind == ALERT_CARD, member.c.message_ts.is_not(None)
    )
    storms = (OUTBOX.c.kind == ROLL_UP, OUTBOX.c.natural_key.startswith("storm:"), OUTBOX.c.rolled_into.is_(None))
    unseen = (*_WAITS, OUTBOX.c.channel == channel, OUTBOX.c.due_at <= now, ~seen)
    for head in connection.execute(sa.select(OUTBOX.c.id).where(*unseen, *storms)).scalars().all():
        mine = OUTBOX.c.rolled_into == head
        undone = {"rolled_into": None, "shown_version": 0, "channel": channel, "due_at": now}
        connection.execute(sa.update(OUTBOX).where(mine, OUTBOX.c.kind == ALERT_CARD).values(undone))
        connection.execute(sa.delete(OUTBOX).where(sa.or_(OUTBOX.c.id == head, mine, OUTBOX.c.thread_of == head)))
