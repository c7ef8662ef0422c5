"""Schedules in words mean the cron that they say, and cron is told in words."""

import pytest

from rules.documents.plain_schedules import cron_of, in_words

SAID = {
    "every day at 08:00": "0 8 * * *",
    "Daily at 8:00": "0 8 * * *",
    "every weekday at 08:00": "0 8 * * 1-5",
    "weekdays at 8am": "0 8 * * 1-5",
    "every weekend at noon": "0 12 * * 6,0",
    "every Monday at 9:00": "0 9 * * 1",
    "Mondays at 12:30 pm": "30 12 * * 1",
    "every Monday and Thursday at 9:00": "0 9 * * 1,4",
    "Mon, Wed and Fri at 7:30": "30 7 * * 1,3,5",
    "first Monday of the month at 9:00": "0 9 * * 1#1",
    "the third Tuesday of each month at 12 am": "0 0 * * 2#3",
    "last Friday of every month at 5pm": "0 17 * * 5L",
    "every month on the 1st at 9:00": "0 9 1 * *",
    "on the 15th of the month at 9:00": "0 9 15 * *",
    "last day of the month at 17:00": "0 17 L * *",
    "every hour": "0 * * * *",
    "every 15 minutes": "*/15 * * * *",
    "0 8 * * MON-FRI": "0 8 * * MON-FRI",
    "*/5   * * * *": "*/5 * * * *",
}


@pytest.mark.parametrize("words", SAID)
def test_words_mean_their_cron(words: str) -> None:
    assert cron_of(words) == SAID[words]


MEANINGLESS = (
    *("every 7 minutes", "every day at 25:00", "Monday", "tomorrow at 9:00", "fifth Monday of the month at 9:00"),
    *("every Monday and Blursday at 9:00", "32nd of the month at 9:00", "every day at 13pm"),
)


@pytest.mark.parametrize("words", MEANINGLESS)
def test_words_that_mean_nothing_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match="the schedule"):
        cron_of(words)


def test_a_schedule_is_told_in_words_however_it_is_written() -> None:
    assert in_words("every weekday at 8:00") == in_words("0 8 * * 1-5") == "at 08:00 on Monday through Friday"
