"""Any state of a small fleet, as the API may tell it, with the plain values that a condition reads of each subject.

It draws what SQL gets wrong most easily: what is missing, words outside the standard, wildcards, quotes, other
alphabets and numbers at the edges. It evaluates nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis import strategies as st
from sqlalchemy import Connection

from commands.requests.prices import as_text
from eosvolt.models import (
    CONNECTOR_STATUSES,
    SESSION_STATUSES,
    ChargerReading,
    ConnectorReading,
    LocationReading,
    PricingReading,
    SessionReading,
)
from rules.language.fields import FIELDS, REACHABLE
from storage.recording.prices import record_prices
from tests.readings import MINUTE, T0, record_poll
from tests.rules.matching.plain_conditions import Value

NOW = T0 + 20 * MINUTE
LOCATIONS, CHARGERS, CONNECTORS, SESSIONS = ("l1", "l'2"), ("ch1", "ch%2"), ("c1", "c_2", 'c"3'), ("s1", "s2", "s3")

TEXTS = (
    "",
    "a",
    "A",
    "ab",
    "a%",
    "a_b",
    "%",
    "_",
    "'",
    '"',
    "\\",
    "a\\b",
    "é",
    "e\u0301",
    "日本",
    "🔌",
    " a",
    "a ",
    "0",
)
STATUSES = ("Available", "Charging", "Faulted", "faulted", "Rebooting", "Faulted ", None)
NUMBERS = (0.0, -0.0, 0.1, 0.2, 0.30000000000000004, 1.0, 1.5, -1.0, 7.0, 60.0, 1200.0, 1e9, 1e-9, 123456.789)
VERSIONS = ("1.4", "1.9.0", "V1.10", "1.10.0", "1-10_1", "v2.0.0.0", "0.0", "1.4-rc1", "1..4", "1.4.")
CODES = ("EUR", "EUR", "eur", "SEK", "kr.", "")
BEATS = tuple(NOW - timedelta(seconds=seconds) for seconds in (0, 0.25, 59.999, 60, 1200, -30))

T = TypeVar("T")


def maybe(values: tuple[T, ...]) -> st.SearchStrategy[T | None]:
    """One of the values, or unknown."""
    return st.sampled_from([None, *values])


def connectors(id_: str, charger_id: str) -> st.SearchStrategy[ConnectorReading]:
    return st.builds(
        lambda raw, **values: ConnectorReading(
            id_, charger_id, raw if raw in CONNECTOR_STATUSES else None, status_raw=raw, **values
        ),
        raw=st.sampled_from(STATUSES),
        error_code=maybe(TEXTS),
        vendor_error_code=maybe(TEXTS),
        power_kw=maybe(NUMBERS),
        max_power_kw=maybe(NUMBERS),
        type=maybe(TEXTS),
    )


def chargers(id_: str) -> st.SearchStrategy[ChargerReading]:
    own = st.lists(st.sampled_from(CONNECTORS), unique=True).flatmap(
        lambda ids: st.tuples(*(connectors(f"{id_}.{one}", id_) for one in ids))
    )
    return st.builds(
        ChargerReading,
        st.just(id_),
        st.sampled_from([*LOCATIONS, "nowhere"]),
        st.sampled_from(TEXTS),
        vendor=maybe(TEXTS),
        model=maybe(TEXTS),
        firmware=maybe((*VERSIONS, *VERSIONS, *TEXTS)),
        serial=maybe(TEXTS),
        online=maybe((True, False)),
        last_heartbeat=maybe(BEATS),
        heartbeat_interval_seconds=maybe(NUMBERS),
        labels=st.lists(st.sampled_from(TEXTS), max_size=3).map(tuple),
        connectors=own,
    )


def locations(id_: str) -> st.SearchStrategy[LocationReading]:
    return st.builds(
        LocationReading,
        st.just(id_),
        st.sampled_from(TEXTS),
        type=maybe(TEXTS),
        address=maybe(TEXTS),
        timezone=maybe(("UTC", "Europe/Copenhagen")),
        currency=maybe(CODES),
        blocking_fee_interval_minutes=maybe(NUMBERS),
    )


def sessions(id_: str) -> st.SearchStrategy[SessionReading]:
    places = st.tuples(st.sampled_from(CHARGERS), st.sampled_from([*CONNECTORS, "unheard-of"]))
    started = st.sampled_from([NOW - 20 * MINUTE, NOW - timedelta(seconds=60.25), NOW])
    return st.builds(
        lambda place, location, **values: SessionReading(id_, f"{place[0]}.{place[1]}", place[0], location, **values),
        places,
        maybe(LOCATIONS),
        status=st.sampled_from([*SESSION_STATUSES, "Parked", "active", None]),
        type=maybe(("OnDemand", "Booking")),
        fail_reason=maybe(TEXTS),
        started_at=started,
        ended_at=st.sampled_from([None, None, NOW]),
        energy_kwh=maybe(NUMBERS),
        cost=maybe(NUMBERS),
        currency=maybe(CODES),
        id_tag=maybe(TEXTS),
        stop_reason=maybe(TEXTS),
    )


def prices(location_id: str) -> st.SearchStrategy[PricingReading]:
    units = st.sampled_from([None, "kWh", "minute"])
    return st.builds(PricingReading, st.just(location_id), unit=units, default=maybe(NUMBERS))


def _some(ids: tuple[str, ...], make: Callable[[str], st.SearchStrategy[T]]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(st.sampled_from(ids), unique=True, min_size=1).flatmap(
        lambda chosen: st.tuples(*(make(one) for one in chosen))
    )


@dataclass(frozen=True)
class World:
    """What the polls of `NOW` said, and the ids that two complete sweeps did not show any more."""

    locations: tuple[LocationReading, ...]
    chargers: tuple[ChargerReading, ...]
    sessions: tuple[SessionReading, ...]
    gone: frozenset[str]
    prices: tuple[PricingReading, ...] = ()

    @property
    def connectors(self) -> tuple[ConnectorReading, ...]:
        return tuple(one for charger in self.chargers for one in charger.connectors)

    def record(self, connection: Connection) -> None:
        """Record this state through polls, in the caller's transaction."""
        polled = {"locations": self.locations, "chargers": self.chargers, "sessions": self.sessions}
        for resource, readings in polled.items():
            record_poll(connection, NOW, *readings, resource=resource)
        record_prices(connection, {str(one.location_id): as_text(one) for one in self.prices}, NOW)
        if not self.gone:
            return
        location_ids = {one.id for one in self.locations}
        charger_ids, connector_ids = {one.id for one in self.chargers}, {one.id for one in self.connectors}
        for sweep in (1, 2):
            seen = {"location": location_ids - self.gone}
            record_poll(connection, NOW + sweep * MINUTE, resource="locations", seen=seen)
            seen = {"charger": charger_ids - self.gone, "connector": connector_ids - self.gone}
            record_poll(connection, NOW + sweep * MINUTE, resource="chargers", seen=seen)

    def subjects(self, for_each: str) -> dict[str, dict[str, Value]]:
        """For each thing that a rule looks at, the value of every field that its condition may read."""
        things: dict[str, Any] = {
            "location": {one.id: one for one in self.locations},
            "charger": {one.id: one for one in self.chargers},
            "connector": {one.id: one for one in self.connectors},
            "session": {one.id: one for one in self.sessions if one.ended_at is None},
        }
        looked_at = {id_: one for id_, one in things[for_each].items() if id_ not in self.gone}
        return {id_: self._values(for_each, one, things) for id_, one in looked_at.items()}

    def _values(self, for_each: str, subject: Any, things: dict[str, Any]) -> dict[str, Value]:
        above = {for_each: subject}
        for thing in REACHABLE[for_each][1:]:
            above[thing] = things[thing].get(getattr(subject, f"{thing}_id", None))
        if for_each == "connector":  # its place is where its charger stands
            charger = things["charger"][subject.charger_id]
            above["location"] = things["location"].get(charger.location_id)
        values: dict[str, Value] = {}
        for key, spec in FIELDS.items():
            if spec.thing in above:
                one = self._prices_of(above[spec.thing]) if key in PRICED else above[spec.thing]
                values[key] = None if one is None else READ.get(key, _attribute(key))(one)
        return values

    def _prices_of(self, place: LocationReading | None) -> PricingReading | None:
        return next((one for one in self.prices if place is not None and one.location_id == place.id), None)


