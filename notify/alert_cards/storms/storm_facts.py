"""What a page of a roll-up says: the rules that found something, in words, and its places with their codes and ages.

It reads what the database knows at the moment of drawing, with a few queries however many alerts there are, and
writes nothing. A roll-up of one place names its chargers instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.alert_cards.card_facts import Snooze, count_alerts, standing_snooze, state_of
from notify.alert_cards.members import NO_ERROR, Quiet, kept_quiet
from notify.alert_cards.parts import FIRING, GRAVEST_FIRST, THING_IDS, counted_things, names_of, titled_row
from notify.house_words import PLAIN_WORDS, HouseWords
from notify.outbox import ALERT_CARD
from notify.text.standing import Standing, standing_of
from notify.text.words import duration, slack_escape
from storage.schema import ALERT, CHARGER, CONNECTOR, INCIDENT, LOCATION, OUTBOX, RULE

PAGE_TEXT = 11_000  # less than Slack's 13,200 over all blocks, the title, the rules and the small print left out
SHORTEST_NAME, LONGEST_NAME = 4, 40
MARKS = 5  # of a line: the bullet, its space, the two of the code span, the line's end
OVER = len(" · over")
CODE_LIMIT, ID_LIMIT = 28, 16
DETAILED = 90
"""The most places of a page that are told with their codes and ages."""


@dataclass(frozen=True, slots=True)
class StormPart:
    """What one rule found, in words."""

    title: str
    rule_name: str
    description: str
    severity: str
    is_safety: bool
    thing: str
    firing: int
    total: int

    @property
    def weight(self) -> tuple[bool, bool, int, int, str]:
        """What leads comes first: what fires, safety, the graver, the more."""
        grave = GRAVEST_FIRST.index(self.severity) if self.severity in GRAVEST_FIRST else 1
        return not self.firing, not self.is_safety, grave, -self.firing, self.rule_name


@dataclass(frozen=True, slots=True)
class StormPlace:
    """A location in a roll-up, or a charger of its only one, and how many of its alerts fire.

    `name` is None for what has no location; `code` is in words where it is known, and `since` when the first began,
    where the page has room for them.
    """

    name: str | None
    thing_id: str | None
    firing: int
    total: int
    code: str | None = None
    since: timedelta | None = None


@dataclass(frozen=True, slots=True)
class SwitchedOn:
    """How many things were already so when a rule was switched on; `thing` says what they are."""

    count: int
    thing: str


@dataclass(frozen=True, slots=True)
class StormContext:
    """What one page of a roll-up says; the figures are those of the whole storm. `state` is as a card's."""

    id: str
    parts: tuple[StormPart, ...]
    places: tuple[StormPlace, ...]
    place: str | None  # the only one, where it is one
    name_limit: int
    left_out: int  # places that no page can name any more
    page: int
    pages: int
    places_in_all: int
    state: str
    firing: int
    total: int
    unacknowledged: int
    silenced: int
    since: datetime
    resolved_at: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    on_hold: bool = False
    quiet: tuple[Quiet, ...] = ()
    snooze: Snooze | None = None
    switched_on: SwitchedOn | None = None

    @property
    def lead(self) -> StormPart:
        """The part that names and colours it."""
        return self.parts[0]

    @property
    def severity(self) -> str:
        """How grave the gravest is that still fires."""
        return self.lead.severity

    @property
    def standing(self) -> Standing:
        """Its colour, and the words that say the same."""
        ended_as = "recovered" if self.resolved_at else None
        return standing_of(self.severity, ended_as, self.state, on_hold=self.on_hold)

    @property
    def titles(self) -> tuple[StormPart, ...]:
        """What was found, each title once: two rules may say the same."""
        return tuple({part.title: part for part in reversed(self.parts)}.values())[::-1]

    @property
    def snoozable(self) -> bool:
        """Whether an alert fires that is not snoozed."""
        return self.firing > (self.snooze.members if self.snooze else 0)


