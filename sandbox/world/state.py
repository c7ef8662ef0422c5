"""The state that the sandbox's API answers from: locations, chargers with connectors, sessions, prices.

Every real change moves the row's `updatedAt` and is noted in a change log, so that "what changed since" costs by
what changed. It draws no random numbers, reads no clock and decides nothing: sources write it, the API reads it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sandbox.world.times import iso

Fields = dict[str, Any]


class Row:
    """One thing as the API shows it: `fields` in camelCase with ISO times, and its place in the change log."""

    __slots__ = ("encoded", "encoded_by", "fields", "id", "log_index", "position", "updated_ms")

    def __init__(self, row_id: str, fields: Fields, position: int) -> None:
        self.id = row_id
        self.fields = fields
        self.position = position
        self.updated_ms = 0
        self.log_index = -1
        self.encoded: tuple[bytes, bytes] | None = None
        self.encoded_by: object = None


class Table:
    """Rows of one kind by id, in the order of their making, with a log of their changes in time order."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._ordered: list[Row] | None = []
        self._by_id: list[Row] | None = None
        self._log_ms: list[int] = []  # in time order, so that a bisect finds "since"
        self._log_rows: list[Row] = []  # an entry counts while the row's log_index points at it
        self._made = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, row_id: object) -> bool:
        return row_id in self.rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows.values())

    def get(self, row_id: str) -> Row | None:
        return self.rows.get(row_id)

    def add(self, row_id: str, fields: Fields, at_ms: int) -> Row:
        """Put a new row in; the caller has made sure that the id is free."""
        row = Row(row_id, fields, self._made)
        self._made += 1
        self.rows[row_id] = row
        self._by_id = None
        if self._ordered is not None:
            self._ordered.append(row)
        self.touch(row, at_ms)
        return row

    def change(self, row: Row, at_ms: int, changes: Fields) -> bool:
        """Set the fields that differ; true, and `updatedAt` moved, where any did."""
        fields = row.fields
        changed = False
        for name, value in changes.items():
            if fields.get(name, ...) != value:
                fields[name] = value
                changed = True
        if changed:
            self.touch(row, at_ms)
        return changed

    def touch(self, row: Row, at_ms: int) -> None:
        """Note a change of the row at `at_ms`, or at the last noted moment if that is later."""
        log_ms = self._log_ms
        if log_ms and at_ms < log_ms[-1]:
            at_ms = log_ms[-1]
        row.encoded = None
        if row.log_index >= 0 and row.updated_ms == at_ms:
            return
        row.updated_ms = at_ms
        row.fields["updatedAt"] = iso(at_ms)
        row.log_index = len(log_ms)
        log_ms.append(at_ms)
        self._log_rows.append(row)
        if len(log_ms) > 4 * len(self.rows) + 4096:
            self._compact()

    def remove(self, row_id: str) -> None:
        row = self.rows.pop(row_id)
        row.log_index = -1
        self._ordered = self._by_id = None

    def ordered(self) -> list[Row]:
        """All rows in the order of their making; do not change the list."""
        if self._ordered is None:
            self._ordered = list(self.rows.values())
        return self._ordered

    def by_id(self) -> list[Row]:
        """All rows in the order of their ids; do not change the list."""
        if self._by_id is None:
            self._by_id = sorted(self.rows.values(), key=lambda row: row.id)
        return self._by_id

    def changed_since(self, since_ms: int) -> list[Row]:
        """Rows whose last change is at `since_ms` or later, oldest change first."""
        start = bisect_left(self._log_ms, since_ms)
        log_rows = self._log_rows
        return [log_rows[index] for index in range(start, len(log_rows)) if log_rows[index].log_index == index]

    def prepend(self, past: Iterable[tuple[str, Fields, int]]) -> None:
        """Put rows of the past before all present ones: (id, fields, updated at in ms), oldest first."""
        present = [row for index, row in enumerate(self._log_rows) if row.log_index == index]
        by_making = list(self.rows.values())
        self.rows, self._ordered, self._log_ms, self._log_rows, self._made = {}, None, [], [], 0
        for row_id, fields, at_ms in past:
            self.add(row_id, fields, at_ms)
        for row in by_making:
            row.position = self._made
            self._made += 1
            self.rows[row.id] = row
        for row in present:
            row.log_index = len(self._log_ms)
            self._log_ms.append(row.updated_ms)
            self._log_rows.append(row)

    def _compact(self) -> None:
        kept = [row for index, row in enumerate(self._log_rows) if row.log_index == index]
        self._log_rows = kept
        self._log_ms = [row.updated_ms for row in kept]
        for index, row in enumerate(kept):
            row.log_index = index


