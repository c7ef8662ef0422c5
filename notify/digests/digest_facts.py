"""What a digest says: the facts that were gathered with it, made into the values that its template reads.

The database is not asked again, so that a digest says on every try what it said at its slot. Words and escapes are the
template's work.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from notify.charts.picture import Picture, picture_of
from notify.digests.backtests import BACKTESTS
from notify.text.prices import PriceLine, currency_of, lines_of
from rules.documents.windows import Period, period_of


@dataclass(frozen=True, slots=True)
class DigestFigures:
    """The figures of one local day; energy in kWh, revenue by ISO 4217 currency."""

    day: date
    sessions: int
    energy_kwh: float
    revenue: Mapping[str, float]
    zero_energy: int
    locations: int
    utilisation: float | None = None  # a ratio; None in facts of an older version, and without connectors
    impossible_times: int = 0  # sessions that end before they start: left out of all the figures
    negative_energy: int = 0  # and those that took energy back
    told_twice: int = 0  # and those that are another one under a second id
    drivers: int | None = None  # None where nothing of tags is kept
    new_drivers: int = 0


@dataclass(frozen=True, slots=True)
class TopConnector:
    """A connector that delivered much on the digest's day."""

    connector_id: str
    charger_name: str | None
    location_name: str | None
    energy_kwh: float
    sessions: int


@dataclass(frozen=True, slots=True)
class FleetFigures:
    """How a fleet stood on one local day; `uptime` is a ratio, None where nothing was observed."""

    uptime: float | None
    open_alerts: int
    silences: int


@dataclass(frozen=True, slots=True)
class WorstConnector:
    """A connector that was down long, or on which sessions came to nothing."""

    connector_id: str
    charger_name: str | None
    location_name: str | None
    down: timedelta
    failed: int
    zero_energy: int
    reason: str | None = None  # why it is among the worst, where that is told
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class ToDo:
    """What to do today: faults that are dangerous, alerts that nobody has taken, the worst connector."""

    dangerous: tuple[Mapping[str, str], ...] = ()
    untaken: int = 0
    worst: WorstConnector | None = None


@dataclass(frozen=True, slots=True)
class ChangedPrices:
    """A location's prices that were seen to have changed on the digest's day, part by part."""

    location_name: str
    lines: tuple[PriceLine, ...]
    currency: str


@dataclass(frozen=True, slots=True)
class FleetContext:
    """What a digest says of the connectors, alerts and silences."""

    today: FleetFigures
    before: FleetFigures
    worst: tuple[WorstConnector, ...]
    price_changes: int = 0


@dataclass(frozen=True, slots=True)
class DigestContext:
    """What a session digest says. `zone` None: each session by its own location's day. `before`: a week earlier."""

    today: DigestFigures
    before: DigestFigures | None
    zone: str | None
    complete: bool
    complete_to: datetime | None
    late: bool
    fleet: FleetContext | None = None  # None in facts of an older version
    last_day: date | None = None  # of more than one day, the last
    since: datetime | None = None  # of a stretch of time, where it begins
    earlier: str = "the week before"  # what it is compared with
    kind: str = "sessions"
    location: str | None = None  # the one that it is about
    label: str | None = None  # of the chargers that it is about
    location_name: str | None = None  # of the one that it is about, where each has a message
    too_many: int | None = None  # how many locations there are, where that is too many for a message each
    more: Mapping[str, Any] = field(default_factory=dict)  # what its kind tells more than sessions
    to_do: ToDo | None = None  # None in facts of an older version
    picture: Picture | None = None  # None until it was drawn
    backtests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of what it suggests, once tried


