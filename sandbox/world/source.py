"""What the API asks of a source: to move its world to a moment, and to act on chargers where it can.

A source never reads a clock; the moment is always an argument.
"""

from datetime import datetime
from typing import Any, Protocol

from sandbox.world.state import Row, World


class RefusedError(Exception):
    """An action that the platform refuses, with the HTTP status, the stable code and a sentence for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class Source(Protocol):
    """A world with a story: the living fleet, or a recording."""

    world: World

    @property
    def start(self) -> datetime: ...

    @property
    def end(self) -> datetime | None:
        """When the story ends; None for one without an end."""

    def advance_to(self, now: datetime) -> None:
        """Let everything happen up to and including `now`; a moment already passed changes nothing."""

    def is_down(self, now: datetime) -> bool:
        """True while the platform answers nothing but 503."""

    def start_session(self, connector_id: str, id_tag: str | None, now: datetime) -> Row: ...

    def stop_session(self, session_id: str, now: datetime) -> Row: ...

    def reset(self, charger_id: str, kind: str, now: datetime) -> None:
        """`kind` is Soft or Hard (OCPP 1.6, Reset.req)."""

    def unlock(self, charger_id: str, connector_id: str, now: datetime) -> None: ...

    def set_availability(self, charger_id: str, connector_id: str | None, operative: bool, now: datetime) -> str:
        """Accepted, or Scheduled where a session must end first (OCPP 1.6, ChangeAvailability.conf)."""

    def set_pricing(self, location_id: str, changes: dict[str, Any], now: datetime) -> None: ...

    def force_connector(self, connector_id: str, changes: dict[str, Any], now: datetime) -> None:
        """For demos and tests: the connector is as told (status, errorCode, powerKw)."""

    def force_online(self, charger_id: str, online: bool, now: datetime) -> None: ...
