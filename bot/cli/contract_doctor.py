"""Asks every route of the contract once, read-only, and compares what comes with the contract.

Nothing that acts is called: of a route that posts it only says that it was not tried. One page a list, one thing a
route with an id; no answer is stored.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from eosvolt.client import EosvoltClient
from eosvolt.contract import Contract, Route
from eosvolt.errors import EosvoltError, Forbidden, InvalidRequest, MalformedAnswer, NotFound, Unauthorized
from eosvolt.mapping import RowMapper
from eosvolt.survey.comparison import Comparison, Difference, compare
from eosvolt.survey.envelopes import holds_list, without_list

LISTS = {"locations": "location", "chargers": "charger", "sessions": "session"}
SINGLES = {"location": "locations", "charger": "chargers", "session": "sessions", "pricing": "locations"}
FIGURES = {"pricing": "pricing", "report_summary": "report"}
PEOPLE = ("drivers", "teams", "keys")
"""What only accounts with a fleet have."""

NOT_TRIED = {"export": "only an ordered export has an id"}


@dataclass(frozen=True, slots=True)
class RouteCheck:
    """What a route answered: `verdict` is found, forbidden, differs, no answer or not tried.

    `told` says what was seen, `lines` are for the override file. `lacking`: the account has no such route, or no right.
    """

    name: str
    call: str
    verdict: str
    told: str
    lines: tuple[str, ...] = ()
    lacking: bool = False


async def check_contract(client: EosvoltClient, contract: Contract, now: datetime) -> list[RouteCheck]:
    """Ask every route of the contract that only reads, in the contract's order; raises nothing for a fault."""
    checks: dict[str, RouteCheck] = {}
    ids: dict[str, str] = {}
    for name, resource in LISTS.items():
        words = {"started_from": now - timedelta(days=1)} if name == "sessions" else {}
        checks[name], document = await _ask(client, contract, contract.routes[name], words=words, resource=resource)
        found = _first_id(document, contract, resource)
        if name == "chargers" and ("{location_id}" in contract.routes["charger"].path or contract.routes[name].each):
            rows = (await client.fetch_chargers()).rows  # which tells the client where each stands
            found = rows[0].id if rows else None
        if found is not None:
            ids[name] = found
    for name, route in contract.routes.items():
        if name not in checks:
            checks[name] = await _check_other(client, contract, route, ids, now)
    return [checks[name] for name in contract.routes]


async def _check_other(
    client: EosvoltClient, contract: Contract, route: Route, ids: Mapping[str, str], now: datetime
) -> RouteCheck:
    if not route.method:
        return _check(route, "not tried", "the contract names no such call")
    if route.acts or route.method != "GET":
        return _check(route, "not tried", "it acts")
    if route.name in PEOPLE:
        return await _check_people(client, route)
    words: dict[str, Any] = {}
    if route.name == "report_summary":
        words = {"started_from": now - timedelta(days=1), "started_to": now}
    thing_id = None
    if "{id}" in route.path:
        thing_id = ids.get(SINGLES.get(route.name, ""))
        if thing_id is None:
            return _check(route, "not tried", NOT_TRIED.get(route.name, "no id is known to ask for"))
    resource = route.name if route.name in LISTS.values() else FIGURES.get(route.name)
    return (await _ask(client, contract, route, thing_id, words=words, resource=resource))[0]


async def _check_people(client: EosvoltClient, route: Route) -> RouteCheck:
    """How many there are and how many can be read; of people nothing else is told, and no name is compared."""
    fetched = await client.fetch_people(route.name)
    if isinstance(fetched.error, MalformedAnswer):
        return RouteCheck(
            route.name,
            f"{route.method} {route.path}",
            "not tried",
            f"this account tells no list of {route.name} here",
            lacking=True,
        )
    if fetched.error is not None:
        check = _check_of_error(route, fetched.error, None)
        return replace(check, told=f"this account has no {route.name} ({check.told})") if check.lacking else check
    aside = len(fetched.set_aside)
    told = f"{len(fetched.rows)} {route.name}"
    if aside:
        ours = route.name.removesuffix("s")
        told += f", and {aside} that cannot be read: name their id in fields.{ours}.id"
    return _check(route, "differs" if aside else "found", told)


