"""The self-healing recipe against the living fleet: what is tried, whether it helped, and what is then said."""

from typing import Any

import pytest
import sqlalchemy as sa

from commands.outcomes.approvals import approve_command
from eosvolt.spellings.words import error_code
from rules.actions.automations import Mode
from rules.alerts.silences import create_silence
from storage.engine import Database
from storage.schema import TRANSITION
from tests.commands.automations.place import CHARGER, CONNECTOR, RESET, RULE, Place, place_on, stamp

LADDER = {**RULE, "actions": [{"reset": "soft", "within": "3m"}, {"reset": "hard", "after": "1m", "within": "3m"}]}


async def test_a_reset_that_helps_is_told_on_one_card_when_it_is_over(place: Place) -> None:
    place.fault()
    began = place.clock.now
    await place.minutes(5)
    assert (place.posts, place.cards()) == ([RESET], [])
    sent = place.commands()[0].requested_at
    await place.minutes(2)
    assert place.tries() == [(0, "helped", "")]
    (card,) = place.cards()
    assert place.alerts() == ["resolved"]
    assert "Resolved: " in card
    assert f"Soft reset of `{CHARGER}` tried {stamp(sent)}" in card
    assert "helped: seen" in card
    assert "a soft reset helped" in card
    assert stamp(began) not in card or began == sent
    assert place.replies() == []
    assert place.posts == [RESET]


async def test_a_reset_that_does_not_help_is_told_with_its_moment_and_nothing_is_said_before(place: Place) -> None:
    place.ends = None
    place.fault()
    await place.minutes(5)
    assert place.posts == [RESET]
    sent = place.commands()[0].requested_at
    await place.minutes(2.8)
    assert place.cards() == []
    await place.minutes(1.5)
    (card,) = place.cards()
    assert "Self healing: " in card
    assert f"Soft reset of `{CHARGER}` tried {stamp(sent)}" in card
    assert "did not help: `looked at for 3m`" in card
    assert "a soft reset did not help" in card.splitlines()[0]
    assert place.tries() == [(0, "did_not_help", "looked at for 3m")]
    await place.minutes(10)
    assert place.posts == [RESET]


async def test_it_works_on_both_databases(database: Database) -> None:
    steps = [{"reset": "soft", "within": "1m", "approval": "#ev-ops"}, {"reset": "hard", "within": "1m"}]
    async with place_on(database, {**RULE, "for": "1m", "actions": steps}) as place:
        place.ends = None
        place.fault()
        await place.minutes(2)
        place.write(approve_command, place.commands()[0].id, "U0OLE00001", place.clock.now)
        await place.minutes(9)
        assert [(state, len(place.posts)) for _, state, _ in place.tries()] == [("did_not_help", 2)] * 2
        assert len(place.cards()) == 1
        assert place.switch(Mode.OFF) == 0
        (fired,) = place.rows(sa.select(TRANSITION).where(TRANSITION.c.to_state == "firing"))
        assert fired.trace["muted_by"] == {"rule": "self-healing", "subject": CONNECTOR, "actions": True}


async def test_the_limit_stops_the_third_try(place: Place) -> None:
    for _ in range(3):
        place.fault()
        await place.minutes(8)
        place.force({"status": "Available", "errorCode": None})
        await place.minutes(1)
    assert place.posts == [RESET, RESET]
    assert [state for _, state, _ in place.tries()] == ["helped", "helped", "refused"]
    assert "not tried: `limit of 2 per 24h for one charger reached`" in place.cards()[-1]


async def test_the_limit_counts_what_people_asked_for(place: Place) -> None:
    for number in range(2):
        place.ask("reset_soft", f"n{number}", charger_id=CHARGER)
        await place.minutes(8)
    place.fault()
    await place.minutes(6)
    assert len(place.posts) == 2
    assert place.tries() == [(0, "refused", "limit of 2 per 24h for one charger reached")]


async def test_what_a_person_asked_for_is_waited_for(place: Place) -> None:
    place.fault()
    await place.minutes(4.6)
    place.ends = None
    place.ask("reset_hard", charger_id=CHARGER)
    await place.minutes(1)
    assert (place.alerts(), place.tries()) == (["firing"], [(0, "waiting", "")])
    await place.minutes(12)
    assert place.posts == [RESET, RESET]


