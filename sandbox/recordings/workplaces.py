"""Two recordings of workplace charging: ACN (Caltech and JPL, with UTC offsets) and the CC0 station data in dollars.

The station data's years are written 0014 and 0015 and its times name no zone: they are read as 2014 and 2015 in UTC.
Neither says what a charger reported, so statuses follow from the sessions alone.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.recordings.recording import Recording, RecordingError, read_rows
from sandbox.recordings.sessions import PastSession, sessions_recording
from sandbox.world.times import to_ms

_ACN = ("site", "arrival", "departure", "delivered_energy_kwh", "station_id", "session_id")
_DATAVERSE = ("sessionId", "kwhTotal", "dollars", "created", "ended", "stationId", "locationId")


def read_acn(path: Path) -> Recording:
    """ACN's sessions: a charger is site and station, with one connector; there is no cost."""
    locations: dict[str, dict[str, Any]] = {}

    def sessions() -> Iterator[PastSession]:
        for number, (site, arrival, departure, kwh, station, session_id) in read_rows(path, _ACN):
            locations.setdefault(site, {"type": "private", "timezone": "America/Los_Angeles", "currency": "USD"})
            charger_id = f"{site}/{station}"
            yield PastSession(
                session_id,
                site,
                charger_id,
                f"{charger_id}/1",
                to_ms(_moment(path.name, number, "arrival", arrival)),
                to_ms(_moment(path.name, number, "departure", departure)),
                _number(path.name, number, "delivered_energy_kwh", kwh),
                None,
                "USD",
            )

    return sessions_recording(path.parent.name, sessions(), locations=locations, chargers={}, connectors={})


def read_dataverse(path: Path) -> Recording:
    """The station data: a charger is a station, with one connector although a few sessions overlap; cost is real."""
    locations: dict[str, dict[str, Any]] = {}

    def sessions() -> Iterator[PastSession]:
        for number, (session_id, kwh, dollars, created, ended, station, location) in read_rows(path, _DATAVERSE):
            locations.setdefault(location, {"type": "private", "currency": "USD"})
            yield PastSession(
                session_id,
                location,
                station,
                f"{station}/1",
                to_ms(_in_this_century(_moment(path.name, number, "created", created))),
                to_ms(_in_this_century(_moment(path.name, number, "ended", ended))),
                _number(path.name, number, "kwhTotal", kwh),
                _number(path.name, number, "dollars", dollars),
                "USD",
            )

    return sessions_recording(path.parent.name, sessions(), locations=locations, chargers={}, connectors={})


def _in_this_century(moment: datetime) -> datetime:
    return moment.replace(year=moment.year + 2000) if moment.year < 100 else moment


def _moment(file: str, number: int, column: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RecordingError.at(file, number, column, text, "a time such as 2019-05-01 01:18:45") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(file: str, number: int, column: str, text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise RecordingError.at(file, number, column, text, "a number") from None
