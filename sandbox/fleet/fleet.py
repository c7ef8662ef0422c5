"""A living fleet: its story, and what commands and the sandbox's own controls do to it.

A command is taken or refused as OCPP 1.6 lets a charger do, and the story goes on from there.
"""

from datetime import datetime
from typing import Any, Literal

from sandbox.fleet.story import NEVER, Charger, Connector, FleetStory
from sandbox.world.source import RefusedError
from sandbox.world.state import Row
from sandbox.world.times import SECOND, to_ms

SOFT_RESET_MENDS = 0.6
HARD_RESET_MENDS = 0.8
_FREE = ("Available", "Preparing", "Reserved")


class FleetSource(FleetStory):
    """A fleet as a source of the stand-in API; made as its story is."""

    def is_down(self, now: datetime) -> Literal[False]:
        return False

    def start_session(self, connector_id: str, id_tag: str | None, now: datetime) -> Row:
        """A Pending session; the connector prepares and charges some seconds later. Refused unless it is free."""
        connector = self._reachable(connector_id)
        status = self.world.connectors[connector_id][1]["status"]
        if status not in _FREE or connector.session_id:
            raise RefusedError(409, "connector_not_available", f"Connector '{connector_id}' is {status}.")
        now_ms = to_ms(now)
        connector.remote = True
        self._prepare(connector, now_ms, id_tag or "remote")
        return self.world.sessions.rows[connector.session_id]

    def stop_session(self, session_id: str, now: datetime) -> Row:
        """The session is Completed at once; the connector finishes and is free some seconds later."""
        row = self.world.sessions.rows[session_id]
        if row.fields["endedAt"] is not None:
            raise RefusedError(409, "session_not_active", f"Session '{session_id}' is {row.fields['status']}.")
        connector = self._reachable(row.fields["connectorId"])
        self._end_session(connector, to_ms(now), "Remote")
        return row

    def reset(self, charger_id: str, kind: str, now: datetime) -> None:
        """Soft: back in half a minute, a fault is mended in 6 of 10 cases; Hard: offline for a minute, 8 of 10."""
        charger = self._reachable_charger(charger_id)
        now_ms = to_ms(now)
        for connector in charger.connectors:
            if connector.id not in self.world.connectors:
                continue
            if connector.session_id:
                self._end_session(connector, now_ms, f"{kind}Reset")
            mends = self._random.random() < (SOFT_RESET_MENDS if kind == "Soft" else HARD_RESET_MENDS)
            is_faulted = self.world.connectors[connector.id][1]["status"] == "Faulted"
            if is_faulted and not mends:
                continue
            after_ms = now_ms + self._random.randint(20, 40) * SECOND
            connector.turn += 1
            if is_faulted:
                connector.fault_turn += 1
                self._plan(after_ms, FleetStory._mend, connector, connector.fault_turn)
            else:
                self.world.set_connector(connector.id, now_ms, status="Unavailable", powerKw=0.0)
                self._plan(after_ms, FleetStory._free, connector, connector.turn)
        if kind == "Hard":
            self._lose_link(charger, now_ms, now_ms + self._random.randint(45, 90) * SECOND)

    def unlock(self, charger_id: str, connector_id: str, now: datetime) -> None:
        """The cable is released; a session that goes on ends with it (OCPP 1.6, UnlockConnector)."""
        self._reachable_charger(charger_id)
        connector = self._reachable(connector_id)
        if connector.session_id:
            self._end_session(connector, to_ms(now), "UnlockCommand")

    def set_availability(self, charger_id: str, connector_id: str | None, operative: bool, now: datetime) -> str:
        charger = self._reachable_charger(charger_id)
        now_ms = to_ms(now)
        scheduled = False
        for connector in charger.connectors:
            if connector.id not in self.world.connectors or connector_id not in (None, connector.id):
                continue
            connector.operative = operative
            status = self.world.connectors[connector.id][1]["status"]
            if operative and status == "Unavailable":
                self._free(connector, now_ms)
            elif not operative and connector.session_id:
                scheduled = True
            elif not operative and status in ("Available", "Finishing", "Reserved"):
                connector.turn += 1
                self.world.set_connector(connector.id, now_ms, status="Unavailable", powerKw=0.0)
        return "Scheduled" if scheduled else "Accepted"

    def set_pricing(self, location_id: str, changes: dict[str, Any], now: datetime) -> None:
        self.world.set_price(location_id, to_ms(now), **changes)
        if "default" in changes:
            for connector in self.connectors.values():
                if connector.charger.planned.location_id == location_id:
                    connector.price = changes["default"]

    def force_connector(self, connector_id: str, changes: dict[str, Any], now: datetime) -> None:
        """The connector is as told, and stays so until told otherwise, reset, or free again."""
        connector, now_ms = self.connectors[connector_id], to_ms(now)
        if "status" in changes:
            if connector.session_id:
                self._end_session(connector, now_ms, "Other")
            connector.turn += 1
            connector.fault_turn += 1
        self.world.set_connector(connector_id, now_ms, **changes)
        if changes.get("status") == "Available":
            self._await_driver(connector, now_ms)
            self._await_fault(connector, now_ms)

    def force_online(self, charger_id: str, online: bool, now: datetime) -> None:
        charger = self.chargers[charger_id]
        if online:
            self._regain_link(charger, to_ms(now))
        else:
            self._lose_link(charger, to_ms(now), NEVER)

    def _reachable_charger(self, charger_id: str) -> Charger:
        if not self.world.chargers.rows[charger_id].fields["online"]:
            raise RefusedError(409, "charger_offline", f"Charger '{charger_id}' is offline.")
        return self.chargers[charger_id]

    def _reachable(self, connector_id: str) -> Connector:
        if connector_id not in self.world.connectors:
            raise RefusedError(409, "connector_gone", f"Connector '{connector_id}' is no longer there.")
        connector = self.connectors[connector_id]
        self._reachable_charger(connector.charger.id)
        return connector
