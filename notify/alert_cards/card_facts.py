"""What the templates of a card and of its thread may say, read from the database when they are rendered, and frozen.

A context holds facts in fixed units (aware UTC datetimes, timedeltas, plain text as given): words and escapes are the
templates' work. Long lists are cut here, in the query, with the number left out beside them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.alert_cards.members import (
    ENDINGS,
    Member,
    Quiet,
    by_firing,
    faults_began,
    kept_quiet,
    read_members,
    since_the_fault,
)
from notify.alert_cards.parts import Part, read_parts
from notify.alert_cards.recoveries import AlsoOver, also_over
from notify.alert_cards.thread import AGAIN
from notify.alert_cards.tries import TriedOnes, tried
from notify.handling import Handling, handling_of
from notify.house_words import PLAIN_WORDS, HouseWords
from notify.text.standing import Standing, standing_of
from rules.alerts.incidents import AUDIBLE, OUT_OF_QUIET_HOURS
from rules.lifecycle import State
from storage.schema import ALERT, INCIDENT, LOCATION


@dataclass(frozen=True, slots=True)
class Snooze:
    """How many firing alerts are snoozed, and until when and by whom the one that is so longest."""

    members: int
    until: datetime
    by: str | None


@dataclass(frozen=True, slots=True)
class Mention:
    """A user group to mention: its handle as the rule says it, and Slack's id where it is known."""

    handle: str
    id: str | None


@dataclass(frozen=True, slots=True)
class PartLines:
    """A part of a card with those of its members that are listed, and how many are not."""

    part: Part
    members: tuple[Member, ...]
    more: int


@dataclass(frozen=True, slots=True)
class AlertCardContext:
    """What one card shows: `lead` is the part that names and colours it.

    `state` is firing, acknowledged, snoozed, silenced, held (in quiet hours), quiet (for another reason) or resolved;
    `ending` says how it ended. `lapsed_at` is when the last acknowledgement ran out, where none lasts.
    """

    incident_ids: tuple[int, ...]
    lead: Part
    parts: tuple[PartLines, ...]
    state: str
    ending: str | None
    ended_as: str | None  # recovered | removed | rule changed | rule removed | mixed
    location_name: str | None
    address: str | None
    active_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    duration: timedelta
    coded: Member | None  # who had the first error code
    firing: int
    total: int
    unacknowledged: int
    silenced: int
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    members: tuple[Member, ...]
    more: int
    quiet: tuple[Quiet, ...] = ()
    tried: TriedOnes = field(default_factory=TriedOnes)
    lapsed_at: datetime | None = None
    lapsed_by: str | None = None
    snooze: Snooze | None = None
    held_since: datetime | None = None  # quiet hours keep, or kept, members back
    held_to: datetime | None = None
    on_hold: bool = False  # of all that fires audibly nothing new is known
    already: int = 0  # members that were so when the rule was switched on, where those were several
    handling: Handling = field(default_factory=Handling)

    @property
    def incident_id(self) -> int:
        """The incident that leads."""
        return self.lead.incident_id

    @property
    def severity(self) -> str:
        """How grave the part is that leads."""
        return self.lead.severity

    @property
    def title(self) -> str:
        """What it says first, in words."""
        return self.lead.title

    @property
    def standing(self) -> Standing:
        """Its colour, and the words that say the same."""
        return standing_of(self.severity, self.ended_as, self.state, on_hold=self.on_hold)

    @property
    def shows_location(self) -> bool:
        """Whether the place is to be said beside the title: it is one, and the title does not name it."""
        return bool(self.location_name) and str(self.location_name) not in self.title

    @property
    def only(self) -> Member | None:
        """The one thing that all of it is about, as its first alert tells it; None where it is about several."""
        things = {(member.thing, member.thing_id) for member in self.members}
        return self.members[0] if len(things) == 1 and not self.more else None

    @property
    def others(self) -> tuple[Part, ...]:
        """What the other parts say, each title once and none that leads."""
        told = {lines.part.title: lines.part for lines in reversed(self.parts) if lines.part.title != self.title}
        return tuple(told.values())[::-1]

    @property
    def snoozable(self) -> bool:
        """Whether a member fires that is not snoozed."""
        return self.firing > (self.snooze.members if self.snooze else 0)


@dataclass(frozen=True, slots=True)
class AlertReplyContext:
    """What is said in the thread: which members are new, or that all of it is over."""

    card: AlertCardContext
    full_resolve: bool
    new_members: tuple[Member, ...]
    new_parts: tuple[PartLines, ...]
    new: int
    more: int
    unmuted: int = 0
    woken: int = 0
    lapsed: int = 0
    released: int = 0
    unmended: int = 0
    repriced: int = 0
    risen: int = 0
    repeated: bool = False
    mentions: tuple[Mention, ...] = ()
    also: tuple[AlsoOver, ...] = ()  # other incidents of the channel that ended, the first of them
    also_more: int = 0


