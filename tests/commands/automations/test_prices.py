"""A rule that changes a price, against the living fleet: changed once and told, or left alone and said why."""

from typing import Any

import pytest

from commands.outcomes.approvals import approve_command, refuse_command
from commands.requests.prices import default_price
from rules.actions.automations import Mode
from rules.alerts.silences import create_silence
from storage.engine import Database
from tests.commands.automations.place import CHARGER, RULE, Died, Place, place_on
from tests.commands.automations.test_self_healing import add_connector

pytestmark = pytest.mark.on_either_database

LOCATION = "100"
PATH = f"/v1/locations/{LOCATION}/pricing"
DEARER = {"price": 0.45, "limit": "1 per 24h", "cool_down": "1m"}
PRICING: dict[str, Any] = {**RULE, "name": "dearer", "for": "1m", "actions": [DEARER]}
OF_LOCATION = {
    "name": "dearer",
    "for_each": "location",
    "when": f'location.id == "{LOCATION}" and count(location.connectors where connector.status == "Faulted") >= 1',
    "notify": ["#ev-alerts"],
    "actions": [DEARER],
}


def price_of(place: Place) -> float:
    return float(place.api.source.world.pricing.rows[LOCATION].fields["default"])


def set_price(place: Place, **changes: Any) -> None:
    place.api.source.set_pricing(LOCATION, changes, place.clock.now)


def ask_for(place: Place, price: float, nonce: str) -> None:
    """A person's change of the price."""
    place.ask("change_price", nonce, location_id=LOCATION, details=default_price(price))


async def over(place: Place) -> None:
    """The fault ends, and its alert."""
    place.force({"status": "Available", "errorCode": None})
    await place.minutes(1)


@pytest.mark.parametrize("rule", [PRICING, OF_LOCATION], ids=["connector", "location"])
async def test_a_price_is_changed_once_and_told_on_the_card(database: Database, rule: dict[str, Any]) -> None:
    async with place_on(database, rule) as place:
        set_price(place, default=3.5)
        place.fault("GroundFailure")  # no price hides a danger
        await place.minutes(4)
        assert price_of(place) == 0.45
        (command,) = place.commands()
        assert (command.state, command.location_id, command.rule_id) == ("verified", LOCATION, "dearer")
        (card,) = place.cards()
        assert "Dearer: " in card
        assert f"Price of `{LOCATION}` changed to *0.45 EUR* <!date^" in card
        await place.minutes(6)
        assert (place.posts, place.tries()) == ([PATH], [(0, "changed", "")])
        await over(place)
        (card,) = place.cards()
        assert "Resolved: Dearer" in card
        assert "help" not in card


async def test_the_next_alert_is_stopped_by_the_limit_of_the_location(sqlite: Database) -> None:
    async with place_on(sqlite, PRICING) as place:
        for price in (3.5, 4.5):
            set_price(place, default=price)
            place.fault()
            await place.minutes(4)
            await over(place)
        assert (place.posts, price_of(place)) == ([PATH], 4.5)
        assert place.tries() == [(0, "changed", ""), (0, "refused", "limit of 1 per 24h for one location reached")]
        assert f"Price change of `{LOCATION}` to 0.45 EUR not tried: `limit of 1 per 24h" in place.cards()[-1]


async def test_the_limit_counts_what_people_changed(sqlite: Database) -> None:
    async with place_on(sqlite, PRICING) as place:
        ask_for(place, 2.5, "n1")
        await place.minutes(2)
        place.fault()
        await place.minutes(4)
        assert (place.posts, price_of(place)) == ([PATH], 2.5)
        assert place.tries() == [(0, "refused", "limit of 1 per 24h for one location reached")]


async def test_a_dry_run_sends_nothing_and_says_which_price_it_would_have_set(sqlite: Database) -> None:
    async with place_on(sqlite, PRICING, mode=Mode.DRY_RUN) as place:
        set_price(place, default=3.5)
        for _ in range(2):
            place.fault()
            await place.minutes(3)
            await over(place)
        assert (place.posts, len(place.commands()), price_of(place)) == ([], 0, 3.5)
        assert [state for _, state, _ in place.tries()] == ["would_have", "refused"]
        assert f"Price change of `{LOCATION}` to 0.45 EUR: would have been tried" in place.cards()[0]


