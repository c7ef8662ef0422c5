"""A step that asks for approval: a yes sends it, and a no, a silence or the end of the alert is told."""

from commands.outcomes.approvals import approve_command, refuse_command
from storage.engine import Database
from tests.commands.automations.place import RESET, RULE, place_on

ASKING = {**RULE, "actions": [{**RULE["actions"][0], "approval": "#ev-ops"}]}


async def test_without_a_yes_nothing_is_sent_and_with_it_the_reset_is(sqlite: Database) -> None:
    async with place_on(sqlite, ASKING) as place:
        place.fault()
        await place.minutes(8)
        (asked,) = place.approvals()
        assert "approve_command" in asked
        assert "self-healing" in asked
        assert (place.posts, place.cards()) == ([], [])
        assert place.write(approve_command, place.commands()[0].id, "U0OLE00001", place.clock.now).outcome == "approved"
        await place.minutes(3)
        assert place.posts == [RESET]
        (card,) = place.cards()
        assert "Resolved" in card
        assert "(approved by <@U0OLE00001>)" in card


async def test_a_no_is_told_by_the_alert(sqlite: Database) -> None:
    async with place_on(sqlite, ASKING) as place:
        place.fault()
        await place.minutes(6)
        place.write(refuse_command, place.commands()[0].id, "U0OLE00001", place.clock.now)
        await place.minutes(2)
        assert place.posts == []
        (card,) = place.cards()
        assert "\N{LARGE ORANGE CIRCLE}" in card
        assert "not tried (refused by <@U0OLE00001>): `approval was refused`" in card


async def test_approval_that_nobody_gives_expires_and_the_alert_says_so(sqlite: Database) -> None:
    async with place_on(sqlite, ASKING) as place:
        place.fault()
        await place.minutes(40, seconds=60)
        assert place.posts == []
        (card,) = place.cards()
        assert "nobody approved it in time" in card


async def test_a_request_for_approval_ends_with_its_alert(sqlite: Database) -> None:
    async with place_on(sqlite, ASKING) as place:
        place.fault()
        await place.minutes(6)
        place.force({"status": "Available", "errorCode": None})
        await place.minutes(2)
        assert place.tries() == [(0, "cancelled", "the alert is over")]
        assert [command.state for command in place.commands()] == ["cancelled"]
        assert place.cards() == []
        decision = place.write(approve_command, place.commands()[0].id, "U0OLE00001", place.clock.now)
        assert decision.outcome == "decided"
        await place.minutes(1)
        assert place.posts == []


async def test_a_safety_code_that_comes_up_while_approval_is_asked_for_ends_it(sqlite: Database) -> None:
    async with place_on(sqlite, ASKING) as place:
        place.fault()
        await place.minutes(6)
        place.force({"errorCode": "PowerSwitchFailure"})
        await place.tick()
        assert [command.state for command in place.commands()] == ["cancelled"]
        assert [state for _, state, _ in place.tries()] == ["refused"]
