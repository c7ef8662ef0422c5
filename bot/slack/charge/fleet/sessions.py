"""`/charge sessions [active|today|FROM..TO]` and `/charge session ID`: charging sessions. It only reads."""

import re
from datetime import date, datetime
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
from bot.slack.permissions import Role
from rules.documents.windows import day_bounds
from storage.queries.rows import SessionFilter
from storage.queries.state import find_session, list_sessions

RANGE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.\.|\N{HORIZONTAL ELLIPSIS})(\d{4}-\d{2}-\d{2})", re.ASCII)
"""Two days with two dots between; phones turn dots into one sign."""


def read_window(words: tuple[str, ...], zone: str, now: datetime) -> SessionFilter | None:
    """The window that words say, days in `zone`, both ends included; None where they say none that there is."""
    said = " ".join(words).lower()
    if said in {"", "all"}:
        return SessionFilter()
    if said == "bookings":
        return SessionFilter(bookings=True)
    if said == "active":
        return SessionFilter(open=True)
    today = now.astimezone(ZoneInfo(zone)).date()
    found = RANGE.fullmatch(said)
    try:
        first, last = (date.fromisoformat(day) for day in found.groups()) if found else (today, today)
        if (found is None and said != "today") or first > last:
            return None
        return SessionFilter(since=day_bounds(first, zone)[0], until=day_bounds(last, zone)[1])
    except (ValueError, OverflowError):
        return None


def answer_sessions(connection: Connection, asked: Asked) -> Answer:
    """The sessions of a window in pages, the newest first."""
    said = " ".join(asked.words)
    which = read_window(asked.words, asked.zone, asked.now)
    if which is None:
        return refused("There is no such window of sessions", about=said[:100], mend="Windows are:", examples=EXAMPLES)
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


EXAMPLES = ("/charge sessions active", "/charge sessions today", "/charge sessions 2026-03-01..2026-03-07")

WORDS = (
    Word(
        "sessions",
        "sessions [active|today|bookings|FROM..TO]",
        "charging sessions, the newest first",
        "sessions active",
        answer_sessions,
        route="sessions",
    ),
    Word("session", "session ID", "one charging session", "session {session}", answer_session, route="sessions"),
)
