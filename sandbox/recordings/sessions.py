"""From rows of finished sessions to events: each begins at its start without energy and ends with what it took.

A connector is Charging while any of its sessions goes on, else Available; sessions that overlap are tolerated.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sandbox.recordings.recording import Details, Event, Recording, RecordingError
from sandbox.world.times import DAY


class PastSession(NamedTuple):
    """One recorded session; times in ms since 1970, energy in kWh, cost in the currency's main unit."""

    session_id: str
    location_id: str
    charger_id: str
    connector_id: str
    started_ms: int
    ended_ms: int
    energy_kwh: float | None
    cost: float | None
    currency: str | None


def sessions_recording(
    name: str,
    sessions: Iterable[PastSession],
    *,
    locations: Details,
    chargers: Details,
    connectors: Mapping[str, Mapping[str, Any]],
) -> Recording:
    """A recording of whole sessions that begins at the UTC midnight before the first; all chargers exist from then on.

    Session ids that occur twice get "-2", "-3" at their end. RecordingError where there is no session at all.
    """
    events: list[Event] = []
    changes: dict[str, list[tuple[int, int]]] = {}
    places: dict[str, tuple[str, str, str]] = {}
    counted: dict[str, int] = {}
    for session in sessions:
        session_id, location_id, charger_id, connector_id, started_ms, ended_ms, energy, cost, currency = session
        count = counted[session_id] = counted.get(session_id, 0) + 1
        if count > 1:
            session_id = f"{session_id}-{count}"
        place = places.setdefault(connector_id, (location_id, charger_id, connector_id))
        changes.setdefault(connector_id, []).extend(((started_ms, 1), (ended_ms, -1)))
        events.append(Event(started_ms, "session_start", *place, None, session_id, currency=currency))
        events.append(Event(ended_ms, "session_end", *place, None, session_id, energy, cost, currency))
    if not events:
        raise RecordingError(f"{name} has a header but no rows")
    for connector_id, steps in changes.items():
        events.extend(_status_events(places[connector_id], steps))
    # a session's start comes before its end and before the status of the same moment, because that order is kept here
    events.sort(key=lambda event: (event.at_ms, _ORDER[event.field]))
    present = list(places.values())
    details = {place[2]: {"status": "Available"} | dict(connectors.get(place[2], {})) for place in present}
    start_ms = events[0].at_ms - events[0].at_ms % DAY
    return Recording(name, start_ms, events[-1].at_ms, events, (), locations, chargers, details, present)


_ORDER = {"session_start": 0, "session_end": 1, "status": 2}


def _status_events(place: tuple[str, str, str], steps: list[tuple[int, int]]) -> Iterable[Event]:
    steps.sort()
    going_on = 0
    shown = "Available"
    for index, (at_ms, step) in enumerate(steps):
        going_on += step
        if index + 1 < len(steps) and steps[index + 1][0] == at_ms:
            continue
        status = "Charging" if going_on > 0 else "Available"
        if status != shown:
            shown = status
            yield Event(at_ms, "status", *place, status)
