"""Reads the moments of an answer, in the spellings that back offices are known to use, into aware UTC datetimes.

It knows ISO 8601 with its hour 24:00 and its leap second, a zone said as UTC or GMT, and the dates of HTTP and mail
(RFC 1123). Anything else raises ValueError: a moment is never guessed.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

_RFC_1123 = re.compile(r"(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}(?::\d{2})? (?:GMT|UTC?|[+-]\d{4})")
_ISO = re.compile(
    r"(?P<day>\d{4}-?\d{2}-?\d{2})[T ]"
    r"(?P<time>(?P<hour>\d{2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?P<fraction>[.,]\d+)?)?)"
    r"(?: ?(?P<zone>Z|[+-]\d{2}(?::?\d{2})?))?(?: ?(?P<name>UTC|GMT))?",
    re.IGNORECASE,
)
_MIDNIGHT = {"hour": "24", "minute": "00", "second": "00"}


def read_moment(text: str, naive_timezone: ZoneInfo) -> datetime:
    """Return the moment that `text` names; one without a zone is of `naive_timezone`. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _other_spelling(text.strip(), naive_timezone)
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=naive_timezone)
    return aware.astimezone(UTC)


def _other_spelling(text: str, naive_timezone: ZoneInfo) -> datetime:
    if _RFC_1123.fullmatch(text):
        moment = parsedate_to_datetime(text)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    found = _ISO.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no ISO 8601 time")
    parts = {name: found[name] or "00" for name in ("hour", "minute", "second")}
    added = timedelta(0)
    if parts == _MIDNIGHT and not (found["fraction"] or "").strip(".,0"):  # the end of a day (ISO 8601, 4.2.3)
        parts["hour"], added = "00", timedelta(days=1)
    is_leap = parts["second"] == "60"
    if is_leap:
        parts["second"], added = "59", timedelta(seconds=1)
    zone = found["zone"] or ("+00:00" if found["name"] else "")
    if found["name"] and zone.strip("+-0:").upper() not in {"", "Z"}:
        raise ValueError(f"{text!r} names two zones")
    fraction = "" if is_leap or found["fraction"] is None else found["fraction"]
    moment = datetime.fromisoformat(f"{found['day']}T{':'.join(parts.values())}{fraction}{zone.upper()}")
    if is_leap:
        there = moment if moment.tzinfo is not None else moment.replace(tzinfo=naive_timezone)
        if (there.astimezone(UTC).hour, there.astimezone(UTC).minute) != (23, 59):
            raise ValueError(f"{text!r} has no leap second there")
    return moment + added
