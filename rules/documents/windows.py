"""The windows that a digest can tell about: whole local days, each in its own zone, or one stretch of time.

`yesterday` ends where today begins, in each place of its own; `since the last one` is the same stretch for all. Nothing
here reads a clock or a database.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

YESTERDAY = "yesterday"
SINCE_THE_LAST = "since the last one"
LONGEST_SINCE = timedelta(days=31)
"""The longest stretch that "since the last one" tells about, however long the digest was paused."""

ONE_DAY = timedelta(days=1)


def day_bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """The first instant of a local day and of the next one, in UTC: 23, 24 or 25 hours apart, by the zone's rules.

    Where midnight itself is skipped (Cairo, Santiago), the day begins at the instant of the change.
    """
    tz = ZoneInfo(zone)
    start, end = (datetime.combine(each, time(), tzinfo=tz).astimezone(UTC) for each in (day, day + ONE_DAY))
    return start, end


@dataclass(frozen=True, slots=True)
class Period:
    """Whole local days, `first` to `last`, or, where `stretch` is given, the instants from the one to the other (UTC).

    `until` cuts off what had not come yet when the figures were taken.
    """

    first: date
    last: date
    stretch: tuple[datetime, datetime] | None = None
    until: datetime | None = None

    def bounds(self, zone: str) -> tuple[datetime, datetime]:
        """The first instant that it covers in a zone and the one after its last, in UTC; equal where none has come."""
        start, end = self.stretch or (day_bounds(self.first, zone)[0], day_bounds(self.last, zone)[1])
        return start, end if self.until is None else max(start, min(end, self.until))

    def whole(self) -> "Period":
        """The same, with what is yet to come."""
        return replace(self, until=None)

    def cut(self, at: datetime) -> "Period":
        """The same, as far as it had come at a moment."""
        return replace(self, until=at)

    def before(self) -> "Period":
        """The one to compare it with: the month before a month, else as many whole weeks earlier as it needs."""
        first, last = self.first, self.last
        if self.stretch is None and first.day == 1 and (last + ONE_DAY).day == 1 and (last - first).days < 31:
            return Period((first - ONE_DAY).replace(day=1), first - ONE_DAY)
        weeks = timedelta(days=7 * ((last - first).days // 7 + 1))
        shifted = None if self.stretch is None else (self.stretch[0] - weeks, self.stretch[1] - weeks)
        return Period(first - weeks, last - weeks, shifted)

    @property
    def days(self) -> int:
        """How many local days it touches."""
        return (self.last - self.first).days + 1

    def facts(self) -> dict[str, str]:
        """It as facts of a message: what is only one day says no more than that."""
        told = {"day": self.first.isoformat()}
        if self.last != self.first or self.stretch is not None:
            told["last_day"] = self.last.isoformat()
        if self.stretch is not None:
            told |= {"since": self.stretch[0].isoformat(), "to": self.stretch[1].isoformat()}
        return told


def one_day(day: date) -> Period:
    """A single local day."""
    return Period(day, day)


def stretch(since: datetime, to: datetime, zone: str) -> Period:
    """The time from one instant to another; its days are those of a zone."""
    first, last = (at.astimezone(ZoneInfo(zone)).date() for at in (since, to))
    return Period(first, last, (since, to))


def period_of(facts: Mapping[str, Any]) -> Period:
    """The period that the facts of a message tell about."""
    first = date.fromisoformat(facts["day"])
    last = date.fromisoformat(facts["last_day"]) if "last_day" in facts else first
    if "since" not in facts:
        return Period(first, last)
    return Period(first, last, (datetime.fromisoformat(facts["since"]), datetime.fromisoformat(facts["to"])))


def _yesterday(today: date) -> Period:
    return one_day(today - ONE_DAY)


def _last_week(today: date) -> Period:
    monday = today - timedelta(days=today.weekday())
    return Period(monday - timedelta(days=7), monday - ONE_DAY)


def _last_month(today: date) -> Period:
    last = today.replace(day=1) - ONE_DAY
    return Period(last.replace(day=1), last)


_OF_DAYS: Mapping[str, Callable[[date], Period]] = {
    YESTERDAY: _yesterday,
    "last week": _last_week,
    "last month": _last_month,
    "last 7 days": lambda today: Period(today - timedelta(days=7), today - ONE_DAY),
    "last 30 days": lambda today: Period(today - timedelta(days=30), today - ONE_DAY),
}
WINDOWS = (*_OF_DAYS, SINCE_THE_LAST)
"""Every window, as a rule names it."""

CATCH_UP = {YESTERDAY: ONE_DAY, SINCE_THE_LAST: ONE_DAY}
"""How old a missed slot may be and still be said; a week for the windows that are longer than a day."""


def catch_up(window: str) -> timedelta:
    """How old a missed slot of a window may be and still be said."""
    return CATCH_UP.get(window, timedelta(days=7))


def window_of(name: str, zone: str, at: datetime, since: datetime | None = None) -> Period:
    """What a named window covers for a slot at `at` (aware) in a zone; an unknown name is an error.

    `since` is where "since the last one" begins: the end of the last window said, or the schedule's moment before.
    """
    if name == SINCE_THE_LAST:
        begin = at - ONE_DAY if since is None else max(min(since, at), at - LONGEST_SINCE)
        return stretch(begin, at, zone)
    if name not in _OF_DAYS:
        raise ValueError(f'unknown window "{name}"; known: {", ".join(WINDOWS)}')
    return _OF_DAYS[name](at.astimezone(ZoneInfo(zone)).date())
