"""The routes of the stand-in API as one table; EOSVOLT.md's "Assumed" section is its source.

A path is written without its version, `*` standing for an id. It answers which route a path means and does nothing.
"""

from collections.abc import Callable

from sandbox.eosvolt import actions
from sandbox.world.source import RefusedError

Route = str | Callable[[actions.Call], actions.Outcome]

ROUTES: dict[tuple[str, ...], dict[str, Route]] = {
    ("locations",): {"GET": "locations"},
    ("locations", "*"): {"GET": "locations"},
    ("locations", "*", "pricing"): {"GET": actions.get_pricing, "PUT": actions.put_pricing},
    ("chargers",): {"GET": "chargers"},
    ("chargers", "*"): {"GET": "chargers"},
    ("chargers", "*", "reset"): {"POST": actions.reset_charger},
    ("chargers", "*", "unlock"): {"POST": actions.unlock_connector},
    ("chargers", "*", "availability"): {"POST": actions.set_availability},
    ("sessions",): {"GET": "sessions"},
    ("sessions", "start"): {"POST": actions.start_session},
    ("sessions", "stop"): {"POST": actions.stop_session},
    ("sessions", "*"): {"GET": "sessions"},
    ("reports", "summary"): {"GET": actions.report_summary},
    ("drivers",): {"GET": actions.list_people("drivers")},
    ("teams",): {"GET": actions.list_people("teams")},
    ("keys",): {"GET": actions.list_people("keys")},
    ("exports", "sessions"): {"POST": actions.order_export},
    ("exports", "*"): {"GET": actions.get_export},
}

BODIES: dict[tuple[str, ...], dict[str, str]] = {
    ("chargers", "*", "reset"): {"type": "string"},
    ("chargers", "*", "unlock"): {"connectorId": "string"},
    ("chargers", "*", "availability"): {"connectorId": "string", "operative": "boolean"},
    ("sessions", "start"): {"connectorId": "string", "idTag": "string"},
    ("sessions", "stop"): {"sessionId": "string"},
    ("exports", "sessions"): {"from": "string", "to": "string", "locationId": "string"},
    ("locations", "*", "pricing"): {
        "unit": "string",
        "default": "number",
        "blocks": "array",
        "blockingFee": "number",
        "blockingFeeIntervalMinutes": "integer",
        "currency": "string",
    },
}
"""The fields of each body that is sent, with their JSON types."""

BODY_NAMES = tuple({name: None for fields in BODIES.values() for name in fields})


def find_route(path: list[str]) -> tuple[dict[str, Route], str | None]:
    """The methods of a path and the id in it; an id may hold any character, a slash written as %2F."""
    rest = tuple(path)
    if "*" not in rest:
        methods = ROUTES.get(rest)
        if methods is not None:
            return methods, None
    if len(rest) > 1 and rest[1]:
        methods = ROUTES.get((rest[0], "*", *rest[2:]))
        if methods is not None:
            return methods, rest[1]
    raise RefusedError(404, "not_found", "There is no such route.")
