"""Resets, unlocking and service: checked in words, sent once, and judged by what polls after the answer saw."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from commands.outcomes.approvals import Decision, approve_command, refuse_command
from commands.outcomes.sending import claim_next_command, expire_commands, mark_command_answer, verify_commands
from commands.requests.checks import check_command
from commands.requests.enqueue import Enqueued, enqueue_command
from eosvolt.errors import Rejected, Timeout
from rules.actions.command_kinds import CommandState, Reason
from storage.engine import Database
from storage.schema import AUDIT, COMMAND
from tests.readings import MINUTE, T0, charger, connector, location, poll, session

pytestmark = pytest.mark.on_either_database

SECOND = timedelta(seconds=1)
HALF_AN_HOUR = timedelta(minutes=30)
ADA, OLE = "U0ADA00001", "U0OLE00002"


@pytest.fixture
def fleet(database: Database) -> Database:
    """A charger with a free, a charging and an unavailable connector, one that is quite free, and one offline."""
    poll(database, T0, location(), resource="locations", interval=60 * MINUTE)
    plugs = (connector("c1"), connector("c2", "Charging"), connector("c3", "Unavailable"))
    free = charger(connector("d1", charger="ch2"), connector("d2", charger="ch2"), charger_id="ch2")
    far = charger(connector("o1", charger="ch3"), charger_id="ch3", online=False)
    poll(database, T0, charger(*plugs), free, far)
    poll(database, T0, session("s2", started=T0 - 10 * MINUTE, connector_id="c2"), resource="sessions")
    return database


def ask(database: Database, kind: str, now: Any = T0, nonce: str = "n1", user: str = ADA, **words: Any) -> Enqueued:
    with database.write() as connection:
        return enqueue_command(connection, kind=kind, nonce=nonce, user=user, channel="C1", now=now, **words)


def sent(database: Database, kind: str, error: Any = None, **words: Any) -> None:
    """A command that was sent at T0, and answered."""
    assert ask(database, kind, **words).is_new
    with database.write() as connection:
        command = claim_next_command(connection, T0)
        assert command is not None
        mark_command_answer(connection, command, T0 + SECOND, answer=None if error else "Accepted", error=error)


def sees(database: Database, now: Any, online: bool = True, **statuses: str) -> int:
    """A good poll in which the second charger's connectors have these statuses; how many commands ended by it."""
    plugs = [
        connector(name, status, charger="ch2")
        for name, status in {"d1": "Available", "d2": "Available", **statuses}.items()
    ]
    poll(database, now, charger(*plugs, charger_id="ch2", online=online))
    poll(database, now, resource="sessions")
    with database.write() as connection:
        return verify_commands(connection, now)


def the_command(database: Database) -> Any:
    with database.read() as connection:
        return connection.execute(sa.select(COMMAND)).one()


def decide(database: Database, user: str, now: Any = T0 + MINUTE, *, approves: bool = True) -> Decision:
    with database.write() as connection:
        command_id = connection.execute(sa.select(COMMAND.c.id)).scalar_one()
        if approves:
            return approve_command(connection, command_id, user, now)
        return refuse_command(connection, command_id, user, now)


@pytest.mark.parametrize(
    ("kind", "target", "reason", "words"),
    [
        ("reset_soft", "ch3", Reason.OFFLINE, "charger ch3 has been offline for 2 min: it would not hear it"),
        ("reset_soft", "ch1", Reason.OPEN_SESSION, "session s2 is open on connector c2, and this would end it"),
        ("unlock", "c2", Reason.OPEN_SESSION, "session s2 is open on connector c2, and this would end it"),
        ("reset_hard", "ch9", Reason.UNKNOWN_ID, "no charger has the id ch9"),
        ("reset_hard", "c1", Reason.UNKNOWN_ID, "no charger has the id c1"),
        ("unlock", "ch1", Reason.UNKNOWN_ID, "no connector has the id ch1"),
        ("enable", "zz", Reason.UNKNOWN_ID, "no charger or connector has the id zz"),
        ("enable", "c1", Reason.ALREADY_SO, "connector c1 is not out of service: it is Available"),
        ("enable", "ch2", Reason.ALREADY_SO, "no connector of charger ch2 is out of service"),
        ("disable", "c3", Reason.ALREADY_SO, "connector c3 is already out of service (Unavailable)"),
    ],
)
def test_what_speaks_against_it_is_said_in_words(
    fleet: Database, kind: str, target: str, reason: Reason, words: str
) -> None:
    with fleet.read() as connection:
        check = check_command(connection, kind, target, T0 + 2 * MINUTE)
    assert [(refusal.reason, refusal.text) for refusal in check.refusals] == [(reason, words)]


