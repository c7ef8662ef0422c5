"""What stands inside something else: chargers in locations, ids that are only numbers within it, paths that name it.

It looks at documents and at what was read, and asks nothing of anybody; what it proposes is tried by others.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eosvolt.contract import Contract
from eosvolt.mapping import RowMapper
from eosvolt.survey.differences import Difference
from eosvolt.survey.envelopes import rows_in
from eosvolt.survey.fits import guessed_words, paths_in
from eosvolt.terms.paths import getter_of, is_composite, reach, steps_of

_OF_A_PLACE = frozenset({"address", "street", "city", "timezone", "timeZone", "time_zone", "postalCode", "postal_code"})
_MOST = 500


def nested_chargers(locations: Any, contract: Contract) -> dict[str, Any]:
    """Return the lines by which chargers are read out of the locations that hold them, or nothing."""
    place = contract.routes["locations"]
    rows = rows_in(locations, contract, lambda _: False, place)[0]
    return _each([row for row in rows[:_MOST] if isinstance(row, dict)], f"{place.method} {place.path}", contract)


def places_among_chargers(rows: Sequence[Mapping[str, Any]], contract: Contract) -> dict[str, Any]:
    """Return the lines for a list of chargers whose rows are locations, with the chargers inside."""
    route = contract.routes["chargers"]
    if route.each or not any(_OF_A_PLACE & row.keys() for row in rows):
        return {}
    return _each(rows, f"{route.method} {route.path}", contract)


def _each(rows: Sequence[Mapping[str, Any]], call: str, contract: Contract) -> dict[str, Any]:
    """The list in rows whose things hold lists of things with a status, or have one themselves."""
    for name, inner in _lists(rows):
        things = [thing for outer in inner for thing in outer]
        deeper = dict(_lists(things))
        plugs = next((path for path, lists in deeper.items() if _have_status(lists, contract)), None)
        if plugs is None:
            continue
        route = contract.routes["chargers"]
        lines: dict[str, Any] = {"routes.chargers.call": call, "routes.chargers.each": f"{name}[]"}
        if f"{route.method} {route.path}" == call:
            del lines["routes.chargers.call"]
        lines["fields.charger.location_id"] = "location.id"
        if plugs not in contract.fields["charger"]["connectors"].names:
            lines["fields.charger.connectors"] = plugs
        return lines
    return {}


def _lists(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[list[dict[str, Any]]]]]:
    names = dict.fromkeys(key for row in rows for key, value in row.items() if isinstance(value, list))
    for name in names:
        lists = [row[name] for row in rows if isinstance(row.get(name), list)]
        if any(lists) and all(isinstance(one, dict) for inner in lists for one in inner):
            yield name, lists


def _have_status(lists: Sequence[Sequence[Mapping[str, Any]]], contract: Contract) -> bool:
    """Whether things are connectors: a text of theirs is a status, or their names are those of connectors."""
    things = [thing for inner in lists for thing in inner][:_MOST]
    names = {name for one in ("status", "power_kw", "max_power_kw") for name in contract.fields["connector"][one].names}
    if any(names & thing.keys() for thing in things):
        return True
    for key in {key for thing in things for key in thing}:
        words = {thing[key] for thing in things if isinstance(thing.get(key), str)}
        if words and len(words) <= len(things) and not guessed_words("connector", words, {})[1]:
            return True
    return False


def local_ids(rows: Sequence[Mapping[str, Any]], contract: Contract) -> list[Difference]:
    """What to say where connectors of several chargers have one id: they are only numbered within their charger."""
    chargers, connectors = RowMapper("charger", contract), RowMapper("connector", contract)
    field = contract.fields["connector"]["id"]
    if field.composite:
        return []
    chargers_of: Counter[str] = Counter()
    for row in rows[:_MOST]:
        things = chargers.member(row, "connectors")
        found = things if isinstance(things, list) else []
        ids = {str(one) for one in (connectors.member(thing, "id") for thing in found) if one is not None}
        chargers_of.update(ids)
    shared = [one for one, number in chargers_of.most_common() if number > 1]
    if not shared:
        return []
    name = next((one for one in field.names if any(_has(row, one, chargers) for row in rows[:_MOST])), field.names[0])
    told = f"{name!r} is only a number within its charger: {shared[0]} is in {chargers_of[shared[0]]} of them"
    return [Difference("connector id", told, {"fields.connector.id": f"{{charger.id}}.{{{name}}}"})]


def _has(row: Mapping[str, Any], name: str, chargers: RowMapper) -> bool:
    things = chargers.member(row, "connectors")
    return isinstance(things, list) and any(reach(thing, steps_of(name)) is not None for thing in things)


def joined_ids(
    rows: Sequence[Mapping[str, Any]], contract: Contract, known: Mapping[str, frozenset[str]]
) -> list[Difference]:
    """What to say where sessions name connectors by numbers within their charger, which are ids of ours together."""
    plugs, chargers = known.get("connectors", frozenset()), known.get("chargers", frozenset())
    form = contract.fields["connector"]["id"].composite
    field = contract.fields["session"]["connector_id"]
    if not form or not plugs or field.composite:
        return []
    mapper = RowMapper("session", contract)
    if any(str(mapper.member(row, "connector_id")) in plugs for row in rows):
        return []
    told = paths_in(rows[:_MOST])
    paths = [path for path, values in told.items() if values and all(isinstance(one, str | int) for one in values)]
    outer = [path for path in paths if all(str(one) in chargers for one in told[path])]
    for around in outer:
        for own in paths:
            name = f"{{{around}}}{form[form.index('}') + 1 : form.rindex('{')]}{{{own}}}"
            if not is_composite(name) or own == around:
                continue
            get = getter_of(name)
            if all(get(row) in plugs for row in rows):
                said = f"{own!r} is only a number within the charger: together with {around!r} it is a connector"
                return [Difference("session connector_id", said, {"fields.session.connector_id": name})]
    return []


def paths_of_one(contract: Contract) -> Iterator[dict[str, Any]]:
    """Other paths under which one charger may be asked for, by the location around it."""
    places, chargers = contract.routes["locations"].path, contract.routes["chargers"].path
    list_name = chargers.rstrip("/").rpartition("/")[2]
    inside = contract.routes["chargers"].each.replace("[]", "").rpartition(".")[2]
    for base in dict.fromkeys((places, chargers)):
        for part in ("", *(f"/{name}" for name in dict.fromkeys((list_name, inside, "chargers", "evses")) if name)):
            yield {"routes.charger.call": f"GET {base}/{{location_id}}{part}/{{id}}"}
    yield {"routes.charger.call": f"GET {chargers}/{{location_id}}/{{id}}"}
