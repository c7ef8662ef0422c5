"""What each kind of digest tells beside the sessions and how the fleet stood, and what is to be done today.

Facts are JSON-able; words are the templates' work. It suggests and never acts, and it reads no clock.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from notify.kpis.scope import NETWORK_KEY, By, Scope, with_location
from notify.kpis.sessions import revenue
from notify.kpis.times import stood, time_to_repair
from notify.text.titles import kind_of
from rules.actions.automations import SAFETY_CODES
from rules.documents.windows import Period
from rules.language.conditions import QuantityError, parse_duration
from rules.language.expressions import duration_text
from storage.schema import ALERT, CHARGER, CONNECTOR, LOCATION, RULE
from storage.sql import seconds_between, shifted

MOST = 5
DIGITS = 6
NOISY = 5
"""How often a rule must have fired in the period to be called noisy, if at least half of it was short."""

LONGER = timedelta(minutes=10)
"""What is tried of a noisy rule: waiting for so much longer."""


def kind_facts(connection: Connection, kind: str, scope: Scope, at: datetime) -> dict[str, Any]:
    """What a digest of a kind tells more than one of sessions, for a period and as things stand at a moment."""
    return dict(KINDS[kind](connection, scope, at))


def to_do(connection: Connection, scope: Scope, at: datetime, worst: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What to do today: faults that are dangerous, alerts that nobody has taken, and the worst connector."""
    firing = (ALERT.c.fired_at <= at, ALERT.c.state == "firing", scope.of(ALERT))
    alerts = sa.select(sa.func.count()).select_from(with_location(ALERT))
    untaken = connection.execute(alerts.where(*firing, ALERT.c.acknowledged_at.is_(None))).scalar_one()
    danger = sa.select(CONNECTOR.c.id, CONNECTOR.c.error_code).select_from(with_location(CONNECTOR))
    danger = danger.where(scope.of(CONNECTOR), CONNECTOR.c.gone_at.is_(None), CONNECTOR.c.error_code.in_(SAFETY_CODES))
    danger = danger.where(CONNECTOR.c.status == "Faulted").order_by(CONNECTOR.c.id).limit(MOST)
    dangerous = [{"connector_id": row.id, "error_code": row.error_code} for row in connection.execute(danger)]
    return {"dangerous": dangerous, "untaken": untaken, "worst": with_reasons(connection, worst[:1])}


def _nothing(_connection: Connection, _scope: Scope, _at: datetime) -> Mapping[str, Any]:
    return {}


def _uptime(connection: Connection, scope: Scope, _at: datetime) -> Mapping[str, Any]:
    whole = stood(connection, scope).get(NETWORK_KEY)
    places = stood(connection, scope, By.LOCATION)
    ranked = sorted((key for key, one in places.items() if one.down), key=lambda key: (-places[key].down, key))[:MOST]
    named = _names(connection, ranked)
    return {
        "availability": whole.availability if whole is not None else None,
        "time_to_repair_s": time_to_repair(connection, scope).get(NETWORK_KEY),
        "places": [
            {"name": named.get(key, key), "uptime": places[key].uptime, "down_s": round(places[key].down, DIGITS)}
            for key in ranked
        ],
    }


def _alerts(connection: Connection, scope: Scope, _at: datetime) -> Mapping[str, Any]:
    fired = (scope.within(ALERT.c.fired_at), scope.of(ALERT))
    taken = sa.func.count(ALERT.c.acknowledged_at)
    lasted = sa.func.avg(seconds_between(ALERT.c.fired_at, ALERT.c.resolved_at))
    soon = shifted(ALERT.c.fired_at, LONGER.total_seconds())
    short = sa.func.count().filter(ALERT.c.resolved_at <= soon, ALERT.c.ended_because == "recovered")
    by_rule = sa.select(ALERT.c.rule_id, sa.func.count().label("fired"), taken.label("taken"))
    by_rule = by_rule.add_columns(lasted.label("lasted_s"), short.label("short"))
    source = by_rule.select_from(with_location(ALERT)).where(*fired).group_by(ALERT.c.rule_id)
    rows = connection.execute(source.order_by(sa.desc("fired"), ALERT.c.rule_id)).all()
    people = sa.select(ALERT.c.acknowledged_by, sa.func.count().label("number")).select_from(with_location(ALERT))
    people = people.where(scope.within(ALERT.c.acknowledged_at), scope.of(ALERT), ALERT.c.acknowledged_by.is_not(None))
    people = people.group_by(ALERT.c.acknowledged_by).order_by(sa.desc("number"), ALERT.c.acknowledged_by)
    noisy = [row for row in rows if row.fired >= NOISY and 2 * row.short >= row.fired]
    told = sa.select(RULE.c.id, RULE.c.document).where(RULE.c.id.in_([row.rule_id for row in (*rows[:MOST], *noisy)]))
    documents = {row.id: row.document for row in connection.execute(told)}
    titles = {name: kind_of(document, name) for name, document in documents.items()}
    return {
        "fired": sum(row.fired for row in rows),
        "taken": sum(row.taken for row in rows),
        "rules": [
            {
                "rule": row.rule_id,
                "title": titles.get(row.rule_id),
                "fired": row.fired,
                "lasted_s": _rounded(row.lasted_s),
            }
            for row in rows[:MOST]
        ],
        "people": [
            {"user": row.acknowledged_by, "number": row.number} for row in connection.execute(people.limit(MOST))
        ],
        "noisy": [
            {
                "rule": row.rule_id,
                "title": titles.get(row.rule_id),
                "fired": row.fired,
                "short": row.short,
                "longer_s": LONGER.total_seconds(),
                "for": _longer(documents.get(row.rule_id, {})),
            }
            for row in noisy[:MOST]
        ],
    }


