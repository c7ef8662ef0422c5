"""Commands are checked in words, written down once, and judged only by what polls after the answer saw."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from commands.outcomes.sending import (
    claim_next_command,
    expire_commands,
    mark_command_answer,
    recover_commands,
    verify_commands,
    wants_faster_polls,
)
from commands.requests.checks import check_command
from commands.requests.enqueue import Enqueued, enqueue_command
from eosvolt.errors import Conflict, EosvoltError, NotFound, RateLimited, ServerFault, Timeout
from rules.actions.command_kinds import CommandState, Reason
from storage.engine import Database
from storage.schema import AUDIT, COMMAND, OUTBOX
from tests.readings import MINUTE, T0, charger, connector, location, poll, session

SECOND = timedelta(seconds=1)
START, STOP = "start_session", "stop_session"


@pytest.fixture
def fleet(database: Database) -> Database:
    """Two chargers of two connectors each, read at T0; c2 charges in session s2."""
    poll(database, T0, location(), resource="locations", interval=60 * MINUTE)
    plugs = (connector("c1"), connector("c2", "Charging"))
    more = (connector("d1", charger="ch2"), connector("d2", charger="ch2"))
    poll(database, T0, charger(*plugs), charger(*more, charger_id="ch2"))
    poll(database, T0, session("s2", started=T0 - 10 * MINUTE, connector_id="c2"), resource="sessions")
    return database


def sees(database: Database, now: Any, status: str | None, *, online: bool | None = True, name: str = "c1") -> None:
    """A good poll of the chargers that shows one connector so."""
    poll(database, now, charger(connector(name, status), online=online))


def ask(database: Database, kind: str = START, now: Any = T0, nonce: str = "n1", **words: Any) -> Enqueued:
    target = words or ({"connector_id": "c1"} if kind == START else {"session_id": "s2"})
    who = target.pop("user", "U0ADA00001")
    with database.write() as connection:
        return enqueue_command(connection, kind=kind, nonce=nonce, user=who, channel="C1", now=now, **target)


def claim(database: Database, now: Any = T0) -> Any:
    with database.write() as connection:
        return claim_next_command(connection, now)


def answer(database: Database, command: Any, now: Any = T0, **told: Any) -> CommandState | None:
    with database.write() as connection:
        return mark_command_answer(connection, command, now, **told)


def verify(database: Database, now: Any) -> int:
    with database.write() as connection:
        return verify_commands(connection, now)


def the_command(database: Database) -> Any:
    with database.read() as connection:
        return connection.execute(sa.select(COMMAND)).one()


def card(database: Database) -> Any:
    with database.read() as connection:
        return connection.execute(sa.select(OUTBOX).where(OUTBOX.c.kind == "command_card")).one()


def audit(database: Database) -> list[str]:
    with database.read() as connection:
        return [row.outcome for row in connection.execute(sa.select(AUDIT).order_by(AUDIT.c.id))]


def accepted(database: Database, kind: str = START, session_id: str | None = "s9") -> Any:
    """A command that EOSVOLT accepted at T0."""
    ask(database, kind)
    answer(database, claim(database), session_id=session_id)
    return the_command(database)


def test_a_start_is_one_command_one_card_and_one_audit_entry(fleet: Database) -> None:
    asked = ask(fleet)
    command = the_command(fleet)
    assert (asked.command_id, asked.is_new, asked.state) == (command.id, True, "requested")
    assert (command.connector_id, command.charger_id, command.location_id) == ("c1", "ch1", "l1")
    assert (card(fleet).channel, card(fleet).facts) == ("C1", {"command": command.id})
    assert audit(fleet) == ["requested"]


def test_a_second_press_of_the_same_button_is_the_same_command(fleet: Database) -> None:
    first = ask(fleet)
    again = ask(fleet, now=T0 + SECOND, user="U0OLE00002", connector_id="c1")
    assert (again.command_id, again.is_new) == (first.command_id, False)
    assert (again.requested_by, again.requested_at) == ("U0ADA00001", T0)
    assert audit(fleet) == ["requested"]


@pytest.mark.parametrize("nonces", [["n1"] * 4, ["n1", "n2", "n3", "n4"]], ids=["one button", "four buttons"])
def test_people_who_press_at_the_same_moment_make_one_command(fleet: Database, nonces: list[str]) -> None:
    together = Barrier(len(nonces))

    def press(nonce: str) -> Enqueued:
        replica = Database(fleet.url, durable=False)  # a process has one lock for its writes: these are several
        with replica.read():
            together.wait(10)
        try:
            return ask(replica, nonce=nonce, connector_id="c1")
        finally:
            replica.close()

    with ThreadPoolExecutor(len(nonces)) as people:
        asked = list(people.map(press, nonces))
    assert sum(each.is_new for each in asked) == 1
    others = {each.state for each in asked if not each.is_new}
    assert others == ({"requested"} if nonces[0] == nonces[1] else {"refused"})
    assert the_command(fleet).state == "requested"


def test_another_command_on_the_same_charger_is_refused_and_on_another_one_not(fleet: Database) -> None:
    ask(fleet)
    refused = ask(fleet, STOP, nonce="n2", now=T0 + 20 * SECOND)
    assert (refused.command_id, refused.state) == (None, "refused")
    (refusal,) = refused.refusals
    assert (refusal.reason, refusal.user) == (Reason.UNDER_WAY, "U0ADA00001")
    assert refusal.text == "a start of connector c1, asked for 20 s ago, is not answered yet; wait for it"
    assert ask(fleet, nonce="n3", connector_id="d1").is_new
    assert audit(fleet)[1] == f"refused: {refusal.text}"


def test_a_command_that_was_accepted_holds_up_its_connector_but_not_its_charger(fleet: Database) -> None:
    accepted(fleet)
    assert ask(fleet, STOP, nonce="n2").is_new
    assert ask(fleet, nonce="n3", connector_id="c1").refusals[0].reason is Reason.UNDER_WAY


def test_a_command_of_unknown_outcome_holds_up_its_charger(fleet: Database) -> None:
    ask(fleet)
    answer(fleet, claim(fleet), error=Timeout())
    assert ask(fleet, STOP, nonce="n2").refusals[0].reason is Reason.UNDER_WAY


@pytest.mark.parametrize(
    ("kind", "target", "reason", "words"),
    [
        (START, "c2", Reason.ALREADY_CHARGING, "connector c2 is already Charging"),
        (START, "f1", Reason.FAULTED, "connector f1 is Faulted (GroundFailure): it cannot charge"),
        (START, "u1", Reason.UNAVAILABLE, "connector u1 is Unavailable: it was taken out of service"),
        (START, "o1", Reason.OFFLINE, "charger ch4 has been offline for 1 min: it would not hear it"),
        (START, "c9", Reason.UNKNOWN_ID, "no connector has the id c9"),
        (STOP, "c1", Reason.NO_OPEN_SESSION, "no session is open on connector c1"),
        (STOP, "s1", Reason.NO_OPEN_SESSION, "session s1 has already ended"),
        (STOP, "s7", Reason.UNKNOWN_ID, "no session or connector has the id s7"),
    ],
)
def test_what_speaks_against_a_command_is_said_in_words(
    fleet: Database, kind: str, target: str, reason: Reason, words: str
) -> None:
    faulted = connector("f1", "Faulted", charger="ch3", error_code="GroundFailure")
    out = (faulted, connector("u1", "Unavailable", charger="ch3"))
    poll(fleet, T0 + MINUTE, charger(*out, charger_id="ch3"), charger(connector("o1", charger="ch4"), charger_id="ch4"))
    poll(fleet, T0 + MINUTE, charger(connector("o1", charger="ch4"), charger_id="ch4", online=False))
    ended = session("s1", started=T0 - 60 * MINUTE, ended_at=T0 - 30 * MINUTE, connector_id="c1")
    poll(fleet, T0 + MINUTE, ended, resource="sessions")
    with fleet.read() as connection:
        check = check_command(connection, kind, target, T0 + 2 * MINUTE)
    assert [(refusal.reason, refusal.text) for refusal in check.refusals] == [(reason, words)]
    assert not check.allowed


def test_an_unknown_id_is_answered_with_the_nearest_ones(fleet: Database) -> None:
    with fleet.read() as connection:
        assert check_command(connection, START, "C11", T0).nearest == ("c1",)
        assert "s2" in check_command(connection, STOP, "s22", T0).nearest


def test_a_preview_names_what_would_be_done_and_warns_of_what_is_not_known(fleet: Database) -> None:
    sees(fleet, T0 + MINUTE, "Strange", online=None)
    with fleet.read() as connection:
        start = check_command(connection, START, "c1", T0 + 20 * MINUTE)
        stop = check_command(connection, STOP, "c2", T0)
    assert start.action == "Start a session on connector c1 of Charger ch1 at Location l1"
    assert start.warnings == (
        "the state was last read 19 min ago and may have changed",
        "whether charger ch1 is online is not known",
        "the status of connector c1 is unknown (Strange)",
    )
    assert start.allowed
    assert stop.action == "Stop session s2 on connector c2 of Charger ch1 at Location l1"
    assert (stop.session_id, stop.session_started_at) == ("s2", T0 - 10 * MINUTE)


def test_the_state_is_checked_again_when_the_button_is_pressed(fleet: Database) -> None:
    with fleet.read() as connection:
        assert check_command(connection, START, "c1", T0).allowed
    sees(fleet, T0 + MINUTE, "Faulted")
    assert ask(fleet, now=T0 + MINUTE).refusals[0].reason is Reason.FAULTED


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


def test_a_command_without_a_target_or_of_no_known_kind_is_a_mistake_of_ours(fleet: Database) -> None:
    with (
        pytest.raises(ValueError, match="a connector, a session, a charger or a location is needed"),
        fleet.write() as connection,
    ):
        enqueue_command(connection, kind=START, nonce="n", user="U", channel="C", now=T0)
    with pytest.raises(ValueError, match="fly"):
        ask(fleet, "fly", connector_id="c1")
