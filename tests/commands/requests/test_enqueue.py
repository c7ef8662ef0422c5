"""Commands are checked in words and written down once, whoever presses, how often and at which moment."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from commands.requests.checks import check_command
from commands.requests.enqueue import Enqueued, enqueue_command
from eosvolt.errors import Timeout
from rules.actions.command_kinds import Reason
from storage.engine import Database
from tests.commands.steps import SECOND, START, STOP, accepted, answer, ask, audit, card, claim, sees, the_command
from tests.readings import MINUTE, T0, charger, connector, poll, session

pytestmark = pytest.mark.on_either_database


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


def test_a_command_without_a_target_or_of_no_known_kind_is_a_mistake_of_ours(fleet: Database) -> None:
    with (
        pytest.raises(ValueError, match="a connector, a session, a charger or a location is needed"),
        fleet.write() as connection,
    ):
        enqueue_command(connection, kind=START, nonce="n", user="U", channel="C", now=T0)
    with pytest.raises(ValueError, match="fly"):
        ask(fleet, "fly", connector_id="c1")
