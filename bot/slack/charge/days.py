"""Days as people say them: `yesterday`, `2026-03-01`, `FROM TO`, `FROM..TO`, `last week`, `7 days`.

It reads words and answers whole local days; which zone those are in is for the caller to know.
"""

import re
from collections.abc import Sequence
from datetime import date, timedelta

from rules.documents.windows import ONE_DAY, Period, one_day

RANGE = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:\.\.\.?|\N{HORIZONTAL ELLIPSIS}|\N{EN DASH}|\N{EM DASH}|/)(\d{4}-\d{2}-\d{2})", re.ASCII
)
"""Two days with dots between; phones turn dots into one sign."""
ISO = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
COUNT = re.compile(r"(\d{1,3})\s*(d|days?|w|weeks?)", re.ASCII)
BETWEEN = ("to", "until", "till", "-", "\N{EN DASH}", "\N{EM DASH}", "..", "and")
BEFORE = ("from", "on", "since", "between", "of", "the", "for", "last", "past")
MOST_DAYS = 400


class NoSuchDays(ValueError):  # noqa: N818 - it says what is wrong
    """Days that are none, or go back in time; the text says why, in plain words."""


def read_days(words: Sequence[str], today: date) -> tuple[Period | None, tuple[str, ...]]:
    """The days that some of the words say, and the other words; no days where none do. Raises NoSuchDays.

    `last` and the like before them are taken too.
    """
    for at in range(len(words)):
        found, used = _at([word.lower() for word in words[at : at + 4]], today)
        if found is None:
            continue
        begin = at
        while begin and words[begin - 1].lower() in BEFORE:
            begin -= 1
        since = any(word.lower() == "since" for word in words[begin:at])
        if since:
            found = Period(found.first, max(today, found.first))
        if found.last < found.first:
            raise NoSuchDays(f"the last day is before the first: {found.last} and {found.first}")
        return found, (*words[:begin], *words[at + used :])
    return None, tuple(words)


def _at(words: Sequence[str], today: date) -> tuple[Period | None, int]:
    """The days with which these words begin, and of how many words they are."""
    named = {"today": one_day(today), "yesterday": one_day(today - ONE_DAY)}
    both = RANGE.fullmatch(words[0])
    if words[0] in named or both is not None:
        return (Period(_day(both[1]), _day(both[2])) if both is not None else named[words[0]]), 1
    if words[0] in {"last", "this", "past"} and len(words) > 1 and words[1] in WHOLE:
        return (_this if words[0] == "this" else whole)(words[1], today), 2
    if ISO.fullmatch(words[0]) is None:
        return _counted(words, today)
    used = 2 if len(words) > 2 and words[1] in BETWEEN else 1
    last = words[used] if len(words) > used else ""
    if last in named or ISO.fullmatch(last):
        return Period(_day(words[0]), named[last].last if last in named else _day(last)), used + 1
    return one_day(_day(words[0])), 1


def _counted(words: Sequence[str], today: date) -> tuple[Period | None, int]:
    """So many days up to today, written as one word or two."""
    for used in (1, 2):
        count = COUNT.fullmatch(" ".join(words[:used])) if len(words) >= used else None
        if count is not None:
            number = int(count[1]) * (7 if count[2].startswith("w") else 1)
            if not 0 < number <= MOST_DAYS:
                raise NoSuchDays(f"days go back {MOST_DAYS} at most")
            return Period(today - timedelta(days=number - 1), today), used
    return None, 0


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise NoSuchDays(f"{text} is no day of the calendar") from None
    if not 1970 <= day.year <= 2999:
        raise NoSuchDays(f"{text} is too far away")
    return day


def _week(today: date) -> Period:
    monday = today - timedelta(days=today.weekday())
    return Period(monday - timedelta(days=7), monday - ONE_DAY)


def _month(today: date) -> Period:
    last = today.replace(day=1) - ONE_DAY
    return Period(last.replace(day=1), last)


def _year(today: date) -> Period:
    return Period(date(today.year - 1, 1, 1), date(today.year - 1, 12, 31))


WHOLE = {"day": lambda today: one_day(today - ONE_DAY), "week": _week, "month": _month, "year": _year}
"""The last full one before a day."""


def whole(name: str, today: date) -> Period:
    """The last full day, week, month or year before a day."""
    return WHOLE[name](today)


def _this(name: str, today: date) -> Period:
    begins = {
        "day": today,
        "week": today - timedelta(days=today.weekday()),
        "month": today.replace(day=1),
        "year": today.replace(month=1, day=1),
    }
    return Period(begins[name], today)
