"""`/charge sessions [active|today|yesterday|FROM TO]` and `/charge session ID`: charging sessions. It only reads."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from bot.slack.charge.answer import (
    PAGE,
    Answer,
    Asked,
    Word,
    age_of,
    missing_id,
    paging,
    refused,
    told,
    unknown_id,
    words_button,
)
from bot.slack.charge.days import NoSuchDays, read_days
from bot.slack.permissions import Role
from rules.documents.windows import day_bounds
from storage.queries.rows import SessionFilter
from storage.queries.state import find_session, list_sessions


def read_window(words: tuple[str, ...], zone: str, now: datetime) -> SessionFilter | None:
    """The window that words say, days in `zone`, both ends included; None where they say none that there is."""
    said = " ".join(words).lower()
    named = {"": SessionFilter(), "all": SessionFilter(), "bookings": SessionFilter(bookings=True)}
    named |= dict.fromkeys(("active", "open", "now"), SessionFilter(open=True))
    if said in named:
        return named[said]
    try:
        days, rest = read_days(words, now.astimezone(ZoneInfo(zone)).date())
        if days is None or rest:
            return None
        return SessionFilter(since=day_bounds(days.first, zone)[0], until=day_bounds(days.last, zone)[1])
    except (NoSuchDays, OverflowError):
        return None


def answer_sessions(connection: Connection, asked: Asked) -> Answer:
    """The sessions of a window in pages, the newest first."""
    said = " ".join(asked.words)
    which = read_window(asked.words, asked.zone, asked.now)
    if which is None:
        mend = f"A day is written {asked.now.astimezone(ZoneInfo(asked.zone)):%Y-%m-%d}. Windows are:"
        return refused("There is no such window of sessions", about=said[:100], mend=mend, examples=EXAMPLES)
    page = list_sessions(connection, which, asked.offset, PAGE)
    buttons = paging(page, f"sessions {said}".strip())
    age = age_of(connection, asked, "sessions")
    return told(
        "answer_sessions", buttons=buttons, page=page, said=said, zone=asked.zone, age=age, now=asked.now, which=which
    )


def answer_session(connection: Connection, asked: Asked) -> Answer:
    """One session; an operator is offered to stop it while it goes on."""
    if not asked.words:
        return missing_id("session", "session", "/charge sessions active")
    session_id = " ".join(asked.words)
    session = find_session(connection, session_id)
    if session is None:
        return unknown_id(connection, "session", session_id, "session")
    stops = session.ended_at is None and asked.role >= Role.OPERATOR
    return told(
        "answer_session",
        buttons=[words_button("Stop it", f"stop {session.id}")] if stops else [],
        session=session,
        age=age_of(connection, asked, "sessions"),
        now=asked.now,
    )


EXAMPLES = ("/charge sessions active", "/charge sessions yesterday", "/charge sessions 2026-03-01 2026-03-07")

WORDS = (
    Word(
        "sessions",
        "sessions [active|today|yesterday|bookings|FROM TO]",
        "charging sessions, the newest first",
        "sessions active",
        answer_sessions,
        route="sessions",
    ),
    Word("session", "session ID", "one charging session", "session {session}", answer_session, route="sessions"),
)
