"""Commands are claimed once, marked before they are sent, and never sent again where their outcome is not known."""

from typing import Any

import pytest

from commands.outcomes.sending import expire_commands, recover_commands, wants_faster_polls
from eosvolt.errors import Conflict, EosvoltError, NotFound, RateLimited, ServerFault, Timeout
from rules.actions.command_kinds import CommandState
from storage.engine import Database
from tests.commands.steps import SECOND, accepted, answer, ask, audit, card, claim, sees, the_command, verify
from tests.readings import MINUTE, T0

pytestmark = pytest.mark.on_either_database


def test_a_command_is_claimed_once_and_marked_before_it_is_sent(fleet: Database) -> None:
    ask(fleet)
    command = claim(fleet)
    assert (command.state, command.sending_at) == ("sending", T0)
    assert claim(fleet) is None
    assert card(fleet).version == 2


def test_a_request_that_was_not_sent_in_time_is_not_sent_any_more(fleet: Database) -> None:
    ask(fleet)
    late = T0 + 5 * MINUTE
    assert claim(fleet, late) is None
    with fleet.write() as connection:
        assert expire_commands(connection, late) == 1
    assert the_command(fleet).state == "expired"
    assert audit(fleet)[-1] == "expired: it could not be sent in time, so nothing was done"
    assert ask(fleet, nonce="n2", now=late, connector_id="c1").is_new


@pytest.mark.parametrize(
    "error", [RateLimited(retry_after=30), Timeout(did_not_run=True)], ids=["429", "no connection"]
)
def test_what_did_not_run_is_sent_again_until_it_expires(fleet: Database, error: EosvoltError) -> None:
    ask(fleet)
    assert answer(fleet, claim(fleet), error=error) is CommandState.REQUESTED
    assert claim(fleet, T0 + 9 * SECOND) is None
    again = claim(fleet, T0 + 30 * SECOND)
    assert again.id == the_command(fleet).id
    assert answer(fleet, again, T0 + 299 * SECOND, error=error) is CommandState.REQUESTED
    assert claim(fleet, T0 + 300 * SECOND) is None
    with fleet.write() as connection:
        assert expire_commands(connection, T0 + 300 * SECOND) == 1
    assert "the last attempt: " in the_command(fleet).outcome


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Conflict(code="connector_not_available", message="x"), "the connector is not free"),
        (Conflict(code="charger_offline"), "the charger is offline"),
        (Conflict("Odd.", code="new_code"), "does not allow it: look at it first, then ask again (EOSVOLT said: Odd)"),
        (NotFound(), "EOSVOLT knows no such charger, connector or session: check the id"),
    ],
)
def test_a_refusal_is_final_and_explained(fleet: Database, error: EosvoltError, words: str) -> None:
    ask(fleet)
    assert answer(fleet, claim(fleet), error=error) is CommandState.FAILED
    command = the_command(fleet)
    assert words in command.outcome
    assert (command.ended_at, command.error_code) == (T0, error.code)
    assert claim(fleet, T0 + MINUTE) is None


@pytest.mark.parametrize("error", [Timeout(), ServerFault(status=502)], ids=["time-out", "502"])
def test_an_unknown_outcome_is_never_sent_again(fleet: Database, error: EosvoltError) -> None:
    ask(fleet)
    assert answer(fleet, claim(fleet), error=error) is CommandState.UNKNOWN
    for minutes in range(1, 70):
        sees(fleet, T0 + minutes * MINUTE, "Available")
        verify(fleet, T0 + minutes * MINUTE)
        assert claim(fleet, T0 + minutes * MINUTE) is None
    assert the_command(fleet).state == "not_verified"
    assert "it was not sent again" in the_command(fleet).outcome


def test_after_a_restart_what_was_being_sent_is_unknown_and_then_looked_at(fleet: Database) -> None:
    ask(fleet)
    claim(fleet)
    with fleet.write() as connection:
        assert recover_commands(connection, T0 + MINUTE, older_than=2 * MINUTE) == 0
        assert recover_commands(connection, T0 + MINUTE) == 1
    assert the_command(fleet).state == "unknown"
    assert claim(fleet, T0 + MINUTE) is None
    sees(fleet, T0 + 2 * MINUTE, "Charging")
    assert verify(fleet, T0 + 2 * MINUTE) == 1


def test_an_answer_that_comes_after_all_is_better_than_unknown(fleet: Database) -> None:
    ask(fleet)
    command = claim(fleet)
    with fleet.write() as connection:
        recover_commands(connection, T0 + MINUTE)
    assert answer(fleet, command, T0 + MINUTE, session_id="s9") is CommandState.SUCCEEDED
    assert the_command(fleet).session_id == "s9"


def test_an_answer_that_comes_after_the_end_changes_nothing(fleet: Database) -> None:
    ask(fleet)
    command = claim(fleet)
    assert answer(fleet, command, T0 + MINUTE, error=Conflict(code="charger_offline")) is CommandState.FAILED
    assert answer(fleet, command, T0 + MINUTE, session_id="s9") is None
    assert answer(fleet, command, T0 + MINUTE, error=RateLimited()) is None
    assert the_command(fleet).state == "failed"


def test_faster_polls_are_wanted_only_while_an_outcome_is_awaited(fleet: Database) -> None:
    def wanted(now: Any) -> bool:
        with fleet.read() as connection:
            return wants_faster_polls(connection, now)

    assert not wanted(T0)
    accepted(fleet)
    assert wanted(T0 + MINUTE)
    assert not wanted(T0 + 10 * MINUTE)
    sees(fleet, T0 + 11 * MINUTE, "Charging")
    verify(fleet, T0 + 11 * MINUTE)
    assert not wanted(T0)
