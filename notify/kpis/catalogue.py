"""Every KPI with its written definition, unit and source, and the page of them that is made of it: docs/kpis.md.

A KPI that is not here is none. Nothing is measured in this module.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from notify.kpis import sessions, times


@dataclass(frozen=True, slots=True)
class Kpi:
    """One KPI: what it is called, its unit, its definition in words, where it comes from, and its one query."""

    name: str
    unit: str
    definition: str
    source: str
    query: Callable[..., Mapping[str, Any]]


NEVI = "23 CFR 680.116(b) asks for more than 97 % a port over twelve months"
OCPI = "OCPI 2.2.1, CDRs"
OCPP = "OCPP 1.6, 4.9 Status Notification"

KPIS: Mapping[str, Kpi] = {
    "sessions": Kpi(
        "Sessions",
        "a count",
        "Completed sessions that ended in the period.",
        f"{OCPI}: a charge detail record is of a session that is over",
        sessions.sessions,
    ),
    "energy": Kpi("Energy", "kWh", "The energy of those sessions.", f"{OCPI}: `total_energy`", sessions.energy),
    "revenue": Kpi(
        "Revenue",
        "an amount a currency",
        "The cost of those sessions, in the session's currency, else its location's. Codes count without case, and "
        "amounts are never added across them. Nothing at no known currency is no revenue.",
        f"{OCPI}: `total_cost`, `currency`; ISO 4217",
        sessions.revenue,
    ),
    "drivers": Kpi(
        "Drivers",
        "a count",
        "The different id tags of those sessions, as their keyed hashes. Nothing where no tags are kept.",
        f"{OCPI}: `cdr_token`",
        sessions.drivers,
    ),
    "new_drivers": Kpi(
        "New drivers",
        "a count",
        "Those of them that no session tells of that ended before the period, wherever it was.",
        f"{OCPI}: `cdr_token`",
        sessions.new_drivers,
    ),
    "zero_energy_share": Kpi(
        "Sessions without energy",
        "a share",
        f"Of those sessions whose energy is known, the ones under {sessions.ZERO_ENERGY_KWH} kWh.",
        "the same bound as the rules `zero-energy` and `zero-energy-streak`",
        sessions.zero_energy_share,
    ),
    "success_of_starts": Kpi(
        "Starts that succeeded",
        "a share",
        "Of the sessions that began in the period, those that did not fail. A pending one is not counted; a failed one "
        "that has no start counts when it ended.",
        "the same as the rule `start-failures`, over a period",
        sessions.success_of_starts,
    ),
    "utilisation": Kpi(
        "Utilisation",
        "a share",
        "The time in which a session was open, of the time of all connectors there. A connector that was there at the "
        "first poll counts as having been there before. A session that goes on and began more than two days before the "
        "period uses nothing.",
        "plugged-in time, not the time in which energy flowed",
        times.utilisation,
    ),
    "uptime": Kpi(
        "Uptime",
        "a share",
        "Of the observed time, the part in which a connector was up: neither Faulted nor Unavailable, and its charger "
        "not offline. Planned downtime is not taken out; the rule function `uptime` can.",
        NEVI,
        times.uptime,
    ),
    "availability": Kpi(
        "Availability",
        "a share",
        "Of the observed time, the part in which a connector was free: Available, with its charger online.",
        OCPP,
        times.availability,
    ),
    "time_to_repair": Kpi(
        "Mean time to repair",
        "seconds",
        "How long the outages that ended in the period had lasted, on average. An outage is a stretch without a break "
        "in which a connector is Faulted or Unavailable or its charger offline; one that began more than 31 days "
        "before the period counts from then.",
        f"{OCPP}; IEC 60050-192: mean time to restoration",
        times.time_to_repair,
    ),
    "overstay": Kpi(
        "Overstay",
        "seconds",
        "The time in which connectors stood in Finishing beyond their location's blocking-fee interval. Where a "
        "location tells no interval nothing is overstayed.",
        f"{OCPP}; the rule `overstay`",
        times.overstay,
    ),
}
"""Every KPI by its key."""

PAGE = """\
# KPIs

Written from `notify/kpis/catalogue.py`: do not edit by hand.

Each figure is one query over a period, and can be asked by network, location, charger or connector.

- **Whose day**: a day is a location's own, in its own time zone, 23, 24 or 25 hours long. What has no location, or one
  without a known zone, counts in `CHARGEHAND_TIMEZONE`. A digest, a report of a location and an export count the same.
- **A day that is not over** counts to the moment at which it is told.
- **What was not observed** counts neither way: gaps in polling, connectors that could not be read, unknown statuses,
  the time before a connector was first seen and after it was gone. Stretches that overlap count once.
- **Left out of every sum, and told**: sessions that end before they begin, sessions with negative energy, and sessions
  told under two ids (two that began on one connector at the same moment are one).

| KPI | unit | definition | source |
| --- | --- | --- | --- |
"""


def render_kpis() -> str:
    """The page of all KPIs."""
    rows = [f"| {kpi.name} | {kpi.unit} | {kpi.definition} | {kpi.source} |\n" for kpi in KPIS.values()]
    return PAGE + "".join(rows)
