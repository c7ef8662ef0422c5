"""Words as Slack encodes them and as people type them: mentions, links, quotes, stops, days and lengths of time."""

from datetime import date, time, timedelta

import pytest

from bot.slack.charge.days import NoSuchDays, read_days
from bot.slack.charge.registry import rest_of
from bot.slack.charge.spoken import group_of, person_of, plain, split, typed
from bot.slack.charge.times import read_length, read_time

TODAY = date(2026, 3, 4)  # a Wednesday


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("start 113.3.1.", ["start", "113.3.1"]),
        ("`start 113.3.1`", ["start", "113.3.1"]),
        ("  Status!  ", ["Status"]),
        ("location “Harbour East”", ["location", "Harbour East"]),
        ('alerts location="Harbour East" firing', ["alerts", "location=Harbour East", "firing"]),
        ("grant <@U0ADA00001|ada> admin", ["grant", "<@U0ADA00001>", "admin"]),
        ("grant <!subteam^S0ONCALL01|@oncall> admin", ["grant", "@oncall", "admin"]),
        ("grant <!subteam^S0ONCALL01> admin", ["grant", "<!subteam^S0ONCALL01>", "admin"]),
        ("x <#C0ALERTS01|ev-alerts> <#C0ALERTS01|> <#C0ALERTS01>", ["x", "#ev-alerts", "C0ALERTS01", "C0ALERTS01"]),
        ("charger <http://easee.com|easee.com>", ["charger", "easee.com"]),
        ("charger <https://easee.com>", ["charger", "https://easee.com"]),
        ("note <mailto:a@b.example|a@b.example>", ["note", "a@b.example"]),
        ("<!here> <!channel|@channel>", ["@here", "@channel"]),
        ("a &lt;!channel&gt; &amp;amp;", ["a", "<!channel>", "&amp;"]),
        ("...", ["..."]),
        ('5" plug', ["5", "plug"]),
        ("", []),
        ("```status```", ["status"]),
    ],
)
def test_words_are_read_as_people_mean_them(said: str, words: list[str]) -> None:
    assert list(split(said)) == words
    if words:
        assert split(typed((*words, "x"))) == (*words, "x")


def test_a_rule_keeps_its_lines_and_gets_straight_quotes_and_names_of_channels() -> None:
    text = "rules add name: hot\nwhen: connector.status == “Faulted”\nnotify: <#C0ALERTS01|ev-alerts>"
    from_rule = 'name: hot\nwhen: connector.status == "Faulted"\nnotify: #ev-alerts'
    assert plain(text) == f"rules add {from_rule}"
    assert rest_of("status now", None) == "status now"


def test_people_and_groups_are_known_by_their_ids() -> None:
    assert person_of("<@U0ADA00001>") == person_of("U0ADA00001") == "U0ADA00001"
    assert group_of("<!subteam^S0ONCALL01>") == "S0ONCALL01"
    assert [person_of("@ada"), group_of("@oncall"), person_of("113")] == [None, None, None]


DAYS = {
    "today": ("2026-03-04", "2026-03-04"),
    "yesterday": ("2026-03-03", "2026-03-03"),
    "2026-02-01": ("2026-02-01", "2026-02-01"),
    "2026-02-01 2026-02-03": ("2026-02-01", "2026-02-03"),
    "2026-02-01..2026-02-03": ("2026-02-01", "2026-02-03"),
    "2026-02-01…2026-02-03": ("2026-02-01", "2026-02-03"),
    "2026-02-01—2026-02-03": ("2026-02-01", "2026-02-03"),
    "from 2026-02-01 to yesterday": ("2026-02-01", "2026-03-03"),
    "since 2026-03-01": ("2026-03-01", "2026-03-04"),
    "7d": ("2026-02-26", "2026-03-04"),
    "the last 2 weeks": ("2026-02-19", "2026-03-04"),
    "last week": ("2026-02-23", "2026-03-01"),
    "this week": ("2026-03-02", "2026-03-04"),
    "last month": ("2026-02-01", "2026-02-28"),
    "last year": ("2025-01-01", "2025-12-31"),
}


@pytest.mark.parametrize("said", DAYS)
def test_days_are_read(said: str) -> None:
    found, rest = read_days(("x", *said.split(), "y"), TODAY)
    assert found is not None
    assert (found.first.isoformat(), found.last.isoformat()) == DAYS[said]
    assert rest == ("x", "y")


def test_days_that_are_none_are_refused_or_left() -> None:
    for said in ("2026-02-30", "2026-03-04 2026-03-01", "0 days", "999 days", "1066-01-01", "401d"):
        with pytest.raises(NoSuchDays):
            read_days(said.split(), TODAY)
    assert read_days(("hello", "7"), TODAY) == (None, ("hello", "7"))
    assert read_days((), TODAY) == (None, ())


@pytest.mark.parametrize(
    ("said", "length", "used"),
    [
        ("2h known", timedelta(hours=2), 1),
        ("2 hours known", timedelta(hours=2), 2),
        ("90 min", timedelta(minutes=90), 2),
        ("5 minutes known", timedelta(minutes=5), 2),
        ("5minutes", timedelta(minutes=5), 1),
        ("an hour", timedelta(hours=1), 2),
        ("1 hour and 30 minutes known", timedelta(minutes=90), 5),
        ("1h30m", timedelta(minutes=90), 1),
        ("2 weeks", timedelta(weeks=2), 2),
        ("2 months known", timedelta(days=60), 2),
        ("5years", timedelta(days=1825), 1),
        ("a year", timedelta(days=365), 2),
        ("٢ years", None, 0),
        ("known", None, 0),
        ("٢h", None, 0),
    ],
)
def test_lengths_are_read(said: str, length: timedelta | None, used: int) -> None:
    assert read_length(said.split()) == (length, used)


def test_times_of_day_are_read() -> None:
    said = {"6pm": time(18), "6 pm": time(18), "6:30pm": time(18, 30), "12am": time(0), "12pm": time(12)}
    said |= {"18:00": time(18), "18.30": time(18, 30), "8h": time(8), "noon": time(12), "midnight": time(0)}
    assert {words: read_time([*words.split(), "x"])[0] for words in said} == said
    assert {words: read_time([words])[0] for words in ("18", "25:00", "13pm", "soon", "")} == dict.fromkeys(
        ("18", "25:00", "13pm", "soon", "")
    )
