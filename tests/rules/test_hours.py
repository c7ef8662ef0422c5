"""Time that counts in hours of the day alone: against a walk minute by minute, over changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.documents.document import rule_from_document
from rules.hours import Hours, read_hours
from rules.language.errors import RuleErrors
from tests.examples import examples

MINUTE = timedelta(minutes=1)
ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Copenhagen", "America/New_York", "Asia/Kathmandu")]
HOURS = [
    Hours("08:00", "18:00", business=True),
    Hours("22:00", "06:00", business=False),
    Hours("00:00", "24:00", business=True),
    Hours("09:30", "10:15", business=False),
]


def is_within(hours: Hours, moment: datetime, zone: ZoneInfo) -> bool:
    local = moment.astimezone(zone)
    clock = f"{local:%H:%M}"
    over_midnight = hours.begin > hours.end
    within = clock >= hours.begin or clock < hours.end if over_midnight else hours.begin <= clock < hours.end
    return within and (not hours.business or local.weekday() < 5)


@settings(max_examples=examples(40))
@given(
    st.sampled_from(HOURS),
    st.sampled_from(ZONES),
    st.integers(0, 26 * 24 * 60),
    st.integers(1, 1_500),
)
def test_hours_add_up_as_the_minutes_in_them_do(hours: Hours, zone: ZoneInfo, later: int, minutes: int) -> None:
    start = datetime(2026, 3, 5, tzinfo=UTC) + later * MINUTE  # both changes of the clock lie ahead
    moment, counted = start, 0
    while counted < minutes:
        counted += is_within(hours, moment, zone)
        moment += MINUTE
    assert hours.after(start, minutes * MINUTE, zone) == moment
    assert hours.within(start, moment, zone) == minutes * MINUTE


def test_what_is_written_is_read_and_stored() -> None:
    written = '30m of business_hours("08:00-18:00")'
    document = {"name": "x", "for_each": "charger", "when": "not charger.online", "for": written}
    rule = rule_from_document(document, "x.yaml")
    assert (rule.for_, rule.for_hours) == (30 * MINUTE, Hours("08:00", "18:00", business=True))
    assert rule.document["for"] == written
    assert rule_from_document(rule.document, "x.yaml") == rule
    assert read_hours("30m") is None


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ('30m of business_hours("8-18")', "hours that cannot be read"),
        ('30m of office_hours("08:00-18:00")', "hours that cannot be read"),
        ('30m of business_hours("18:00-08:00")', "end before they begin"),
        ('30 of business_hours("08:00-18:00")', '"30" has no unit'),
        ('30m of hours("08:00-08:00")', "end before they begin"),
    ],
)
def test_wrong_hours_say_what_is_right(written: str, error: str) -> None:
    document = {"name": "x", "for_each": "charger", "when": "not charger.online", "for": written}
    with pytest.raises(RuleErrors) as raised:
        rule_from_document(document, "x.yaml")
    assert error in str(raised.value)
