"""The kinds of things that are recorded, and how each of their columns is: what dates it, what is kept of its history.

A table of entries; it writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Table

from storage.schema import CHARGER, CONNECTOR, LOCATION, SESSION


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a thing's columns are recorded.

    `moments` maps a column that tells when a value last changed to the columns whose change moves it; `passive`
    columns are stored with a change but are none by themselves; `history` maps a field kept in Interval to the
    column that dates it; `previous` maps a column that keeps what another one was before the row last changed to it.
    """

    thing: str
    table: Table
    moments: Mapping[str, tuple[str, ...]]
    passive: frozenset[str]
    history: Mapping[str, str]
    previous: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_gone(self) -> bool:
        return "gone_at" in self.table.c


RECORDED = {
    "location": Recorded("location", LOCATION, {}, frozenset({"extra"}), {"price": "price_changed_at"}),
    "charger": Recorded(
        "charger",
        CHARGER,
        {"online_changed_at": ("online",)},
        frozenset({"extra", "last_heartbeat"}),  # rules read the heartbeat's age, which is compared
        {"online": "online_changed_at"},
        {"previous_location_id": "location_id"},
    ),
    "connector": Recorded(
        "connector",
        CONNECTOR,
        {
            "status_changed_at": ("status", "status_raw"),
            "error_code_changed_at": ("error_code",),
            "power_changed_at": ("power_kw",),
        },
        frozenset({"extra"}),
        {"status": "status_changed_at", "error_code": "error_code_changed_at"},
    ),
    "session": Recorded(
        "session",
        SESSION,
        {"status_changed_at": ("status",), "energy_changed_at": ("energy_kwh",)},
        frozenset({"extra"}),
        {},
        {"previous_energy_kwh": "energy_kwh", "previous_energy_at": "energy_changed_at"},
    ),
}
_PREVIOUS = frozenset(name for one in RECORDED.values() for name in one.previous)
UNTOLD = frozenset({"gone_at", "sampled_at", "price", "stale_since", "code_missing_since"}) | _PREVIOUS
"""Columns that no reading says."""

KEPT = UNTOLD | {"id", "price_changed_at", "first_seen_at", "changed_at", "changed_seq", "missed_sweeps"}
"""Columns that are not simply what the last reading said."""
