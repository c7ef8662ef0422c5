"""Silences as people ask for them: what could keep nothing quiet is refused with the right word, never "Silenced."."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from storage.schema import SILENCE
from tests.bot.house import FAULTED, House, polled_anew
from tests.bot.slack.listeners.test_forms import opened

DARK: dict[str, Any] = {
    "name": "site-dark",
    "for_each": "location",
    "when": "share(location.chargers where not charger.online) >= 50 %",
    "severity": "critical",
    "labels": {"team": "grid"},
}
TOLD = {"name": "sessions-told", "on": "session.ended"}


@pytest.fixture
async def ruled(closed_house: House) -> House:
    """The service at work with an alert rule over connectors, one over locations, and one that announces events."""
    closed_house.interval = 60
    await closed_house.start(FAULTED | {"labels": {"team": "field"}}, DARK, TOLD)
    return closed_house


def silences(house: House) -> list[Any]:
    with house.running.database.read() as connection:
        return list(connection.execute(sa.select(SILENCE).order_by(SILENCE.c.id)).all())


WRONG = [
    ("loction=l1", "A silence has no", "/charge silence location=l1 for 2h REASON"),
    ("chargr=100", "A silence has no", "/charge silence charger=100 for 2h REASON"),
    ("rules=site-dark", "A silence has no", "/charge silence rule=site-dark for 2h REASON"),
    ("teem=grid", "A silence has no", "/charge silence team=grid for 2h REASON"),
    ("team=gird", "with the value", "/charge silence team=grid for 2h REASON"),
    ("team=sales", "with the value", "/charge silence team=field for 2h REASON"),
    ("severity=critical", "A silence has no", "/charge silence rule=connector-faulted for 2h REASON"),
    ("severity=info", "A silence has no", "/charge rules"),
    ("xyzzy=1", "rule, location, charger, connector, session and team", "/charge silence"),
    ("=x", "as KEY=VALUE, and not", "/charge silence"),
    ("location=", "as KEY=VALUE, and not", "/charge silence"),
    ("rule=conector-faulted", "There is no rule", "/charge rules show connector-faulted"),
    ("rule=sessions-told", "this rule makes none", "/charge rules off sessions-told"),
    ("location=nowhere", "There is no location with the id", "/charge"),
    ("rule=site-dark connector={free}", "about a connector", "rule=site-dark location="),
    ("rule=site-dark {free}", "about a connector", "/charge silence rule=site-dark for 2h REASON"),
    ("rule=site-dark team=field", "This rule has no such label", "/charge rules show site-dark"),
    ("team=grid {free}", "about a connector", "/charge silence team=grid location="),
    ("rule=site-dark rule=connector-faulted", "one rule at most", "/charge silence rule=site-dark for 2h REASON"),
]


async def test_a_silence_of_no_length_or_no_reason_is_refused(ruled: House) -> None:
    for said, problem in [
        ("for 0m Works", "A silence lasts for example 30m, 2h or 3d, and not 0m"),
        ("for \u0662h Works", "A silence lasts for example"),
        ("for 401d Works", "400 days at most"),
        ("for 2h \u200b", "A silence needs a reason"),
    ]:
        assert problem in (await ruled.ask(f"silence rule=connector-faulted {said}")).plain().replace("`", ""), said
    assert silences(ruled) == []


async def test_a_silence_that_could_match_nothing_is_refused(ruled: House) -> None:
    for said, problem, mend in WRONG:
        answer = (await ruled.ask(f"silence {said.format(free=ruled.free())} for 2h Works")).plain()
        assert problem in answer, said
        assert mend in answer, said
        assert "Silenced" not in answer
    assert silences(ruled) == []


RIGHT = [
    "team=field",
    "TEAM=field",
    "rule=connector-faulted",
    "{free}",
    "rule=connector-faulted {free}",
    "team=field {free}",
]


async def test_a_silence_that_can_match_is_made(ruled: House) -> None:
    for number, said in enumerate(RIGHT, 1):
        answer = (await ruled.ask(f"silence {said.format(free=ruled.free())} for 2h Works")).plain()
        assert f"Silence `#{number}` is in force" in answer, said


async def test_without_a_reason_what_was_typed_is_shown_with_one(ruled: House) -> None:
    for said in ("for 2 hours", "until friday 6pm"):
        answer = (await ruled.ask(f"silence {ruled.free()} {said}.")).plain()
        assert f"/charge silence {ruled.free()} {said} Technician on site" in answer


async def test_lengths_and_times_are_read_as_people_write_them(ruled: House) -> None:
    now = ruled.clock()  # 08:15 in UTC, 09:15 in the service's zone, which is also the person's
    said = {
        "rule=connector-faulted for 2 hours Works": now + timedelta(hours=2),
        "rule=connector-faulted for 90 min Works": now + timedelta(minutes=90),
        "rule=connector-faulted for an hour and 5 minutes “Works”.": now + timedelta(minutes=65),
        "rule=connector-faulted until 6pm Works": now.replace(hour=17, minute=0, second=0, microsecond=0),
        "rule=connector-faulted until noon Works": now.replace(hour=11, minute=0, second=0, microsecond=0),
        "rule=connector-faulted until Friday 6pm Works": datetime(2026, 3, 6, 17, tzinfo=UTC),
        "rule=connector-faulted until mon Works": datetime(2026, 3, 8, 23, tzinfo=UTC),
        "rule=connector-faulted until wednesday 8am Works": datetime(2026, 3, 11, 7, tzinfo=UTC),  # today is one
    }
    for number, (words, until) in enumerate(said.items()):
        answer = (await ruled.ask(f"silence {words}")).plain()
        assert "in Europe/Copenhagen" not in answer, words  # it is their own clock
        row = silences(ruled)[number]
        assert abs(row.until - until) < timedelta(minutes=1), words
        assert row.reason == "Works"
    told = (await ruled.ask(f"silence {ruled.free()} until 6pm Works")).plain()
    assert "(17:00 in Europe/Dublin)" in told  # that charger's own


async def test_a_time_of_day_is_by_the_person_s_own_clock_and_the_site_s_is_said_beside_it(ruled: House) -> None:
    ruled.workspace.users["U0ADA00001"].timezone = "Asia/Tokyo"
    ruled.running.responder.permissions._remembered.clear()
    told = (await ruled.ask("silence rule=connector-faulted until 18:00 Works")).plain()
    (row,) = silences(ruled)
    assert (row.until.hour, row.until.minute, row.until - ruled.clock() < timedelta(days=1)) == (9, 0, True)
    assert "(10:00 in Europe/Copenhagen)" in told
    told = (await ruled.ask("silence rule=connector-faulted until tomorrow 06:00 Works")).plain()
    assert re.search(r"\(\w{3} 22:00 in Europe/Copenhagen\)", told)
    listed = (await ruled.ask("silences")).plain()
    assert "At the sites (Europe/Copenhagen) it is now 09:15." in listed


async def test_a_zone_that_slack_does_not_tell_or_nobody_knows_leaves_the_site_s(ruled: House) -> None:
    for zone in ("", "Mars/Olympus"):
        ruled.workspace.users["U0ADA00001"].timezone = zone
        ruled.running.responder.permissions._remembered.clear()
        told = (await ruled.ask("silence rule=connector-faulted until 18:00 Works")).plain()
        assert "(18:00 in Europe/Copenhagen)" in told
        assert silences(ruled)[-1].until.hour == 17
    assert "At the sites" not in (await ruled.ask("silences")).plain()


async def test_until_recovery_before_the_fault_is_refused_in_words(ruled: House) -> None:
    for said in ("{free}", "rule=connector-faulted", "team=field"):
        answer = (await ruled.ask(f"silence {said.format(free=ruled.free())} until recovery Works")).plain()
        assert "there is no recovery to wait for" in answer, said
        assert "for 2h" in answer
    assert silences(ruled) == []


async def test_until_recovery_holds_from_the_fault_to_the_recovery(ruled: House) -> None:
    broken = ruled.free()
    ruled.break_connector(broken)
    await polled_anew(ruled.running)
    async with asyncio.timeout(30):
        while "no recovery to wait for" in (told := await ruled.ask(f"silence {broken} until recovery Known")).plain():
            await polled_anew(ruled.running)
    assert "is in force" in told.plain()
    ruled.clock.ahead += timedelta(minutes=2)
    await polled_anew(ruled.running)
    assert [row.ended_at for row in silences(ruled)] == [None]
    ruled.fleet.force_connector(broken, {"status": "Available", "errorCode": "NoError"}, ruled.clock())
    async with asyncio.timeout(30):
        while silences(ruled)[0].ended_at is None:  # a poll is evaluated a moment after it is recorded
            await polled_anew(ruled.running)
            await ruled.running.remind(ruled.clock())


PARTS = {
    "silence {free} 2h Technician on site": ("{free}", "for 2h", "Technician on site"),
    "silence {free} for 5 minutes": ("{free}", "for 5 minutes", None),
    "silence {free} for 5 years Being rebuilt": ("{free}", "for 400d", "Being rebuilt"),
    "silence {free} until banana Works": ("{free}", None, "Works"),
    "silence {free} until 18:00": ("{free}", "until 18:00", None),
    "silence rule=nope for 2h Known": ("rule=nope", "for 2h", "Known"),
    "silence {free} weekly sat 02:00-04:00": ("{free}", "weekly sat 02:00-04:00", None),
    "silence": (None, None, None),
}


async def test_the_form_opens_with_what_could_be_read_of_a_line(ruled: House) -> None:
    for words, parts in PARTS.items():
        view = await opened(ruled, words.format(free=ruled.free()), "silence")
        filled = {block["block_id"]: block["element"].get("initial_value") for block in view.blocks}
        told = tuple(filled[name] for name in ("what", "other", "reason"))
        assert told == tuple(part and part.format(free=ruled.free()) for part in parts), words
        await ruled.workspace.close_modal("ada")  # else it is found in place of the next
    assert silences(ruled) == []


async def test_a_silence_that_is_too_long_is_told_the_longest(ruled: House) -> None:
    answer = (await ruled.ask(f"silence {ruled.free()} for 5 years Being rebuilt")).plain()
    assert "A silence lasts 400 days at most, and not `5 years`" in answer
    longest = re.findall(r"/charge (silence \S+ for 400d Being rebuilt)", answer)[0]
    assert "is in force" in (await ruled.ask(longest)).plain()
