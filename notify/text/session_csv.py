"""Charging sessions as CSV (RFC 4180) for spreadsheets: one header, one line a session, no driver named.

Texts from outside cannot become formulas: one that begins like a formula gets an apostrophe before it, as OWASP advises
for CSV injection. It writes to the file it is given and closes nothing.
"""

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TextIO

from eosvolt.models import SessionReading
from notify.text.words import one_line

HEADER = (
    *("session", "connector", "charger", "location", "status", "type", "started_utc", "ended_utc"),
    *("energy_kwh", "cost", "currency", "stop_reason", "fail_reason"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}")


def write_header(file: TextIO) -> None:
    """Write the names of the columns."""
    csv.writer(file).writerow(HEADER)


def write_sessions(file: TextIO, sessions: Iterable[SessionReading]) -> int:
    """Write a line for each session; how many there were. Energy is kWh, times are UTC, id tags are left out."""
    written = 0
    writer = csv.writer(file)
    for session in sessions:
        writer.writerow(
            (
                *(cell(t) for t in (session.id, session.connector_id, session.charger_id, session.location_id)),
                *(cell(t) for t in (session.status, session.type)),
                *(_moment(at) for at in (session.started_at, session.ended_at)),
                *(_number(value) for value in (session.energy_kwh, session.cost)),
                *(cell(t) for t in (session.currency, session.stop_reason, session.fail_reason)),
            )
        )
        written += 1
    return written


def cell(text: str | None) -> str:
    """A text on one line that no spreadsheet takes for a formula."""
    if text is None:
        return ""
    line = one_line(text)
    return f"'{line}" if line.startswith(FORMULA) or text[:1] in FORMULA else line


def _moment(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}".rstrip("0").rstrip(".")