def test_a_preview_says_which_sessions_end_and_only_those_may(fleet: Database) -> None:
    with fleet.read() as connection:
        check = check_command(connection, "reset_hard", "ch1", T0, ends=["s2"])
    assert check.allowed
    assert (check.ends_sessions, check.status) == (("s2",), "1 Available, 1 Charging, 1 Unavailable")
    assert "this ends session s2 on connector c2" in check.warnings
    poll(fleet, T0 + SECOND, session("s3", started=T0, connector_id="c1"), resource="sessions")
    refused = ask(fleet, "reset_hard", now=T0 + SECOND, charger_id="ch1", ends=["s2"])
    assert [refusal.text for refusal in refused.refusals] == [
        "session s3 is open on connector c1, and this would end it"
    ]


def test_taking_out_of_service_lets_a_session_go_on_and_says_so(fleet: Database) -> None:
    with fleet.read() as connection:
        check = check_command(connection, "disable", "ch1", T0)
    told = "session s2 on connector c2 goes on: its connector is taken out of service when it has ended"
    assert (check.allowed, check.warnings) == (True, (told,))


def test_a_charger_does_one_thing_at_a_time(fleet: Database) -> None:
    assert ask(fleet, "reset_soft", charger_id="ch2").is_new
    for kind, words in (("start_session", {"connector_id": "d1"}), ("disable", {"charger_id": "ch2"})):
        (refusal,) = ask(fleet, kind, nonce=kind, **words).refusals
        assert refusal.text == "a soft reset of charger ch2, asked for 0 s ago, is not answered yet; wait for it"
    assert ask(fleet, "disable", nonce="n3", connector_id="c1").is_new


def test_an_accepted_reset_holds_up_its_charger_until_it_was_looked_at(fleet: Database) -> None:
    sent(fleet, "reset_soft", charger_id="ch2")
    assert ask(fleet, "start_session", nonce="n2", connector_id="d1").refusals[0].reason is Reason.UNDER_WAY
    sees(fleet, T0 + MINUTE, d1="Unavailable")
    assert sees(fleet, T0 + 2 * MINUTE) == 1
    assert ask(fleet, "start_session", now=T0 + 2 * MINUTE, nonce="n3", connector_id="d1").is_new


def test_a_charger_takes_so_many_commands_a_day_and_a_stop_always(fleet: Database) -> None:
    sent(fleet, "disable", connector_id="d1")
    sees(fleet, T0 + MINUTE, d1="Unavailable")
    later = T0 + 2 * MINUTE
    (refusal,) = ask(fleet, "enable", now=later, nonce="n2", connector_id="d1", per_day=1).refusals
    assert refusal.reason is Reason.TOO_MANY
    assert refusal.text == (
        "charger ch2 was sent 1 command in the last 24 hours, and 1 is the most (CHARGEHAND_COMMANDS_PER_DAY); "
        "the next one is possible in 23 h 58 min"
    )
    poll(fleet, later, session("s5", started=later, connector_id="d2", charger_id="ch2"), resource="sessions")
    assert ask(fleet, "stop_session", now=later, nonce="n3", session_id="s5", per_day=1).is_new
    the_stop_counted_too = T0 + timedelta(hours=24, minutes=2)
    assert ask(fleet, "enable", now=the_stop_counted_too, nonce="n4", connector_id="d1", per_day=1).refusals == ()


def test_a_reset_is_verified_when_the_charger_was_seen_away_and_back(fleet: Database) -> None:
    sent(fleet, "reset_hard", charger_id="ch2")
    assert sees(fleet, T0 + MINUTE, online=False) == 0
    assert sees(fleet, T0 + 2 * MINUTE, d1="Faulted") == 1
    command = the_command(fleet)
    assert (command.state, command.outcome) == ("verified", "it was away and is back; connector d1 is Faulted")


