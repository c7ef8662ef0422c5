"""Where alerts speak whose rule names no channel: routes by severity, location, label and hour, as a file lists them.

It reads routes and answers which channels they give. It posts nothing, and knows no incident: what an open card does
is not decided here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from rules.documents.maintenance import BY_LOCATION, MIDNIGHT, WeeklyWindow, window_from
from rules.documents.quiet_hours import read_time, read_weekdays
from rules.documents.reader import DocumentReader, kind_of_value
from rules.language.fields import nearest
from rules.rising import SEVERITIES

KEYS = ("severity", "location", "labels", "from", "to", "days", "timezone", "notify", "continue")


@dataclass(frozen=True, slots=True)
class Route:
    """One route: what it takes (nothing said takes all), its channels, and whether those after it are asked too.

    `locations` are ids. `labels` are compared with an alert's own: those of its rule, and location, charger,
    connector and session. `window` is when it takes any; the people who are told have that clock, so without a zone
    of its own it is the service's, never the location's.
    """

    notify: tuple[str, ...]
    severities: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    goes_on: bool = False
    window: WeeklyWindow | None = None

    def takes(self, severity: str, location_id: str | None, labels: Mapping[str, Any], when: "When") -> bool:
        """Whether it takes an alert of this severity, at this location, with these labels, at this moment."""
        if self.window is not None:
            window = replace(self.window, default_zone=when.default_zone)
            if window.open_at(when.now) is None:
                return False
        if self.severities and severity not in self.severities:
            return False
        if self.locations and location_id not in self.locations:
            return False
        return all(labels.get(name) == value for name, value in self.labels)

    def document(self) -> dict[str, Any]:
        """The JSON-able form that is stored; `route_from` reads it."""
        return {
            "notify": list(self.notify),
            "severity": list(self.severities),
            "location": list(self.locations),
            "labels": dict(self.labels),
            "continue": self.goes_on,
            **({} if self.window is None else {"window": self.window.document()}),
        }


@dataclass(frozen=True, slots=True)
class When:
    """The moment at which an alert is sent, and the zone of routes that name none."""

    now: datetime
    default_zone: str


def route_from(document: Mapping[str, Any]) -> Route:
    """The route that a stored form says."""
    return Route(
        notify=tuple(document["notify"]),
        severities=tuple(document["severity"]),
        locations=tuple(document["location"]),
        labels=tuple(document["labels"].items()),
        goes_on=document["continue"],
        window=window_from(document["window"]) if "window" in document else None,
    )


def routed_channels(
    routes: Iterable[Route], severity: str, location_id: str | None, labels: Mapping[str, Any], when: When
) -> tuple[str, ...]:
    """The channels of the first route that takes an alert, and of those after it while they say `continue`."""
    channels: list[str] = []
    for route in routes:
        if route.takes(severity, location_id, labels, when):
            channels += route.notify
            if not route.goes_on:
                break
    return tuple(dict.fromkeys(channels))


def read_route(reader: DocumentReader) -> Route:
    """The route that one mapping says; what is wrong with it is noted at the reader, with its line."""
    for key in map(str, reader.values):
        if key not in KEYS:
            reader.wrong(key, f'a route has no key "{key[:60]}"', nearest(key, KEYS))
    if "notify" not in reader.values:
        reader.wrong(None, 'the key "notify" of a route is missing')
    elif not reader.values["notify"]:
        reader.wrong("notify", '"notify" of a route names no channel')
    severities = _texts(reader, "severity", "critical")
    for word in severities:
        if word not in SEVERITIES:
            told = f'"severity" is "{word[:60]}", but must be {", ".join(SEVERITIES[:-1])} or {SEVERITIES[-1]}'
            reader.wrong("severity", told, nearest(word, SEVERITIES))
    goes_on = reader.values.get("continue", False)
    if not isinstance(goes_on, bool):
        reader.wrong("continue", f'"continue" must be true or false, but this is {kind_of_value(goes_on)}')
    return Route(
        notify=reader.channels(),
        severities=severities,
        locations=_texts(reader, "location", '"L12"'),
        labels=_labels(reader),
        goes_on=goes_on is True,
        window=_window(reader),
    )


def _window(reader: DocumentReader) -> WeeklyWindow | None:
    """When a route takes anything, or None where it always does."""
    if not {"from", "to", "days", "timezone"} & reader.values.keys():
        return None
    begin, end = (read_time(reader, key) if key in reader.values else None for key in ("from", "to"))
    for key, other in (("from", "to"), ("to", "from")):
        if key not in reader.values and other in reader.values:
            reader.wrong(other, f'"{other}" of a route needs "{key}" too, as in from: "22:00", to: "06:00"')
    days, zone = read_weekdays(reader), BY_LOCATION
    if "timezone" in reader.values:
        zone = reader.timezone()
        if reader.values["timezone"] == BY_LOCATION:
            told = '"timezone" of a route is that of the people who are told, such as Europe/Copenhagen'
            reader.wrong("timezone", told)
    if reader.errors:
        return None
    try:
        return WeeklyWindow(days, begin or "00:00", end or MIDNIGHT, zone)
    except ValueError:
        reader.wrong("to", f'"from" and "to" are both {end}: the route never takes anything')
        return None


def _texts(reader: DocumentReader, key: str, example: str) -> tuple[str, ...]:
    """The texts at a key that may be one text or a list of them."""
    value = reader.values.get(key, [])
    listed = list(value) if isinstance(value, list | tuple) else [value]
    if all(isinstance(entry, str) and entry.strip() for entry in listed):
        return tuple(dict.fromkeys(entry.strip() for entry in listed))
    reader.wrong(key, f'"{key}" must be a text or a list of texts, as in {example}')
    return ()


def _labels(reader: DocumentReader) -> tuple[tuple[str, str], ...]:
    value = reader.values.get("labels", {})
    if not isinstance(value, Mapping):
        reader.wrong("labels", f'"labels" must be a mapping, as in {{team: north}}, but this is {kind_of_value(value)}')
        return ()
    for key, text in value.items():
        if not isinstance(text, str):
            told = f'the label "{str(key)[:60]}" must be a text in quotes, but this is {kind_of_value(text)}'
            reader.wrong("labels", told)
    return tuple((str(key), str(text)) for key, text in value.items())
