"""What the API does on POST and PUT: sessions, charger commands, prices; and the answers made of several rows.

Each checks what it is given before it acts and refuses with the platform's codes; the source decides what happens.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from sandbox.eosvolt.dialect import Dialect
from sandbox.eosvolt.listing import DEFAULT_LIMIT, MOST_PER_PAGE, invalid, sessions_between, whole, window
from sandbox.fleet.people import people
from sandbox.world.source import RefusedError, Source
from sandbox.world.state import Fields, Row
from sandbox.world.times import DAY, SECOND, iso, parse_iso_ms

EXPORT_DAYS = 30
EXPORT_SECONDS = 5
_MOST_MONEY = 1_000_000.0


def not_found(what: str, name: str) -> RefusedError:
    return RefusedError(404, "not_found", f"No {what} has the id '{name}'.")


@dataclass(frozen=True)
class Call:
    """One request as the actions see it: the moment, the id in the path, the question and the body in camelCase."""

    source: Source
    dialect: Dialect
    now: datetime
    now_ms: int
    id: str
    query: Mapping[str, str]
    body: Mapping[str, Any]
    exports: "dict[str, Export]"


@dataclass(frozen=True)
class Export:
    """An ordered export, ready some seconds after it was ordered."""

    ready_ms: int
    facts: Fields = field(default_factory=dict)
    sessions: tuple[Fields, ...] = ()


Outcome = tuple[int, Fields]


def start_session(call: Call) -> Outcome:
    connector_id = _text(call.body, "connectorId")
    id_tag = _text(call.body, "idTag") if call.body.get("idTag") is not None else None
    if connector_id not in call.source.world.connectors:
        raise not_found("connector", connector_id)
    return 201, call.source.start_session(connector_id, id_tag, call.now).fields


def stop_session(call: Call) -> Outcome:
    session_id = _text(call.body, "sessionId")
    if call.source.world.sessions.get(session_id) is None:
        raise not_found("session", session_id)
    return 200, call.source.stop_session(session_id, call.now).fields


def reset_charger(call: Call) -> Outcome:
    charger = _charger(call)
    kind = _text(call.body, "type")
    if kind not in {"Soft", "Hard"}:
        raise invalid("Field 'type' must be 'Soft' or 'Hard'.")
    call.source.reset(charger.id, kind, call.now)
    return 200, {"success": True, "status": "Accepted"}


def unlock_connector(call: Call) -> Outcome:
    charger = _charger(call)
    call.source.unlock(charger.id, _connector_of(call, charger, _text(call.body, "connectorId")), call.now)
    return 200, {"success": True, "status": "Unlocked"}


def set_availability(call: Call) -> Outcome:
    charger = _charger(call)
    operative = call.body.get("operative")
    if not isinstance(operative, bool):
        raise invalid("Field 'operative' is required and must be true or false.")
    connector_id: str | None = None
    if call.body.get("connectorId") is not None:
        connector_id = _connector_of(call, charger, _text(call.body, "connectorId"))
    status = call.source.set_availability(charger.id, connector_id, operative, call.now)
    return 200, {"success": True, "status": status}


def get_pricing(call: Call) -> Outcome:
    if call.id not in call.source.world.locations:
        raise not_found("location", call.id)
    pricing = call.source.world.pricing.get(call.id)
    if pricing is None:
        raise RefusedError(404, "no_pricing", f"Location '{call.id}' has no prices.")
    return 200, pricing.fields


def put_pricing(call: Call) -> Outcome:
    if call.id not in call.source.world.locations:
        raise not_found("location", call.id)
    changes: dict[str, Any] = {}
    for name, value in call.body.items():
        check = _PRICING.get(name)
        if check is None:
            raise invalid(f"Unknown field '{name}'; pricing has {', '.join(_PRICING)}.")
        changes[name] = check(name, value)
    if not changes:
        raise invalid("Nothing to change: the body is empty.")
    call.source.set_pricing(call.id, changes, call.now)
    return get_pricing(call)


def report_summary(call: Call) -> Outcome:
    """The dashboard's figures: revenue and kWh of the sessions completed in [from, to), their count, utilisation."""
    asked = _known(call, ("from", "to", "locationId"))
    since, until = window(asked, call.dialect)
    if since is None or until is None:
        raise invalid("Fields 'from' and 'to' are required.")
    rows = _sessions_of(call, since, until, asked.get("locationId"))
    done = [row.fields for row in rows if _completed_in(row, since, until)]
    revenues: dict[str, float] = {}
    for session in done:
        if session["cost"] is not None:
            currency = session["currency"] or ""
            revenues[currency] = round(revenues.get(currency, 0.0) + session["cost"], 4)
    busy = sum(_overlap_ms(row.fields, since, min(until, call.now_ms)) for row in rows)
    wanted = asked.get("locationId")
    plugs = [
        name
        for name, (charger, _) in call.source.world.connectors.items()
        if wanted is None or charger.fields["locationId"] == wanted
    ]
    offered = len(plugs) * max(0, min(until, call.now_ms) - since)
    one = len(revenues) == 1
    return 200, {
        "from": iso(since),
        "to": iso(until),
        "locationId": wanted,
        "sessionCount": len(done),
        "consumptionKwh": round(sum(session["energyKwh"] or 0.0 for session in done), 3),
        "revenue": next(iter(revenues.values())) if one else None,
        "currency": next(iter(revenues)) or None if one else None,
        "revenueByCurrency": revenues,
        "utilisation": round(min(1.0, busy / offered), 4) if offered else None,
        "uptime": None,  # the sandbox keeps no status history: unknown, not invented
    }


