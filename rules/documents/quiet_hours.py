"""Quiet hours: when alerts that are not critical wait for the morning, as a rules file says it.

Pure: a severity and a moment in, until when it is quiet out. It holds nothing back itself, and no lifecycle asks it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from rules.documents.maintenance import DAYS, WeeklyWindow, read_days, window_from
from rules.documents.reader import DocumentReader
from rules.documents.schedules import usable_zone
from rules.language.fields import nearest
from rules.rising import SEVERITIES

KEYS = ("from", "to", "timezone", "days", "severities")
HELD = ("info", "warning")
"""The severities that quiet hours may hold; what is critical always speaks."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A window of the night and the severities that wait for its end. A day counts by when its night begins."""

    window: WeeklyWindow
    severities: tuple[str, ...] = HELD

    def until(self, severity: str, zone: str | None, default_zone: str, now: datetime) -> datetime | None:
        """Until when (UTC) an alert at a location in `zone` waits, or None where it speaks now."""
        if severity not in self.severities:
            return None
        window = replace(self.window, default_zone=default_zone)
        opened = window.open_at(now, usable_zone(zone, default_zone))
        return None if opened is None else opened[1]

    def document(self) -> dict[str, Any]:
        """The JSON-able form that is stored; `quiet_hours_from` reads it."""
        return {"window": self.window.document(), "severities": list(self.severities)}


def quiet_hours_from(document: Mapping[str, Any]) -> QuietHours:
    """The quiet hours that a stored form says."""
    return QuietHours(window_from(document["window"]), tuple(document["severities"]))


def read_quiet_hours(reader: DocumentReader) -> QuietHours | None:
    """The quiet hours that one mapping says; what is wrong with it is noted at the reader, with its line."""
    for key in map(str, reader.values):
        if key not in KEYS:
            reader.wrong(key, f'"quiet_hours" has no key "{key[:60]}"', nearest(key, KEYS))
    times = {key: read_time(reader, key) for key in ("from", "to")}
    severities, days, zone = _severities(reader), read_weekdays(reader), reader.timezone()
    if reader.errors or times["from"] is None or times["to"] is None:
        return None
    try:
        return QuietHours(WeeklyWindow(days, times["from"], times["to"], zone), severities)
    except ValueError:
        reader.wrong("to", f'"from" and "to" are both {times["to"]}: the quiet hours have no length')
        return None


def read_time(reader: DocumentReader, key: str) -> str | None:
    """The time of day at a key, as "HH:MM"; None, with the error at the reader, where there is none."""
    if key not in reader.values:
        reader.wrong(None, f'the key "{key}" of "quiet_hours" is missing')
        return None
    text = reader.text(key, longest=60)
    if text is None:
        return None
    hours, _, minutes = text.partition(":")
    digits = len(text) == 5 and text.isascii() and hours.isdecimal() and minutes.isdecimal()
    if digits and int(hours) < 24 and int(minutes) < 60:
        return text
    padded = f"0{text}" if len(text) == 4 and text.isascii() and text[0].isdecimal() else None
    reader.wrong(key, f'"{key}" is "{text}", which is no time of day, such as "22:00"', padded)
    return None


def _severities(reader: DocumentReader) -> tuple[str, ...]:
    if "severities" not in reader.values:
        return HELD
    value = reader.values["severities"]
    words = value if isinstance(value, list) else [value]
    if not words:
        reader.wrong("severities", '"severities" is empty: then nothing is ever held')
    for word in map(str, words):
        if word == "critical":
            reader.wrong("severities", '"severities" cannot hold "critical": what is critical always speaks')
        elif word not in HELD:
            reader.wrong(
                "severities", f'"severities" has "{word[:60]}", not info or warning', nearest(word, SEVERITIES)
            )
    return tuple(dict.fromkeys(map(str, words)))


def read_weekdays(reader: DocumentReader) -> tuple[int, ...]:
    """The days of the week at `days`, Monday being 0; all of them where none are said."""
    if "days" not in reader.values:
        return tuple(range(7))
    value = reader.values["days"]
    days: set[int] = set()
    for word in map(str, value if isinstance(value, list) else [value]):
        try:
            days.update(read_days(word))
        except ValueError:
            reader.wrong("days", f'"days" has "{word[:40]}", not {", ".join(DAYS[:-1])} or sun', nearest(word, DAYS))
    if not days and not reader.errors:
        reader.wrong("days", '"days" is empty: then no hour is ever quiet')
    return tuple(sorted(days))
