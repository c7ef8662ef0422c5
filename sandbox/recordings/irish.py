"""The Irish public network's recorded connector statuses, November 2018: one row a change of a connector group.

Times are Irish local time, which is GMT in November. A status tells nothing about errors, sessions or heartbeats, so
those stay null.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.recordings.recording import Event, Recording, RecordingError, find_file, read_rows
from sandbox.world.times import parse_iso_ms, to_ms

STATUSES = {"Available": "Available", "Part": "Charging", "Occ": "Charging", "OOS": "Faulted"}
OUT_OF_CONTACT = "OOC"
# The collector stopped after its poll of 11 November 04:52 and began again on 25 November at 05:15: the data's README
# names this hole. Both of these minutes are good.
HOLE = (to_ms(datetime(2018, 11, 11, 4, 52, 1, tzinfo=UTC)), to_ms(datetime(2018, 11, 25, 5, 15, tzinfo=UTC)))
_COLUMNS = ("ts", "cp_id", "connector_type", "to_status")


def read(path: Path) -> Recording:
    """The recording in the transitions file at `path`; addresses come from irish_chargers.csv beside it, if there."""
    events: list[Event] = []
    times: dict[str, int] = {}
    out_of_contact: dict[str, set[str]] = {}
    told_offline: dict[str, bool] = {}
    connectors: dict[str, dict[str, Any]] = {}
    moment, seen_now = 0, dict[str, None]()
    for number, (ts, charger_id, kind, to_status) in read_rows(path, _COLUMNS):
        at_ms = times.get(ts)
        if at_ms is None:
            at_ms = times[ts] = _gmt_ms(path.name, number, ts)
        if at_ms != moment:
            _tell_online(events, moment, seen_now, out_of_contact, told_offline)
            if at_ms < moment:
                raise RecordingError.at(path.name, number, "ts", ts, "in time order")
            moment, seen_now = at_ms, {}
        connector_id = f"{charger_id}/{kind}"
        connectors.setdefault(connector_id, {"type": kind})
        groups = out_of_contact.setdefault(charger_id, set())
        seen_now[charger_id] = None
        if to_status == OUT_OF_CONTACT:
            groups.add(kind)
            events.append(Event(at_ms, "", charger_id, charger_id, connector_id))
            continue
        status = STATUSES.get(to_status)
        if status is None:
            expected = f"one of {', '.join(STATUSES)}, {OUT_OF_CONTACT}"
            raise RecordingError.at(path.name, number, "to_status", to_status, expected)
        groups.discard(kind)
        events.append(Event(at_ms, "status", charger_id, charger_id, connector_id, status))
    _tell_online(events, moment, seen_now, out_of_contact, told_offline)
    if not events:
        raise RecordingError(f"{path.name} has a header but no rows")
    start_ms, end_ms = events[0].at_ms, events[-1].at_ms
    gaps = [HOLE] if start_ms <= HOLE[0] and HOLE[1] <= end_ms else []
    places, chargers = _places(path.parent, list(out_of_contact))
    return Recording(path.parent.name, start_ms, end_ms, events, gaps, places, chargers, connectors)


def _tell_online(
    events: list[Event],
    at_ms: int,
    seen: dict[str, None],
    out_of_contact: dict[str, set[str]],
    told_offline: dict[str, bool],
) -> None:
    """After all rows of one moment: a charger is offline while any of its groups is out of contact."""
    for charger_id in seen:
        offline = bool(out_of_contact[charger_id])
        if told_offline.get(charger_id, False) != offline:
            told_offline[charger_id] = offline
            events.append(Event(at_ms, "online", charger_id, charger_id, value=not offline))


def _places(folder: Path, chargers: list[str]) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Location and charger details by charge point; one location a charge point."""
    addresses: dict[str, str] = {}
    registry = find_file(folder, "irish_chargers.csv")
    if registry is not None:
        addresses = {row[0]: row[1] for _, row in read_rows(registry, ("cp_id", "address"))}
    locations = {}
    details = {}
    for charger_id in chargers:
        address = addresses.get(charger_id) or charger_id
        locations[charger_id] = {"name": address, "address": address, "timezone": "Europe/Dublin", "currency": "EUR"}
        details[charger_id] = {"name": charger_id}
    return locations, details


def _gmt_ms(file: str, number: int, text: str) -> int:
    try:
        return parse_iso_ms(f"{text}+00:00")
    except ValueError:
        raise RecordingError.at(file, number, "ts", text, "a time such as 2018-11-01T15:17") from None
