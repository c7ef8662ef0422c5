"""ChargePlace Scotland's sessions of October 2025. Times are naive in the file and taken as UTC, as its README says.

The cost is kWh times the tariff where one is given: an estimate, and null elsewhere.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.recordings.recording import Recording, RecordingError, find_file, read_rows
from sandbox.recordings.sessions import PastSession, sessions_recording
from sandbox.world.times import parse_iso_ms

_COLUMNS = (
    *("cp_id", "connector_id", "connector_type", "start_time", "end_time", "consumption_kwh"),
    *("site", "city", "postcode", "tariff_gbp_per_kwh", "power_kw"),
)


def read(path: Path) -> Recording:
    """The recording in the sessions file at `path`; site names also come from cps_charge_points.csv beside it."""
    locations: dict[str, dict[str, Any]] = {}
    chargers: dict[str, dict[str, Any]] = {}
    connectors: dict[str, dict[str, Any]] = {}
    sites = _sites(path.parent)

    def sessions() -> Iterator[PastSession]:
        for number, row in read_rows(path, _COLUMNS):
            charger_id, plug, kind, started, ended, kwh, site, city, postcode, tariff, power = row
            connector_id = f"{charger_id}/{plug}"
            location_id = site or sites.get(charger_id) or charger_id
            if connector_id not in connectors:
                connectors[connector_id] = {"type": kind or "Unknown", "maxPowerKw": float(power) if power else None}
                chargers.setdefault(charger_id, {"name": charger_id})
                address = ", ".join(part for part in (location_id, city, postcode) if part)
                locations.setdefault(
                    location_id,
                    {"name": location_id, "address": address, "timezone": "Europe/London", "currency": "GBP"},
                )
            elif power and connectors[connector_id]["maxPowerKw"] is None:
                connectors[connector_id]["maxPowerKw"] = float(power)
            started_ms = _utc_ms(path.name, number, "start_time", started)
            ended_ms = _utc_ms(path.name, number, "end_time", ended)
            energy = _kwh(path.name, number, kwh)
            cost = round(energy * float(tariff), 4) if tariff and energy is not None else None
            session_id = f"{charger_id}-{plug}-{started}"
            yield PastSession(
                session_id, location_id, charger_id, connector_id, started_ms, ended_ms, energy, cost, "GBP"
            )

    return sessions_recording(
        path.parent.name, sessions(), locations=locations, chargers=chargers, connectors=connectors
    )


def _sites(folder: Path) -> dict[str, str]:
    registry = find_file(folder, "cps_charge_points.csv")
    if registry is None:
        return {}
    return {row[0]: row[1] for _, row in read_rows(registry, ("cp_id", "site_name"))}


def _utc_ms(file: str, number: int, column: str, text: str) -> int:
    try:
        return parse_iso_ms(f"{text}+00:00")
    except ValueError:
        raise RecordingError.at(file, number, column, text, "a time such as 2025-10-01T00:11:46") from None


def _kwh(file: str, number: int, text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise RecordingError.at(file, number, "consumption_kwh", text, "a number of kWh") from None
