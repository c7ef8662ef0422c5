"""Charts: their figures are the KPIs', the text says the same, and hostile names break no picture."""

import re
import struct
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from notify.charts.drawing import BLUE, Chart, Series, bars, heat_map, png_of, stacked
from notify.charts.figures import CHARTS
from notify.kpis.places import by_zone, location_zones
from notify.kpis.scope import Scope
from notify.kpis.sessions import energy, revenue, sessions
from rules.documents.windows import Period
from storage.engine import Database
from tests.notify.records import HOSTILE, insert_alert, insert_incident, insert_rule
from tests.readings import MINUTE, T0, charger, connector, location, record_poll, session

ZONE = "Europe/Copenhagen"
DAY = date(2026, 3, 2)
NOW = T0 + timedelta(hours=30)


def world(connection: Any) -> None:
    """Two sessions that ended at 10:30 and 22:30 UTC (the local day's last hour), and a connector down for an hour."""
    hour = 60 * MINUTE
    record_poll(connection, T0, location("l1", timezone=ZONE, currency="EUR"), resource="locations")
    for number, status in enumerate(["Available", "Faulted", "Charging"]):
        record_poll(connection, T0 + number * hour, charger(connector("c1", status)), interval=hour)
    for number, (minutes, kwh) in enumerate(((30, 10.0), (750, 4.5), (800, 100.0))):
        ended = T0 + minutes * MINUTE
        given = {"connector_id": "c1", "charger_id": "ch1", "location_id": "l1", "energy_kwh": kwh}
        one = session(f"s{number}", started=ended - hour / 2, ended_at=ended, status="Completed", **given)
        record_poll(connection, NOW, one, resource="sessions")


def scope_of(connection: Any, first: date, last: date) -> Scope:
    return Scope(by_zone(location_zones(connection, ZONE), None, ZONE), Period(first, last))


def drawn(database: Database, kind: str, last: date = DAY, now: datetime = NOW) -> tuple[Chart, Any]:
    with database.write() as connection:
        world(connection)
        scope = scope_of(connection, DAY, last)
        return CHARTS[kind](connection, scope, ZONE, now), (energy(connection, scope), sessions(connection, scope))


def test_energy_and_sessions_are_those_of_the_kpis_by_the_locations_own_hours(database: Database) -> None:
    chart, (kwh, count) = drawn(database, "energy")
    assert (kwh, count) == ({"": 14.5}, {"": 2})
    assert chart.alt == (
        "Energy and sessions, 02 Mar 2026: 14.5 kWh in 2 sessions; most in the hour from 11, 10.0 kWh."
    )
    assert ">23<" in chart.svg or ">22<" in chart.svg


def test_more_days_are_bars_by_day(database: Database) -> None:
    chart, _ = drawn(database, "energy", DAY + timedelta(days=1))
    assert "114.5 kWh in 3 sessions; most on 03 Mar, 100.0 kWh" in chart.alt
    assert ">02 Mar<" in chart.svg


def test_uptime_says_the_worst_and_draws_every_connector(database: Database) -> None:
    chart, _ = drawn(database, "uptime")
    assert "of 1 connector; c1" in chart.alt
    assert ">c1<" in chart.svg


def test_status_counts_connectors_at_each_full_hour(database: Database) -> None:
    chart, _ = drawn(database, "status", now=T0 + timedelta(hours=3))
    assert "1.0" not in chart.alt.split("on average")[0]
    for words in ("in use", "free", "out of order"):
        assert words in chart.alt


def test_revenue_has_a_panel_a_currency_and_alerts_one_by_the_hours_of_their_place(database: Database) -> None:
    with database.write() as connection:
        world(connection)
        for number, (cost, code) in enumerate(((4.5, "eur"), (2.0, None), (30, "DKK"))):
            ended = T0 + number * 60 * MINUTE
            given = {"connector_id": "c1", "location_id": "l1", "energy_kwh": 1.0, "cost": cost, "currency": code}
            one = session(f"p{number}", started=ended - MINUTE, ended_at=ended, status="Completed", **given)
            record_poll(connection, NOW, one, resource="sessions")
        insert_rule(connection)
        insert_incident(connection)
        insert_alert(connection, state="resolved", fired_at=T0, resolved_at=T0 + MINUTE)
        scope = scope_of(connection, DAY, DAY)
        money, alerts = (CHARTS[name](connection, scope, "UTC", NOW) for name in ("revenue", "alerts"))
        assert revenue(connection, scope) == {"": {"DKK": 30.0, "EUR": 6.5}}
    assert money.alt == (
        "Revenue, 02 Mar 2026: 6.50 EUR, most in the hour from 11; 30.00 DKK, most in the hour from 13."
    )
    assert money.svg.index(">EUR<") < money.svg.index(">DKK<")
    assert alerts.alt == "Alerts that fired, 02 Mar 2026: 1; most in the hour from 11, 1."


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_a_picture(name: str) -> None:
    series = Series(name, BLUE, [1.0, None, 3.5])
    pictures = [
        bars(name, [(name, series)], [name] * 3),
        stacked(name, [series], [name] * 3),
        heat_map(name, [name] * 3, [(name, [0.5, None, 1.0])]),
        heat_map(name, [], []),
    ]
    for svg in pictures:
        ElementTree.fromstring(svg)
        png = png_of(Chart(name, name, svg))
        assert png.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", png[16:24])
        assert width == 960
        assert height > 60


def test_words_can_be_read_at_a_third_of_the_width_and_long_names_keep_what_tells_them_apart() -> None:
    days = [f"{day:02d} Mar" for day in range(1, 32)]
    rows: list[tuple[str, list[float | None]]] = [(f"Harbour north charger {n}/1", [1.0] * 31) for n in (3, 14)]
    series = Series("in use", "#000000", [1234567.5] * 31)
    for svg in (bars("t", [("kWh", series)], days), stacked("t", [series], days), heat_map("t", days, rows)):
        assert min(map(int, re.findall(r'font-size="(\d+)"', svg))) >= 20
        places = [float(x) for x in re.findall(r'<text x="([\d.]+)" y="[\d.]+" font-size="20"[^>]*>\d\d Mar<', svg)]
        # six letters of at most 14 each: no day runs into the next
        assert min(after - before for before, after in pairwise(places)) >= 84
    assert [name for name in ("…arger 3/1<", "…rger 14/1<") if name not in svg] == []


def test_no_chart_says_its_title_twice(database: Database) -> None:
    with database.write() as connection:
        world(connection)
        for days, each in ((0, "By hour"), (6, "By day")):
            scope = scope_of(connection, DAY - timedelta(days=days), DAY)
            for kind, draw in CHARTS.items():
                svg = draw(connection, scope, ZONE, NOW).svg
                words = re.findall(r">([^<>]+)</text>", svg)
                assert [one for one in words[1:] if words[0].startswith(one)] == [], kind
                assert kind != "alerts" or each in words
