"""The neutral form of a recording, which anyone can write: `timeline.csv` or `timeline.csv.gz`.

A thing exists from its first mention on. It refuses a row that it does not understand, with line and column.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.recordings.recording import Event, Recording, RecordingError, read_rows
from sandbox.world.times import parse_iso_ms

COLUMNS = (
    *("at", "location_id", "charger_id", "connector_id", "field"),
    *("value", "session_id", "energy_kwh", "cost", "currency"),
)
OPTIONAL_COLUMNS = ("timezone",)
_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"false", "0", "no"})
_ON_CONNECTOR = frozenset({"status", "error_code", "power_kw"})


@dataclass(frozen=True)
class _Line:
    """One row with its place in the file; parsed as far as that needs no other row."""

    number: int
    at_ms: int
    texts: dict[str, str]


@dataclass
class _Known:
    """What earlier rows said: who belongs to whom, and which sessions there are."""

    location_of: dict[str, str] = field(default_factory=dict)
    charger_of: dict[str, tuple[str, int]] = field(default_factory=dict)
    session_connector: dict[str, str] = field(default_factory=dict)
    open_session: dict[str, str] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)


def read(path: Path) -> Recording:
    """The recording in a `timeline.csv`; rows out of time order are sorted, rows of one moment keep their order."""
    lines = []
    zones: dict[str, dict[str, Any]] = {}
    names = (*COLUMNS, *OPTIONAL_COLUMNS)
    for number, values in read_rows(path, COLUMNS, OPTIONAL_COLUMNS):
        texts = {name: value.strip() for name, value in zip(names, values, strict=True)}
        try:
            at_ms = parse_iso_ms(texts["at"])
        except (ValueError, OverflowError):
            expected = "an ISO 8601 time with an offset, for example 2025-10-01T08:00:00Z"
            raise RecordingError.at(path.name, number, "at", texts["at"], expected) from None
        lines.append(_Line(number, at_ms, texts))
    if not lines:
        raise RecordingError(f"{path.name} has a header but no rows")
    lines.sort(key=lambda line: line.at_ms)
    known = _Known()
    events = []
    gaps: list[tuple[int, int | None]] = []
    for line in lines:
        if line.texts["field"] in ("gap_start", "gap_end"):
            _note_gap(path.name, line, gaps)
            continue
        event = _event(path.name, line, known)
        events.append(event)
        zone = line.texts["timezone"]
        if zone and event.location_id:
            zones[event.location_id] = {"timezone": _zone(path.name, line, zone)}
    return Recording(path.parent.name, lines[0].at_ms, lines[-1].at_ms, events, gaps, locations=zones)


def _note_gap(file: str, line: _Line, gaps: list[tuple[int, int | None]]) -> None:
    name = line.texts["field"]
    is_open = bool(gaps) and gaps[-1][1] is None
    if name == "gap_start":
        if is_open:
            raise RecordingError.at(file, line.number, "field", name, "possible inside a gap; expected gap_end first")
        gaps.append((line.at_ms, None))
        return
    if not is_open:
        raise RecordingError.at(file, line.number, "field", name, "possible outside a gap; expected gap_start first")
    gaps[-1] = (gaps[-1][0], line.at_ms)


def _event(file: str, line: _Line, known: _Known) -> Event:
    texts = line.texts
    name = texts["field"]
    parse = _VALUES.get(name)
    if parse is None:
        raise RecordingError.at(file, line.number, "field", name, f"one of {', '.join(filter(None, _VALUES))}")
    location_id, charger_id, connector_id = _place(file, line, known)
    session_id = _session(file, line, known, connector_id)
    needed = _missing_id(name, location_id, charger_id, connector_id)
    if needed and not (session_id and not name):
        raise RecordingError.at(
            file, line.number, needed, "", f"enough for the field {name or '(empty)'}: an id is needed"
        )
    return Event(
        line.at_ms,
        name,
        location_id,
        charger_id,
        connector_id,
        parse(file, line),
        session_id,
        _number(file, line, "energy_kwh"),
        _number(file, line, "cost"),
        texts["currency"] or None,
    )


def _place(file: str, line: _Line, known: _Known) -> tuple[str, str, str]:
    """Location, charger and connector of a row, the missing ones taken from earlier rows or from the thing's own id."""
    texts = line.texts
    location_id, charger_id, connector_id = texts["location_id"], texts["charger_id"], texts["connector_id"]
    if connector_id:
        earlier, earlier_line = known.charger_of.get(connector_id, ("", 0))
        if earlier and charger_id and charger_id != earlier:
            expected = f'the charger of connector "{connector_id}", which is "{earlier}" since line {earlier_line}'
            raise RecordingError.at(file, line.number, "charger_id", charger_id, expected)
        charger_id = charger_id or earlier or connector_id
        known.charger_of.setdefault(connector_id, (charger_id, line.number))
    if charger_id:
        location_id = location_id or known.location_of.get(charger_id, charger_id)
        known.location_of[charger_id] = location_id
    return location_id, charger_id, connector_id


