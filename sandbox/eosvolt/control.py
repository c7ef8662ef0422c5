"""The control routes under /__sandbox__/: what a demo or a test does to the stand-in world from outside.

    GET    /__sandbox__                   the moment, the speed, how much there is
    GET    /__sandbox__/commands          every POST that was accepted, oldest first
    POST   /__sandbox__/connectors/{id}   {"status", "errorCode", "vendorErrorCode", "powerKw"}, any of them
    POST   /__sandbox__/chargers/{id}     {"online": true or false}
    DELETE /__sandbox__/chargers/{id}     it is gone from all answers; also /connectors/{id}
    POST   /__sandbox__/clock             {"speed": simulated seconds for each second}
    POST   /__sandbox__/faults            {"answers503", "cutOff", "html", "commandsUnknown": how many; "delaySeconds"}
    POST   /__sandbox__/rate-limit        {"calls", "seconds"}, or {"calls": 0} for no limit

They need no token and are no part of the platform's API.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sandbox.eosvolt.faults import Command, Faults
from sandbox.eosvolt.listing import invalid
from sandbox.world.clock import SpeedClock
from sandbox.world.source import RefusedError, Source
from sandbox.world.times import to_ms

_CONNECTOR_FIELDS = ("status", "errorCode", "vendorErrorCode", "powerKw")
_COUNTED_FAULTS = {
    "answers503": "answers_503",
    "cutOff": "cut_off",
    "html": "html",
    "commandsUnknown": "commands_unknown",
}
_FASTEST = 1_000_000.0
_SLOWEST_ANSWER_SECONDS = 600.0


class Controlled(Protocol):
    """What the control routes need of the application that they steer."""

    source: Source
    clock: Callable[[], datetime]
    faults: Faults
    commands: list[Command]

    def set_rate_limit(self, calls: int, seconds: int) -> None: ...


@dataclass(frozen=True)
class Order:
    """One control call: the application, the last part of the path, the body and the moment."""

    api: Controlled
    id: str
    body: dict[str, Any]
    now: datetime


Told = tuple[int, dict[str, Any]]


def answer(api: Controlled, method: str, path: list[str], body: dict[str, Any], now: datetime) -> Told:
    """The status and the facts to answer; RefusedError where the path, the method or the body is wrong."""
    control = _CONTROLS.get((method, path[0] if path else "", len(path)))
    if control is None:
        raise RefusedError(404, "not_found", "There is no such control route; GET /__sandbox__ shows the state.")
    return control(Order(api, path[-1] if path else "", body, now))


def _state(order: Order) -> Told:
    api, now = order.api, order.now
    world, source = api.source.world, api.source
    return 200, {
        "now": now.isoformat(),
        "start": source.start.isoformat(),
        "end": source.end.isoformat() if source.end else None,
        "speed": api.clock.speed if isinstance(api.clock, SpeedClock) else None,
        "down": source.is_down(now),
        "locations": len(world.locations),
        "chargers": len(world.chargers),
        "connectors": len(world.connectors),
        "openSessions": len(world.open_sessions),
        "commands": len(api.commands),
    }


def _commands(order: Order) -> Told:
    return 200, {"commands": [vars(command) for command in order.api.commands]}


def _force_connector(order: Order) -> Told:
    api, connector_id, body, now = order.api, order.id, order.body, order.now
    if connector_id not in api.source.world.connectors:
        raise RefusedError(404, "not_found", f"No connector has the id '{connector_id}'.")
    for name, value in body.items():
        if name not in _CONNECTOR_FIELDS:
            raise invalid(f"Unknown field '{name}'; a connector can be told {', '.join(_CONNECTOR_FIELDS)}.")
        if name == "powerKw" and value is not None:
            _number(name, value, _FASTEST)
        elif value is not None and not isinstance(value, str):
            raise invalid(f"Field '{name}' must be text or null.")
    changes = dict(body)
    if changes.get("status") not in (None, "Faulted"):
        changes.setdefault("errorCode", None)
    api.source.force_connector(connector_id, changes, now)
    return 200, dict(api.source.world.connectors[connector_id][1])


def _force_online(order: Order) -> Told:
    api, charger_id, body, now = order.api, order.id, order.body, order.now
    charger = api.source.world.chargers.get(charger_id)
    if charger is None:
        raise RefusedError(404, "not_found", f"No charger has the id '{charger_id}'.")
    online = body.get("online")
    if not isinstance(online, bool):
        raise invalid("Field 'online' is required and must be true or false.")
    api.source.force_online(charger_id, online, now)
    return 200, dict(charger.fields)


def _remove_charger(order: Order) -> Told:
    if order.id not in order.api.source.world.chargers:
        raise RefusedError(404, "not_found", f"No charger has the id '{order.id}'.")
    order.api.source.world.remove_charger(order.id)
    return 200, {"removed": order.id}


def _remove_connector(order: Order) -> Told:
    if order.id not in order.api.source.world.connectors:
        raise RefusedError(404, "not_found", f"No connector has the id '{order.id}'.")
    order.api.source.world.remove_connector(order.id, to_ms(order.now))
    return 200, {"removed": order.id}


def _set_speed(order: Order) -> Told:
    api, body = order.api, order.body
    if not isinstance(api.clock, SpeedClock):
        raise RefusedError(409, "clock_is_fixed", "This sandbox's clock is moved by its caller.")
    api.clock.set_speed(_number("speed", body.get("speed"), _FASTEST))
    return 200, {"speed": api.clock.speed}


def _set_faults(order: Order) -> Told:
    api, body = order.api, order.body
    for name, value in body.items():
        if name == "delaySeconds":
            api.faults.delay_seconds = _number(name, value, _SLOWEST_ANSWER_SECONDS)
        elif name in _COUNTED_FAULTS:
            setattr(api.faults, _COUNTED_FAULTS[name], int(_number(name, value, _FASTEST)))
        else:
            raise invalid(f"Unknown field '{name}'; faults are {', '.join(_COUNTED_FAULTS)} and delaySeconds.")
    return 200, {name: getattr(api.faults, ours) for name, ours in _COUNTED_FAULTS.items()}


def _set_rate_limit(order: Order) -> Told:
    api, body = order.api, order.body
    calls = int(_number("calls", body.get("calls"), _FASTEST))
    seconds = max(1, int(_number("seconds", body.get("seconds", 60), _FASTEST)))
    api.set_rate_limit(calls, seconds)
    return 200, {"calls": calls, "seconds": seconds}


def _number(name: str, value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (0 <= value <= most):
        raise invalid(f"Field '{name}' must be a number from 0 to {most:.0f}.")
    return value if math.isfinite(value) else 0.0


_CONTROLS: dict[tuple[str, str, int], Callable[[Order], Told]] = {
    ("GET", "", 0): _state,
    ("GET", "commands", 1): _commands,
    ("POST", "connectors", 2): _force_connector,
    ("POST", "chargers", 2): _force_online,
    ("DELETE", "connectors", 2): _remove_connector,
    ("DELETE", "chargers", 2): _remove_charger,
    ("POST", "clock", 1): _set_speed,
    ("POST", "faults", 1): _set_faults,
    ("POST", "rate-limit", 1): _set_rate_limit,
}
