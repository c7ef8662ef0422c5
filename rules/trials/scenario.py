"""The world that a rule test draws: what the API answers to each poll, as readings.

What a case names without describing it exists by default: an available connector on an online charger at a location
in UTC. Nothing here evaluates or compares.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from eosvolt.models import CONNECTOR_STATUSES, ChargerReading, ConnectorReading, LocationReading, SessionReading
from eosvolt.spellings.words import error_code
from rules.trials.cases import Case, Subject
from rules.trials.scratch import Answer
from rules.trials.strips import ABSENT, FAILS

LOCATION_POLL = timedelta(hours=6)


class World:
    """What the API of a case says, poll by poll; what a case names without describing it exists by default."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.connectors = case.connectors
        self.of_charger: dict[str, list[str]] = {charger_id: [] for charger_id in case.chargers}
        for connector_id, connector in case.connectors.items():
            self.of_charger.setdefault(str(connector.constants.get("charger", "ch1")), []).append(connector_id)
        self.chargers = {charger_id: case.chargers.get(charger_id, Subject({})) for charger_id in self.of_charger}
        named = [str(charger.constants.get("location", "l1")) for charger in self.chargers.values()]
        drawn = (*case.chargers.values(), *case.connectors.values())
        self.sweeps = any(ABSENT in strip for one in drawn for strip in one.strips.values())
        self.locations = {name: case.locations.get(name, Subject({})) for name in [*case.locations, *named] or ["l1"]}

    def answers(self, step: int, now: datetime) -> list[Answer]:
        """What each resource that is polled at this step answers."""
        chargers = self._chargers(step, now)
        told = [
            Answer("chargers", chargers, self.case.interval, self._seen(chargers)),
            Answer("sessions", self._sessions(step, now), self.case.interval),
        ]
        every = max(LOCATION_POLL, self.case.interval)
        if step * self.case.interval % every < self.case.interval:
            told.append(Answer("locations", [self._location(name) for name in self.locations], every))
        if any("price" in one.strips for one in self.locations.values()):
            told.append(Answer("prices", self._prices(step), self.case.interval))
        return told

    def _prices(self, step: int) -> list[tuple[str, str]] | None:
        priced = {name: one for name, one in self.locations.items() if "price" in one.strips}
        if self._fails(priced, step):
            return None
        told = {name: _value(one, "price", step) for name, one in priced.items()}
        return [(name, json.dumps({**_NO_PRICES, "default": price}, sort_keys=True)) for name, price in told.items()]

    def _seen(self, chargers: Sequence[ChargerReading] | None) -> dict[str, set[str]] | None:
        """In a case in which something vanishes, every poll is a full sweep, and tells what it has seen."""
        if not self.sweeps or chargers is None:
            return None
        connectors = {connector.id for charger in chargers for connector in charger.connectors}
        return {"charger": {charger.id for charger in chargers}, "connector": connectors}

    def _fails(self, subjects: Mapping[str, Subject], step: int) -> bool:
        return any(_at(strip, step) is FAILS for subject in subjects.values() for strip in subject.strips.values())

    def _location(self, location_id: str) -> LocationReading:
        told = dict(self.locations[location_id].constants)
        minutes = told.pop("blocking_fee_interval", None)
        values: dict[str, Any] = {"name": location_id, "timezone": "UTC"} | {k: str(v) for k, v in told.items()}
        return LocationReading(id=location_id, blocking_fee_interval_minutes=minutes, **values)

    def _chargers(self, step: int, now: datetime) -> list[ChargerReading] | None:
        if self._fails(self.chargers, step) or self._fails(self.connectors, step):
            return None
        named = [name for name, charger in self.chargers.items() if not _is_absent(charger, step)]
        return [self._charger(charger_id, step, now) for charger_id in named]

    def _charger(self, charger_id: str, step: int, now: datetime) -> ChargerReading:
        charger = self.chargers[charger_id]
        told = {"location": "l1", "name": charger_id, **charger.constants}
        labels = told.get("labels", ())
        age = _value(charger, "heartbeat_age", step)
        texts: dict[str, Any] = {
            name: str(told[name]) for name in ("vendor", "model", "firmware", "serial") if name in told
        }
        return ChargerReading(
            id=charger_id,
            location_id=str(told["location"]),
            name=str(told["name"]),
            online=_value(charger, "online", step, default=True),
            last_heartbeat=None if age is None else now - timedelta(seconds=age),
            heartbeat_interval_seconds=told.get("heartbeat_interval"),
            labels=tuple(map(str, labels if isinstance(labels, list | tuple) else [labels])),
            connectors=tuple(
                self._connector(name, charger_id, step)
                for name in self.of_charger[charger_id]
                if not _is_absent(self.connectors[name], step)
            ),
            **texts,
        )

    def _connector(self, connector_id: str, charger_id: str, step: int) -> ConnectorReading:
        connector = self.connectors[connector_id]
        raw = _value(connector, "status", step, default="Available")
        code = _value(connector, "error_code", step)
        return ConnectorReading(
            id=connector_id,
            charger_id=charger_id,
            status=raw if raw in CONNECTOR_STATUSES else None,
            status_raw=raw,
            error_code=error_code(code) if code is not None else None,
            vendor_error_code=_value(connector, "vendor_error_code", step),
            power_kw=_value(connector, "power", step),
            max_power_kw=connector.constants.get("max_power"),
            type=connector.constants.get("type"),
        )

    def _sessions(self, step: int, now: datetime) -> list[SessionReading] | None:
        if self._fails(self.case.sessions, step):
            return None
        begun = {name: one for name, one in self.case.sessions.items() if one.constants["started"] <= now}
        named = {name: one for name, one in begun.items() if not _is_absent(one, step)}
        return [self._session(name, one, step, now) for name, one in named.items()]

    def _session(self, session_id: str, session: Subject, step: int, now: datetime) -> SessionReading:
        told = session.constants
        connector_id = str(told.get("connector", next(iter(self.connectors), "c1")))
        charger_id = str(told.get("charger") or self._charger_of(connector_id))
        charger = self.chargers.get(charger_id, Subject({}))
        ended = told.get("ended")
        over = ended is not None and ended <= now
        texts: dict[str, Any] = {name: str(told[name]) for name in ("currency", "id_tag") if name in told}
        return SessionReading(
            id=session_id,
            connector_id=connector_id,
            charger_id=charger_id,
            location_id=str(told.get("location", charger.constants.get("location", "l1"))),
            status=told.get("status", "Completed") if over else "Active",
            type=str(told.get("type", "OnDemand")),
            fail_reason=told.get("fail_reason") if over else None,
            stop_reason=told.get("stop_reason") if over else None,
            started_at=told["started"],
            ended_at=ended if over else None,
            energy_kwh=_value(session, "energy", step),
            cost=_value(session, "cost", step),
            **texts,
        )

    def _charger_of(self, connector_id: str) -> str:
        connector = self.connectors.get(connector_id, Subject({}))
        return str(connector.constants.get("charger", "ch1"))


_NO_PRICES: dict[str, Any] = {"blocks": [], "blocking_fee": None, "blocking_fee_interval_minutes": None}


def _is_absent(subject: Subject, step: int) -> bool:
    return any(_at(strip, step) is ABSENT for strip in subject.strips.values())


def _at(strip: Sequence[Any], step: int) -> Any:
    return strip[min(step, len(strip) - 1)]


def _value(subject: Subject, name: str, step: int, default: Any = None) -> Any:
    return _at(subject.strips[name], step) if name in subject.strips else default