async def _ask(
    client: EosvoltClient,
    contract: Contract,
    route: Route,
    thing_id: str | None = None,
    *,
    words: Mapping[str, Any],
    resource: str | None,
) -> tuple[RouteCheck, Any]:
    try:
        if route.name in LISTS:
            document = await client.fetch_first_page(route.name, **words)
        else:
            document = await client.fetch_from(route.name, thing_id, **words)
    except EosvoltError as error:
        return _check_of_error(route, error, thing_id), None
    if resource is None:
        told = "an object" if isinstance(document, dict) else f"{type(document).__name__}, where an object was expected"
        return _check(route, "found" if isinstance(document, dict) else "differs", told), document
    if route.name in LISTS and not holds_list(document, contract, route):
        return _check(route, "differs", without_list(document)), document
    comparison = compare(document, contract, resource, route=route)
    verdict = "differs" if comparison.differences else "found"
    return _check(route, verdict, _summary(comparison), comparison.differences), document


def _check(route: Route, verdict: str, told: str, differences: tuple[Difference, ...] = ()) -> RouteCheck:
    seen = [told, *(_shown(one) for one in differences)]
    lines = tuple(dict.fromkeys(one.line for one in differences if one.line))
    call = f"{route.method} {route.path}" if route.method else f"({route.name})"
    return RouteCheck(route.name, call, verdict, "; ".join(seen), lines)


def _check_of_error(route: Route, error: EosvoltError, thing_id: str | None) -> RouteCheck:
    call = f"{route.method} {route.path}"
    if isinstance(error, Forbidden | Unauthorized):
        return RouteCheck(route.name, call, "forbidden", str(error), lacking=isinstance(error, Forbidden))
    if isinstance(error, NotFound):
        if thing_id is not None and error.code not in (None, "not_found"):
            return RouteCheck(route.name, call, "found", f"{error.status} {error.code}: this one has none")
        line = f"routes.{route.name}.call = {json.dumps(call)}"
        return RouteCheck(route.name, call, "differs", f"{error.status}: there is no such route", (line,), lacking=True)
    if isinstance(error, InvalidRequest):
        lines = tuple(f"routes.{route.name}.params.{word} = {json.dumps(name)}" for word, name in route.params.items())
        return RouteCheck(route.name, call, "differs", str(error), lines)
    if isinstance(error, MalformedAnswer):
        return RouteCheck(route.name, call, "differs", str(error))
    return RouteCheck(route.name, call, "no answer", str(error))


def _first_id(document: Any, contract: Contract, resource: str) -> str | None:
    mapper = RowMapper(resource, contract)
    rows = document if isinstance(document, list) else []
    if isinstance(document, dict):
        rows = next((document[key] for key in contract.envelope.rows if isinstance(document.get(key), list)), [])
    return next((key for key in map(mapper.key_of, rows) if key is not None), None)


def _summary(comparison: Comparison) -> str:
    rows = f"{comparison.rows} {'row' if comparison.rows == 1 else 'rows'}"
    return f"{rows}, {len(comparison.read)} of {len(comparison.read) + len(comparison.absent)} fields"


def _shown(difference: Difference) -> str:
    return f"{difference.field}: {difference.told}" if difference.field else difference.told


def table(checks: list[RouteCheck]) -> str:
    """The routes as a table for a terminal: verdict, call, what was seen; below it the lines for the override file."""
    width = max(len(check.call) for check in checks)
    lines = [f"{check.verdict:<10} {check.call:<{width}}  {check.told}" for check in checks]
    return "\n".join([*lines, *_override([line for check in checks for line in check.lines])])


def _override(lines: list[str]) -> list[str]:
    unique = list(dict.fromkeys(lines))
    if not unique:
        return []
    head = "At the top of the override file (CHARGEHAND_CONTRACT), each looked at by you first:"
    return ["", head, *(f"  {line}" for line in unique)]
