"""A table as CSV (RFC 4180) for spreadsheets: one header, one line a row, times in UTC, no text that becomes a formula.

It writes to the file it is given and closes nothing.
"""

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, TextIO

from notify.text.session_csv import cell


def write_table(file: TextIO, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write a header and the rows; how many rows there were. Floats have six digits, objects are JSON."""
    writer, written = csv.writer(file), 0
    writer.writerow(header)
    for row in rows:
        writer.writerow([_as_text(value) for value in row])
        written += 1
    return written


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if isinstance(value, int | date):
        return str(value)
    if isinstance(value, dict | list):
        return cell(json.dumps(value, ensure_ascii=False, sort_keys=True)) if value else ""
    return cell(value)