def _session(file: str, line: _Line, known: _Known, connector_id: str) -> str:
    """The session that a row is about, "" for none; one without an id is named after its connector and its number."""
    name, session_id = line.texts["field"], line.texts["session_id"]
    if name == "session_start" and connector_id:
        if not session_id:
            known.counted[connector_id] = known.counted.get(connector_id, 0) + 1
            session_id = f"{connector_id}-session-{known.counted[connector_id]}"
        known.open_session[connector_id] = session_id
    elif name == "session_end" and connector_id:
        session_id = session_id or known.open_session.pop(connector_id, "")
        if not session_id:
            raise RecordingError.at(file, line.number, "session_id", "", "enough: the connector has no open session")
    elif session_id and name not in ("session_start", "session_end") and session_id not in known.session_connector:
        if name and not line.texts["energy_kwh"] and not line.texts["cost"]:
            return ""
        raise RecordingError.at(
            file, line.number, "session_id", session_id, "a session that has started in an earlier row"
        )
    if session_id and connector_id:
        known.session_connector.setdefault(session_id, connector_id)
    if name == "session_end" and session_id and not connector_id:
        if session_id not in known.session_connector:
            raise RecordingError.at(file, line.number, "session_id", session_id, "a session whose connector is known")
        known.open_session.pop(known.session_connector[session_id], None)
    return session_id


def _missing_id(name: str, location_id: str, charger_id: str, connector_id: str) -> str:
    """The column that a row of this field cannot do without and that nothing fills; "" where nothing is missing."""
    if name in _ON_CONNECTOR or name == "session_start":
        return "" if connector_id else "connector_id"
    if name == "online":
        return "" if charger_id else "charger_id"
    if name == "session_end":
        return ""
    return "" if location_id else "location_id"


def _number(file: str, line: _Line, column: str) -> float | None:
    text = line.texts[column]
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RecordingError.at(file, line.number, column, text, "a number")
    return value


def _zone(file: str, line: _Line, name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, KeyError):
        expected = "a time zone, for example Europe/Dublin"
        raise RecordingError.at(file, line.number, "timezone", name, expected) from None


def _text_value(_file: str, line: _Line) -> str | None:
    return line.texts["value"] or None


def _number_value(file: str, line: _Line) -> float | None:
    return _number(file, line, "value")


def _price_value(file: str, line: _Line) -> float:
    value = _number(file, line, "value")
    if value is None:
        raise RecordingError.at(file, line.number, "value", "", "a price")
    return value


def _flag_value(file: str, line: _Line) -> bool | None:
    text = line.texts["value"].lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if not text:
        return None
    raise RecordingError.at(file, line.number, "value", text, "true, false or empty")


_VALUES: dict[str, Callable[[str, _Line], str | float | bool | None]] = {
    "": _text_value,
    "status": _text_value,
    "error_code": _text_value,
    "online": _flag_value,
    "power_kw": _number_value,
    "session_start": _text_value,
    "session_end": _text_value,
    "price": _price_value,
    "removed": _text_value,
}
