"""`/charge report [day|week|month|year] [LOCATION]`: the platform's own figures of the last full one.

They are asked of EOSVOLT at that moment, so that they are those of its dashboard; nothing is computed anew here.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Errand, Office, Word, told, unknown_id
from bot.slack.charge.days import WHOLE, whole
from bot.slack.charge.things_by_id import need_thing
from rules.documents.windows import day_bounds
from storage.queries.state import find_location

PERIODS = tuple(WHOLE)
"""The last full one before a day of each: day, week, month, year."""
ALSO = {"yesterday": "day", "daily": "day", "weekly": "week", "monthly": "month", "yearly": "year"}


def period_of(word: str, zone: str, now: datetime) -> tuple[date, date, datetime, datetime]:
    """The first and the last day of a period in a zone, and its two instants in UTC (half open)."""
    days = whole(word, now.astimezone(ZoneInfo(zone)).date())
    return days.first, days.last, day_bounds(days.first, zone)[0], day_bounds(days.last, zone)[1]


def answer_report(connection: Connection, asked: Asked) -> Answer | Errand:
    """The figures of the last day, week, month or year, of all locations or one."""
    words = asked.words[1:] if asked.words[:1] and asked.words[0].lower() in {"last", "for"} else asked.words
    named = ALSO.get(words[0].lower(), words[0].lower()) if words else ""
    period = named if named in PERIODS else "day"
    location_id = " ".join(words[1:] if named in PERIODS else words) or None
    name, zone = "", asked.zone
    if location_id is not None:
        location_id = need_thing(connection, location_id, f"report {period}", ["location"]).id
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
        "report [day|week|month|year] [LOCATION]",
        "EOSVOLT's own figures of the last full day, week, month or year",
        "report week",
        answer_report,
        route="report_summary",
    ),
)