def list_people(resource: str) -> Callable[[Call], Outcome]:
    """The drivers, teams or keys, a page of them."""

    def listed(call: Call) -> Outcome:
        asked = _known(call, ("page", "offset", "limit"))
        rows = people(resource, len(call.source.world.chargers))
        limit = whole(asked, "limit", DEFAULT_LIMIT, 1, MOST_PER_PAGE)
        start = whole(asked, "offset", (whole(asked, "page", 1, 1, 10**6) - 1) * limit, 0, 10**9)
        envelope = "data" if call.dialect.envelope == "bare" else call.dialect.envelope
        return 200, {envelope: rows[start : start + limit], "total": len(rows)}

    return listed


def order_export(call: Call) -> Outcome:
    """Sessions that ended in [from, to), at most 30 days; ready some seconds later."""
    asked = {name: _time_text(call, name) for name in ("from", "to")}
    since, until = window(asked, call.dialect)
    if since is None or until is None:
        raise invalid("Fields 'from' and 'to' are required.")
    if until - since > EXPORT_DAYS * DAY:
        raise RefusedError(400, "range_too_long", f"An export covers at most {EXPORT_DAYS} days.")
    wanted = _text(call.body, "locationId") if call.body.get("locationId") is not None else None
    rows = _sessions_of(call, since, until, wanted)
    sessions = tuple(dict(row.fields) for row in rows if _completed_in(row, since, until))
    export_id = f"export-{len(call.exports) + 1}"
    facts = {"id": export_id, "from": iso(since), "to": iso(until), "locationId": wanted}
    call.exports[export_id] = Export(call.now_ms + EXPORT_SECONDS * SECOND, facts, sessions)
    return 202, facts | {"status": "Pending", "rowCount": None}


def get_export(call: Call) -> Outcome:
    export = call.exports.get(call.id)
    if export is None:
        raise not_found("export", call.id)
    if call.now_ms < export.ready_ms:
        return 200, export.facts | {"status": "Pending", "rowCount": None}
    rows = list(export.sessions)
    return 200, export.facts | {"status": "Ready", "rowCount": len(rows), "sessions": rows}


def _charger(call: Call) -> Row:
    charger = call.source.world.chargers.get(call.id)
    if charger is None:
        raise not_found("charger", call.id)
    return charger


def _connector_of(call: Call, charger: Row, connector_id: str) -> str:
    found = call.source.world.connectors.get(connector_id)
    if found is None or found[0] is not charger:
        raise not_found(f"connector of charger '{charger.id}'", connector_id)
    return connector_id


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if value is None or value == "":
        raise invalid(f"Field '{name}' is required.")
    if not isinstance(value, str):
        raise invalid(f"Field '{name}' must be text.")
    return value