class World:
    """All that the platform knows at one moment. Times are milliseconds since 1970, UTC."""

    def __init__(self) -> None:
        self.locations = Table()
        self.chargers = Table()
        self.sessions = Table()
        self.pricing = Table()
        self.connectors: dict[str, tuple[Row, Fields]] = {}
        self.open_sessions: dict[str, Row] = {}
        self.heartbeats: dict[str, tuple[int, int]] = {}
        self._past: tuple[int, Callable[[], Iterable[tuple[str, Fields, int]]]] | None = None

    def add_location(self, location_id: str, at_ms: int, **details: Any) -> Row:
        """A location with neutral details where none are given: its name and address are its id, its zone UTC."""
        fields: Fields = {
            "id": location_id,
            "name": location_id,
            "type": "public",
            "address": location_id,
            "timezone": "UTC",
            "currency": None,
            "supportContact": None,
            "blockingFeeIntervalMinutes": None,
        }
        return self.locations.add(location_id, fields | details, at_ms)

    def add_charger(self, charger_id: str, location_id: str, at_ms: int, **details: Any) -> Row:
        """A charger that is online, without connectors as yet."""
        fields: Fields = {
            "id": charger_id,
            "locationId": location_id,
            "name": charger_id,
            "vendor": None,
            "model": None,
            "firmware": None,
            "serial": charger_id,
            "online": True,
            "lastHeartbeat": None,
            "heartbeatIntervalSeconds": None,
            "labels": [],
            "connectors": [],
        }
        return self.chargers.add(charger_id, fields | details, at_ms)

    def add_connector(self, connector_id: str, charger_id: str, at_ms: int, **details: Any) -> Fields:
        """A connector without a known status, at the end of its charger's list."""
        fields: Fields = {
            "id": connector_id,
            "status": None,
            "statusChangedAt": None,
            "errorCode": None,
            "vendorErrorCode": None,
            "powerKw": None,
            "maxPowerKw": None,
            "type": "Unknown",
        }
        fields |= details
        charger = self.chargers.rows[charger_id]
        charger.fields["connectors"].append(fields)
        self.connectors[connector_id] = (charger, fields)
        self.chargers.touch(charger, at_ms)
        return fields

    def set_connector(self, connector_id: str, at_ms: int, **changes: Any) -> bool:
        """Set fields of a connector; a changed status also moves `statusChangedAt`. True where anything changed."""
        charger, fields = self.connectors[connector_id]
        changed = False
        for name, value in changes.items():
            if fields[name] != value:
                fields[name] = value
                changed = True
                if name == "status":
                    fields["statusChangedAt"] = iso(at_ms)
        if changed:
            self.chargers.touch(charger, at_ms)
        return changed

    def set_charger(self, charger_id: str, at_ms: int, **changes: Any) -> bool:
        return self.chargers.change(self.chargers.rows[charger_id], at_ms, changes)

    def add_session(self, session_id: str, connector_id: str, at_ms: int, **details: Any) -> Row:
        """A session on a connector, Active from `at_ms` on unless the details say otherwise."""
        charger = self.connectors[connector_id][0]
        location_id = charger.fields["locationId"]
        fields: Fields = {
            "id": session_id,
            "connectorId": connector_id,
            "chargerId": charger.id,
            "locationId": location_id,
            "status": "Active",
            "type": "OnDemand",
            "failReason": None,
            "startedAt": iso(at_ms),
            "endedAt": None,
            "energyKwh": None,
            "cost": None,
            "currency": self.locations.rows[location_id].fields["currency"],
            "idTag": None,
            "stopReason": None,
        }
        row = self.sessions.add(session_id, fields | details, at_ms)
        if row.fields["endedAt"] is None:
            self.open_sessions[session_id] = row
        return row

    def set_session(self, session_id: str, at_ms: int, **changes: Any) -> bool:
        row = self.sessions.rows[session_id]
        changed = self.sessions.change(row, at_ms, changes)
        if row.fields["endedAt"] is not None:
            self.open_sessions.pop(session_id, None)
        return changed

    def set_price(self, location_id: str, at_ms: int, **changes: Any) -> bool:
        """Set prices of a location; the first price makes the row."""
        row = self.pricing.get(location_id)
        if row is not None:
            return self.pricing.change(row, at_ms, changes)
        fields: Fields = {
            "locationId": location_id,
            "unit": "kWh",
            "default": None,
            "blocks": [],
            "blockingFee": None,
            "blockingFeeIntervalMinutes": None,
            "currency": self.locations.rows[location_id].fields["currency"],
        }
        self.pricing.add(location_id, fields | changes, at_ms)
        return True

    def remove_connector(self, connector_id: str, at_ms: int) -> None:
        """The connector is gone from its charger's list, which is a change of the charger."""
        charger, fields = self.connectors.pop(connector_id)
        charger.fields["connectors"].remove(fields)
        self.chargers.touch(charger, at_ms)

    def remove_charger(self, charger_id: str) -> None:
        """The charger and its connectors are gone from all answers; its sessions stay."""
        for connector in self.chargers.rows[charger_id].fields["connectors"]:
            del self.connectors[connector["id"]]
        self.chargers.remove(charger_id)
        self.heartbeats.pop(charger_id, None)

    def remove_location(self, location_id: str) -> None:
        """The location, its prices and its chargers are gone from all answers."""
        for charger in [row for row in self.chargers if row.fields["locationId"] == location_id]:
            self.remove_charger(charger.id)
        self.locations.remove(location_id)
        if location_id in self.pricing:
            self.pricing.remove(location_id)

    def set_past(self, before_ms: int, sessions: Callable[[], Iterable[tuple[str, Fields, int]]]) -> None:
        """Sessions that ended before `before_ms` are made when first asked for, by `sessions`, oldest first."""
        self._past = (before_ms, sessions)

    def load_past(self, since_ms: int | None) -> None:
        """Make the sessions of the past, once, where a question reaches back before the beginning (None: to it)."""
        if self._past is None or (since_ms is not None and since_ms >= self._past[0]):
            return
        _, sessions = self._past
        self._past = None
        self.sessions.prepend(sessions())

    def heartbeat_at(self, charger_id: str, now_ms: int) -> str | None:
        """The charger's last heartbeat as of now, where it beats: (phase, interval) in ms; None where it does not."""
        beat = self.heartbeats.get(charger_id)
        if beat is None:
            return None
        phase, interval = beat
        return iso(now_ms - (now_ms - phase) % interval)
