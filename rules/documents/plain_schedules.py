"""Schedules in plain words (`every weekday at 08:00`) as cron, and cron in words.

Both say the same moments: what is kept is what was written, and whoever computes with it asks for its cron. Words that
are not understood are an error that shows some which are.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

from cronsim import CronSim

EXAMPLES = '"0 8 * * *", "every weekday at 08:00" or "first Monday of the month at 9:00"'
DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
PLACES = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4}
SETS = {"day": "*", "weekday": "1-5", "working day": "1-5", "workday": "1-5", "weekend": "6,0", "weekend day": "6,0"}

_TIME = re.compile(r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2}))? ?(?P<half>am|pm)?", re.ASCII)
_NAMED = {"noon": (12, 0), "midday": (12, 0), "midnight": (0, 0)}
_ANY_DAY = datetime(2024, 1, 1, tzinfo=UTC)
_NTH_DAY = re.compile(r"(?:the )?(?P<day>\d{1,2})(?:st|nd|rd|th)?(?: day)?", re.ASCII)
_OF_MONTH = re.compile(r"(?:of|in|on|every|each) (?:the|each|every|a)? ?month")
_STEP = re.compile(r"every (?:(?P<number>\d{1,2}) )?(?P<unit>hour|minute)s?", re.ASCII)


def is_cron(text: str) -> bool:
    """Whether a schedule is meant as the fields of cron, rather than as words."""
    return not re.search(r"[a-z]{4}|:", text, re.IGNORECASE) or text.lstrip().startswith("*")


@lru_cache(maxsize=1024)
def cron_of(schedule: str) -> str:
    """The five fields of cron that a schedule means; ValueError with what is understood where it means nothing."""
    text = " ".join(schedule.split())
    if is_cron(text):
        return text
    said = text.lower().replace(",", " and ")
    said = re.sub(r"^on ", "", " ".join(said.split()))
    if found := _STEP.fullmatch(said):
        return _every_so_often(found, schedule)
    days, at, time = said.rpartition(" at ")
    if not at:
        raise ValueError(f'the schedule "{schedule}" says no time of day; expected {EXAMPLES}')
    fields = _day_fields(days.strip())
    if fields is None:
        raise ValueError(f'the schedule "{schedule}" is not understood; expected {EXAMPLES}')
    hour, minute = _time_of(time.strip(), schedule)
    return f"{minute} {hour} {fields}"


@lru_cache(maxsize=1024)
def in_words(schedule: str) -> str:
    """When a schedule speaks, in words that go on a sentence: `at 08:00 on Monday through Friday`."""
    text = CronSim(cron_of(schedule), _ANY_DAY).explain()
    return f"{text[:1].lower()}{text[1:]}"


def _every_so_often(found: re.Match[str], schedule: str) -> str:
    number, of_hours = int(found["number"] or 1), found["unit"] == "hour"
    if number < 1 or (24 if of_hours else 60) % number:
        raise ValueError(f'the schedule "{schedule}" does not divide a{" day" if of_hours else "n hour"} evenly')
    every = "*" if number == 1 else f"*/{number}"
    return f"0 {every} * * *" if of_hours else f"{every} * * * *"


def _day_fields(days: str) -> str | None:
    """Day, month and weekday of cron, of words before the time."""
    if days in {"daily", "every morning", "each day"}:
        return "* * *"
    of_month = _OF_MONTH.search(days)
    if of_month or days == "monthly":
        return _of_month((days[: of_month.start()] + days[of_month.end() :]).strip() if of_month else "1")
    plain = re.sub(r"^(?:every|each) ", "", days)
    for words in (plain, plain.removesuffix("s")):
        if words in SETS:
            return f"* * {SETS[words]}"
    named = [_weekday(word) for word in plain.split(" and ")]
    return None if None in named else f"* * {','.join(str(day) for day in named)}"


def _of_month(words: str) -> str | None:
    words = re.sub(r"\bon\b|^(?:the|every|each)\b", "", words).strip()
    if words in {"last day", "the last day"}:
        return "L * *"
    if words in {"", "first", "first day", "the first day", "the first"}:
        return "1 * *"
    place, _, day = words.removeprefix("the ").partition(" ")
    if (weekday := _weekday(day)) is not None:
        if place == "last":
            return f"* * {weekday}L"
        return f"* * {weekday}#{PLACES[place]}" if place in PLACES else None
    if (found := _NTH_DAY.fullmatch(words)) and 1 <= int(found["day"]) <= 31:
        return f"{int(found['day'])} * *"
    return None


def _weekday(word: str) -> int | None:
    """The day of the week, Sunday 0, of its name, its first three letters or its plural."""
    word = word.strip().removesuffix("s") if word.strip() not in {"tues", "wednes"} else word
    found = [number for number, day in enumerate(DAYS) if day == word or (len(word) >= 3 and day.startswith(word))]
    return found[0] if len(found) == 1 else None


def _time_of(text: str, schedule: str) -> tuple[int, int]:
    if text in _NAMED:
        return _NAMED[text]
    found = _TIME.fullmatch(text)
    hour, minute = (int(found["hour"]), int(found["minute"] or 0)) if found else (99, 0)
    if found and found["half"]:
        hour = hour % 12 + (12 if found["half"] == "pm" else 0) if 1 <= hour <= 12 else 99
    elif found and found["minute"] is None:
        hour = 99  # "at 9" of the morning, or of the evening?
    if hour > 23 or minute > 59:
        raise ValueError(f'the schedule "{schedule}": "{text}" is no time of day such as 08:00')
    return hour, minute