async def test_a_price_that_is_so_already_is_not_sent_and_counts_for_no_limit(sqlite: Database) -> None:
    async with place_on(sqlite, PRICING) as place:
        set_price(place, default=0.45)
        place.fault()
        await place.minutes(4)
        assert (place.posts, place.tries()) == ([], [(0, "refused", "the price is so already: nothing was sent")])
        assert "not tried: `the price is so already: nothing was sent`" in place.cards()[0]
        await over(place)
        set_price(place, default=3.5)
        place.fault()
        await place.minutes(4)
        assert (place.posts, price_of(place)) == ([PATH], 0.45)


async def test_a_price_per_minute_is_left_alone(sqlite: Database) -> None:
    async with place_on(sqlite, PRICING) as place:
        place.api.source.world.pricing.rows[LOCATION].fields["unit"] = "minute"
        place.fault()
        await place.minutes(4)
        assert place.posts == []
        assert place.tries() == [(0, "refused", "the prices here are per minute, not per kWh: nothing was sent")]


async def test_the_approval_channel_is_asked_where_the_step_names_none(sqlite: Database) -> None:
    async with place_on(sqlite, PRICING) as place:
        place.jobs.price_approval = "#ev-prices"
        set_price(place, default=3.5)
        place.fault()
        await place.minutes(4)
        assert (place.posts, [state for _, state, _ in place.tries()]) == ([], ["awaiting_approval"])
        (command,) = place.commands()
        assert (command.channel, command.state) == ("#ev-prices", "awaiting_approval")
        (asked,) = place.approvals()
        assert "the rule `dearer`" in asked
        assert "Default price: → *0.45 EUR per kWh*" in asked
        assert place.write(approve_command, command.id, "U0OLE00001", place.clock.now).outcome == "approved"
        await place.minutes(2)
        assert (place.posts, price_of(place)) == ([PATH], 0.45)
        assert "(approved by <@U0OLE00001>)" in place.cards()[0]


async def test_the_channel_of_the_step_goes_before_that_of_the_setting_and_a_no_is_told(sqlite: Database) -> None:
    async with place_on(sqlite, {**PRICING, "actions": [{**DEARER, "approval": "#ev-ops"}]}) as place:
        place.jobs.price_approval = "#ev-prices"
        place.fault()
        await place.minutes(3)
        (command,) = place.commands()
        assert command.channel == "#ev-ops"
        place.write(refuse_command, command.id, "U0OLE00001", place.clock.now)
        await place.minutes(2)
        assert place.posts == []
        assert "not tried (refused by <@U0OLE00001>): `approval was refused`" in place.cards()[0]


async def test_a_change_without_an_answer_is_read_back_and_told(sqlite: Database) -> None:
    async with place_on(sqlite, PRICING) as place:
        place.api.faults.commands_unknown = 1
        set_price(place, default=3.5)
        place.fault()
        await place.minutes(4)
        assert (place.posts, place.tries()) == ([PATH], [(0, "changed", "")])


@pytest.mark.parametrize("lost", [0, 1])
async def test_a_change_that_does_not_show_is_told_and_never_sent_again(sqlite: Database, lost: int) -> None:
    async with place_on(sqlite, {**PRICING, "actions": [DEARER, {"reset": "soft"}]}) as place:
        world, place.api.faults.commands_unknown = place.api.source.world, lost
        set_price(place, default=3.5)
        place.fault()
        while not place.posts:
            await place.tick()
        set_price(place, default=9.5)  # somebody else changes it at once
        await place.minutes(7)
        assert (place.posts.count(PATH), world.pricing.rows[LOCATION].fields["default"]) == (1, 9.5)
        (_, state, reason), *after = place.tries()
        assert (state, reason.startswith("EOSVOLT still tells other prices")) == ("did_not_help", True)
        assert len(after) == 1 - lost  # without an answer the ladder ends
        if lost:
            (card,) = place.cards()
            assert "not confirmed: `EOSVOLT still tells other prices; it was not sent again" in card


