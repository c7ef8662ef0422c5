"""Time that counts only within hours of the day, as `for: 30m of business_hours("08:00-18:00")` has it.

Pure: moments and a zone in, lengths and moments out. Local days follow the zone's own clock, changes of it included.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_TEXT = re.compile(r'\s*(.+?)\s+of\s+(business_hours|hours)\(\s*["\']([0-9:]{5})-([0-9:]{5})["\']\s*\)\s*', re.DOTALL)
_OF = re.compile(r"\bof\b")
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00")
_MOST_DAYS = 4_000  # beyond the longest `for`, spread over the shortest hours that anybody has


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of the day, from one time to another (`24:00` ends a day), on Monday to Friday where `business`."""

    begin: str
    end: str
    business: bool

    def __str__(self) -> str:
        return f'{"business_hours" if self.business else "hours"}("{self.begin}-{self.end}")'

    def within(self, start: datetime, end: datetime, zone: ZoneInfo) -> timedelta:
        """How much of the time from `start` to `end` lies within the hours."""
        total = timedelta()
        for opens, closes in self._spans(start, zone):
            if opens >= end:
                break
            total += max(timedelta(), min(closes, end) - max(opens, start))
        return total

    def after(self, start: datetime, length: timedelta, zone: ZoneInfo) -> datetime:
        """The moment at which the time within the hours since `start` adds up to `length`."""
        left = length
        for opens, closes in self._spans(start, zone):
            begins = max(opens, start)
            if closes - begins >= left:
                return begins + left
            left -= max(timedelta(), closes - begins)
        return start + length + timedelta(days=_MOST_DAYS)

    def _spans(self, start: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        """When the hours begin and end, in UTC and in order, from those on that are not over at `start`."""
        first = start.astimezone(zone).date() - timedelta(days=1)
        for number in range(_MOST_DAYS):
            day = first + timedelta(days=number)
            if self.business and day.weekday() >= 5:
                continue
            opens = _moment(day, self.begin, zone)
            closes = _moment(day if self.begin < self.end else day + timedelta(days=1), self.end, zone)
            if closes > max(opens, start):
                yield opens, closes


def read_hours(text: str) -> tuple[str, Hours] | str | None:
    """The duration and the hours of `30m of business_hours("08:00-18:00")`; what is wrong; None where none are said."""
    if _OF.search(text) is None:
        return None
    found = _TEXT.fullmatch(text)
    example = '30m of business_hours("08:00-18:00")'
    if found is None or not all(_CLOCK.fullmatch(clock) for clock in (found[3], found[4])) or found[3] == "24:00":
        return f'"for" has hours that cannot be read; write them as in {example}'
    hours = Hours(found[3], found[4], found[2] == "business_hours")
    if hours.begin == hours.end or (hours.business and hours.begin > hours.end):
        return f'"for" has hours that end before they begin; write them as in {example}'
    return found[1], hours


def _moment(day: date, clock: str, zone: ZoneInfo) -> datetime:
    if clock == "24:00":
        day, clock = day + timedelta(days=1), "00:00"
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)
