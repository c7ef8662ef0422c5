"""A command for a thing that cannot be read: refused where its id means two things, warned of where it is only old."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from commands.requests.checks import check_command
from rules.actions.command_kinds import CommandCheck, Reason
from storage.engine import Database
from tests.bot.service.jobs.api_of_rows import ApiOfRows, charger_row, plug_row, session_row
from tests.readings import MINUTE, T0

TWO_BOXES = [charger_row("ch1", plug_row("a"), plug_row("b")), charger_row("ch2", plug_row("c"))]
OF_A_CONNECTOR = ("start_session", "unlock", "disable")


@pytest.fixture
async def api(database: Database) -> AsyncIterator[ApiOfRows]:
    """Two chargers with connectors a and b, and c; a session is open on each of a and b."""
    api = ApiOfRows(database)
    api.rows["chargers"] = TWO_BOXES
    api.rows["sessions"] = [session_row(f"s-{plug}", plug, T0 - 5 * MINUTE) for plug in "ab"]
    await api.tick()
    yield api
    await api.jobs.client.aclose()


def check(api: ApiOfRows, kind: str, target: str, **values: Any) -> CommandCheck:
    with api.database.read() as connection:
        return check_command(connection, kind, target, api.now, **values)


def reasons(checked: CommandCheck) -> list[Reason]:
    return [refusal.reason for refusal in checked.refusals]


async def test_a_connector_id_that_two_chargers_tell_is_refused_with_both(api: ApiOfRows) -> None:
    assert not any(Reason.AMBIGUOUS in reasons(check(api, kind, "a")) for kind in OF_A_CONNECTOR)
    await api.tick(chargers=[charger_row("ch2", plug_row("c"), plug_row("a"))])
    for kind in OF_A_CONNECTOR:
        refused = [one for one in check(api, kind, "a", ends=["s-a"]).refusals if one.reason is Reason.AMBIGUOUS]
        assert len(refused) == 1, kind
        assert "ch1" in refused[0].text
        assert "ch2" in refused[0].text
    assert Reason.AMBIGUOUS in reasons(check(api, "stop_session", "a")), "which session is on it is not known either"
    named = check(api, "stop_session", "s-a")
    assert named.allowed, "the session's own id means one thing"
    assert any("connector a cannot be read" in warning for warning in named.warnings)
    assert check(api, "stop_session", "b").allowed
    charger = check(api, "reset_soft", "ch1", ends=["s-a", "s-b"])
    assert charger.allowed
    assert any("connector a cannot be read" in warning for warning in charger.warnings)
    api.rows["chargers"] = TWO_BOXES
    await api.ticks(10)
    assert reasons(check(api, "unlock", "a", ends=["s-a"])) == [], "told apart again"


async def test_a_charger_that_is_told_at_another_location_is_refused_until_a_sweep_says_so(api: ApiOfRows) -> None:
    await api.tick(chargers=[charger_row("ch2", plug_row("c"), location="l2")])
    assert reasons(check(api, "reset_hard", "ch2")) == [Reason.AMBIGUOUS]
    assert reasons(check(api, "unlock", "c")) == [Reason.AMBIGUOUS]
    assert reasons(check(api, "start_session", "c")) == [Reason.AMBIGUOUS]
    api.rows["chargers"] = [TWO_BOXES[0], charger_row("ch2", plug_row("c"), location="l2")]
    await api.ticks(10)
    assert reasons(check(api, "reset_hard", "ch2")) == []


async def test_a_session_id_that_two_sessions_have_is_not_stopped(api: ApiOfRows) -> None:
    await api.tick(sessions=[session_row("s-a", "c", T0)])
    assert Reason.AMBIGUOUS in reasons(check(api, "stop_session", "s-a"))
    assert Reason.AMBIGUOUS in reasons(check(api, "stop_session", "a"))


async def test_what_is_only_old_is_warned_of_with_since_when(api: ApiOfRows) -> None:
    bad = charger_row("ch2", plug_row("c"), location={"site": 1})
    api.rows["chargers"] = [TWO_BOXES[0], bad]
    await api.tick(chargers=[bad])
    await api.ticks(20)
    for kind, target in (("start_session", "c"), ("unlock", "c"), ("reset_soft", "ch2"), ("disable", "ch2")):
        checked = check(api, kind, target)
        assert checked.allowed, kind
        assert any("cannot be read for 20 min: it is as last read" in warning for warning in checked.warnings), kind
    assert not any("cannot be read" in warning for warning in check(api, "disable", "ch1").warnings)
