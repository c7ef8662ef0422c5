"""Weekly maintenance windows: from a local time to another on some days of the week, in one zone, between two dates.

Pure: a moment in, whether a window is open and until when out. It silences nothing; `rules.alerts.silences` asks it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONG_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
BY_LOCATION = "location"
"""The zone of each alert's own location."""

ONE_DAY = timedelta(days=1)
MIDNIGHT = "24:00"
EVERYWHERE_OVER = timedelta(days=2)
"""After a last date is over in UTC it is over in every zone by then, with a window that runs past midnight."""


@dataclass(frozen=True, slots=True)
class WeeklyWindow:
    """A window that opens on `days` (0 is Monday) at `start` and closes at `end`, both local and as "HH:MM".

    An end that is not after the start is on the next day; "24:00" is midnight. `zone` is an IANA name or "location",
    with `default_zone` where a location names none. Days count by when the window opens, `first` to `last` inclusive.
    """

    days: tuple[int, ...]
    start: str
    end: str
    zone: str = BY_LOCATION
    default_zone: str = "UTC"
    first: date | None = None
    last: date | None = None

    def __post_init__(self) -> None:
        if not self.days or not set(self.days) <= set(range(7)):
            raise ValueError(f"a weekly silence needs days of the week: {', '.join(DAYS)}")
        for text in (self.start, self.end):
            _read_time(text)
        if self.start in {self.end, MIDNIGHT}:
            raise ValueError(f"the window {self.start}-{self.end} has no length")
        if self.first is not None and self.last is not None and self.last < self.first:
            raise ValueError(f"the last date {self.last} is before the first, {self.first}")
        for zone in {self.zone, self.default_zone} - {BY_LOCATION}:
            if _known_zone(zone) is None:
                raise ValueError(f'there is no time zone "{zone}"; IANA names look like Europe/Copenhagen')

    def document(self) -> dict[str, Any]:
        """The JSON-able form that is stored; `window_from` reads it."""
        dates = {"first": self.first, "last": self.last}
        told = {name: day.isoformat() for name, day in dates.items() if day is not None}
        plain = {"start": self.start, "end": self.end, "zone": self.zone, "default_zone": self.default_zone}
        return {"days": list(self.days), **plain, **told}

    def is_over(self, now: datetime) -> bool:
        """Whether it will never be open again, wherever its alerts are."""
        if self.last is None:
            return False
        return now >= datetime.combine(self.last, time(), UTC) + EVERYWHERE_OVER + ONE_DAY

    def open_at(self, now: datetime, local_zone: str | None = None) -> tuple[datetime, datetime] | None:
        """When the window that is open at `now` opened and closes (UTC), or None; `local_zone` is the location's."""
        zone = self.zone_for(local_zone)
        today = now.astimezone(zone).date()
        for day in (today - ONE_DAY, today, today + ONE_DAY):  # one may have begun yesterday, or in a repeated hour
            bounds = self._bounds(day, zone)
            if bounds is not None and bounds[0] <= now < bounds[1]:
                return bounds
        return None

    def coming(self, now: datetime, local_zone: str | None = None) -> tuple[datetime, datetime] | None:
        """The next window that opens after `now` (UTC), or None where there is none within five weeks."""
        zone = self.zone_for(local_zone)
        begin = max(now.astimezone(zone).date(), self.first or date.min)
        days = (begin + n * ONE_DAY for n in range(36))
        found = (bounds for day in days if (bounds := self._bounds(day, zone)) is not None)
        return next((bounds for bounds in found if bounds[0] > now and bounds[1] > bounds[0]), None)

    def zone_for(self, local_zone: str | None) -> ZoneInfo:
        """The zone that counts for a location in `local_zone`, which may be any text that the API gave."""
        if self.zone != BY_LOCATION:
            return ZoneInfo(self.zone)
        return _known_zone(local_zone) or ZoneInfo(self.default_zone)

    def _bounds(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
        """When the window of one local day opens and closes, or None on a day without one.

        It opens when the clocks first show `start` and closes when they last show `end`, so that a repeated hour is
        inside or outside as a whole; a time that is skipped is the moment of the change.
        """
        outside = (self.first is not None and day < self.first) or (self.last is not None and day > self.last)
        if outside or day.weekday() not in self.days:
            return None
        start, end = _read_time(self.start), _read_time(self.end)
        if end <= start:
            end += ONE_DAY
        midnight = datetime.combine(day, time())
        return _instant(midnight + start, zone, fold=0), _instant(midnight + end, zone, fold=1)


def window_from(document: Mapping[str, Any]) -> WeeklyWindow:
    """The window that a stored form says."""
    first, last = (date.fromisoformat(day) if (day := document.get(name)) else None for name in ("first", "last"))
    plain = {name: document[name] for name in ("start", "end", "zone", "default_zone")}
    return WeeklyWindow(tuple(document["days"]), **plain, first=first, last=last)


def read_days(text: str) -> tuple[int, ...]:
    """The days of the week that "sat", "mon-fri" or "sat,sun" name, 0 is Monday; ValueError for others."""
    days: set[int] = set()
    for part in text.lower().split(","):
        if part in {"daily", "everyday"}:
            days.update(range(7))
            continue
        first, _, last = part.partition("-")
        begin, end = _day(first, text), _day(last or first, text)
        days.update((begin + n) % 7 for n in range((end - begin) % 7 + 1))
    return tuple(sorted(days))


def _day(word: str, text: str) -> int:
    known = [number for number, name in enumerate(LONG_DAYS) if len(word) >= 3 and name.startswith(word)]
    if not known:
        raise ValueError(f'"{text[:40]}" names no days; days are {", ".join(DAYS)}, as in sat,sun or mon-fri')
    return known[0]


def _read_time(text: str) -> timedelta:
    hours, _, minutes = text.partition(":")
    if len(text) == 5 and text.isascii() and hours.isdecimal() and minutes.isdecimal() and int(minutes) < 60:
        told = timedelta(hours=int(hours), minutes=int(minutes))
        if told <= ONE_DAY:
            return told
    raise ValueError(f'"{text[:40]}" is no time of day, such as 02:00')


def _known_zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (OSError, ValueError, KeyError):
        return None


def _instant(local: datetime, zone: ZoneInfo, *, fold: int) -> datetime:
    """The first (fold 0) or last (fold 1) moment at which clocks show a local time; if none, that of the change."""
    moment = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local:
        return moment
    early, late = sorted(local.replace(tzinfo=zone, fold=number).astimezone(UTC) for number in (0, 1))
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):  # offsets change on whole seconds
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late


def days_text(days: Sequence[int]) -> str:
    """Days of the week as people write them: "Mon to Fri", "Sat, Sun"."""
    names = [DAYS[day].capitalize() for day in days]
    in_a_row = len(days) > 2 and list(days) == list(range(days[0], days[-1] + 1))
    return f"{names[0]} to {names[-1]}" if in_a_row else ", ".join(names)
