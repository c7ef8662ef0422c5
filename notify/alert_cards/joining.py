"""One card a problem and channel: the cards of a problem's other incidents are said by the one that stands.

An incident keeps its rows; whose card is said by another has it as `rolled_into`. Here is decided too what joins a card
without a word. Nothing here moves an alert, and what belongs to no problem is left alone.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.alert_cards.parts import GRAVEST_FIRST
from notify.outbox import ALERT_CARD, insert_alike
from rules.alerts.incidents import AUDIBLE, in_chunks
from rules.lifecycle import OPEN_STATES, State
from storage.prepared import NONE, Prepared
from storage.schema import ALERT, INCIDENT, OUTBOX, RULE

STALE_CARD = timedelta(hours=24)
"""Nothing joins a card without a word that has not spoken for so long."""

UNKNOWN_GRAVITY = 1

Head = OUTBOX.alias("head")
_OTHER = INCIDENT.alias("other")


def join_cards(
    connection: Connection, items: Sequence[dict[str, Any]], alike: Mapping[str, Any], *, may_open: bool = True
) -> dict[str, str]:
    """Insert these new cards, letting those join the standing one whose problem has one in their channel.

    What they have `alike` is told once. The ids of the rows that joined, each with that of the card that it joined,
    which is to be shown anew by the caller. What finds none is a card of its own, or where it may not open one, is not
    inserted.
    """
    wanted: dict[str, set[int]] = {}
    for item in items:
        wanted.setdefault(item["channel"], set()).add(item["incident_id"])
    here = {channel: _standing_cards(connection, channel, ids) for channel, ids in wanted.items()}
    opened: dict[tuple[str, str], str] = {}
    joined: dict[str, str] = {}
    gravest: dict[str, int] = {}
    rows = []
    for item in items:
        channel = item["channel"]
        problem, head = here[channel].get(item["incident_id"], (None, None))
        if problem is not None and head is None:
            head = opened.get((problem, channel))
        if head is None and not may_open:
            continue
        if head is not None:
            joined[item["id"]] = head
            rank = item["rank"]
            if rank is not None and rank < gravest.get(head, rank + 1):
                gravest[head] = rank
        elif problem is not None:
            opened[problem, channel] = item["id"]
        rows.append(item | {"rolled_into": head, "shown_version": alike["version"] if head else 0})
    insert_alike(connection, rows, alike)
    raised = [{"card": head, "at_least": rank} for head, rank in sorted(gravest.items())]
    _RAISE.run_many(connection, raised)
    return joined


def _standing_cards(
    connection: Connection, channel: str, incident_ids: Collection[int]
) -> dict[int, tuple[str | None, str | None]]:
    """The problem of each of these incidents, and the message that tells of it in a channel while it is open."""
    found: dict[int, tuple[str | None, str | None]] = {}
    for some in in_chunks(sorted(incident_ids)):
        rows = _STANDING.all(connection, {"channel": channel, "incidents": some})
        found |= {row.id: (row.problem_key, row.head) for row in rows}
    return found


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
    wanted = set(alert_ids)
    chunks = in_chunks(sorted(wanted))
    joining = [row for ids in chunks for row in _JOINING.all(connection, {"card": card.id, "ids": ids})]
    loud = wanted - {row.id for row in joining if row.problem_key is not None}
    if len(loud) == len(wanted):
        return loud
    spoke_at = _SPOKE.scalar(connection, {"card": card.id})
    if spoke_at is None or now - spoke_at > STALE_CARD:
        return wanted
    others = _Others(connection, card.id, wanted, joining)
    safety = _safety_among(connection, {row.rule_id for row in joining})
    for row in sorted(joining, key=lambda one: (one.rule_id not in safety, _grave(one), one.id)):
        if row.id in loud or row.rule_id in safety or others.leave_room_for(row):
            loud.add(row.id)
            others.add(row)
    return loud


class _Others:
    """What fires on a card and may speak, beside what joins it: a card may tell of a whole storm, and is never read."""

    def __init__(self, connection: Connection, card: str, wanted: Set[int], joining: Sequence[Any]) -> None:
        self._connection, self._card, self._wanted = connection, card, wanted
        self._are_calm = not self._has(_UNACKNOWLEDGED)
        self._covered = set() if self._are_calm else self._covering(joining)
        self._graver_than_all: dict[int, bool] = {}
        self._aloud: list[Any] = []
        self._aloud_on: dict[str, list[Any]] = {}

    def leave_room_for(self, row: Any) -> bool:
        """Whether what joins is news beside them."""
        if row.switched_on is not None:
            return self._are_less_grave(row) and all(_grave(row) < _grave(other) for other in self._aloud)
        if self._are_calm:
            return True
        same = [other for other in self._aloud_on.get(row.subject, ()) if other.rule_id != row.rule_id]
        return row.id not in self._covered and all(_grave(row) < _grave(other) for other in same)

    def add(self, row: Any) -> None:
        """Count among them what is said aloud."""
        self._aloud.append(row)
        self._aloud_on.setdefault(row.subject, []).append(row)

    def _are_less_grave(self, row: Any) -> bool:
        grave = _grave(row)
        if grave not in self._graver_than_all:
            self._graver_than_all[grave] = not self._has(_AS_GRAVE, {"grave": grave})
        return self._graver_than_all[grave]

    def _has(self, question: Prepared, more: Mapping[str, Any] = NONE) -> bool:
        most = len(self._wanted) + 1
        while True:
            found = question.scalars(self._connection, {"card": self._card, "most": most, **more})
            if any(one not in self._wanted for one in found):
                return True
            if len(found) < most:
                return False
            most *= 4  # one alert may be there by several cards

    def _covering(self, joining: Sequence[Any]) -> set[int]:
        """Those of what joins beside which another rule's alert about the same thing is as grave."""
        several = len({row.rule_id for row in joining}) > 1
        asked = {"card": self._card, "beside": sorted(self._wanted) if several else [0]}
        chunks = in_chunks([row.id for row in joining])
        return {one for ids in chunks for one in _COVERED.scalars(self._connection, {**asked, "ids": ids})}