async def test_the_next_step_has_its_turn_when_one_did_not_help(sqlite: Database) -> None:
    async with place_on(sqlite, LADDER) as place:
        place.ends = None
        place.fault()
        await place.minutes(9)
        assert [state for _, state, _ in place.tries()] == ["did_not_help", "waiting"]
        place.ends = "Available"
        await place.minutes(9)
        assert [command.kind for command in place.commands()] == ["reset_soft", "reset_hard"]
        assert [state for _, state, _ in place.tries()] == ["did_not_help", "helped"]
        (card,) = place.cards()
        assert "Resolved" in card
        assert "Soft reset" in card
        assert "Hard reset" in card


async def test_a_fault_that_comes_back_at_once_was_not_mended(place: Place) -> None:
    place.fault()
    await place.minutes(5)
    place.force({"status": "Unavailable"})  # what a charger shows while it starts anew
    # the rule's own condition is false, so the step counts as helped and the alert ends: a new fault is a new alert
    await place.tick()
    assert place.tries() == [(0, "helped", "")]
    place.fault()
    await place.minutes(6)
    assert len(place.tries()) == 2


async def test_an_alert_that_goes_on_after_a_step_helped_is_told(sqlite: Database) -> None:
    keeping = {**RULE, "keep_firing_for": "10m"}
    async with place_on(sqlite, keeping) as place:
        place.fault()
        await place.minutes(5)
        await place.tick()
        assert place.tries() == [(0, "helped", "")]
        place.fault()
        await place.minutes(4)
        assert place.tries() == [(0, "did_not_help", "it helped for a moment only")]
        (card,) = place.cards()
        assert "it helped for a moment only" in card


@pytest.mark.parametrize("code", ["GroundFailure", "HighTemperature", "GROUND_FAILURE", "Ground Failure"])
async def test_a_safety_code_is_never_acted_on_however_it_is_spelled(place: Place, code: str) -> None:
    place.fault(code)
    await place.minutes(7)
    assert place.posts == []
    (card,) = place.cards()
    assert f"not tried: `{error_code(code)} needs a person: no automation acts on it`" in card


async def test_a_safety_code_since_the_fault_began_is_never_acted_on(place: Place) -> None:
    place.fault("GroundFailure")
    await place.minutes(2)
    place.force({"errorCode": "InternalError"})
    await place.minutes(5)
    assert place.posts == []
    assert [state for _, state, _ in place.tries()] == ["refused"]


@pytest.mark.parametrize("later", ["NoError", None, "InternalError"])
async def test_a_rule_that_begins_when_a_safety_code_is_no_longer_told_acts_none_the_more(
    sqlite: Database, later: str | None
) -> None:
    waits = {**RULE, "when": f'{RULE["when"]} and connector.error_code != "GroundFailure"', "for": "1m"}
    async with place_on(sqlite, waits) as place:
        place.fault("GROUND_FAILURE")
        await place.minutes(3)
        place.force({"errorCode": later})
        await place.minutes(5)
        assert place.posts == []
        if later == "InternalError":
            assert [state for _, state, _ in place.tries()] == ["refused"]


async def test_a_safety_code_on_another_connector_of_the_charger_is_never_acted_on(sqlite: Database) -> None:
    async with place_on(sqlite) as place:
        await place.minutes(1)
        place.api.source.world.connectors[CONNECTOR][1]["errorCode"] = None
        place.fault()
        await place.minutes(4)
        add_connector(place, "100.1.9", status="Faulted", errorCode="OverVoltage")
        await place.minutes(4)
        assert place.posts == []


def add_connector(place: Place, connector_id: str, **fields: Any) -> None:
    """Another connector of the charger, from now on."""
    moment = int(place.clock.now.timestamp() * 1000)
    since = place.clock.now.isoformat()
    values = {"type": "Type2", "maxPowerKw": 22.0, "powerKw": 0.0, "statusChangedAt": since, **fields}
    place.api.source.world.add_connector(connector_id, CHARGER, moment, **values)


async def test_a_dry_run_sends_nothing_and_says_what_it_would_have_done(sqlite: Database) -> None:
    async with place_on(sqlite, mode=Mode.DRY_RUN) as place:
        for _ in range(3):
            place.fault()
            await place.minutes(6)
            place.force({"status": "Available", "errorCode": None})
            await place.minutes(12)
        assert (place.posts, len(place.commands())) == ([], 0)
        assert [state for _, state, _ in place.tries()] == ["would_have", "would_have", "refused"]
        assert "would have been tried" in place.cards()[0]
        assert "limit of 2 per 24h" in place.cards()[2]


async def test_a_rule_that_runs_dry_sends_nothing_and_speaks_at_once(sqlite: Database) -> None:
    async with place_on(sqlite, {**RULE, "dry_run": True}) as place:
        place.fault()
        await place.minutes(6)
        (card,) = place.cards()
        assert place.posts == []
        assert "dry run: nothing was sent" in card


