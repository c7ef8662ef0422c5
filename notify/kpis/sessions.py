"""The KPIs of sessions: how many, energy, revenue, starts that succeeded, sessions without energy.

A session counts on the local day on which it ended, in its location's zone. What cannot have been is in none of them.
Each function is one query; a thing without any session is not in its answer.
"""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from notify.kpis.impossible import POSSIBLE
from notify.kpis.scope import By, Scope, key_of, with_location
from storage.schema import LOCATION, SESSION

ZERO_ENERGY_KWH = 0.1
DIGITS = 6  # hides the order in which floats were added, and nothing else

COMPLETED: ColumnElement[bool] = SESSION.c.status == "Completed"
CURRENCY = sa.func.upper(sa.func.coalesce(SESSION.c.currency, LOCATION.c.currency, "")).label("currency")
"""The session's currency, else its location's; codes that differ in case alone are one."""


def sessions(connection: Connection, scope: Scope, by: By = By.NETWORK) -> dict[str, int]:
    """How many sessions completed."""
    return {row.key: row.value for row in _asked(connection, scope, by, sa.func.count())}


def energy(connection: Connection, scope: Scope, by: By = By.NETWORK) -> dict[str, float]:
    """The energy of the completed sessions, in kWh."""
    total = sa.func.coalesce(sa.func.sum(SESSION.c.energy_kwh), 0.0)
    return {row.key: round(row.value, DIGITS) for row in _asked(connection, scope, by, total)}


def revenue(connection: Connection, scope: Scope, by: By = By.NETWORK) -> dict[str, dict[str, float]]:
    """What the completed sessions cost, by ISO 4217 code (`""` where none is known); never added across codes.

    Nothing at no known currency is no revenue.
    """
    key = key_of(by, SESSION).label("key")
    amount = sa.func.sum(SESSION.c.cost)
    statement = (
        sa.select(key, CURRENCY, amount.label("amount"))
        .select_from(with_location(SESSION))
        .where(
            scope.within(SESSION.c.ended_at),
            scope.of(SESSION),
            COMPLETED,
            POSSIBLE,
            SESSION.c.cost.is_not(None),
            key.is_not(None),
        )
        .group_by(key, CURRENCY)
        .having(sa.or_(amount != 0, CURRENCY != ""))
        .order_by(key, CURRENCY)
    )
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for row in connection.execute(statement):
        found[row.key][row.currency] = round(row.amount, DIGITS)
    return dict(found)


def zero_energy(connection: Connection, scope: Scope, by: By = By.NETWORK) -> dict[str, int]:
    """How many completed sessions delivered less than 0.1 kWh."""
    count = sa.func.count().filter(SESSION.c.energy_kwh < ZERO_ENERGY_KWH)
    return {row.key: row.value for row in _asked(connection, scope, by, count)}


def zero_energy_share(connection: Connection, scope: Scope, by: By = By.NETWORK) -> dict[str, float | None]:
    """The share of the completed sessions whose energy is known that delivered less than 0.1 kWh; None without any."""
    empty = sa.func.count().filter(SESSION.c.energy_kwh < ZERO_ENERGY_KWH)
    value = 1.0 * empty / sa.func.nullif(sa.func.count(SESSION.c.energy_kwh), 0)
    return {row.key: _rounded(row.value) for row in _asked(connection, scope, by, value)}


def drivers(connection: Connection, scope: Scope, by: By = By.NETWORK) -> dict[str, int]:
    """How many drivers the completed sessions were of, by their tags; only where something of tags is kept."""
    value = sa.func.count(SESSION.c.id_tag.distinct())
    return {row.key: row.value for row in _asked(connection, scope, by, value) if row.value}


def new_drivers(connection: Connection, scope: Scope, by: By = By.NETWORK) -> dict[str, int]:
    """How many of those drivers are not known from any session that ended before the period, wherever it was."""
    earlier = SESSION.alias("earlier")
    before = sa.select(earlier.c.id_tag).where(earlier.c.id_tag.is_not(None), earlier.c.ended_at < scope.outer[0])
    value = sa.func.count(sa.case((SESSION.c.id_tag.not_in(before), SESSION.c.id_tag)).distinct())
    return {row.key: row.value for row in _asked(connection, scope, by, value) if row.value}


def success_of_starts(connection: Connection, scope: Scope, by: By = By.NETWORK) -> dict[str, float | None]:
    """The share of the sessions begun in the period that did not fail; those that are only pending are not counted.

    A failed session without a start counts when it ended. None without any.
    """
    begun = sa.func.coalesce(SESSION.c.started_at, SESSION.c.ended_at)
    known = SESSION.c.status.in_(("Active", "Completed", "Failed"))
    good = sa.func.count().filter(SESSION.c.status != "Failed")
    value = 1.0 * good / sa.func.nullif(sa.func.count(), 0)
    key = key_of(by, SESSION).label("key")
    statement = sa.select(key, value.label("value")).select_from(with_location(SESSION))
    statement = statement.where(scope.within(begun), scope.of(SESSION), known, POSSIBLE, key.is_not(None)).group_by(key)
    return {row.key: _rounded(row.value) for row in connection.execute(statement)}


def _asked(connection: Connection, scope: Scope, by: By, value: ColumnElement[Any]) -> list[Any]:
    key = key_of(by, SESSION).label("key")
    statement = (
        sa.select(key, value.label("value"))
        .select_from(with_location(SESSION))
        .where(scope.within(SESSION.c.ended_at), scope.of(SESSION), COMPLETED, POSSIBLE, key.is_not(None))
        .group_by(key)
    )
    return list(connection.execute(statement))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), DIGITS)