def _grave(row: Any) -> int:
    return GRAVEST_FIRST.index(row.severity) if row.severity in GRAVEST_FIRST else UNKNOWN_GRAVITY


def _safety_among(connection: Connection, rules: Set[str]) -> set[str]:
    """Those of these rules that are about safety."""
    return {
        row.id for some in in_chunks(sorted(rules)) for row in _SAFETY.all(connection, {"rules": some}) if row.is_safety
    }


def unlisted_quiet(connection: Connection, incident_ids: Collection[int], carded: Set[int]) -> dict[int, str]:
    """The open incidents, with their rules, that no message tells of as yet, of the problems that may tell of them now.

    These are of those of these incidents that have no card, and of those that were `carded` now; what came before was
    listed as it came.
    """
    found: dict[int, str] = {}
    for some in in_chunks(sorted(incident_ids)):
        bare = _BARE.scalars(connection, {"incidents": some})
        asked = sorted({*bare, *(carded & set(some))})
        if asked:
            found |= {row.id: row.rule_id for row in _UNLISTED.all(connection, {"incidents": asked})}
    return found


_ABOUT_IT = (_OTHER.c.problem_key == INCIDENT.c.problem_key, _OTHER.c.resolved_at.is_(None))
_STANDING = Prepared(
    sa.select(
        INCIDENT.c.id,
        INCIDENT.c.problem_key,
        sa.select(sa.func.coalesce(OUTBOX.c.rolled_into, OUTBOX.c.id))
        .select_from(_OTHER)
        .join(OUTBOX, OUTBOX.c.incident_id == _OTHER.c.id)
        .join(Head, Head.c.id == sa.func.coalesce(OUTBOX.c.rolled_into, OUTBOX.c.id))
        .where(
            *_ABOUT_IT,
            OUTBOX.c.channel == sa.bindparam("channel"),
            OUTBOX.c.kind == ALERT_CARD,
            OUTBOX.c.abandoned_at.is_(None),
            Head.c.abandoned_at.is_(None),
        )
        .order_by(_OTHER.c.id.desc())
        .limit(1)
        .correlate(INCIDENT)
        .scalar_subquery()
        .label("head"),
    ).where(INCIDENT.c.id.in_(sa.bindparam("incidents", expanding=True)))
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
_IDS: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
_CARD: sa.BindParameter[str] = sa.bindparam("card")


def _is_on_card(alert: Any) -> sa.ColumnElement[bool]:
    speaks = sa.func.coalesce(OUTBOX.c.rolled_into, OUTBOX.c.id) == _CARD  # found by the alert's incident, not by this
    return sa.exists().where(OUTBOX.c.incident_id == alert.c.incident_id, OUTBOX.c.kind == ALERT_CARD, speaks)


def _gravity(incident: Any) -> sa.ColumnElement[int]:
    grave = {severity: place for place, severity in enumerate(GRAVEST_FIRST)}
    return sa.case(grave, value=incident.c.severity, else_=UNKNOWN_GRAVITY)


_JOINING = Prepared(
    sa.select(
        *(ALERT.c[name] for name in ("id", "rule_id", "subject", "switched_on")),
        INCIDENT.c.severity,
        INCIDENT.c.problem_key,
    )
    .join(INCIDENT, INCIDENT.c.id == ALERT.c.incident_id)
    .where(ALERT.c.id.in_(_IDS), ALERT.c.state == State.FIRING.value, _is_on_card(ALERT))
    .order_by(ALERT.c.id)
)
_SAFETY = Prepared(
    sa.select(RULE.c.id, RULE.c.document["safety"].as_boolean().label("is_safety")).where(
        RULE.c.id.in_(sa.bindparam("rules", expanding=True))
    )
)
_ON_CARD = (
    sa.select(ALERT.c.id)
    .select_from(OUTBOX)
    .join(ALERT, ALERT.c.incident_id == OUTBOX.c.incident_id)
    .where(
        OUTBOX.c.kind == ALERT_CARD,
        sa.or_(OUTBOX.c.id == _CARD, OUTBOX.c.rolled_into == _CARD),
        ALERT.c.state == State.FIRING.value,
        AUDIBLE,
    )
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_UNACKNOWLEDGED = Prepared(_ON_CARD.where(ALERT.c.acknowledged_at.is_(None)))
_AS_GRAVE = Prepared(
    _ON_CARD.join(INCIDENT, INCIDENT.c.id == ALERT.c.incident_id).where(_gravity(INCIDENT) <= sa.bindparam("grave"))
)
# which index a statement may take SQLite knows only where it says the index's condition to the letter
_OPEN_LITERALLY: sa.BindParameter[str] = sa.bindparam(None, OPEN_STATES, expanding=True, literal_execute=True)
_JOINS, _ITS_INCIDENT = ALERT.alias("joins"), INCIDENT.alias("its_incident")
_COVERED = Prepared(
    sa.select(_JOINS.c.id)
    .join(_ITS_INCIDENT, _ITS_INCIDENT.c.id == _JOINS.c.incident_id)
    .where(
        _JOINS.c.id.in_(_IDS),
        sa.exists()
        .where(
            # by rule and subject, as open alerts are indexed: the first that covers it is enough
            ALERT.c.rule_id.in_(sa.select(RULE.c.id)),
            ALERT.c.rule_id != _JOINS.c.rule_id,
            ALERT.c.subject == _JOINS.c.subject,
            ALERT.c.state.in_(_OPEN_LITERALLY),
            ALERT.c.state == State.FIRING.value,
            ALERT.c.id.not_in(sa.bindparam("beside", expanding=True)),
            AUDIBLE,
            INCIDENT.c.id == ALERT.c.incident_id,
            _gravity(INCIDENT) <= _gravity(_ITS_INCIDENT),
            _is_on_card(ALERT),
        )
        .correlate(_JOINS, _ITS_INCIDENT),
    )
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
_RAISE = Prepared(
    sa.update(OUTBOX)
    .where(
        OUTBOX.c.id == sa.bindparam("card"),
        sa.or_(OUTBOX.c.rank.is_(None), OUTBOX.c.rank > sa.bindparam("at_least")),
    )
    .values(rank=sa.bindparam("at_least"))
)
_BARE = Prepared(
    sa.select(INCIDENT.c.id).where(
        INCIDENT.c.id.in_(sa.bindparam("incidents", expanding=True)),
        ~sa.exists().where(OUTBOX.c.incident_id == INCIDENT.c.id, OUTBOX.c.kind == ALERT_CARD),
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