async def test_the_next_step_has_its_turn_when_the_price_was_refused(sqlite: Database) -> None:
    async with place_on(sqlite, {**PRICING, "actions": [DEARER, {"reset": "soft"}]}) as place:
        place.api.faults.forbidden = frozenset({"pricing"})
        place.fault()
        await place.minutes(4)
        assert place.posts == [f"/v1/chargers/{CHARGER}/reset"]
        assert place.tries()[0][1:2] == ("refused",)
        assert place.tries()[0][2].startswith("EOSVOLT did not do it")


async def test_another_change_of_the_prices_is_waited_for(sqlite: Database) -> None:
    async with place_on(sqlite, {**PRICING, "actions": [{**DEARER, "limit": "2 per 24h"}]}) as place:
        set_price(place, default=3.5)
        ask_for(place, 2.5, "n1")
        place.fault()
        await place.tick()
        set_price(place, default=9.5)  # so that the person's change is not confirmed for five minutes
        await place.minutes(4)
        assert (place.posts, place.alerts(), place.tries()) == ([PATH], ["firing"], [(0, "waiting", "")])
        await place.minutes(4)
        assert (place.posts, price_of(place)) == ([PATH, PATH], 0.45)
        assert place.tries() == [(0, "changed", "")]


async def test_a_charger_that_is_acted_on_holds_no_price_up(sqlite: Database) -> None:
    async with place_on(sqlite, {**RULE, "for": "1m"}, PRICING) as place:
        place.ends = None
        set_price(place, default=3.5)
        place.fault()
        await place.minutes(3)
        assert sorted(place.posts) == [f"/v1/chargers/{CHARGER}/reset", PATH]
        assert sorted(state for _, state, _ in place.tries()) == ["changed", "sent"]


async def test_a_member_that_joins_a_card_tells_its_change_in_the_thread(sqlite: Database) -> None:
    async with place_on(sqlite, {**PRICING, "actions": [{**DEARER, "limit": "2 per 24h"}]}) as place:
        for number, price in enumerate((3.5, 4.5)):
            set_price(place, default=price)
            if number:
                add_connector(place, "100.1.9", status="Faulted", errorCode="InternalError")
            else:
                place.fault()
            await place.minutes(5)
        assert place.posts == [PATH, PATH]
        await place.minutes(6)
        (reply,) = place.replies()
        assert "*The price was changed*: Dearer" in reply
        assert "did not help" not in reply


@pytest.mark.parametrize("point", ["before_call", "after_call", "after_mark"])
async def test_a_kill_never_changes_a_price_twice(sqlite: Database, point: str) -> None:
    def die(at: str) -> None:
        if at == point:
            raise Died

    async def until_it_dies() -> None:
        for _ in range(8):
            await place.tick(die=die)

    async with place_on(sqlite, {**PRICING, "actions": [DEARER, {"reset": "soft"}]}) as place:
        set_price(place, default=3.5)
        place.fault()
        with pytest.raises(Died):
            await until_it_dies()
        place.restart()
        await place.minutes(8)
        sent = point != "before_call"
        assert (len(place.commands()), place.posts) == (1, [PATH] if sent else [])
        assert [state for _, state, _ in place.tries()] == ["changed" if sent else "did_not_help"]


async def test_switching_off_and_the_end_of_the_alert_cancel_what_waits(sqlite: Database) -> None:
    async with place_on(sqlite, {**PRICING, "actions": [{**DEARER, "approval": "#ev-ops"}]}) as place:
        place.fault()
        await place.minutes(3)
        assert place.switch(Mode.OFF) == 1
        await over(place)
        place.switch(Mode.ON)
        place.fault()
        await place.minutes(3)
        await over(place)
        assert [(state, reason) for _, state, reason in place.tries()] == [
            ("cancelled", "automations were switched off"),
            ("cancelled", "the alert is over"),
        ]
        assert ([command.state for command in place.commands()], place.posts) == (["cancelled", "cancelled"], [])


async def test_a_silenced_alert_changes_no_price(sqlite: Database) -> None:
    def silence(connection: Any) -> None:
        until = place.clock.now.replace(hour=23)
        create_silence(
            connection, author="U0ANNA", reason="Works", now=place.clock.now, until=until, charger_id=CHARGER
        )

    async with place_on(sqlite, PRICING) as place:
        place.write(silence)
        place.fault()
        await place.minutes(4)
        assert (place.posts, place.tries()) == ([], [(0, "waiting", "")])
