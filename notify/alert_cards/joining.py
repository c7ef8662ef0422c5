"""One card a problem and channel: the cards of a problem's other incidents are said by the one that stands.

An incident keeps its rows; whose card is said by another has it as `rolled_into`. Here is decided too what joins a card
without a word. Nothing here moves an alert, and what belongs to no problem is left alone.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.alert_cards.parts import GRAVEST_FIRST
from notify.outbox import ALERT_CARD, insert_items
from rules.alerts.incidents import AUDIBLE
from rules.lifecycle import State
from storage.prepared import Prepared
from storage.schema import ALERT, INCIDENT, OUTBOX, RULE

STALE_CARD = timedelta(hours=24)
"""Nothing joins a card without a word that has not spoken for so long."""

Head = OUTBOX.alias("head")
_OTHER = INCIDENT.alias("other")


def join_cards(connection: Connection, items: Sequence[Mapping[str, Any]], *, may_open: bool = True) -> set[str]:
    """Insert these new cards, letting those join the standing one whose problem has one in their channel.

    The ids of the rows that joined; the cards that they joined are to be shown anew by the caller. What finds none is
    a card of its own, or where it may not open one, is not inserted.
    """
    problems = _problems(connection, {item["incident_id"] for item in items})
    standing = standing_cards(connection, set(problems.values()))
    joined: set[str] = set()
    rows = []
    for item in items:
        problem = problems.get(item["incident_id"])
        head = standing.get((problem, item["channel"])) if problem is not None else None
        if head is None and not may_open:
            continue
        if problem is not None and head is None:
            standing[problem, item["channel"]] = item["id"]
        elif head is not None:
            joined.add(item["id"])
        rows.append({**item, "rolled_into": head, "shown_version": item["version"] if head else 0})
    insert_items(connection, rows)
    _raise_ranks(connection, {row["rolled_into"] for row in rows} - {None})
    return joined


def standing_cards(connection: Connection, problems: Collection[str]) -> dict[tuple[str | None, str], str]:
    """The id of the message that tells of each of these problems in each channel, while something in it is open."""
    if not problems:
        return {}
    found = _STANDING.all(connection, {"problems": sorted(problems)})
    return {(row.problem_key, row.channel): row.head for row in found}


def join_again(connection: Connection, channel: str) -> None:
    """Let cards that wait to be posted in a channel, each by itself, be one card a problem again."""
    by_problem: dict[str, list[str]] = {}
    for row in _UNSEEN_CARDS.all(connection, {"channel": channel}):
        by_problem.setdefault(row.problem_key, []).append(row.id)
    for first, *others in by_problem.values():
        if others:
            mine = sa.or_(OUTBOX.c.id.in_(others), OUTBOX.c.rolled_into.in_(others))
            into = {"rolled_into": first, "shown_version": OUTBOX.c.version}
            connection.execute(sa.update(OUTBOX).where(mine, OUTBOX.c.kind == ALERT_CARD).values(into))


def follow_into_roll_up(connection: Connection, roll_up: str) -> None:
    """Let what had joined a card that a roll-up says be said by the roll-up too."""
    _FOLLOW.run(connection, {"head": roll_up})


def that_speak(connection: Connection, card: Row[Any], alert_ids: Collection[int], now: datetime) -> set[int]:
    """Those of these alerts that are to be said aloud where they join this card; the others are only shown.

    Only another rule's alert about the same thing stays without a word, no graver than what fires there and may speak,
    and what was already so at a switch-on, unless it is graver than all of the card.
    """
    if not alert_ids:
        return set()
    rows = _ON_CARD.all(connection, {"card": card.id})
    wanted = set(alert_ids)
    joining = [row for row in rows if row.id in wanted]
    loud = wanted - {row.id for row in joining if row.problem_key is not None}
    others = [row for row in rows if row.id not in wanted and row.is_audible]
    calm = not others or all(row.acknowledged_at is not None for row in others)
    spoke_at = _SPOKE.scalar(connection, {"card": card.id})
    stale = spoke_at is None or now - spoke_at > STALE_CARD
    for row in sorted(joining, key=lambda one: (not _is_safety(one), _grave(one), one.id)):
        if row.id in loud or _is_safety(row) or stale or _is_news(row, others, calm=calm):
            loud.add(row.id)
            others.append(row)
    return loud


def _is_news(row: Any, others: Sequence[Any], *, calm: bool) -> bool:
    if row.switched_on is not None:
        return all(_grave(row) < _grave(other) for other in others)
    if calm:
        return True
    same = [other for other in others if other.subject == row.subject and other.rule_id != row.rule_id]
    return all(_grave(row) < _grave(other) for other in same)


def _grave(row: Any) -> int:
    return GRAVEST_FIRST.index(row.severity) if row.severity in GRAVEST_FIRST else 1


def _is_safety(row: Any) -> bool:
    return bool(row.is_safety)


def unlisted_quiet(connection: Connection, incident_ids: Collection[int]) -> dict[int, str]:
    """The open incidents, with their rules, of these incidents' problems that no message tells of as yet."""
    found: dict[int, str] = {}
    ids = sorted(incident_ids)
    for start in range(0, len(ids), 500):
        rows = _UNLISTED.all(connection, {"incidents": ids[start : start + 500]})
        found |= {row.id: row.rule_id for row in rows}
    return found


