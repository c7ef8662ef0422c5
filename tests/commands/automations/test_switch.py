"""Whoever switches automations off, changes a rule or removes it: what waits is cancelled, what went is followed."""

from rules.actions.automations import Mode
from storage.engine import Database
from tests.commands.automations.place import RESET, RULE, Place, place_on
from tests.commands.automations.test_approvals import ASKING


async def test_switching_off_cancels_what_waits_and_lets_the_alert_speak(sqlite: Database) -> None:
    async with place_on(sqlite, ASKING) as place:
        place.fault()
        await place.minutes(6)
        assert place.switch(Mode.OFF) == 1
        await place.minutes(1)
        (card,) = place.cards()
        assert "not tried: `automations were switched off`" in card
        place.force({"status": "Available", "errorCode": None})
        await place.minutes(1)
        place.fault()
        await place.minutes(7)
        assert "not tried: `automations are switched off`" in place.cards()[-1]
        assert place.posts == []
        assert place.switch(Mode.OFF) == 0


async def test_what_was_sent_before_the_switch_is_still_followed(place: Place) -> None:
    place.ends = None
    place.fault()
    await place.minutes(5)
    assert (place.posts, place.switch(Mode.OFF)) == ([RESET], 0)
    await place.minutes(4)
    (card,) = place.cards()
    assert "did not help" in card


async def test_a_request_that_could_not_leave_yet_is_cancelled_by_the_switch(place: Place) -> None:
    place.link.refuse_posts = 1000
    place.fault()
    await place.minutes(5.4)
    assert [command.state for command in place.commands()] == ["requested"]
    assert place.switch(Mode.OFF) == 1
    place.link.refuse_posts = 0
    await place.minutes(3)
    assert place.posts == []


async def test_a_changed_rule_cancels_what_waits(sqlite: Database) -> None:
    async with place_on(sqlite, ASKING) as place:
        place.fault()
        await place.minutes(6)
        place.begin({**ASKING, "description": "another one"})
        await place.minutes(1)
        assert place.tries() == [(0, "cancelled", "the rule was changed")]
        assert [command.state for command in place.commands()] == ["cancelled"]
        (card,) = place.cards()
        assert "\N{LARGE ORANGE CIRCLE}" in card


async def test_a_removed_rule_cancels_what_waits(sqlite: Database) -> None:
    async with place_on(sqlite, ASKING) as place:
        place.fault()
        await place.minutes(6)
        place.begin({**RULE, "name": "another"})
        await place.minutes(1)
        assert place.tries()[0][1] == "cancelled"
        assert place.commands()[0].state == "cancelled"