def _price(pricing: PricingReading) -> Value:
    default = None if pricing.default is None else round(pricing.default, 4)
    return None if pricing.unit == "minute" else default


PRICED = frozenset({"location.price"})
"""What is read off the prices of a location."""


def _attribute(key: str) -> Callable[[Any], Value]:
    name = key.split(".")[1]
    return lambda thing: getattr(thing, name)


READ: dict[str, Callable[[Any], Value]] = {
    "location.price": _price,
    "connector.power": lambda connector: connector.power_kw,
    "connector.max_power": lambda connector: connector.max_power_kw,
    "charger.heartbeat_interval": lambda charger: charger.heartbeat_interval_seconds,
    "charger.heartbeat_age": lambda charger: (
        None if charger.last_heartbeat is None else max(0.0, (NOW - charger.last_heartbeat).total_seconds())
    ),
    "location.blocking_fee_interval": lambda location: (
        None if location.blocking_fee_interval_minutes is None else location.blocking_fee_interval_minutes * 60.0
    ),
    "session.status": lambda session: session.status if session.status in SESSION_STATUSES else None,
    "session.status_raw": lambda session: session.status,
    "session.energy": lambda session: session.energy_kwh,
    "session.duration": lambda session: round(((session.ended_at or NOW) - session.started_at).total_seconds(), 3),
    "session.id_tag": lambda session: None,  # without a key nothing is stored of who charged
}
"""How a field is read off a reading, where it is not simply the attribute of its name."""


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Any small fleet; something is gone in some."""
    world = World(
        draw(_some(LOCATIONS, locations)), draw(_some(CHARGERS, chargers)), draw(_some(SESSIONS, sessions)), frozenset()
    )
    things: tuple[Any, ...] = (*world.locations, *world.chargers, *world.connectors)
    gone = draw(st.frozensets(st.sampled_from([one.id for one in things]), max_size=2))
    return World(world.locations, world.chargers, world.sessions, gone, draw(st.tuples(*map(prices, LOCATIONS))))
