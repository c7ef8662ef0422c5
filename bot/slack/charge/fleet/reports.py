"""`/charge report [day|week|month] [LOCATION]`: the platform's own figures of the last full day, week or month.

They are asked of EOSVOLT at that moment, so that they are those of its dashboard; nothing is computed anew here.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Errand, Office, Word, told, unknown_id
from rules.documents.windows import day_bounds
from storage.queries.state import find_location


def _days(today: date) -> tuple[date, date]:
    return today - timedelta(days=1), today


def _week(today: date) -> tuple[date, date]:
    monday = today - timedelta(days=today.weekday())
    return monday - timedelta(days=7), monday


def _month(today: date) -> tuple[date, date]:
    first = today.replace(day=1)
    return (first - timedelta(days=1)).replace(day=1), first


PERIODS: dict[str, Callable[[date], tuple[date, date]]] = {"day": _days, "week": _week, "month": _month}
"""What is meant by each word: the last full one before a day, as its first day and the day after it."""


def period_of(word: str, zone: str, now: datetime) -> tuple[date, date, datetime, datetime]:
    """The first and the last day of a period in a zone, and its two instants in UTC (half open)."""
    first, end = PERIODS[word](now.astimezone(ZoneInfo(zone)).date())
    last = end - timedelta(days=1)
    return first, last, day_bounds(first, zone)[0], day_bounds(last, zone)[1]


def answer_report(connection: Connection, asked: Asked) -> Answer | Errand:
    """The figures of the last day, week or month, of all locations or one."""
    words = asked.words
    period = words[0].lower() if words and words[0].lower() in PERIODS else "day"
    location_id = " ".join(words[1:] if words and words[0].lower() in PERIODS else words) or None
    name, zone = "", asked.zone
    if location_id is not None:
        location = find_location(connection, location_id)
        if location is None:
            return unknown_id(connection, "location", location_id, f"report {period}")
        name, zone = location.name, location.timezone or asked.zone
    try:
        first, last, since, until = period_of(period, zone, asked.now)
    except (KeyError, OSError, ValueError):  # a zone that EOSVOLT names and nobody knows
        zone = asked.zone
        first, last, since, until = period_of(period, zone, asked.now)

    earlier = period_of(period, zone, since)[2:]

    async def fetch(office: Office) -> Answer:
        figures = await office.client.fetch_report(since, until, location_id)
        before = await office.client.fetch_report(*earlier, location_id)
        return told(
            "answer_report",
            figures=figures,
            before=before,
            period=period,
            first=first,
            last=last,
            zone=zone,
            location_id=location_id,
            name=name,
        )

    return Errand("report_summary", fetch, of_thing=location_id is not None)


WORDS = (
    Word(
        "report",
        "report [day|week|month] [LOCATION]",
        "EOSVOLT's own figures of the last full day, week or month",
        "report week",
        answer_report,
        route="report_summary",
    ),
)
