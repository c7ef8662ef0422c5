"""The rows, by thing, that a reading says at a poll: every column, those that date a change included.

Pure: a reading and the circumstances of its poll in. Nothing here reads a database or a clock.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from eosvolt.models import ChargerReading, LocationReading, SessionReading

Row = dict[str, Any]
HOME = "home"
"""The label of chargers at drivers' homes, and the type of such locations."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The circumstances of a poll.

    `now` is the poll's moment, `floor` that of the good poll before it: a change that this poll saw first cannot be
    older. `tag_key` keys the HMAC that id tags are stored as; without it they are not stored, `plain_tags` keeps them.
    `homes` are the locations that are drivers' homes: their chargers have the label "home".
    """

    now: datetime
    floor: datetime | None = None
    tag_key: bytes | None = None
    plain_tags: bool = False
    homes: frozenset[str] = frozenset()


def rows_of(
    reading: LocationReading | ChargerReading | SessionReading, observation: Observation
) -> list[tuple[str, Row]]:
    """The rows, by thing, that one reading says: a charger's reading says its connectors' too."""
    if isinstance(reading, ChargerReading):
        connectors = [
            ("connector", _connector_row(reading, index, observation)) for index in range(len(reading.connectors))
        ]
        return [("charger", _charger_row(reading, observation)), *connectors]
    if isinstance(reading, LocationReading):
        return [("location", _location_row(reading, observation))]
    return [("session", _session_row(reading, observation))]


def _upper(moment: datetime | None, now: datetime) -> datetime:
    return now if moment is None else min(moment, now)


def _base(reading: Any, now: datetime) -> Row:
    unread = f",{','.join(reading.unread)}," if reading.unread else None
    return {"id": reading.id, "extra": reading.extra, "first_seen_at": now, "changed_at": now, "unread": unread}


def _location_row(reading: LocationReading, observation: Observation) -> Row:
    return {
        **_base(reading, observation.now),
        "name": reading.name,
        "type": reading.type,
        "address": reading.address,
        "timezone": reading.timezone,
        "currency": reading.currency,
        "support_contact": reading.support_contact,
        "blocking_fee_interval_minutes": reading.blocking_fee_interval_minutes,
        "latitude": reading.latitude,
        "longitude": reading.longitude,
        "price_changed_at": observation.now,
    }


def heartbeat_of(reading: ChargerReading, observation: Observation) -> Row:
    """What a reading says of its charger's heartbeat."""
    beat, now = reading.last_heartbeat, observation.now
    age = None if beat is None else max(0.0, (now - beat).total_seconds())
    return {"last_heartbeat": beat, "heartbeat_age_s": age, "heartbeat_changed_at": now}


def _charger_row(reading: ChargerReading, observation: Observation) -> Row:
    now = observation.now
    return {
        **_base(reading, now),
        "location_id": reading.location_id,
        "name": reading.name,
        "vendor": reading.vendor,
        "model": reading.model,
        "firmware": reading.firmware,
        "serial": reading.serial,
        "online": reading.online,
        "online_changed_at": now,
        "heartbeat_interval_s": reading.heartbeat_interval_seconds,
        "labels": _labels(reading, observation),
        **heartbeat_of(reading, observation),
    }


def _connector_row(charger: ChargerReading, index: int, observation: Observation) -> Row:
    now = observation.now
    reading = charger.connectors[index]
    dated = _upper(reading.status_changed_at, now)
    return {
        **_base(reading, now),
        "charger_id": charger.id,
        "location_id": charger.location_id,
        "status": reading.status,
        "status_raw": reading.status_raw,
        "status_changed_at": dated,
        "error_code": reading.error_code,
        "error_code_changed_at": now,
        "vendor_error_code": reading.vendor_error_code,
        "power_kw": reading.power_kw,
        "power_changed_at": now,
        "max_power_kw": reading.max_power_kw,
        "type": reading.type,
    }


def _labels(reading: ChargerReading, observation: Observation) -> list[str]:
    """Its labels, and "home" where it stands at a driver's home."""
    at_home = reading.home or (reading.home is None and reading.location_id in observation.homes)
    own = list(reading.labels)
    return [*own, HOME] if at_home and HOME not in own else own


def _session_row(reading: SessionReading, observation: Observation) -> Row:
    now = observation.now
    return {
        **_base(reading, now),
        "connector_id": reading.connector_id,
        "charger_id": reading.charger_id,
        "location_id": reading.location_id,
        "status": reading.status,
        "status_changed_at": _upper(reading.ended_at or reading.started_at, now),
        "type": reading.type,
        "fail_reason": reading.fail_reason,
        "started_at": reading.started_at,
        "ended_at": reading.ended_at,
        "energy_kwh": reading.energy_kwh,
        "energy_changed_at": now,
        "cost": reading.cost,
        "currency": reading.currency,
        "id_tag": _stored_tag(reading.id_tag, observation),
        "stop_reason": reading.stop_reason,
    }


def _stored_tag(tag: str | None, observation: Observation) -> str | None:
    if tag is None or observation.plain_tags:
        return tag
    if observation.tag_key is None:
        return None
    return hashed_tag(tag, observation.tag_key)


def hashed_tag(tag: str, key: bytes) -> str:
    """An id tag as it is stored where plain ones are not."""
    return hmac.new(key, tag.encode(), sha256).hexdigest()
