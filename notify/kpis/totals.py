"""What the sessions of a whole period came to, in one pass over them, for digests that tell many figures at once.

Each figure is the one that its KPI would give alone: the passes are spared, not the definitions. It reads no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from notify.kpis.impossible import ODDITIES, odd_of, possible
from notify.kpis.scope import Scope, with_location
from notify.kpis.sessions import COMPLETED, CURRENCY, DIGITS, ZERO_ENERGY_KWH
from storage.dialects import greatest
from storage.schema import LOCATION, SESSION
from storage.sql import seconds_between

GOOD, POSSIBLE, IMPOSSIBLE = 0, len(ODDITIES) + 1, len(ODDITIES) + 2
"""The kinds of a session beside the numbers of ODDITIES: completed; not completed but possible; neither."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What completed in a period: energy in kWh, revenue by ISO 4217 code, how many are left out by what is odd.

    `tagged`: of how many it is kept who charged. `used`: for how many seconds the sessions that ended before its end
    had used connectors within it, the failed ones too.
    """

    sessions: int
    energy_kwh: float
    revenue: Mapping[str, float]
    zero_energy: int
    locations: int
    tagged: int
    impossible: Mapping[str, int]
    used: float


def totals(connection: Connection, scope: Scope, twice: ColumnElement[bool]) -> Totals:
    """What the sessions that ended in a period came to; `twice` tells which are another one under a second id."""
    each = _each(scope, twice)
    good = each.c.kind == GOOD
    paid = sa.and_(good, each.c.cost.is_not(None))
    counted = {odd: sa.func.count().filter(each.c.kind == number) for number, odd in enumerate(ODDITIES, start=1)}
    row = connection.execute(
        sa.select(
            sa.func.count().filter(good).label("sessions"),
            sa.func.coalesce(sa.func.sum(each.c.energy_kwh).filter(good), 0.0).label("energy_kwh"),
            sa.func.count().filter(good, each.c.energy_kwh < ZERO_ENERGY_KWH).label("zero_energy"),
            sa.func.count(each.c.location_id.distinct()).filter(good).label("locations"),
            sa.func.count(each.c.id_tag).filter(good).label("tagged"),
            sa.func.coalesce(sa.func.sum(each.c.used).filter(each.c.kind.in_((GOOD, POSSIBLE))), 0.0).label("used"),
            sa.func.sum(each.c.cost).filter(paid).label("amount"),
            sa.func.count().filter(paid).label("paid"),
            sa.func.count(each.c.currency).filter(paid).label("named"),
            sa.func.min(each.c.currency).filter(paid).label("one"),
            sa.func.max(each.c.currency).filter(paid).label("other"),
            sa.func.upper(sa.func.min(each.c.currency).filter(paid)).label("code"),
            *(count.label(f"odd_{odd}") for odd, count in counted.items()),
        ).select_from(each)
    ).one()
    odd = {odd: getattr(row, f"odd_{odd}") for odd in ODDITIES}
    if row.paid == row.named and row.one == row.other:
        amounts = {row.code: row.amount} if row.paid else {}
    else:
        amounts = _by_currency(connection, scope, twice)
    return Totals(
        row.sessions,
        round(row.energy_kwh, DIGITS),
        {code: round(amounts[code], DIGITS) for code in sorted(amounts) if code or amounts[code] != 0},
        row.zero_energy,
        row.locations,
        row.tagged,
        {name: count for name, count in odd.items() if count},
        row.used,
    )


def delivered(connection: Connection, scope: Scope, twice: ColumnElement[bool]) -> dict[str, float]:
    """The energy that the connectors delivered in a period, in kWh, by connector."""
    energy = sa.func.coalesce(sa.func.sum(SESSION.c.energy_kwh), 0.0).label("energy_kwh")
    wanted = (*_completed(scope), SESSION.c.connector_id.is_not(None), possible(twice))
    statement = sa.select(SESSION.c.connector_id, energy).select_from(with_location(SESSION)).where(*wanted)
    return {name: round(kwh, DIGITS) for name, kwh in connection.execute(statement.group_by(SESSION.c.connector_id))}


def _each(scope: Scope, twice: ColumnElement[bool]) -> sa.Subquery:
    """What is asked about each session, once. `OFFSET 0` keeps a database from asking it once for each figure."""
    # numbers: of each session each figure asks for its kind
    kind = sa.case((COMPLETED, odd_of(twice)), (possible(twice), POSSIBLE), else_=IMPOSSIBLE).label("kind")
    fields = (SESSION.c[name] for name in ("energy_kwh", "cost", "currency", "id_tag", "location_id"))
    began = greatest(SESSION.c.started_at, scope.start)
    used = sa.case((SESSION.c.started_at.is_not(None), seconds_between(began, SESSION.c.ended_at))).label("used")
    return (
        sa.select(*fields, kind, used)
        .select_from(with_location(SESSION))
        .where(scope.within(SESSION.c.ended_at), scope.of(SESSION), SESSION.c.status.is_distinct_from("Pending"))
        .offset(0)
        .subquery("each")
    )


def _by_currency(connection: Connection, scope: Scope, twice: ColumnElement[bool]) -> dict[str, float]:
    wanted = (*_completed(scope), possible(twice), SESSION.c.cost.is_not(None))
    by_code = sa.select(CURRENCY, sa.func.sum(SESSION.c.cost)).select_from(with_location(SESSION)).where(*wanted)
    grouped = by_code.group_by(SESSION.c.currency, LOCATION.c.currency)
    amounts: dict[str, float] = {}
    for code, amount in connection.execute(grouped):
        amounts[code] = amounts.get(code, 0.0) + amount
    return amounts


def _completed(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return scope.within(SESSION.c.ended_at), scope.of(SESSION), COMPLETED
