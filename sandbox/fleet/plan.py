"""Which locations, chargers and connectors an invented fleet has: names, addresses, zones, models and prices.

Deterministic by the random generator that is passed in. Operators, streets and serials are invented.
"""

from dataclasses import dataclass
from random import Random
from typing import Any
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Country:
    name: str
    zone: str
    currency: str
    price: float
    cities: tuple[str, ...]
    streets: tuple[str, ...]


COUNTRIES = (
    Country("Denmark", "Europe/Copenhagen", "DKK", 3.79, ("København", "Aarhus", "Odense", "Aalborg", "Esbjerg"),
            ("Havnegade", "Østergade", "Banegårdspladsen", "Skolevej", "Strandvejen")),
    Country("Germany", "Europe/Berlin", "EUR", 0.59, ("Hamburg", "Leipzig", "Köln", "Freiburg", "Lübeck"),
            ("Bahnhofstraße", "Am Markt", "Lindenallee", "Hafenstraße", "Rathausplatz")),
    Country("Ireland", "Europe/Dublin", "EUR", 0.57, ("Dublin", "Cork", "Galway", "Sligo", "Kilkenny"),
            ("Main Street", "Station Road", "The Quay", "Bridge Street", "Market Square")),
    Country("Finland", "Europe/Helsinki", "EUR", 0.42, ("Helsinki", "Turku", "Tampere", "Oulu", "Vaasa"),
            ("Asemakatu", "Kauppatori", "Rantatie", "Koulukatu", "Mannerheimintie")),
    Country("Portugal", "Europe/Lisbon", "EUR", 0.49, ("Lisboa", "Porto", "Coimbra", "Faro", "Évora"),
            ("Rua Direita", "Avenida da Liberdade", "Largo da Estação", "Rua do Porto", "Praça Central")),
    Country("Canada", "America/Halifax", "CAD", 0.55, ("Halifax", "Dartmouth", "Truro", "Lunenburg", "Yarmouth"),
            ("Water Street", "Barrington Street", "Harbour Drive", "Main Street", "Prince Street")),
)  # fmt: skip
PLACES = ("Station", "Car Park", "Town Hall", "Shopping Centre", "Harbour", "Hotel", "Sports Centre", "Park & Ride")
KINDS = (("public", 70), ("semi-public", 20), ("private", 10))


@dataclass(frozen=True)
class Model:
    """A kind of charge box: each connector's type and its highest power in kW."""

    vendor: str
    name: str
    connectors: tuple[tuple[str, float], ...]
    weight: int


MODELS = (
    Model("Alfen", "Eve Double", (("Type2", 22.0), ("Type2", 22.0)), 40),
    Model("Easee", "Charge", (("Type2", 11.0),), 22),
    Model("ABB", "Terra AC", (("Type2", 22.0),), 13),
    Model("ABB", "Terra 54", (("CCS2", 50.0), ("CHAdeMO", 50.0)), 10),
    Model("Kempower", "Satellite", (("CCS2", 200.0), ("CCS2", 200.0)), 9),
    Model("Alpitronic", "HYC150", (("CCS2", 150.0), ("CCS2", 150.0)), 6),
)


@dataclass(frozen=True)
class PlannedCharger:
    """A charger as it will be put into the world; `connectors` are (id, type, kW)."""

    id: str
    location_id: str
    zone: ZoneInfo
    currency: str
    price: float
    details: dict[str, Any]
    connectors: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True)
class PlannedLocation:
    id: str
    details: dict[str, Any]
    price: float
    chargers: tuple[PlannedCharger, ...]


def plan_fleet(chargers: int, random: Random) -> list[PlannedLocation]:
    """Locations with one to six chargers each, `chargers` in all; ids follow "location.charger.connector"."""
    locations: list[PlannedLocation] = []
    left = chargers
    while left > 0:
        size = min(left, random.choices((1, 2, 3, 4, 6), (25, 35, 18, 16, 6))[0])
        locations.append(_plan_location(100 + len(locations), size, random))
        left -= size
    return locations


def _plan_location(number: int, size: int, random: Random) -> PlannedLocation:
    country = random.choice(COUNTRIES)
    city, street = random.choice(country.cities), random.choice(country.streets)
    location_id = str(number)
    price = round(country.price * random.uniform(0.85, 1.2), 2)
    details: dict[str, Any] = {
        "name": f"{city} {random.choice(PLACES)}",
        "type": random.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0],
        "address": f"{street} {random.randint(1, 120)}, {city}, {country.name}",
        "timezone": country.zone,
        "currency": country.currency,
        "supportContact": f"support-{number}@example.org",
        "blockingFeeIntervalMinutes": random.choice((None, None, 15, 30)),
    }
    planned = tuple(_plan_charger(location_id, index, country, price, random) for index in range(1, size + 1))
    return PlannedLocation(location_id, details, price, planned)


def _plan_charger(location_id: str, index: int, country: Country, price: float, random: Random) -> PlannedCharger:
    model = random.choices(MODELS, [model.weight for model in MODELS])[0]
    charger_id = f"{location_id}.{index}"
    details: dict[str, Any] = {
        "name": f"{model.vendor} {location_id}-{index}",
        "vendor": model.vendor,
        "model": model.name,
        "firmware": f"{random.randint(3, 6)}.{random.randint(0, 9)}.{random.randint(0, 30)}",
        "serial": f"{model.vendor[:3].upper()}{random.randrange(10**8):08d}",
        "heartbeatIntervalSeconds": random.choice((60, 300, 300, 900)),
        "labels": random.choice(([], [], [], ["fleet"], ["highway"], ["pilot"])),
    }
    connectors = tuple(
        (f"{charger_id}.{number}", kind, power) for number, (kind, power) in enumerate(model.connectors, start=1)
    )
    return PlannedCharger(charger_id, location_id, ZoneInfo(country.zone), country.currency, price, details, connectors)
