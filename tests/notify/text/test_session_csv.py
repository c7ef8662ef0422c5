"""Sessions as CSV: one line each, read back as written, and no cell that a spreadsheet takes for a formula."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notify.text.session_csv import FORMULA, HEADER, cell, write_header, write_sessions
from tests.examples import examples
from tests.readings import MINUTE, T0, session


def lines(*sessions: object) -> list[list[str]]:
    file = io.StringIO(newline="")
    write_header(file)
    assert write_sessions(file, sessions) == len(sessions)  # type: ignore[arg-type]
    return list(csv.reader(io.StringIO(file.getvalue(), newline="")))


def test_a_session_is_one_line_in_utc_and_kwh() -> None:
    row = session("s1", started=T0, ended_at=T0 + MINUTE, energy_kwh=12.5, cost=3.0, currency="DKK", id_tag="04A1")
    header, line = lines(row)
    assert tuple(header) == HEADER
    assert dict(zip(header, line, strict=True)) == {
        "session": "s1",
        "connector": "c1",
        "charger": "ch1",
        "location": "l1",
        "status": "Completed",
        "type": "OnDemand",
        "started_utc": "2026-03-02T10:00:00Z",
        "ended_utc": "2026-03-02T10:01:00Z",
        "energy_kwh": "12.5",
        "cost": "3",
        "currency": "DKK",
        "stop_reason": "",
        "fail_reason": "",
    }


@pytest.mark.parametrize("text", ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", "\uff1d1"])
def test_what_begins_like_a_formula_is_text(text: str) -> None:
    assert cell(text).startswith("'")
    assert lines(session("s1", started=T0, fail_reason=text))[1][-1].startswith("'")


@given(st.text())
@settings(max_examples=examples(200))
def test_no_text_breaks_its_line_or_begins_a_formula(text: str) -> None:
    header, line = lines(session("s1", started=T0, stop_reason=text, fail_reason=text))
    assert len(line) == len(header)
    assert not line[-1].startswith(FORMULA)
    assert not line[-1].lstrip("\u200b\ufeff ").startswith(FORMULA)
