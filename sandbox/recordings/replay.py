"""A recording played into a world by a clock: what was recorded up to a moment is what the API answers then.

It is read only: a recording cannot be acted upon, though a demo may force a connector's status by the control routes.
"""

from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from sandbox.recordings.recording import Event, Recording
from sandbox.world.source import RefusedError
from sandbox.world.state import Fields, Row, World
from sandbox.world.times import iso, to_ms


class ReplaySource:
    """The world of a recording; each of its events is applied once, in order, when the clock reaches it."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.world = World()
        self._next = 0
        self._gap_starts = [start for start, _ in recording.gaps]
        for location_id, charger_id, connector_id in recording.present:
            self._mention(recording.start_ms, location_id, charger_id, connector_id)

    @property
    def start(self) -> datetime:
        return self.recording.start

    @property
    def end(self) -> datetime:
        return self.recording.end

    def advance_to(self, now: datetime) -> None:
        """Apply every event up to and including `now`; where there is none it costs one comparison."""
        events = self.recording.events
        index, count = self._next, len(events)
        if index >= count:
            return
        now_ms = to_ms(now)
        while index < count and events[index].at_ms <= now_ms:
            event = events[index]
            index += 1
            self._next = index
            self._apply(event)

    def next_event_at(self) -> datetime | None:
        """When the next recorded event comes; None after the last."""
        events = self.recording.events
        return datetime.fromisoformat(iso(events[self._next].at_ms)) if self._next < len(events) else None

    def is_down(self, now: datetime) -> bool:
        """True in a gap: from its start, inclusive, to its end, exclusive."""
        if not self._gap_starts:
            return False
        now_ms = to_ms(now)
        index = bisect_right(self._gap_starts, now_ms) - 1
        if index < 0:
            return False
        end = self.recording.gaps[index][1]
        return end is None or now_ms < end

    def start_session(self, connector_id: str, id_tag: str | None, now: datetime) -> NoReturn:
        _refuse()

    def stop_session(self, session_id: str, now: datetime) -> NoReturn:
        _refuse()

    def reset(self, charger_id: str, kind: str, now: datetime) -> NoReturn:
        _refuse()

    def unlock(self, charger_id: str, connector_id: str, now: datetime) -> NoReturn:
        _refuse()

    def set_availability(
        self,
        charger_id: str,
        connector_id: str | None,
        operative: bool,
        now: datetime,
    ) -> NoReturn:
        _refuse()

    def set_pricing(self, location_id: str, changes: dict[str, Any], now: datetime) -> NoReturn:
        _refuse()

    def force_connector(self, connector_id: str, changes: dict[str, Any], now: datetime) -> None:
        self.world.set_connector(connector_id, to_ms(now), **changes)

    def force_online(self, charger_id: str, online: bool, now: datetime) -> None:
        self.world.set_charger(charger_id, to_ms(now), online=online)

    def _apply(self, event: Event) -> None:
        if event.field == "removed":
            self._remove(event)
            return
        self._mention(event.at_ms, event.location_id, event.charger_id, event.connector_id)
        apply = _APPLY.get(event.field)
        if apply is not None:
            apply(self, event)
        if event.session_id and event.field != "session_end":
            self._update_session(event)

    def _mention(self, at_ms: int, location_id: str, charger_id: str, connector_id: str) -> None:
        """A thing exists from its first mention on."""
        world, known = self.world, self.recording
        if connector_id and connector_id in world.connectors and not location_id:
            return
        if location_id and location_id not in world.locations:
            world.add_location(location_id, at_ms, **known.locations.get(location_id, {}))
        if charger_id:
            charger = world.chargers.get(charger_id)
            if charger is None:
                world.add_charger(charger_id, location_id, at_ms, **known.chargers.get(charger_id, {}))
            elif charger.fields["locationId"] != location_id:
                world.set_charger(charger_id, at_ms, locationId=location_id)
        if connector_id and connector_id not in world.connectors:
            world.add_connector(connector_id, charger_id, at_ms, **known.connectors.get(connector_id, {}))

    def _remove(self, event: Event) -> None:
        world = self.world
        if event.connector_id:
            if event.connector_id in world.connectors:
                world.remove_connector(event.connector_id, event.at_ms)
        elif event.charger_id:
            if event.charger_id in world.chargers:
                world.remove_charger(event.charger_id)
        elif event.location_id in world.locations:
            world.remove_location(event.location_id)

    def _set_status(self, event: Event) -> None:
        self.world.set_connector(event.connector_id, event.at_ms, status=event.value)

    def _set_error(self, event: Event) -> None:
        self.world.set_connector(event.connector_id, event.at_ms, errorCode=event.value)

    def _set_power(self, event: Event) -> None:
        self.world.set_connector(event.connector_id, event.at_ms, powerKw=event.value)

    def _set_online(self, event: Event) -> None:
        self.world.set_charger(event.charger_id, event.at_ms, online=event.value)

    def _set_price(self, event: Event) -> None:
        self._learn_currency(event)
        changes: Fields = {"default": event.value}
        if event.currency is not None:
            changes["currency"] = event.currency
        self.world.set_price(event.location_id, event.at_ms, **changes)

    def _start_session(self, event: Event) -> None:
        if event.session_id not in self.world.sessions:
            self._learn_currency(event)
            self.world.add_session(event.session_id, event.connector_id, event.at_ms, status=event.value or "Active")

    def _end_session(self, event: Event) -> None:
        if event.session_id not in self.world.sessions:
            # the record begins in the middle of this session; its real start is not known
            self.world.add_session(event.session_id, event.connector_id, event.at_ms)
        changes = _session_facts(event)
        changes |= {"status": event.value or "Completed", "endedAt": iso(event.at_ms)}
        self.world.set_session(event.session_id, event.at_ms, **changes)

    def _update_session(self, event: Event) -> None:
        changes = _session_facts(event)
        if changes:
            self.world.set_session(event.session_id, event.at_ms, **changes)

    def _learn_currency(self, event: Event) -> None:
        """The first currency said at a location is the location's, where nothing else tells."""
        row: Row | None = self.world.locations.get(event.location_id)
        if event.currency is not None and row is not None and row.fields["currency"] is None:
            self.world.locations.change(row, event.at_ms, {"currency": event.currency})


def _session_facts(event: Event) -> Fields:
    facts = {"energyKwh": event.energy_kwh, "cost": event.cost, "currency": event.currency}
    return {name: value for name, value in facts.items() if value is not None}


def _refuse() -> NoReturn:
    raise RefusedError(409, "recording_is_read_only", "This sandbox replays a recording; it cannot be acted upon.")


_APPLY: dict[str, Callable[[ReplaySource, Event], None]] = {
    "status": ReplaySource._set_status,
    "error_code": ReplaySource._set_error,
    "power_kw": ReplaySource._set_power,
    "online": ReplaySource._set_online,
    "price": ReplaySource._set_price,
    "session_start": ReplaySource._start_session,
    "session_end": ReplaySource._end_session,
}