def storm(connection: Connection, row: Row[Any], now: datetime, words: HouseWords = PLAIN_WORDS) -> StormContext:
    """What the page of a roll-up in this outbox row says now."""
    head = row.rolled_into or row.id
    in_storm = ALERT.c.incident_id.in_(incidents_of(head))
    counts = count_alerts(connection, in_storm)
    snooze = standing_snooze(connection, in_storm)
    ends = connection.execute(
        sa.select(
            sa.func.count().filter(INCIDENT.c.resolved_at.is_(None)).label("open"),
            sa.func.max(INCIDENT.c.resolved_at).label("resolved_at"),
        ).where(INCIDENT.c.id.in_(incidents_of(head)))
    ).one()
    resolved_at = ends.resolved_at if not ends.open else None
    page, pages = row.facts["page"], row.facts["pages"]
    places, only = _places(connection, head)
    a_page = -(-len(places) // pages)
    shown = places[(page - 1) * a_page : page * a_page]
    named = shown[: PAGE_TEXT // (MARKS + OVER + SHORTEST_NAME)]
    told = _with_details(connection, head, named, now, words, by_charger=only is not None)
    return StormContext(
        id=head,
        parts=_parts(connection, head, resolved_at, now),
        places=told,
        place=only,
        name_limit=_name_limit(told, with_ids=only is not None),
        left_out=len(shown) - len(named),
        page=page,
        pages=pages,
        places_in_all=len(places),
        state="resolved" if resolved_at is not None else state_of(counts, snooze),
        firing=counts.firing,
        total=counts.total,
        unacknowledged=counts.unacknowledged,
        silenced=counts.silenced,
        since=counts.active_at or now,
        resolved_at=resolved_at,
        acknowledged_by=counts.acknowledged_by,
        acknowledged_at=counts.acknowledged_at,
        on_hold=0 < counts.on_hold == counts.audible,
        quiet=kept_quiet(connection, in_storm, None, now) if counts.audible != counts.firing else (),
        snooze=snooze,
        switched_on=SwitchedOn(**row.facts["switched_on"]) if "switched_on" in row.facts else None,
    )


def only_place(connection: Connection, row: Row[Any]) -> str | None:
    """The name of the only location of a roll-up, one of whose pages is in this outbox row; None where it has more."""
    found: sa.Select[Any] = (
        sa.select(INCIDENT.c.location_id.label("id"), LOCATION.c.name)
        .select_from(INCIDENT)
        .outerjoin(LOCATION, LOCATION.c.id == INCIDENT.c.location_id)
        .where(INCIDENT.c.id.in_(incidents_of(row.rolled_into or row.id)))
    )
    return _name_of_only(connection.execute(found.distinct().limit(2)).all())


def _name_of_only(locations: Sequence[Row[Any]]) -> str | None:
    if len(locations) != 1 or locations[0].id is None:
        return None
    return str(locations[0].name or locations[0].id)


def incidents_of(head: str) -> sa.Select[Any]:
    """The incidents whose cards a roll-up says."""
    return sa.select(OUTBOX.c.incident_id).where(OUTBOX.c.rolled_into == head, OUTBOX.c.kind == ALERT_CARD)


def _parts(connection: Connection, head: str, resolved_at: datetime | None, now: datetime) -> tuple[StormPart, ...]:
    """What each rule found, what leads first; what has ended is titled by all that it was."""
    told = FIRING if resolved_at is None else sa.true()
    grave = sa.case(*((INCIDENT.c.severity == word, at) for at, word in enumerate(GRAVEST_FIRST)), else_=1)
    rows = connection.execute(
        sa.select(INCIDENT.c.rule_id, RULE.c.document, sa.func.min(grave).label("grave"), *counted_things(told))
        .select_from(INCIDENT)
        .outerjoin(ALERT, ALERT.c.incident_id == INCIDENT.c.id)
        .outerjoin(CONNECTOR, CONNECTOR.c.id == ALERT.c.connector_id)
        .outerjoin(RULE, RULE.c.id == INCIDENT.c.rule_id)
        .where(INCIDENT.c.id.in_(incidents_of(head)))
        .group_by(INCIDENT.c.rule_id, RULE.c.id)
    ).all()
    names = names_of(connection, rows)
    return tuple(sorted((_part(row, names, resolved_at, now) for row in rows), key=lambda part: part.weight))


def _part(row: Row[Any], names: Any, resolved_at: datetime | None, now: datetime) -> StormPart:
    document = row.document or {}
    lasted = (resolved_at or now) - (row.active_at or now)
    title, about = titled_row(row, names, lasted, is_over=resolved_at is not None)
    return StormPart(
        title=title,
        rule_name=str(document.get("name") or row.rule_id),
        description=str(document.get("description") or ""),
        severity=GRAVEST_FIRST[row.grave],
        is_safety=document.get("safety") is True,
        thing=about,
        firing=row.firing,
        total=row.total,
    )


_CHARGER_ID = THING_IDS["charger"]


def _places(connection: Connection, head: str) -> tuple[list[StormPlace], str | None]:
    """The locations of a roll-up; where it is only one, its chargers, and its name."""
    rows = connection.execute(
        _counted(INCIDENT.c.location_id, LOCATION.c.name, head).outerjoin(
            LOCATION, LOCATION.c.id == INCIDENT.c.location_id
        )
    ).all()
    only = _name_of_only(rows)
    if only is None:
        return [_place(row, row.name or row.id) for row in rows], None
    chargers = connection.execute(
        _counted(_CHARGER_ID, CHARGER.c.name, head).outerjoin(CHARGER, CHARGER.c.id == _CHARGER_ID)
    )
    return [_place(row, row.name if row.id else only) for row in chargers], only


def _counted(thing_id: Any, name: Any, head: str) -> sa.Select[Any]:
    return (
        sa.select(
            thing_id.label("id"),
            name.label("name"),
            sa.func.count(ALERT.c.id).filter(FIRING).label("firing"),
            sa.func.count(ALERT.c.id).label("total"),
        )
        .select_from(INCIDENT)
        .outerjoin(ALERT, ALERT.c.incident_id == INCIDENT.c.id)
        .outerjoin(CONNECTOR, CONNECTOR.c.id == ALERT.c.connector_id)
        .where(INCIDENT.c.id.in_(incidents_of(head)))
        .group_by(thing_id, name)
        .order_by(name, thing_id)
    )


def _place(row: Row[Any], name: str | None) -> StormPlace:
    return StormPlace(name, row.id, row.firing, row.total)


def _with_details(
    connection: Connection,
    head: str,
    places: Sequence[StormPlace],
    now: datetime,
    words: HouseWords,
    *,
    by_charger: bool,
) -> tuple[StormPlace, ...]:
    """The places with their codes and ages, where the page has room for them."""
    if not 0 < len(places) <= DETAILED:
        return tuple(places)
    key = _CHARGER_ID if by_charger else INCIDENT.c.location_id
    code, vendor = (
        sa.func.nullif(ALERT.c.evidence[name].as_string(), "") for name in ("error_code", "vendor_error_code")
    )
    code = sa.func.nullif(code, NO_ERROR)
    ids = [place.thing_id for place in places if place.thing_id is not None]
    here = key.in_(ids) if None not in {place.thing_id for place in places} else sa.or_(key.in_(ids), key.is_(None))
    rows = connection.execute(
        sa.select(
            key.label("id"),
            sa.func.min(ALERT.c.active_at).label("active_at"),
            sa.func.count(sa.distinct(code)).label("codes"),
            sa.func.min(code).label("code"),
            sa.func.min(vendor).label("vendor"),
        )
        .select_from(ALERT)
        .join(INCIDENT, INCIDENT.c.id == ALERT.c.incident_id)
        .outerjoin(CONNECTOR, CONNECTOR.c.id == ALERT.c.connector_id)
        .where(INCIDENT.c.id.in_(incidents_of(head)), FIRING, here)
        .group_by(key)
    )
    found = {row.id: row for row in rows}
    return tuple(_detailed(place, found.get(place.thing_id), now, words) for place in places)


def _detailed(place: StormPlace, row: Row[Any] | None, now: datetime, words: HouseWords) -> StormPlace:
    if row is None:
        return place
    code = f"{row.codes} different errors" if row.codes > 1 else None
    if row.codes == 1:
        explained = words.codes.explain(row.code, row.vendor)
        code = explained.name if explained is not None else row.code
    return replace(place, code=code, since=now - row.active_at)


def _name_limit(places: Sequence[StormPlace], *, with_ids: bool) -> int:
    """How many characters each name may have so that all of the page fits; short names leave room to the others."""
    lengths = [len(slack_escape(place.name or "no location")) for place in places]
    rest = PAGE_TEXT - sum(_room(place) + (ID_LIMIT + MARKS if with_ids else 0) for place in places)
    fits = (n for n in range(LONGEST_NAME, SHORTEST_NAME, -1) if sum(min(length, n) for length in lengths) <= rest)
    return next(fits, SHORTEST_NAME)


def _room(place: StormPlace) -> int:
    """What a line takes beside its name and id, at most."""
    counted = max(OVER, len(f" · {place.firing} of {place.total}"))
    code = min(CODE_LIMIT, len(slack_escape(place.code))) + MARKS if place.code else 0
    since = len(f" · over {duration(place.since)}") if place.since is not None else 0
    return MARKS + counted + code + since
