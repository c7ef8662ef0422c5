"""Lists: which rows a question asks for, in which order, on which page.

A question with `updatedSince` costs by what changed, one with a time window by what happened since the window's
beginning. What a question gets wrong is told by parameter; nothing in a question is silently ignored.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.eosvolt.dialect import Dialect
from sandbox.world.source import RefusedError
from sandbox.world.state import Row, Table, World
from sandbox.world.times import parse_iso_ms

DEFAULT_LIMIT = 25
MOST_PER_PAGE = 1000
_PAGING = ("page", "offset", "limit", "sort", "updatedSince")
PARAMETERS: dict[str, tuple[str, ...]] = {
    "locations": (*_PAGING, "type"),
    "chargers": (*_PAGING, "status", "locationId", "connectorId"),
    "sessions": (*_PAGING, "status", "locationId", "chargerId", "connectorId", "from", "to"),
}
SORTABLE: dict[str, tuple[str, ...]] = {
    "locations": ("id", "name", "type", "timezone", "updatedAt"),
    "chargers": ("id", "name", "locationId", "serial", "online", "updatedAt"),
    "sessions": ("id", "connectorId", "locationId", "status", "startedAt", "endedAt", "energyKwh", "cost", "updatedAt"),
}


def invalid(message: str) -> RefusedError:
    return RefusedError(400, "invalid_parameter", message)


@dataclass(frozen=True)
class Page:
    """The rows of one page, the number of all rows that fit, and what the envelope says about paging."""

    rows: Sequence[Row]
    total: int
    paging: Mapping[str, int | bool | None]


def fetch_page(world: World, resource: str, query: Mapping[str, str], dialect: Dialect) -> Page:
    """The page of `resource` (locations, chargers or sessions) that `query` asks for; RefusedError 400 if wrong."""
    names = {dialect.name(known): known for known in PARAMETERS[resource]}
    asked: dict[str, str] = {}
    for name, value in query.items():
        known = names.get(name)
        if known is None:
            raise invalid(f"Unknown parameter '{name}'; '{resource}' knows {', '.join(names)}.")
        asked[known] = value
    if asked.get("sort") == dialect.name("id") and not asked.keys() - {"sort", "page", "offset", "limit"}:
        # a full sweep asks for every page of the same order
        if resource == "sessions":
            world.load_past(None)
        return _cut(table_of(world, resource).by_id(), asked)
    rows = _sorted(_matching(world, resource, asked, dialect), resource, asked, dialect)
    return _cut(rows, asked)


def window(asked: Mapping[str, str], dialect: Dialect) -> tuple[int | None, int | None]:
    """`from` and `to` in ms, each None where not given; RefusedError 400 where they are no times or in wrong order."""
    since, until = moment(asked, "from", dialect), moment(asked, "to", dialect)
    if since is not None and until is not None and since > until:
        raise invalid("'from' is later than 'to'.")
    return since, until


def moment(asked: Mapping[str, str], name: str, dialect: Dialect) -> int | None:
    text = asked.get(name)
    if text is None:
        return None
    try:
        return dialect.parse_time(text)
    except (ValueError, OverflowError, OSError):
        raise invalid(
            f"Field '{name}' must be an ISO 8601 time with an offset, for example 2025-10-01T00:00:00Z."
        ) from None


def sessions_between(world: World, since: int | None, until: int | None) -> list[Row]:
    """Sessions that were going on in [since, until), in the order of their beginning in the list.

    Cost: by what changed since `since`, because a session that ended later also changed later.
    """
    world.load_past(since)
    if since is None:
        rows = world.sessions.ordered()
    else:
        found = {row.id: row for row in world.sessions.changed_since(since)} | world.open_sessions
        rows = sorted(found.values(), key=lambda row: row.position)
        rows = [row for row in rows if row.fields["endedAt"] is None or parse_iso_ms(row.fields["endedAt"]) >= since]
    if until is not None:
        rows = [row for row in rows if parse_iso_ms(row.fields["startedAt"]) < until]
    return rows


def _matching(world: World, resource: str, asked: Mapping[str, str], dialect: Dialect) -> list[Row]:
    changed_since = moment(asked, "updatedSince", dialect)
    tests = [make(asked[name]) for name, make in _FILTERS[resource].items() if name in asked]
    if resource == "sessions" and ("from" in asked or "to" in asked):
        rows = sessions_between(world, *window(asked, dialect))
        if changed_since is not None:
            rows = [row for row in rows if row.updated_ms >= changed_since]
    else:
        table = table_of(world, resource)
        if resource == "sessions":
            world.load_past(changed_since)
        rows = table.ordered() if changed_since is None else table.changed_since(changed_since)
    if tests:
        rows = [row for row in rows if all(test(row.fields) for test in tests)]
    return rows


def table_of(world: World, resource: str) -> Table:
    return {"locations": world.locations, "chargers": world.chargers, "sessions": world.sessions}[resource]


def _sorted(rows: list[Row], resource: str, asked: Mapping[str, str], dialect: Dialect) -> list[Row]:
    text = asked.get("sort")
    if text is None:
        return rows
    names = {dialect.name(name): name for name in SORTABLE[resource]}
    name = names.get(text.removeprefix("-"))
    if name is None:
        raise invalid(f"Field 'sort' must be one of {', '.join(names)}, with '-' before it for descending order.")
    if name == "updatedAt":
        return sorted(rows, key=lambda row: row.updated_ms, reverse=text.startswith("-"))

    def by_value(row: Row) -> tuple[bool, Any]:
        value = row.fields[name]
        return (value is None, 0 if value is None else value)

    return sorted(rows, key=by_value, reverse=text.startswith("-"))


def _cut(rows: list[Row], asked: Mapping[str, str]) -> Page:
    if "page" in asked and "offset" in asked:
        raise invalid("Use 'page' or 'offset', not both.")
    limit = whole(asked, "limit", DEFAULT_LIMIT, 1, MOST_PER_PAGE)
    total = len(rows)
    if "offset" in asked:
        offset = whole(asked, "offset", 0, 0, 10**9)
        place: dict[str, int | bool | None] = {"offset": offset, "limit": limit, "hasNextPage": offset + limit < total}
        return Page(rows[offset : offset + limit], total, place)
    page = whole(asked, "page", 1, 1, 10**9)
    more = page * limit < total
    place = {"page": page, "limit": limit, "hasNextPage": more, "nextPage": page + 1 if more else None}
    return Page(rows[(page - 1) * limit : page * limit], total, place)


def whole(asked: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = asked.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and least <= int(text) <= most):
        raise invalid(f"Field '{name}' must be a whole number from {least} to {most}.")
    return int(text)


Test = Callable[[Mapping[str, Any]], bool]


def _equal(name: str) -> Callable[[str], Test]:
    return lambda wanted: lambda fields: bool(fields[name] == wanted)


def _one_of(name: str) -> Callable[[str], Test]:
    def make(wanted: str) -> Test:
        values = frozenset(wanted.split(","))
        return lambda fields: fields[name] in values

    return make


def _any_connector(name: str) -> Callable[[str], Test]:
    def make(wanted: str) -> Test:
        values = frozenset(wanted.split(",")) if name == "status" else frozenset({wanted})
        return lambda fields: any(connector[name] in values for connector in fields["connectors"])

    return make


_FILTERS: dict[str, dict[str, Callable[[str], Test]]] = {
    "locations": {"type": _one_of("type")},
    "chargers": {
        "status": _any_connector("status"),
        "locationId": _equal("locationId"),
        "connectorId": _any_connector("id"),
    },
    "sessions": {
        "status": _one_of("status"),
        "locationId": _equal("locationId"),
        "chargerId": _equal("chargerId"),
        "connectorId": _equal("connectorId"),
    },
}
