"""A command is judged only by what polls after the answer saw: verified, failed, or not known."""

from typing import Any

import pytest

from eosvolt.errors import Timeout
from storage.engine import Database
from tests.commands.steps import SECOND, STOP, accepted, answer, ask, audit, card, claim, sees, the_command, verify
from tests.readings import MINUTE, T0, poll, session

pytestmark = pytest.mark.on_either_database


def test_a_start_is_verified_by_a_poll_that_began_after_the_answer(fleet: Database) -> None:
    ask(fleet)
    answer(fleet, claim(fleet), T0 + 8 * SECOND, session_id="s9")
    sees(fleet, T0 + 8 * SECOND, "Charging")  # began with the answer: it may show what was before
    assert verify(fleet, T0 + 30 * SECOND) == 0
    sees(fleet, T0 + MINUTE, "Charging", name="c1")
    assert verify(fleet, T0 + MINUTE) == 1
    assert the_command(fleet).state == "verified"
    assert card(fleet).facts["since"] == (T0 + 8 * SECOND).isoformat()
    assert audit(fleet) == ["requested", "verified: charging"]


@pytest.mark.parametrize("status", ["SuspendedEV", "SuspendedEVSE"])
def test_a_suspended_connector_shows_that_a_start_worked(fleet: Database, status: str) -> None:
    accepted(fleet)
    sees(fleet, T0 + MINUTE, status)
    assert verify(fleet, T0 + MINUTE) == 1
    assert the_command(fleet).state == "verified"


def test_an_active_session_of_its_own_shows_that_a_start_worked(fleet: Database) -> None:
    accepted(fleet)
    sees(fleet, T0 + MINUTE, "Preparing")
    poll(fleet, T0 + MINUTE, session("s9", started=T0), resource="sessions")
    assert verify(fleet, T0 + MINUTE) == 1
    assert the_command(fleet).state == "verified"


def test_a_session_of_somebody_else_does_not_verify_an_accepted_start(fleet: Database) -> None:
    accepted(fleet)
    sees(fleet, T0 + MINUTE, "Preparing")
    poll(fleet, T0 + MINUTE, session("s8", started=T0), resource="sessions")
    assert verify(fleet, T0 + MINUTE) == 0


def test_a_start_without_an_answer_finds_the_session_that_it_made(fleet: Database) -> None:
    ask(fleet)
    answer(fleet, claim(fleet), error=Timeout())
    sees(fleet, T0 + MINUTE, "Preparing")
    poll(fleet, T0 + MINUTE, session("s9", started=T0 + SECOND), resource="sessions")
    assert verify(fleet, T0 + MINUTE) == 1
    assert (the_command(fleet).state, the_command(fleet).session_id) == ("verified", "s9")


def test_a_session_that_failed_ends_the_wait_with_its_reason(fleet: Database) -> None:
    accepted(fleet)
    failed = session("s9", started=T0, status="Failed", ended_at=T0 + SECOND, fail_reason="no car")
    poll(fleet, T0 + MINUTE, failed, resource="sessions")
    assert verify(fleet, T0 + MINUTE) == 1
    assert (the_command(fleet).state, the_command(fleet).outcome) == ("not_verified", "session s9 failed: no car")


@pytest.mark.parametrize("seen", ["Finishing", "Available"])
def test_a_stop_is_verified_when_the_connector_left_charging(fleet: Database, seen: str) -> None:
    accepted(fleet, STOP, None)
    sees(fleet, T0 + MINUTE, "Charging", name="c2")
    assert verify(fleet, T0 + MINUTE) == 0
    sees(fleet, T0 + 2 * MINUTE, seen, name="c2")
    assert verify(fleet, T0 + 2 * MINUTE) == 1
    assert the_command(fleet).state == "verified"


def test_a_stop_is_verified_when_its_session_ended(fleet: Database) -> None:
    accepted(fleet, STOP, None)
    sees(fleet, T0 + MINUTE, "Charging", name="c2")
    ended = session("s2", started=T0 - 10 * MINUTE, ended_at=T0 + 5 * SECOND, connector_id="c2")
    poll(fleet, T0 + MINUTE, ended, resource="sessions")
    assert verify(fleet, T0 + MINUTE) == 1
    assert card(fleet).facts["since"] == (T0 + 5 * SECOND).isoformat()


def test_what_does_not_happen_within_five_minutes_is_not_verified(fleet: Database) -> None:
    accepted(fleet)
    for minutes in range(1, 5):
        sees(fleet, T0 + minutes * MINUTE, "Preparing")
        assert verify(fleet, T0 + minutes * MINUTE) == 0
    assert verify(fleet, T0 + 6 * MINUTE) == 0  # no poll since the time ran out: nothing is known
    sees(fleet, T0 + 7 * MINUTE, "Preparing")
    assert verify(fleet, T0 + 7 * MINUTE) == 1
    assert the_command(fleet).outcome == "the connector is Preparing; look at the charger, or ask EOSVOLT"


@pytest.mark.parametrize("blind", [{"status": "Charging", "online": False}, {"status": "Odd", "online": True}], ids=str)
def test_an_offline_charger_and_an_unknown_status_prove_nothing_and_put_the_end_off(
    fleet: Database, blind: dict[str, Any]
) -> None:
    accepted(fleet)
    for minutes in range(1, 20):
        sees(fleet, T0 + minutes * MINUTE, **blind)
        assert verify(fleet, T0 + minutes * MINUTE) == 0
    sees(fleet, T0 + 20 * MINUTE - SECOND, "Preparing")
    assert verify(fleet, T0 + 20 * MINUTE - SECOND) == 0
    sees(fleet, T0 + 21 * MINUTE, "Charging")
    assert verify(fleet, T0 + 21 * MINUTE) == 1
    assert the_command(fleet).state == "verified"


def test_a_charger_that_stays_away_for_an_hour_ends_the_wait_with_what_is_not_known(fleet: Database) -> None:
    accepted(fleet)
    sees(fleet, T0 + MINUTE, "Available", online=False)
    assert verify(fleet, T0 + 59 * MINUTE) == 0
    assert verify(fleet, T0 + 60 * MINUTE) == 1
    assert the_command(fleet).outcome.startswith("it could not be seen: the charger is offline")
