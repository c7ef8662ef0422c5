"""The kinds of things that are recorded, and how each of their columns is: what dates it, what is kept of its history.

A table of entries; it writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Table, select

from storage.prepared import Prepared
from storage.schema import CHARGER, CONNECTOR, LOCATION, SESSION


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a thing's columns are recorded.

    `moments` maps a column that tells when a value last changed to the columns whose change moves it; `passive`
    columns are stored with a change but are none by themselves; `history` maps a field kept in Interval to the
    column that dates it; `previous` maps a column that keeps what another one was before the row last changed to it.
    `restless` columns hardly ever stand still: a change of them is a change of the row, and no news of the thing.
    `alone` are columns that a change of themselves writes by itself, without the rest of the row.
    """

    thing: str
    table: Table
    moments: Mapping[str, tuple[str, ...]]
    passive: frozenset[str]
    history: Mapping[str, str]
    previous: Mapping[str, str] = field(default_factory=dict)
    restless: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()

    @property
    def has_gone(self) -> bool:
        return "gone_at" in self.table.c


RECORDED = {
    "location": Recorded("location", LOCATION, {}, frozenset({"extra"}), {"price": "price_changed_at"}),
    "charger": Recorded(
        "charger",
        CHARGER,
        {"online_changed_at": ("online",), "heartbeat_changed_at": ("heartbeat_age_s",)},
        frozenset({"extra", "last_heartbeat"}),  # rules read the heartbeat's age, which is compared
        {"online": "online_changed_at"},
        {"previous_location_id": "location_id"},
        restless=frozenset({"heartbeat_age_s"}),
        alone=frozenset({"last_heartbeat", "heartbeat_age_s"}),
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
        {"previous_charger_id": "charger_id"},
        restless=frozenset({"power_kw"}),
    ),
    "session": Recorded(
        "session",
        SESSION,
        {"status_changed_at": ("status",), "energy_changed_at": ("energy_kwh",)},
        frozenset({"extra"}),
        {},
        {"previous_energy_kwh": "energy_kwh", "previous_energy_at": "energy_changed_at"},
        restless=frozenset({"energy_kwh", "cost"}),
    ),
}
_PREVIOUS = frozenset(name for one in RECORDED.values() for name in one.previous)
UNTOLD = frozenset({"gone_at", "sampled_at", "pending_until", "price", "stale_since", "code_missing_since"}) | _PREVIOUS
"""Columns that no reading says."""

KEPT = UNTOLD | {"id", "price_changed_at", "first_seen_at", "changed_at", "changed_seq", "news_seq", "missed_sweeps"}
"""Columns that are not simply what the last reading said."""


STALE = "stale"
"""The field of Interval under which it is kept when a connector could not be read."""

THERE = "there"
"""That under which it is kept from when to when a thing was there that went; it may have come back since."""


def news_of(table: FromClause) -> ColumnElement[Any]:
    """The column that says at which `changed_seq` there was last news of a thing, its restless values aside."""
    column: ColumnElement[Any] = table.c["news_seq" if "news_seq" in table.c else "changed_seq"]
    return column


@cache
def _there(table: Table) -> Prepared:
    return Prepared(select(table.c.id).where(table.c.gone_at.is_(None)))


def ids_there(connection: Connection, table: Table) -> list[str]:
    """The ids of all that is there of a kind of thing, and not gone."""
    return _there(table).scalars(connection)


def news_at(table: Table, seq: Any) -> dict[str, Any]:
    """The columns that say that there was news of a thing at `seq`."""
    return {"changed_seq": seq, news_of(table).name: seq}
