"""What the sessions of a whole period came to, in one pass over them, for digests that tell many figures at once.

Each figure is the one that its KPI would give alone: the passes are spared, not the definitions. It reads no clock.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from notify.kpis.impossible import ODDITIES, odd_of, possible
from notify.kpis.scope import Scope, with_location
from notify.kpis.sessions import COMPLETED, CURRENCY, DIGITS, ZERO_ENERGY_KWH
from storage.dialects import greatest
from storage.schema import LOCATION, SESSION
from storage.sql import seconds_apart

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
    each, usual = _each(scope, twice), _usual_currency(connection, scope)
    where = sa.func.count(each.c.location_id.distinct()).filter(each.c.kind == GOOD).label("locations")
    row = connection.execute(sa.select(*_sums(each, usual), where).select_from(each)).one()
    return _told([row], usual, row.locations, lambda: _by_currency(connection, scope, twice))


def totals_by_connector(
    connection: Connection, scope: Scope, twice: ColumnElement[bool]
) -> tuple[Totals, dict[str, float]]:
    """What `totals` says, and of how many kWh each connector delivered: one pass, told apart by connector alone."""
    each, usual = _each(scope, twice), _usual_currency(connection, scope)
    good, place = each.c.kind == GOOD, each.c.location_id
    where = (sa.func.min(place).filter(good).label("here"), sa.func.max(place).filter(good).label("there"))
    statement = sa.select(each.c.connector_id, *_sums(each, usual), *where).group_by(each.c.connector_id)
    rows = connection.execute(statement).all()
    known = {row.here for row in rows if row.here is not None}
    at_one_place = all(row.here == row.there for row in rows)
    locations = len(known) if at_one_place else _places(connection, scope, twice)
    told = _told(rows, usual, locations, lambda: _by_currency(connection, scope, twice))
    named = (row for row in rows if row.connector_id is not None and row.sessions)
    return told, {row.connector_id: round(row.energy_kwh, DIGITS) for row in named}


def _usual_currency(connection: Connection, scope: Scope) -> Any:
    """The `currency` of the last session of a period that has one, most often that of all, and its `code`."""
    known = (COMPLETED, SESSION.c.cost.is_not(None), SESSION.c.currency.is_not(None))
    of_period = (scope.within(SESSION.c.ended_at), scope.of(SESSION))
    told = (SESSION.c.currency, sa.func.upper(SESSION.c.currency).label("code"))
    statement = sa.select(*told).select_from(with_location(SESSION)).where(*of_period, *known)
    return connection.execute(statement.order_by(SESSION.c.ended_at.desc()).limit(1)).first()


def _sums(each: sa.Subquery, usual: Any) -> list[ColumnElement[Any]]:
    """The figures that can be added up, and of how many paid sessions the currency is the usual one."""
    good = each.c.kind == GOOD
    paid = sa.and_(good, each.c.cost.is_not(None))
    currency = sa.literal(None if usual is None else usual.currency, sa.String)
    counted = {odd: sa.func.count().filter(each.c.kind == number) for number, odd in enumerate(ODDITIES, start=1)}
    return [
        sa.func.count().filter(good).label("sessions"),
        sa.func.coalesce(sa.func.sum(each.c.energy_kwh).filter(good), 0.0).label("energy_kwh"),
        sa.func.count().filter(good, each.c.energy_kwh < ZERO_ENERGY_KWH).label("zero_energy"),
        sa.func.count(each.c.id_tag).filter(good).label("tagged"),
        sa.func.coalesce(sa.func.sum(each.c.used).filter(each.c.kind.in_((GOOD, POSSIBLE))), 0.0).label("used"),
        sa.func.sum(each.c.cost).filter(paid).label("amount"),
        sa.func.count().filter(paid).label("paid"),
        sa.func.count().filter(paid, each.c.currency == currency).label("usual"),
        *(count.label(f"odd_{odd}") for odd, count in counted.items()),
    ]


def _told(rows: Sequence[Any], usual: Any, locations: int, by_currency: Callable[[], dict[str, float]]) -> Totals:
    """The figures of all rows together; `by_currency` is asked where not all was paid in the usual one."""
    odd = {odd: sum(getattr(row, f"odd_{odd}") for row in rows) for odd in ODDITIES}
    paid = [row for row in rows if row.paid]
    if usual is not None and all(row.paid == row.usual for row in paid):
        amounts = {usual.code: fsum(row.amount for row in paid)} if paid else {}
    else:
        amounts = by_currency() if paid else {}
    return Totals(
        sum(row.sessions for row in rows),
        round(fsum(row.energy_kwh for row in rows), DIGITS),
        {code: round(amounts[code], DIGITS) for code in sorted(amounts) if code or amounts[code] != 0},
        sum(row.zero_energy for row in rows),
        locations,
        sum(row.tagged for row in rows),
        {name: count for name, count in odd.items() if count},
        fsum(row.used for row in rows),
    )


def _places(connection: Connection, scope: Scope, twice: ColumnElement[bool]) -> int:
    """At how many locations sessions completed."""
    counted = sa.select(sa.func.count(SESSION.c.location_id.distinct())).select_from(with_location(SESSION))
    return int(connection.execute(counted.where(*_completed(scope), possible(twice))).scalar_one())


def _each(scope: Scope, twice: ColumnElement[bool]) -> sa.Subquery:
    """What is asked about each session, once. `OFFSET 0` keeps a database from asking it once for each figure."""
    # numbers: of each session each figure asks for its kind
    kind = sa.case((COMPLETED, odd_of(twice)), (possible(twice), POSSIBLE), else_=IMPOSSIBLE).label("kind")
    names = ("energy_kwh", "cost", "currency", "id_tag", "location_id", "connector_id")
    fields = (SESSION.c[name] for name in names)
    began = greatest(SESSION.c.started_at, scope.start)
    used = sa.case((SESSION.c.started_at.is_not(None), seconds_apart(began, SESSION.c.ended_at))).label("used")
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