async def test_an_alert_that_speaks_at_once_tells_what_is_tried_on_its_card(sqlite: Database) -> None:
    async with place_on(sqlite, {**RULE, "alert": "at_once"}) as place:
        place.ends = None
        place.fault()
        await place.minutes(6)
        (card,) = place.cards()
        assert "\N{LARGE ORANGE CIRCLE}" in card
        assert "looking whether it helped" in card
        await place.minutes(3)
        (card,) = place.cards()
        assert "did not help" in card


async def test_two_rules_never_act_on_one_charger_at_once(sqlite: Database) -> None:
    other = {**RULE, "name": "also-healing", "actions": [{"reset": "hard", "within": "3m"}]}
    async with place_on(sqlite, RULE, other) as place:
        place.ends = None
        place.fault()
        at_work = []
        for _ in range(60):
            await place.tick()
            at_work.append(sum(state == "sent" for _, state, _ in place.tries()))
        assert max(at_work) == 1
        assert sorted(command.kind for command in place.commands()) == ["reset_hard", "reset_soft"]


async def test_a_silenced_alert_is_left_alone_until_it_is_heard(place: Place) -> None:
    def silence(connection: Any) -> None:
        until = place.clock.now.replace(hour=23)
        create_silence(
            connection, author="U0ANNA", reason="Works", now=place.clock.now, until=until, charger_id=CHARGER
        )

    place.write(silence)
    place.fault()
    await place.minutes(8)
    assert (place.posts, place.tries()) == ([], [(0, "waiting", "")])


async def test_what_was_broken_when_the_rule_was_switched_on_is_left_to_people(sqlite: Database) -> None:
    async with place_on(sqlite, {**RULE, "name": "unrelated", "when": 'connector.id == "none"'}) as place:
        place.fault()
        place.force({"status": "Faulted", "errorCode": "InternalError"}, "101.1.1")
        await place.minutes(1)
        place.begin({**RULE, "when": 'connector.status == "Faulted"'})
        await place.minutes(7)
        assert place.alerts() == ["firing", "firing"]
        assert (place.posts, place.tries()) == ([], [])


async def test_while_nothing_is_known_nothing_is_done(place: Place) -> None:
    place.fault()
    await place.minutes(4.6)
    place.api.faults.answers_503 = 1000
    await place.minutes(5)
    assert place.posts == []
    place.api.faults.answers_503 = 0
    await place.minutes(1)
    assert place.posts == [RESET]


async def test_while_the_charger_cannot_be_seen_time_does_not_run_against_it(place: Place) -> None:
    place.ends = None
    place.fault()
    await place.minutes(5)
    place.api.source.force_online(CHARGER, False, place.clock.now)
    await place.minutes(10)
    assert [state for _, state, _ in place.tries()] == ["sent"]
    place.force({"status": "Available", "errorCode": None})
    place.api.source.force_online(CHARGER, True, place.clock.now)
    await place.minutes(1)
    assert [state for _, state, _ in place.tries()] == ["helped"]


async def test_an_alert_is_not_kept_quiet_for_longer_than_an_hour(place: Place) -> None:
    place.ends = None
    place.fault()
    await place.minutes(5)
    place.api.source.force_online(CHARGER, False, place.clock.now)
    await place.minutes(58, seconds=60)
    assert place.cards() == []
    await place.minutes(6, seconds=60)
    assert len(place.cards()) == 1


@pytest.mark.parametrize("within", ["3m", "8m"])
async def test_a_reset_with_a_lost_answer_is_not_repeated_by_a_later_step(sqlite: Database, within: str) -> None:
    twice = {**RULE, "actions": [{"reset": "soft", "within": within}, {"reset": "soft", "within": "3m"}]}
    async with place_on(sqlite, twice) as place:
        place.ends = None
        place.link.lose_answers = 1
        place.fault()
        await place.minutes(20)
        assert place.posts == [RESET]
        (card,) = place.cards()
        assert "whether EOSVOLT took the command is not known" in card


async def test_an_open_session_is_not_interrupted(sqlite: Database) -> None:
    any_status = {
        **RULE,
        "when": f'charger.id == "{CHARGER}" and connector.error_code == "WeakSignal"',
        "while": "true",
    }
    any_status.pop("while")
    async with place_on(sqlite, any_status) as place:
        place.api.source.start_session(CONNECTOR, None, place.clock.now)
        await place.minutes(2)
        place.force({"errorCode": "WeakSignal"})
        await place.minutes(7)
        assert place.posts == []
        assert "is open on connector" in place.tries()[0][2]
