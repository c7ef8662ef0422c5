"""Rows of one list that stand under one id and tell of two things: neither is believed, and they are never merged.

Pages shift while they are read, so the same thing may come twice; it is another one where it stands elsewhere.
"""

import json
from typing import Any

from eosvolt.models import ChargerReading, LocationReading, SessionReading, SetAside

Reading = LocationReading | ChargerReading | SessionReading


class Rivals:
    """The ids of one list under which two things were told, and where each was."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[str, set[str]]] = {}

    def compare(self, known: Reading, told: Reading) -> None:
        """Note two rows under one id where they cannot be the same thing."""
        one, other = _place(known), _place(told)
        if one != other:
            self._places.setdefault(told.id, (_resource(told), set()))[1].update((one, other))

    def __contains__(self, thing_id: str) -> bool:
        return thing_id in self._places

    def set_aside(self) -> tuple[SetAside, ...]:
        """What to keep of them instead of readings."""
        return tuple(
            SetAside(
                resource,
                thing_id,
                f"{resource} id {thing_id} is used twice: {' and '.join(sorted(places))}",
                json.dumps({"id": thing_id, "places": sorted(places)}, ensure_ascii=False),
                "id",
            )
            for thing_id, (resource, places) in self._places.items()
        )


def _place(reading: Any) -> str:
    if isinstance(reading, ChargerReading):
        return f"at location {reading.location_id}"
    if isinstance(reading, SessionReading):
        since = reading.started_at.isoformat() if reading.started_at else "an unknown time"
        return f"on connector {reading.connector_id} from {since}"
    if isinstance(reading, LocationReading):
        return f"{reading.address}" if reading.address else "without address"
    return ""  # nothing tells two drivers, teams or keys of one id apart


def _resource(reading: Reading) -> str:
    return type(reading).__name__.removesuffix("Reading").lower()