def digest(facts: Mapping[str, Any]) -> DigestContext:
    """What a digest says, from the facts that `session_digest` gathered; a missing fact is a KeyError."""
    complete_to, period = facts["complete_to"], period_of(facts)
    return DigestContext(
        today=_figures(facts),
        before=_figures(facts["before"]) if facts["before"] is not None else None,
        zone=facts["zone"],
        complete=facts["complete"],
        complete_to=datetime.fromisoformat(complete_to) if complete_to is not None else None,
        late=facts["late"],
        fleet=_fleet(facts["fleet"]) if facts.get("fleet") is not None else None,
        last_day=period.last if period.last != period.first else None,
        since=period.stretch[0] if period.stretch is not None else None,
        earlier=_earlier(period),
        kind=facts["digest"],
        location=facts.get("location"),
        label=facts.get("label"),
        location_name=facts.get("location_name"),
        too_many=facts.get("too_many"),
        more=facts.get("kind", {}),
        to_do=_to_do(facts["to_do"]) if "to_do" in facts else None,
        picture=picture_of(facts),
        backtests=facts.get(BACKTESTS, {}),
    )


@dataclass(frozen=True, slots=True)
class TablesContext:
    """The lists of a digest: what delivered the most, what was worst, by connector and by place, and new prices."""

    kind: str
    top: tuple[TopConnector, ...]
    worst: tuple[WorstConnector, ...]
    places: tuple[Mapping[str, Any], ...]
    prices: tuple[ChangedPrices, ...]
    price_changes: int  # all of them, those that are not named too


def tables(facts: Mapping[str, Any]) -> TablesContext:
    """The lists of a digest, from the facts of the message in its thread."""
    prices = facts.get("prices", {"first": (), "count": 0})
    return TablesContext(
        kind=facts["digest"],
        top=tuple(TopConnector(**connector) for connector in facts.get("top", ())),
        worst=tuple(_worst(one) for one in facts.get("worst", ())),
        places=tuple(facts.get("places", ())),
        prices=_prices(prices),
        price_changes=prices["count"],
    )


def _earlier(period: Period) -> str:
    """What a period is compared with, in words."""
    before = period.before()
    if before.first.day == period.first.day == 1 and period.days > 7:
        return "the month before"
    weeks = (period.first - before.first).days // 7
    return "the week before" if weeks == 1 else f"{weeks} weeks before"


def _worst(one: Mapping[str, Any]) -> WorstConnector:
    named = ("connector_id", "charger_name", "location_name", "failed", "zero_energy")
    known: dict[str, Any] = {name: one[name] for name in named}
    known |= {name: one.get(name) for name in ("reason", "error_code")}
    return WorstConnector(down=timedelta(seconds=one["down_s"]), **known)


def _to_do(facts: Mapping[str, Any]) -> ToDo:
    worst = [_worst(one) for one in facts.get("worst", ())]
    return ToDo(tuple(facts.get("dangerous", ())), facts.get("untaken", 0), worst[0] if worst else None)


def _fleet(facts: Mapping[str, Any]) -> FleetContext:
    today, before = (
        FleetFigures(**{name: told[name] for name in ("uptime", "open_alerts", "silences")})
        for told in (facts, facts["before"])
    )
    return FleetContext(today, before, tuple(_worst(one) for one in facts["worst"]), facts["prices"]["count"])


def _prices(told: Mapping[str, Any]) -> tuple[ChangedPrices, ...]:
    return tuple(
        ChangedPrices(
            one["location_name"],
            lines_of(json.loads(one["before"]), json.loads(one["value"])),
            currency_of(one["currency"]),
        )
        for one in told["first"]
    )


def _figures(facts: Mapping[str, Any]) -> DigestFigures:
    numbers = {key: facts[key] for key in ("sessions", "energy_kwh", "revenue", "zero_energy", "locations")}
    odd = facts.get("impossible", {})
    return DigestFigures(
        day=date.fromisoformat(facts["day"]),
        **numbers,
        utilisation=facts.get("utilisation"),
        impossible_times=odd.get("times", 0),
        negative_energy=odd.get("energy", 0),
        told_twice=odd.get("ids", 0),
        drivers=facts.get("drivers"),
        new_drivers=facts.get("new_drivers", 0),
    )