def _problems(connection: Connection, incident_ids: Collection[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    ids = sorted(incident_ids)
    for start in range(0, len(ids), 500):
        mine = (INCIDENT.c.id.in_(ids[start : start + 500]), INCIDENT.c.problem_key.is_not(None))
        rows = connection.execute(sa.select(INCIDENT.c.id, INCIDENT.c.problem_key).where(*mine))
        found |= {row.id: row.problem_key for row in rows}
    return found


def _raise_ranks(connection: Connection, heads: Collection[str]) -> None:
    """Let a card go as early as the gravest that it tells of."""
    for head in sorted(heads):
        _RAISE.run(connection, {"card": head})


_STANDING = Prepared(
    sa.select(
        INCIDENT.c.problem_key,
        OUTBOX.c.channel,
        sa.func.max(sa.func.coalesce(OUTBOX.c.rolled_into, OUTBOX.c.id)).label("head"),
    )
    .join(INCIDENT, INCIDENT.c.id == OUTBOX.c.incident_id)
    .join(Head, Head.c.id == sa.func.coalesce(OUTBOX.c.rolled_into, OUTBOX.c.id))
    .where(
        INCIDENT.c.problem_key.in_(sa.bindparam("problems", expanding=True)),
        INCIDENT.c.resolved_at.is_(None),
        OUTBOX.c.kind == ALERT_CARD,
        OUTBOX.c.abandoned_at.is_(None),
        Head.c.abandoned_at.is_(None),
    )
    .group_by(INCIDENT.c.problem_key, OUTBOX.c.channel)
)
_UNSEEN_CARDS = Prepared(
    sa.select(OUTBOX.c.id, INCIDENT.c.problem_key)
    .join(INCIDENT, INCIDENT.c.id == OUTBOX.c.incident_id)
    .where(
        OUTBOX.c.channel == sa.bindparam("channel"),
        OUTBOX.c.kind == ALERT_CARD,
        OUTBOX.c.shown_version == 0,
        OUTBOX.c.message_ts.is_(None),
        OUTBOX.c.claimed_by.is_(None),
        OUTBOX.c.uncertain.is_(False),
        OUTBOX.c.rolled_into.is_(None),
        OUTBOX.c.abandoned_at.is_(None),
        INCIDENT.c.problem_key.is_not(None),
    )
    .order_by(OUTBOX.c.created_at, OUTBOX.c.id)
)
_OF_CARD = sa.select(OUTBOX.c.incident_id).where(
    OUTBOX.c.kind == ALERT_CARD,
    sa.or_(OUTBOX.c.id == sa.bindparam("card"), OUTBOX.c.rolled_into == sa.bindparam("card")),
)
_ON_CARD = Prepared(
    sa.select(
        *(ALERT.c[name] for name in ("id", "rule_id", "subject", "acknowledged_at", "switched_on")),
        AUDIBLE.label("is_audible"),
        INCIDENT.c.severity,
        INCIDENT.c.problem_key,
        RULE.c.document["safety"].as_boolean().label("is_safety"),
    )
    .join(INCIDENT, INCIDENT.c.id == ALERT.c.incident_id)
    .outerjoin(RULE, RULE.c.id == ALERT.c.rule_id)
    .where(ALERT.c.incident_id.in_(_OF_CARD), ALERT.c.state == State.FIRING.value)
    .order_by(ALERT.c.id)
)
_SPOKE = Prepared(
    sa.select(sa.func.max(sa.func.coalesce(OUTBOX.c.sent_at, OUTBOX.c.due_at))).where(
        sa.or_(OUTBOX.c.id == sa.bindparam("card"), OUTBOX.c.thread_of == sa.bindparam("card")),
        OUTBOX.c.abandoned_at.is_(None),
    )
)
_CARDS_IN_IT = sa.select(Head.c.id).where(Head.c.rolled_into == sa.bindparam("head"), Head.c.kind == ALERT_CARD)
_FOLLOW = Prepared(
    sa.update(OUTBOX)
    .where(OUTBOX.c.rolled_into.in_(_CARDS_IN_IT), OUTBOX.c.kind == ALERT_CARD)
    .values(rolled_into=sa.bindparam("head"))
)
_MEMBER = OUTBOX.alias("member")
_RAISE = Prepared(
    sa.update(OUTBOX)
    .where(OUTBOX.c.id == sa.bindparam("card"))
    .values(
        rank=sa.select(sa.func.min(_MEMBER.c.rank))
        .where(
            sa.or_(
                _MEMBER.c.id == sa.bindparam("card"),
                sa.and_(_MEMBER.c.rolled_into == sa.bindparam("card"), _MEMBER.c.kind == ALERT_CARD),
            )
        )
        .scalar_subquery()
    )
)
_UNLISTED = Prepared(
    sa.select(INCIDENT.c.id, INCIDENT.c.rule_id)
    .where(
        INCIDENT.c.problem_key.in_(
            sa.select(_OTHER.c.problem_key).where(_OTHER.c.id.in_(sa.bindparam("incidents", expanding=True)))
        ),
        INCIDENT.c.resolved_at.is_(None),
        ~sa.exists().where(OUTBOX.c.incident_id == INCIDENT.c.id, OUTBOX.c.kind == ALERT_CARD),
    )
    .order_by(INCIDENT.c.id)
)
