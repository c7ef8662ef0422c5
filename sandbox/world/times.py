"""How the sandbox counts time: whole milliseconds since 1970 in UTC inside, ISO 8601 with a "Z" outside.

It reads no clock: every moment comes from the caller.
"""

from datetime import UTC, datetime
from functools import lru_cache

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime; ValueError for a naive one, whose zone nobody knows."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no offset from UTC")
    return round(moment.timestamp() * 1000)


def from_ms(at_ms: int) -> datetime:
    """The aware UTC datetime of `at_ms` milliseconds since 1970."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


@lru_cache(maxsize=8192)
def iso(at_ms: int) -> str:
    """ISO 8601 in UTC, with milliseconds only where there are some: 2018-11-01T15:17:00Z."""
    text = datetime.fromtimestamp(at_ms // 1000, UTC).isoformat()[:19]
    rest = at_ms % 1000
    return f"{text}.{rest:03d}Z" if rest else f"{text}Z"


def parse_iso_ms(text: str) -> int:
    """Milliseconds since 1970 of an ISO 8601 moment with an offset; ValueError for anything else."""
    return to_ms(datetime.fromisoformat(text))