def _time_text(call: Call, name: str) -> str:
    """A time of a body; where times are milliseconds they come as numbers."""
    value = call.body.get(name)
    if call.dialect.times == "epoch_ms" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(call.body, name)


def _known(call: Call, known: tuple[str, ...]) -> dict[str, str]:
    names = {call.dialect.name(name): name for name in known}
    for name in call.query:
        if name not in names:
            raise invalid(f"Unknown parameter '{name}'; known are {', '.join(names)}.")
    return {names[name]: value for name, value in call.query.items()}


def _sessions_of(call: Call, since: int, until: int, location_id: str | None) -> list[Row]:
    if location_id is not None and location_id not in call.source.world.locations:
        raise not_found("location", location_id)
    rows = sessions_between(call.source.world, since, until)
    return [row for row in rows if location_id is None or row.fields["locationId"] == location_id]


def _completed_in(row: Row, since: int, until: int) -> bool:
    ended = row.fields["endedAt"]
    return row.fields["status"] == "Completed" and ended is not None and since <= parse_iso_ms(ended) < until


def _overlap_ms(session: Fields, since: int, until: int) -> int:
    ended = parse_iso_ms(session["endedAt"]) if session["endedAt"] else until
    return max(0, min(until, ended) - max(since, parse_iso_ms(session["startedAt"])))


def _is_amount(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= value <= _MOST_MONEY
    )


def _amount(name: str, value: Any) -> float:
    try:
        if _is_amount(value):
            return float(value)
    except OverflowError:  # a whole number beyond any float
        pass
    raise invalid(f"Field '{name}' must be a number from 0 to {_MOST_MONEY:.0f}.")


def _optional_amount(name: str, value: Any) -> float | None:
    return None if value is None else _amount(name, value)


def _unit(name: str, value: Any) -> str:
    if value not in ("kWh", "minute"):
        raise invalid(f"Field '{name}' must be 'kWh' or 'minute'.")
    return str(value)


def _interval(name: str, value: Any) -> int | None:
    if value is None or (value in (5, 15, 30, 60) and not isinstance(value, bool)):
        return None if value is None else int(value)
    raise invalid(f"Field '{name}' must be 5, 15, 30 or 60.")


def _currency(name: str, value: Any) -> str:
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isupper():
        return value
    raise invalid(f"Field '{name}' must be an ISO 4217 code, for example EUR.")


def _blocks(name: str, value: Any) -> list[Fields]:
    if not isinstance(value, list) or not all(isinstance(block, dict) for block in value):
        raise invalid(f"Field '{name}' must be a list of {{from, to, price}}.")
    blocks = []
    for block in value:
        begins, ends = block.get("from"), block.get("to")
        if not (_is_time_of_day(begins) and _is_time_of_day(ends)) or begins >= ends:
            raise invalid(
                f"Field '{name}': 'from' and 'to' must be times of day like 07:00, the first before the second."
            )
        blocks.append({"from": begins, "to": ends, "price": _amount(f"{name}.price", block.get("price"))})
    blocks.sort(key=lambda block: str(block["from"]))
    for block, following in pairwise(blocks):
        if block["to"] > following["from"]:
            raise invalid(f"Field '{name}': the blocks {block['from']} and {following['from']} overlap.")
    return blocks


def _is_time_of_day(value: Any) -> bool:
    if not isinstance(value, str) or len(value) != len("07:00") or not value.isascii() or value[2] != ":":
        return False
    hours, minutes = value[:2], value[3:]
    if not (hours.isdecimal() and minutes.isdecimal() and int(minutes) < 60):
        return False
    return int(hours) < 24 or value == "24:00"


_PRICING: dict[str, Callable[[str, Any], Any]] = {
    "unit": _unit,
    "default": _amount,
    "blocks": _blocks,
    "blockingFee": _optional_amount,
    "blockingFeeIntervalMinutes": _interval,
    "currency": _currency,
}