def _longer(document: Mapping[str, Any]) -> str | None:
    """The `for` that a noisy rule might have instead; None where it cannot be told, as of hours of the day."""
    try:
        said = document.get("for")
        return duration_text((parse_duration(said) if said else 0.0) + LONGER.total_seconds())
    except (QuantityError, TypeError):
        return None


def _revenue(connection: Connection, scope: Scope, _at: datetime) -> Mapping[str, Any]:
    by_place = revenue(connection, scope.over(scope.period.whole()), By.LOCATION)
    amounts = [(currency, amount, key) for key, money in by_place.items() for currency, amount in money.items()]
    named = _names(connection, list(by_place))
    first: list[dict[str, Any]] = []
    for code in sorted({currency for currency, _, _ in amounts}):
        best = sorted((-amount, key) for currency, amount, key in amounts if currency == code)[:MOST]
        first += [{"name": named.get(key, key), "currency": code, "amount": -amount} for amount, key in best]
    return {"places": first}


KINDS: Mapping[str, Callable[[Connection, Scope, datetime], Mapping[str, Any]]] = {
    "sessions": _nothing,
    "uptime": _uptime,
    "alerts": _alerts,
    "revenue": _revenue,
    "maintenance": _nothing,  # the worst connectors are told with the fleet, each with its reason
}
"""The kinds of digests, and what each tells more."""

CHART_OF = {"sessions": "energy", "revenue": "revenue", "alerts": "alerts", "uptime": "status", "maintenance": "status"}
"""The chart of each kind; a map of days needs more than one day."""

BY_DAYS = {"uptime": "uptime", "maintenance": "uptime"}


def chart_of(kind: str, period: Period) -> str:
    """The one chart of a digest, by its name."""
    return BY_DAYS.get(kind, CHART_OF[kind]) if period.days > 1 else CHART_OF[kind]


def with_reasons(connection: Connection, worst: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Connectors with why each is among the worst, as it stands now."""
    source = CONNECTOR.outerjoin(CHARGER, CHARGER.c.id == CONNECTOR.c.charger_id)
    fields = (CONNECTOR.c.id, CONNECTOR.c.status, CONNECTOR.c.error_code, CHARGER.c.online)
    asked = sa.select(*fields).select_from(source).where(CONNECTOR.c.id.in_([one["connector_id"] for one in worst]))
    now = {row.id: row for row in connection.execute(asked)}
    return [{**one, **_reason(one, now.get(one["connector_id"]))} for one in worst]


def _reason(one: Mapping[str, Any], row: Any) -> dict[str, Any]:
    code = row.error_code if row is not None and row.error_code not in {None, "NoError"} else None
    down = row is not None and row.status in {"Faulted", "Unavailable"}
    if down and code in SAFETY_CODES:
        reason = "danger"
    elif row is not None and row.online is False:
        reason = "offline"
    elif row is not None and row.status == "Unavailable":
        reason = "disabled"
    elif down:
        reason = "faulted"
    elif one["failed"]:
        reason = "failing"
    else:
        reason = "empty" if one["zero_energy"] else "recovered"
    return {"reason": reason, "error_code": code}


def _names(connection: Connection, locations: Sequence[str]) -> dict[str, str]:
    asked = sa.select(LOCATION.c.id, LOCATION.c.name).where(LOCATION.c.id.in_(list(locations)))
    return {row.id: row.name or row.id for row in connection.execute(asked)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), DIGITS)