def test_a_restart_that_an_account_dates_by_the_whole_second_of_the_call_is_seen(fleet: Database) -> None:
    asked = T0 + timedelta(minutes=1, milliseconds=400)
    assert ask(fleet, "reset_soft", now=asked, charger_id="ch2").is_new
    with fleet.write() as connection:
        command = claim_next_command(connection, asked)
        assert command is not None
        mark_command_answer(connection, command, asked + SECOND, answer="Accepted")
    away = connector("d1", "Unavailable", charger="ch2", status_changed_at=T0 + MINUTE)
    still = connector("d2", charger="ch2")
    poll(fleet, T0 + 2 * MINUTE, charger(away, still, charger_id="ch2"))
    assert sees(fleet, T0 + 3 * MINUTE) == 1
    assert the_command(fleet).outcome == "it was away and is back"


def test_a_reset_too_short_to_be_seen_is_told_as_such_and_only_where_it_was_accepted(fleet: Database) -> None:
    sent(fleet, "reset_soft", charger_id="ch2")
    for minute in range(1, 5):
        assert sees(fleet, T0 + minute * MINUTE) == 0
    assert sees(fleet, T0 + 6 * MINUTE) == 1
    command = the_command(fleet)
    told = "it is online; the restart itself was too short to be seen"
    assert (command.state, command.outcome) == ("verified", told)


def test_a_reset_without_an_answer_and_without_a_sign_is_not_verified(fleet: Database) -> None:
    sent(fleet, "reset_soft", error=Timeout(), charger_id="ch2")
    assert sees(fleet, T0 + 6 * MINUTE) == 1
    command = the_command(fleet)
    assert command.state == "not_verified"
    assert command.outcome == (
        "connector d1 is Available, d2 is Available; it was not sent again: look at the charger before you ask again"
    )


def test_unlocking_is_verified_by_the_end_of_its_session(fleet: Database) -> None:
    poll(fleet, T0, session("s5", started=T0, connector_id="d1", charger_id="ch2"), resource="sessions")
    sent(fleet, "unlock", connector_id="d1", ends=["s5"])
    ended = session("s5", started=T0, connector_id="d1", charger_id="ch2", ended_at=T0 + 9 * SECOND)
    poll(fleet, T0 + MINUTE, ended, resource="sessions")
    assert sees(fleet, T0 + MINUTE, d1="Finishing") == 1
    assert (the_command(fleet).state, the_command(fleet).outcome) == ("verified", "session s5 has ended")


@pytest.mark.parametrize(
    ("error", "state"), [(None, "unverifiable"), (Timeout(), "not_verified")], ids=["accepted", "no answer"]
)
def test_whether_a_free_cable_was_unlocked_is_not_guessed(fleet: Database, error: Any, state: str) -> None:
    sent(fleet, "unlock", error=error, connector_id="d1")
    assert sees(fleet, T0 + MINUTE) == 1
    assert the_command(fleet).state == state
    assert "EOSVOLT does not report locks" in the_command(fleet).outcome


def test_out_of_service_and_back_are_verified_by_the_status(fleet: Database) -> None:
    sent(fleet, "disable", charger_id="ch2")
    assert sees(fleet, T0 + MINUTE, d1="Unavailable") == 0
    assert sees(fleet, T0 + 2 * MINUTE, d1="Unavailable", d2="Unavailable") == 1
    assert (the_command(fleet).state, the_command(fleet).outcome) == ("verified", "out of service")


def test_a_connector_with_a_session_follows_when_it_has_ended(fleet: Database) -> None:
    poll(fleet, T0, session("s5", started=T0, connector_id="d1", charger_id="ch2"), resource="sessions")
    sent(fleet, "disable", connector_id="d1")
    assert sees(fleet, T0 + MINUTE, d1="Charging") == 1
    command = the_command(fleet)
    assert (command.state, command.outcome) == (
        "unverifiable",
        "connector d1 is taken out of service when its session has ended",
    )