def alert_card(
    connection: Connection, incident_ids: Sequence[int], now: datetime, words: HouseWords = PLAIN_WORDS
) -> AlertCardContext:
    """The card of these incidents as the database knows it now; LookupError where it knows none of them."""
    parts = read_parts(connection, incident_ids, now)
    if not parts:
        raise LookupError(f"incident {', '.join(map(str, incident_ids))} is not in the database")
    mine = ALERT.c.incident_id.in_(incident_ids)
    span = connection.execute(_SPAN, {"incidents": list(incident_ids)}).one()
    counts = count_alerts(connection, mine)
    snooze = standing_snooze(connection, mine)
    lapsed = _lapsed(connection, mine) if not counts.acknowledged_at else {}
    place = connection.execute(sa.select(LOCATION).where(LOCATION.c.id == span.location_id)).first()
    resolved_at = span.resolved_at if not span.open else None
    began = faults_began(connection, [part.incident_id for part in parts if part.is_safety])
    members = since_the_fault(read_members(connection, mine, now, codes=words.codes), began)
    coded = next((m for m in by_firing(connection, mine, now, members, words.codes) if m.error_code), None)
    ended_as, ending = _ending(connection, mine) if resolved_at is not None else (None, None)
    active_at = min([counts.active_at or span.opened_at, *began.values()])
    return AlertCardContext(
        incident_ids=tuple(incident_ids),
        lead=parts[0],
        parts=_lines(parts, members),
        state="resolved" if resolved_at is not None else state_of(counts, snooze),
        ending=ending,
        ended_as=ended_as,
        location_name=(place.name or place.id) if place is not None else None,
        address=place.address if place is not None else None,
        active_at=active_at,
        fired_at=counts.fired_at,
        resolved_at=resolved_at,
        duration=(resolved_at or now) - active_at,
        coded=coded,
        firing=counts.firing,
        total=counts.total,
        unacknowledged=counts.unacknowledged,
        silenced=counts.silenced,
        acknowledged_by=counts.acknowledged_by,
        acknowledged_at=counts.acknowledged_at,
        members=members,
        more=counts.total - len(members),
        quiet=kept_quiet(connection, mine, place.timezone if place is not None else None, now),
        **lapsed,
        snooze=snooze,
        **_held(counts),
        already=counts.already,
        tried=tried(connection, incident_ids),
        handling=handling_of(connection, incident_ids),
    )


_SPAN = sa.select(
    sa.func.min(INCIDENT.c.opened_at).label("opened_at"),
    sa.func.max(INCIDENT.c.resolved_at).label("resolved_at"),
    sa.func.count().filter(INCIDENT.c.resolved_at.is_(None)).label("open"),
    # one place, or none where they are several
    sa.case(
        (sa.func.count(INCIDENT.c.location_id) < sa.func.count(), None),
        (
            sa.func.min(INCIDENT.c.location_id) == sa.func.max(INCIDENT.c.location_id),
            sa.func.min(INCIDENT.c.location_id),
        ),
    ).label("location_id"),
).where(INCIDENT.c.id.in_(sa.bindparam("incidents", expanding=True)))


def _lines(parts: Sequence[Part], members: Sequence[Member]) -> tuple[PartLines, ...]:
    lines = []
    for part in parts:
        mine = tuple(member for member in members if member.incident_id == part.incident_id)
        lines.append(PartLines(part, mine, part.total - len(mine)))
    return tuple(lines)


def alert_reply(
    connection: Connection,
    incident_ids: Sequence[int],
    facts: Mapping[str, Any],
    now: datetime,
    words: HouseWords = PLAIN_WORDS,
) -> AlertReplyContext:
    """What a reply in the thread of these incidents' card says; `facts` are those of its outbox item."""
    fired: Sequence[int] = facts["fired"]
    chunk = fired[:500]  # only ten are named; the number told is that of all
    members = read_members(connection, ALERT.c.id.in_(chunk), now, codes=words.codes) if chunk else ()
    also = also_over(connection, facts["also"], now) if facts.get("also") else ()
    card = alert_card(connection, incident_ids, now, words)
    lines = _lines([told.part for told in card.parts], members)
    return AlertReplyContext(
        card=card,
        new_parts=tuple(told for told in lines if told.members),
        full_resolve=facts["full_resolve"],
        new_members=members,
        new=len(fired),
        more=len(fired) - len(members),
        **{reason: len(facts.get(reason, ())) for reason in AGAIN},
        repeated=facts.get("repeated", False),
        mentions=mentions(facts),
        also=also,
        also_more=len(facts.get("also", ())) - len(also),
    )


