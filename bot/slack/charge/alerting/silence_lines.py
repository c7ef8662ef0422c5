"""A silence as people are shown it, and how far it reaches: what fires under it now, and whether safety does.

It makes and ends none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.acts import Act
from rules.alerts.silences import PLACES, matches, quiet_until
from rules.documents.maintenance import BY_LOCATION, days_text, window_from
from storage.queries.state import FIRING
from storage.schema import ALERT, LOCATION, RULE

MANY = 10
"""More alerts than these are not silenced or acknowledged without a preview."""


@dataclass(frozen=True, slots=True)
class SilenceLine:
    """A silence as a list shows it: what it matches as plain text, and how it ends. A window opens and closes."""

    id: int
    about: str
    how: str  # time | recovery | session | weekly
    until: datetime | None
    window: str | None
    quiet_now: bool
    opens: datetime | None
    closes: datetime | None
    author: str
    reason: str
    site: str = ""  # when it ends by the clock of its location, such as "18:00 in Europe/Dublin"


@dataclass(frozen=True, slots=True)
class Matching:
    """What a silence is to match: what is None matches all."""

    rule_id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    location_id: str | None = None
    charger_id: str | None = None
    connector_id: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """How many alerts fire that a silence matches, the rules of those and the one it names, and which are of safety.

    `may_be_safety`: alerts of safety that are to come may be covered too.
    """

    firing: int
    rules: Sequence[str]
    safety: Sequence[str]
    may_be_safety: bool = False

    @property
    def is_wide(self) -> bool:
        """Whether it is asked about first, and told to the channels."""
        return bool(self.safety) or self.firing > MANY


def reach_of(connection: Connection, matchers: Matching) -> Reach:
    """How far a silence with these matchers reaches."""
    firing = connection.execute(sa.select(ALERT).where(ALERT.c.state == FIRING)).all()
    concerned = [alert for alert in firing if matches(matchers, alert)]
    named = [matchers.rule_id] if matchers.rule_id is not None else []
    rules = list(dict.fromkeys([*named, *(alert.rule_id for alert in concerned)]))
    there = sa.select(RULE.c.id, RULE.c.document).where(RULE.c.removed_at.is_(None)).order_by(RULE.c.id)
    documents = {row.id: row.document for row in connection.execute(there)}
    if matchers.labels and matchers.rule_id is None:
        rules += [name for name, told in documents.items() if name not in rules and _has(told, matchers.labels)]
    safety = [name for name in rules if documents.get(name, {}).get("safety") is True]
    open_to_all = matchers.rule_id is None and not matchers.labels
    may_be = open_to_all and any(told.get("safety") is True for told in documents.values())
    return Reach(len(concerned), rules, safety, may_be)


def reach_of_alerts(connection: Connection, conditions: Sequence[sa.ColumnElement[bool]]) -> Reach:
    """How far something reaches that is done to the alerts which meet these conditions."""
    counts = sa.select(ALERT.c.rule_id, sa.func.count()).where(*conditions).group_by(ALERT.c.rule_id)
    firing = {row[0]: row[1] for row in connection.execute(counts.order_by(ALERT.c.rule_id))}
    documents = connection.execute(sa.select(RULE.c.id, RULE.c.document).where(RULE.c.id.in_(list(firing))))
    safety = [row.id for row in documents if row.document.get("safety") is True]
    return Reach(sum(firing.values()), list(firing), sorted(safety))


def _has(document: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    own = document.get("labels") or {}
    return all(own.get(name) == value for name, value in labels.items())


def act_of(line: SilenceLine, reach: Reach, user: str) -> Act:
    """What the channels of these alerts are told of a silence."""
    how = line.window or {"recovery": "until they recover", "session": "until the session ends"}.get(line.how, "")
    facts = {
        "number": line.id,
        "about": line.about,
        "how": f"weekly, {how}" if line.window else how,
        "until": line.until.isoformat() if line.until is not None else None,
        "safety": bool(reach.safety),
        "concerned": reach.firing,
        "reason": line.reason,
    }
    return Act("silence", user, tuple(reach.rules), facts)


def line_of(connection: Connection, row: Row[Any], now: datetime) -> SilenceLine:
    """A stored silence as it is shown at `now`."""
    about = [f"rule {row.rule_id}"] if row.rule_id is not None else []
    about += [f"{name.removesuffix('_id')} {getattr(row, name)}" for name in PLACES if getattr(row, name) is not None]
    about += [f"{name} = {value}" for name, value in row.labels.items()]
    how = "recovery" if row.until_recovery else "session" if row.until_sessions else "time"
    window = opens = closes = None
    quiet_now = True
    if row.weekly:
        how = "weekly"
        weekly = window_from(row.weekly)
        local = None
        if row.location_id is not None:
            place = sa.select(LOCATION.c.timezone).where(LOCATION.c.id == row.location_id)
            local = connection.execute(place).scalar()
        zone = "each location's own time" if weekly.zone == BY_LOCATION else weekly.zone
        window = f"{days_text(weekly.days)} {weekly.start} to {weekly.end}, {zone}"
        dates = [f"{word} {day}" for word, day in (("from", weekly.first), ("to", weekly.last)) if day is not None]
        window = ", ".join([window, *([" ".join(dates)] if dates else [])])
        present = weekly.open_at(now, local)
        quiet_now = present is not None
        opens, closes = present or weekly.coming(now, local) or (None, None)
    return SilenceLine(
        id=row.id,
        about=", ".join(about),
        how=how,
        until=quiet_until(row, None, now) if not row.weekly else row.until,
        window=window,
        quiet_now=quiet_now,
        opens=opens,
        closes=closes,
        author=row.author,
        reason=row.reason,
    )