def test_into_service_is_verified_by_the_status(fleet: Database) -> None:
    sees(fleet, T0, d1="Unavailable")
    sent(fleet, "enable", connector_id="d1")
    assert sees(fleet, T0 + MINUTE, d1="Unavailable") == 0
    assert sees(fleet, T0 + 2 * MINUTE, d1="Preparing") == 1
    assert (the_command(fleet).state, the_command(fleet).outcome) == ("verified", "connector d1 is Preparing")


def test_a_chargers_own_refusal_is_final_and_in_words(fleet: Database) -> None:
    sent(fleet, "unlock", error=Rejected("it answered UnlockFailed", code="UnlockFailed"), connector_id="d1")
    command = the_command(fleet)
    assert command.state == "failed"
    assert command.outcome == "the charger could not release the cable: have somebody look at it there"


def test_what_needs_approval_is_not_sent_before_it_and_then_once(fleet: Database) -> None:
    asked = ask(fleet, "reset_soft", charger_id="ch2", approve_within=HALF_AN_HOUR)
    assert asked.state == "awaiting_approval"
    with fleet.write() as connection:
        assert claim_next_command(connection, T0 + SECOND) is None
    assert decide(fleet, ADA).outcome == "own"
    assert decide(fleet, OLE).outcome == "approved"
    again = decide(fleet, "U0EVA00003")
    assert (again.outcome, again.state, again.by, again.at) == ("decided", "requested", OLE, T0 + MINUTE)
    with fleet.write() as connection:
        command = claim_next_command(connection, T0 + MINUTE)
    assert command is not None
    assert (command.decided_by, command.expires_at) == (OLE, T0 + 6 * MINUTE)


def test_what_waits_for_approval_holds_nothing_up_but_the_same_request(fleet: Database) -> None:
    ask(fleet, "reset_soft", charger_id="ch2", approve_within=HALF_AN_HOUR)
    again = ask(fleet, "reset_soft", nonce="n2", charger_id="ch2", approve_within=HALF_AN_HOUR)
    assert [refusal.text for refusal in again.refusals] == ["the same soft reset waits for approval already"]
    assert ask(fleet, "start_session", nonce="n3", connector_id="d1").is_new


def test_an_approval_checks_everything_again(fleet: Database) -> None:
    ask(fleet, "reset_soft", charger_id="ch2", approve_within=HALF_AN_HOUR, user="self-healing", rule_id="self-healing")
    poll(fleet, T0 + SECOND, session("s5", started=T0, connector_id="d1", charger_id="ch2"), resource="sessions")
    changed = decide(fleet, OLE)
    assert (changed.outcome, changed.refusals[0].reason) == ("changed", Reason.OPEN_SESSION)
    command = the_command(fleet)
    assert command.state == "cancelled"
    assert command.outcome.startswith("things had changed when it was approved: session s5 is open")


def test_a_refusal_ends_it_and_nobody_can_approve_it_any_more(fleet: Database) -> None:
    ask(fleet, "reset_soft", charger_id="ch2", approve_within=HALF_AN_HOUR)
    assert decide(fleet, OLE, approves=False).outcome == "refused"
    assert (the_command(fleet).state, the_command(fleet).decided_by) == ("cancelled", OLE)
    assert decide(fleet, "U0EVA00003").outcome == "decided"
    with fleet.read() as connection:
        told = connection.execute(sa.select(AUDIT.c.user, AUDIT.c.outcome).order_by(AUDIT.c.id)).all()
    assert [tuple(row) for row in told] == [(ADA, "approval asked for"), (ADA, "cancelled: refused"), (OLE, "refused")]


def test_what_nobody_approves_in_time_expires(fleet: Database) -> None:
    ask(fleet, "reset_soft", charger_id="ch2", approve_within=HALF_AN_HOUR)
    assert decide(fleet, OLE, T0 + HALF_AN_HOUR).outcome == "too_late"
    with fleet.write() as connection:
        assert expire_commands(connection, T0 + HALF_AN_HOUR) == 1
    assert the_command(fleet).state == CommandState.EXPIRED
    assert the_command(fleet).outcome == "nobody approved it in time, so nothing was done"