def mentions(facts: Mapping[str, Any]) -> tuple[Mention, ...]:
    """Whom a reply mentions; an id that delivery could not find is None."""
    ids = facts.get("mention_ids", {})
    return tuple(Mention(handle, ids.get(handle)) for handle in facts.get("mentions", ()))


def _held(counts: Row[Any]) -> dict[str, Any]:
    """What quiet hours keep, or kept, back, and whether nothing new is known of all that may speak."""
    kept = {"held_since": counts.held_since, "held_to": counts.held_to if not counts.held else None}
    return {**kept, "on_hold": 0 < counts.on_hold == counts.audible}


def state_of(counts: Row[Any], snooze: Snooze | None) -> str:
    """How what fires stands: acknowledged only where every part is that may speak."""
    if counts.firing and not counts.unacknowledged:
        return "acknowledged"
    if counts.audible:
        return "firing" if counts.audible_unacknowledged else "acknowledged"
    if snooze is not None and snooze.members == counts.firing:
        return "snoozed"
    if counts.silenced or not counts.firing:
        return "silenced" if counts.silenced else "firing"
    return "held" if counts.held == counts.firing else "quiet"


def standing_snooze(connection: Connection, which: sa.ColumnElement[bool]) -> Snooze | None:
    """The snooze of those of these alerts that fire; None where none is snoozed."""
    mine = (which, ALERT.c.state == State.FIRING.value, ALERT.c.snoozed_until.is_not(None))
    longest = sa.select(ALERT.c.snoozed_until, ALERT.c.snoozed_by).where(*mine)
    found = connection.execute(longest.order_by(ALERT.c.snoozed_until.desc(), ALERT.c.id).limit(1)).first()
    if found is None:
        return None
    members = connection.execute(sa.select(sa.func.count()).select_from(ALERT).where(*mine)).scalar_one()
    return Snooze(members, found.snoozed_until, found.snoozed_by)


def _lapsed(connection: Connection, mine: sa.ColumnElement[bool]) -> dict[str, Any]:
    """When and whose acknowledgement of a member that fires ran out last."""
    found = connection.execute(
        sa.select(ALERT.c.ack_ended_at, ALERT.c.acknowledged_by)
        .where(
            mine,
            ALERT.c.state == State.FIRING.value,
            ALERT.c.ack_ended_at.is_not(None),
        )
        .order_by(ALERT.c.ack_ended_at.desc(), ALERT.c.id)
        .limit(1)
    ).first()
    return {} if found is None else {"lapsed_at": found.ack_ended_at, "lapsed_by": found.acknowledged_by}


def count_alerts(connection: Connection, mine: sa.ColumnElement[bool]) -> Row[Any]:
    """How many of these alerts there are, fire, are acknowledged or kept quiet, and since when; one row."""
    firing = ALERT.c.state == State.FIRING.value
    acknowledged = ALERT.c.acknowledged_at
    newest = (
        sa.select(ALERT.c.acknowledged_by)
        .where(mine, acknowledged.is_not(None))
        .order_by(acknowledged.desc(), ALERT.c.id)
        .limit(1)
        .scalar_subquery()
    )
    return connection.execute(
        sa.select(
            sa.func.count().label("total"),
            sa.func.count().filter(firing).label("firing"),
            sa.func.count().filter(firing, acknowledged.is_(None)).label("unacknowledged"),
            sa.func.min(ALERT.c.active_at).label("active_at"),
            sa.func.min(ALERT.c.fired_at).label("fired_at"),
            sa.func.max(acknowledged).label("acknowledged_at"),
            newest.label("acknowledged_by"),
            sa.func.count(ALERT.c.switched_on).label("already"),
            sa.func.min(ALERT.c.quiet_since).label("held_since"),
            sa.func.max(ALERT.c.quiet_ended_at).label("held_to"),
            sa.func.count().filter(firing, sa.not_(OUT_OF_QUIET_HOURS)).label("held"),
            sa.func.count().filter(firing, AUDIBLE).label("audible"),
            sa.func.count().filter(firing, AUDIBLE, ALERT.c.held_since.is_not(None)).label("on_hold"),
            sa.func.count().filter(firing, AUDIBLE, acknowledged.is_(None)).label("audible_unacknowledged"),
            sa.func.count().filter(firing, ALERT.c.silence_id.is_not(None)).label("silenced"),
        ).where(mine)
    ).one()


def _ending(connection: Connection, mine: sa.ColumnElement[bool]) -> tuple[str | None, str | None]:
    reasons = (
        connection.execute(
            sa.select(ALERT.c.ended_because).where(mine).group_by(ALERT.c.ended_because).order_by(ALERT.c.ended_because)
        )
        .scalars()
        .all()
    )
    told = [reason for reason in reasons if reason is not None]
    if len(told) == 1:
        return told[0], ENDINGS.get(told[0], told[0])
    return ("mixed", "; ".join(ENDINGS.get(reason, reason) for reason in told)) if told else (None, None)
