"""What each chart shows, from the KPIs and the kept history: energy, revenue, alerts, uptime by day, status over time.

Days and hours are each location's own. The text beside a picture says the same facts.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import Connection

from notify.charts.drawing import BLUE, GREY, ORANGE, RED, SKY, Chart, Series, bars, heat_map, stacked
from notify.kpis.impossible import POSSIBLE
from notify.kpis.scope import By, Scope, with_location
from notify.kpis.sessions import COMPLETED, CURRENCY
from notify.kpis.times import stood
from notify.text.words import money, percent
from rules.documents.windows import ONE_DAY, one_day
from storage.schema import ALERT, CONNECTOR, INTERVAL, LOCATION, SESSION

MOST_ROWS = 40
"""How many connectors a map shows: the worst."""

HOUR = timedelta(hours=1)
GROUPS = {
    **dict.fromkeys(("Charging", "Preparing", "SuspendedEV", "SuspendedEVSE", "Finishing"), "in use"),
    **dict.fromkeys(("Available", "Reserved"), "free"),
    **dict.fromkeys(("Faulted", "Unavailable"), "out of order"),
}
COLOURS = {"in use": BLUE, "free": SKY, "out of order": RED, "not known": GREY}


def energy_chart(connection: Connection, scope: Scope, zone: str, now: datetime) -> Chart:
    """Energy and sessions that ended, by hour for one day, else by day."""
    bins = _Bins.of(scope)
    energy, sessions = bins.empty(), bins.empty()
    statement = sa.select(SESSION.c.ended_at, SESSION.c.energy_kwh, LOCATION.c.timezone).select_from(
        with_location(SESSION)
    )
    ended = (scope.within(SESSION.c.ended_at), scope.of(SESSION), COMPLETED, POSSIBLE)
    for row in connection.execute(statement.where(*ended)):
        place = bins.place(row.ended_at, _zone(scope, row.timezone, zone))
        energy[place] += row.energy_kwh or 0.0
        sessions[place] += 1
    title = f"Energy and sessions, {_span(bins.first, bins.last)}{_where(scope)}"
    panels = (
        ("Energy, kWh", Series("energy", BLUE, energy)),
        ("Sessions that ended", Series("sessions", ORANGE, sessions)),
    )
    told = f"{title}: {sum(energy):,.1f} kWh in {_count(sum(sessions), 'session')}"
    if sum(energy):
        told += f"; most {bins.most(energy)}, {max(energy):,.1f} kWh"
    return Chart(title, f"{told}.", bars(title, panels, bins.labels))


def revenue_chart(connection: Connection, scope: Scope, zone: str, now: datetime) -> Chart:
    """What sessions that ended cost, by hour for one day, else by day: a panel a currency, the most used first."""
    bins = _Bins.of(scope)
    statement = sa.select(SESSION.c.ended_at, SESSION.c.cost, CURRENCY, LOCATION.c.timezone).select_from(
        with_location(SESSION)
    )
    paid = (scope.within(SESSION.c.ended_at), scope.of(SESSION), COMPLETED, POSSIBLE, SESSION.c.cost.is_not(None))
    amounts: dict[str, list[float]] = {}
    counts: Counter[str] = Counter()
    for row in connection.execute(statement.where(*paid)):
        if row.currency or row.cost:
            amounts.setdefault(row.currency, bins.empty())[
                bins.place(row.ended_at, _zone(scope, row.timezone, zone))
            ] += row.cost
            counts[row.currency] += 1
    codes = sorted(amounts, key=lambda code: (-counts[code], code))
    title = f"Revenue, {_span(bins.first, bins.last)}{_where(scope)}"
    shown = [
        (code or "no currency told", Series(code, colour, amounts[code]))
        for code, colour in zip(codes, (BLUE, ORANGE, SKY), strict=False)
    ]
    sums = [f"{money(sum(amounts[code]), code)}, most {bins.most(amounts[code])}" for code in codes]
    panels = shown or [("none reported", Series("none", BLUE, bins.empty()))]
    return Chart(title, f"{title}: {'; '.join(sums) or 'none reported'}.", bars(title, panels, bins.labels))


def alerts_chart(connection: Connection, scope: Scope, zone: str, now: datetime) -> Chart:
    """How many alerts fired, by hour for one day, else by day."""
    bins = _Bins.of(scope)
    statement = sa.select(ALERT.c.fired_at, LOCATION.c.timezone).select_from(with_location(ALERT))
    fired = bins.empty()
    for row in connection.execute(statement.where(scope.within(ALERT.c.fired_at), scope.of(ALERT))):
        fired[bins.place(row.fired_at, _zone(scope, row.timezone, zone))] += 1
    title = f"Alerts that fired, {_span(bins.first, bins.last)}{_where(scope)}"
    told = f"{title}: {sum(fired):,.0f}"
    if sum(fired):
        told += f"; most {bins.most(fired)}, {max(fired):,.0f}"
    each = "hour" if bins.first == bins.last else "day"
    panels = [(f"By {each}", Series("alerts", RED, fired))]
    return Chart(title, f"{told}.", bars(title, panels, bins.labels))


def uptime_chart(connection: Connection, scope: Scope, zone: str, now: datetime) -> Chart:
    """Days by connectors: the worst MOST_ROWS of them, the longest down first."""
    days = _days(scope.period.first, scope.period.last)
    by_day = [stood(connection, scope.over(one_day(day).cut(now)), By.CONNECTOR) for day in days]
    whole = stood(connection, scope.over(scope.period.cut(now)), By.CONNECTOR)
    worst = sorted(whole, key=lambda one: (-whole[one].down, one))[:MOST_ROWS]
    rows = [(one, [told[one].uptime if one in told else None for told in by_day]) for one in worst]
    up, down = (sum(getattr(one, name) for one in whole.values()) for name in ("up", "down"))
    title = f"Uptime of connectors, {_span(scope.period.first, scope.period.last)}{_where(scope)}"
    told = f"{title}: {percent(up / (up + down)) if up + down else 'not known'} of {_count(len(whole), 'connector')}"
    lowest = [(one, whole[one].uptime) for one in worst[:3] if whole[one].down > 0]
    told += "".join(f"; {one} {percent(value)}" for one, value in lowest if value is not None)
    return Chart(title, f"{told}.", heat_map(title, [f"{day:%d %b}" for day in days], rows))


def status_chart(connection: Connection, scope: Scope, zone: str, now: datetime) -> Chart:
    """How many connectors were in use, free, out of order or not known at each full hour, in the reader's zone."""
    start = scope.period.bounds(zone)[0]
    end = min(scope.period.bounds(zone)[1], now)
    count = max(1, int((end - start) / HOUR))
    moments = [start + number * HOUR for number in range(count)]
    changes = {name: [0.0] * (count + 1) for name in COLOURS}
    statement = sa.select(INTERVAL.c.value, INTERVAL.c.valid_from, INTERVAL.c.valid_to).select_from(
        INTERVAL.join(CONNECTOR, CONNECTOR.c.id == INTERVAL.c.thing_id).outerjoin(
            LOCATION, LOCATION.c.id == CONNECTOR.c.location_id
        )
    )
    overlaps = (INTERVAL.c.valid_from < end, sa.or_(INTERVAL.c.valid_to.is_(None), INTERVAL.c.valid_to > start))
    mine = (INTERVAL.c.thing == "connector", INTERVAL.c.field == "status", scope.of(CONNECTOR))
    for row in connection.execute(statement.where(*mine, *overlaps)):
        begins = max(0, -(-(row.valid_from - start) // HOUR))
        ends = count if row.valid_to is None else min(count, -(-(row.valid_to - start) // HOUR))
        if begins < ends:
            name = GROUPS.get(row.value or "", "not known")
            changes[name][begins] += 1
            changes[name][ends] -= 1
    series = [Series(name, COLOURS[name], _summed(told)[:count]) for name, told in changes.items()]
    title = f"Status of connectors, {_span(scope.period.first, scope.period.last)}{_where(scope)}"
    local = [moment.astimezone(ZoneInfo(zone)) for moment in moments]
    labels = [f"{one:%H:%M}" if count <= 24 else f"{one:%d %b}" if one.hour == 0 else "" for one in local]
    means = ", ".join(f"{sum(v or 0 for v in one.values) / count:,.1f} {one.name}" for one in series if any(one.values))
    return Chart(title, f"{title}: on average {means or 'nothing known'}.", stacked(title, series, labels))


CHARTS: Mapping[str, Callable[[Connection, Scope, str, datetime], Chart]] = {
    "alerts": alerts_chart,
    "energy": energy_chart,
    "revenue": revenue_chart,
    "status": status_chart,
    "uptime": uptime_chart,
}
"""Every chart by its name: of a scope, in a zone, at a moment."""


@dataclass(frozen=True, slots=True)
class _Bins:
    """Where moments stand on the x axis: the hours of one local day, or local days."""

    first: date
    last: date
    labels: list[str]

    @classmethod
    def of(cls, scope: Scope) -> "_Bins":
        first, last = scope.period.first, scope.period.last
        hours = [f"{hour:02d}" for hour in range(24)]
        return cls(first, last, hours if first == last else [f"{day:%d %b}" for day in _days(first, last)])

    def empty(self) -> list[float]:
        return [0.0] * len(self.labels)

    def place(self, at: datetime, zone: str) -> int:
        local = at.astimezone(ZoneInfo(zone))
        if self.first == self.last:
            return local.hour
        # a stretch of time is the same for all: it may touch a day more elsewhere
        return min(max((local.date() - self.first).days, 0), len(self.labels) - 1)

    def most(self, values: Sequence[float]) -> str:
        """Where the most is, in words."""
        most = max(range(len(values)), key=lambda n: (values[n], -n))
        return f"{'in the hour from ' if self.first == self.last else 'on '}{self.labels[most]}"


def _zone(scope: Scope, told: str | None, default: str) -> str:
    """In which zone a row counts: its location's, where that is known, else the default one."""
    return told if told is not None and told in scope.zones else default


def _count(number: float, what: str) -> str:
    return f"{number:,.0f} {what}{'' if number == 1 else 's'}"


def _summed(changes: list[float]) -> list[float]:
    total, found = 0.0, []
    for change in changes:
        total += change
        found.append(total)
    return found


def _days(first: date, last: date) -> list[date]:
    return [first + number * ONE_DAY for number in range((last - first).days + 1)]


def _where(scope: Scope) -> str:
    about = scope.narrow.charger or scope.narrow.location
    return f", {about}" if about else ""


def _span(first: date, last: date) -> str:
    return f"{first:%d %b %Y}" if first == last else f"{first:%d %b} to {last:%d %b %Y}"
