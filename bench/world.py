"""The fleet and the rules that the measurements share: of any size, the same each time, and what must come of them.

Connectors are numbered. Two of a hundred are out of order, and each turn other ones are. Nothing is measured here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from eosvolt.models import ChargerReading, ConnectorReading, LocationReading

T0 = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PLUGS, CHARGERS_A_PLACE = 4, 10
PLUGS_A_PLACE = PLUGS * CHARGERS_A_PLACE
CHANNELS = ("#ev-alerts", "#ev-daily", "#ev-ops")
ONE_IN = 50
"""One connector of so many is faulted."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """How the fleet is at a moment.

    Of the first `turned` connectors the faults are those of `turn`, of all others those of turn 0; their power is a
    little other at each turn. `power` is that of all, in kW, and `beat` the last heartbeat of each charger.
    """

    connectors: int
    turn: int = 0
    turned: int = 0
    power: float = 0.0
    beat: datetime | None = None

    @property
    def chargers(self) -> int:
        return self.connectors // PLUGS

    def turn_of(self, number: int) -> int:
        """The turn that a connector has come to."""
        return self.turn if number < self.turned else 0

    def is_faulted(self, number: int) -> bool:
        """Whether a connector is out of order."""
        return (number + self.turn_of(number)) % ONE_IN == 0

    def faulted(self) -> list[int]:
        """The connectors that are out of order."""
        return [number for number in range(self.connectors) if self.is_faulted(number)]


@dataclass(frozen=True, slots=True)
class Watch:
    """What one rule looks at: the faulted connectors of the whole fleet or of one place, with their power or not."""

    name: str
    place: str | None
    reads_power: bool


def place_of(number: int) -> str:
    """The id of a connector's location."""
    return f"l{number // PLUGS_A_PLACE}"


def connector(fleet: Fleet, number: int) -> ConnectorReading:
    """One connector by its number."""
    faulted, turn = fleet.is_faulted(number), fleet.turn_of(number)
    status = "Faulted" if faulted else "Available"
    return ConnectorReading(
        id=f"{number // PLUGS}.{number % PLUGS}",
        charger_id=str(number // PLUGS),
        status=status,
        status_raw=status,
        status_changed_at=None if turn else T0,
        error_code="InternalError" if faulted else "NoError",
        power_kw=fleet.power + turn / 8,
        max_power_kw=22.0,
        type="Type2",
    )


def chargers(fleet: Fleet, first: int | None = None) -> list[ChargerReading]:
    """The readings of the fleet's chargers, or of so many first ones."""
    return [
        ChargerReading(
            id=str(charger),
            location_id=place_of(charger * PLUGS),
            name=f"Charger {charger}",
            online=True,
            last_heartbeat=fleet.beat,
            heartbeat_interval_seconds=300 if fleet.beat else None,
            connectors=tuple(connector(fleet, number) for number in range(charger * PLUGS, (charger + 1) * PLUGS)),
        )
        for charger in range(fleet.chargers if first is None else first)
    ]


def locations(connectors: int) -> list[LocationReading]:
    """The readings of the fleet's locations."""
    places = -(-connectors // PLUGS_A_PLACE)
    return [LocationReading(id=f"l{number}", name=f"Place {number}", timezone="UTC") for number in range(places)]


def watches(connectors: int, count: int = 100) -> Iterator[Watch]:
    """What the rules look at: about half of them at the whole fleet, the others at one place; a quarter read power."""
    places = -(-connectors // PLUGS_A_PLACE)
    for number in range(count):
        everywhere = number % 2 == 0 and number % 25 != 24
        yield Watch(f"rule-{number:03}", None if everywhere else f"l{number % min(50, places)}", number % 8 in {2, 3})


def rule_of(number: int, watch: Watch) -> dict[str, Any]:
    """The rule that looks at this, as a document."""
    when = 'connector.status == "Faulted"'
    if watch.reads_power:
        when += " and connector.power < 1000 kW"
    if watch.place is not None:
        when = f'location.id == "{watch.place}" and {when}'
    return {
        "name": watch.name,
        "for_each": "connector",
        "when": when,
        "for": "30s",
        "severity": "warning",
        "notify": [CHANNELS[number % len(CHANNELS)]],
    }


def rules(connectors: int, count: int = 100) -> list[dict[str, Any]]:
    """The rules as documents."""
    return [rule_of(number, watch) for number, watch in enumerate(watches(connectors, count))]


def alerts(fleet: Fleet, count: int = 100, among: int | None = None) -> int:
    """How many alerts the rules must have open, of all connectors or of so many first ones."""
    faulted = [place_of(number) for number in fleet.faulted() if among is None or number < among]
    everywhere = sum(watch.place is None for watch in watches(fleet.connectors, count))
    here = sum(faulted.count(watch.place) for watch in watches(fleet.connectors, count) if watch.place is not None)
    return everywhere * len(faulted) + here
