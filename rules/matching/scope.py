"""Where the fields of a condition are found: the tables of the things, and the paths between them.

A scope binds the catalogue to tables or to aliases of them. It compiles nothing by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause

from rules.language.fields import FIELDS, FieldSpec, Type
from storage.schema import CHARGER, CONNECTOR, LOCATION, POLL, SESSION

Resolve = Callable[[str], ColumnElement[Any]]
"""Gives the SQL value of a field by its key."""

MOMENT = CONNECTOR.c.changed_at.type
NETWORK_ID = "network"
NETWORK = sa.select(
    sa.literal(NETWORK_ID, sa.String).label("id"),
    sa.select(sa.func.min(POLL.c.first_good_at, type_=MOMENT)).scalar_subquery().label("first_seen_at"),
    sa.literal(0).label("changed_seq"),
    sa.cast(sa.null(), MOMENT).label("gone_at"),
    sa.cast(sa.null(), MOMENT).label("stale_since"),
).subquery("network")
"""The whole fleet as the one thing that it is: it has no row, no field and no change of its own."""

TABLES: dict[str, FromClause] = {
    "connector": CONNECTOR,
    "charger": CHARGER,
    "location": LOCATION,
    "session": SESSION,
    "network": NETWORK,
}

# from a thing, the column that leads to each thing above it
PATHS: dict[str, dict[str, ColumnElement[Any]]] = {
    "connector": {"charger": CONNECTOR.c.charger_id, "location": CONNECTOR.c.location_id},
    "charger": {"location": CHARGER.c.location_id},
    "location": {},
    "network": {},
    "session": {
        "connector": SESSION.c.connector_id,
        "charger": SESSION.c.charger_id,
        "location": SESSION.c.location_id,
    },
}

NOW: ColumnElement[Any] = sa.bindparam("now", type_=MOMENT)
SEEN = sa.bindparam("seen", type_=sa.Integer)
RULE_ID = sa.bindparam("rule", type_=sa.String)
CLOCKS = sa.bindparam("clocks", value="{}", type_=sa.String)
"""What time it is in each location's zone (see `windows.local_clocks`); without it, local time is unknown."""
OFFSETS = sa.bindparam("offsets", value="[]", type_=sa.String)
"""How far each zone's clock was ahead of UTC (see `windows.zone_offsets`), where conditions are judged as of then."""


@dataclass(frozen=True)
class Scope:
    """The fields of some things, each read from a table or from an alias of it."""

    tables: Mapping[str, FromClause]

    def __call__(self, key: str) -> ColumnElement[Any]:
        """The value of a field as it is now."""
        spec = FIELDS[key]
        return spec.sql(self.tables[spec.thing].c, NOW)

    def moment(self, key: str) -> ColumnElement[Any]:
        """When the value of a field last changed."""
        spec = FIELDS[key]
        column: ColumnElement[Any] = self.tables[spec.thing].c[spec.changed_at]
        return column


@dataclass(frozen=True)
class AsOf:
    """The fields that `resolve` gives, while the locations' own clocks show what they did `at` a moment."""

    resolve: Resolve
    at: ColumnElement[Any]

    def __call__(self, key: str) -> ColumnElement[Any]:
        """The value of a field."""
        return self.resolve(key)


SUBJECT = Scope({thing: table for thing, table in TABLES.items() if thing != "network"})
"""The subject of a rule and the things above it."""


def scope_of(resolve: Resolve) -> Scope:
    """Where a resolver finds the rows of things: its own tables, else those of the subject."""
    return resolve if isinstance(resolve, Scope) else SUBJECT


def kept_value(spec: FieldSpec, interval: FromClause) -> ColumnElement[Any]:
    """The value that a field had in a kept interval."""
    value: ColumnElement[Any] = interval.c.value
    if spec.kept is not None:
        return spec.kept(value)
    if spec.type is Type.BOOLEAN:
        return sa.case((value == "true", sa.true()), (value == "false", sa.false()))
    return value
