"""Lengths of time and times of day as people say them: `2h`, `5 minutes`, `2 months`, `6pm`, `18:00`, `noon`.

It reads words and knows neither a clock nor a zone.
"""

import re
from collections.abc import Sequence
from datetime import time, timedelta

from rules.language.conditions import QuantityError, parse_duration

UNITS = {
    "m": ("min", "mins", "minute", "minutes"),
    "h": ("hr", "hrs", "hour", "hours"),
    "d": ("day", "days"),
    "w": ("week", "weeks"),
}
"""The units of the rules' language, and how else people write them."""
LONG = {"month": 30, "months": 30, "year": 365, "years": 365, "yr": 365, "yrs": 365}
"""Days of what is longer than any unit of the rules' language; nearly, as people mean them."""
UNIT = {spelling: unit for unit, spellings in UNITS.items() for spelling in (unit, *spellings)}
AMOUNT = re.compile(r"(\d{1,4})([a-z]+)", re.ASCII)
CLOCK = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?\s*(am|pm|h)?", re.ASCII)
NAMED = {"noon": time(12), "midday": time(12), "midnight": time(0)}


def read_length(words: Sequence[str]) -> tuple[timedelta | None, int]:
    """The length with which these words begin, of how many words it is: parts such as `1 hour 30 minutes` add up."""
    said = [word.lower() for word in words]
    whole, used = timedelta(), 0
    while used < len(said):
        part, more = _part(said[used:])
        if part is None:
            break
        whole, used = whole + part, used + more
        if said[used : used + 1] == ["and"] and _part(said[used + 1 :])[0] is not None:
            used += 1
    return (whole, used) if used else (None, 0)


def _part(said: Sequence[str]) -> tuple[timedelta | None, int]:
    if len(said) > 1 and said[1] in UNIT and ((said[0].isdecimal() and said[0].isascii()) or said[0] in {"a", "an"}):
        number = int(said[0][:6]) if said[0].isdecimal() else 1
        return _length(f"{number}{UNIT[said[1]]}"), 2
    if len(said) > 1 and said[1] in LONG and (said[0] in {"a", "an"} or re.fullmatch("[0-9]{1,4}", said[0])):
        return timedelta(days=LONG[said[1]] * (int(said[0]) if said[0].isdecimal() else 1)), 2
    amount = AMOUNT.fullmatch(said[0]) if said else None
    if amount is not None and amount[2] in LONG:
        return timedelta(days=LONG[amount[2]] * int(amount[1])), 1
    if amount is not None and amount[2] in UNIT:
        return _length(f"{amount[1]}{UNIT[amount[2]]}"), 1
    return (_length(said[0]), 1) if said else (None, 0)


def _length(text: str) -> timedelta | None:
    try:
        return timedelta(seconds=parse_duration(text)) if text.isascii() else None
    except (QuantityError, OverflowError):
        return None


def read_time(words: Sequence[str]) -> tuple[time | None, int]:
    """The time of day with which these words begin, and of how many words it is."""
    said = [word.lower() for word in words]
    if not said:
        return None, 0
    if said[0] in NAMED:
        return NAMED[said[0]], 1
    for used in (2, 1):
        found = CLOCK.fullmatch(" ".join(said[:used])) if len(said) >= used else None
        if found is not None and (found[2] or found[3]):
            return _time(int(found[1]), int(found[2] or 0), found[3]), used
    return None, 0


def _time(hour: int, minute: int, half: str | None) -> time | None:
    if half in {"am", "pm"}:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        return time(hour, minute)
    except ValueError:
        return None
