"""Prices in Slack: shown as EOSVOLT tells them, changed by admins after a preview, once, and read back."""

from datetime import timedelta
from typing import Any

import pytest

from bot.slack.charge.acting.prices import NotUnderstood, read_change
from commands.requests.prices import agrees, as_details, as_text
from eosvolt.models import PriceBlock, PricingReading
from notify.render import render_words
from tests.bot.house import House
from tests.bot.slack.charge.acting.test_session_commands import card_in, posts

PRICING = PricingReading("l1", "kWh", 0.4, (PriceBlock("07:00", "09:00", 0.5), PriceBlock("17:00", "20:00", 0.6)))


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("set default 0.45", {"default": 0.45}),
        ("set default 0,45", {"default": 0.45}),
        ("SET Blocking 0.10 AFTER 30m", {"blocking_fee": 0.1, "blocking_fee_interval_minutes": 30}),
        ("set blocking 1 after 5 min", {"blocking_fee": 1, "blocking_fee_interval_minutes": 5}),
        (
            "set block 20:00-24:00 0.30",
            {"blocks": [["07:00", "09:00", 0.5], ["17:00", "20:00", 0.6], ["20:00", "24:00", 0.3]]},
        ),
        ("set block 7:00-9:00 0.55", {"blocks": [["07:00", "09:00", 0.55], ["17:00", "20:00", 0.6]]}),
        ("remove block 07:00-09:00", {"blocks": [["17:00", "20:00", 0.6]]}),
    ],
)
def test_a_change_is_read_from_words(words: str, changes: dict[str, Any]) -> None:
    assert read_change(words.split(), PRICING) == changes


WEEKDAYS = PricingReading("l1", "kWh", 0.4, (PriceBlock("07:00", "09:00", 0.5, ("Mon", "Tue")),))


def test_blocks_of_some_weekdays_are_not_changed_and_not_taken_for_every_day() -> None:
    assert read_change(["set", "default", "0.45"], WEEKDAYS) == {"default": 0.45}
    for words in ("set block 07:00-09:00 0.55", "remove block 07:00-09:00", "set block 20:00-22:00 0.30"):
        with pytest.raises(NotUnderstood, match="some blocks here hold on some weekdays only"):
            read_change(words.split(), WEEKDAYS)
    every_day = PricingReading("l1", "kWh", 0.4, (PriceBlock("07:00", "09:00", 0.5),))
    assert as_text(WEEKDAYS) != as_text(every_day)
    assert '"blocks": [["07:00", "09:00", 0.5]], "default": 0.4}' in as_text(every_day), (
        "what is stored of prices without weekdays reads so"
    )
    assert not agrees(as_details(WEEKDAYS), {"blocks": [["07:00", "09:00", 0.5]]})


def test_weekdays_and_what_else_limits_a_block_are_shown() -> None:
    block = PriceBlock("17:00", "20:00", 0.6, ("Sat", "Sun"), {"validFrom": "2026-01-01"})
    pricing = PricingReading("l1", "kWh", 0.4, (block,), currency="EUR")
    words = render_words("answer_prices.mrkdwn.j2", pricing=pricing, location_id="l1", name="Harbour")
    assert "17:00 to 20:00 on Sat, Sun: *" in words["body"]
    assert "conditions that are not read here, such as `validFrom`" in words["body"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("set", "names neither"),
        ("set default", "names neither"),
        ("set default -1", "is no amount"),
        ("set default nan", "is no amount"),
        ("set default 9999999", "is no amount"),
        ("set default 0.4 0.5", "names neither"),
        ("set blocking 0.10", "needs its interval"),
        ("set blocking 0.10 after 20m", "one of 5m, 15m, 30m, 60m"),
        ("set block 18:00-19:00 1", "overlaps the block from 17:00 to 20:00"),
        ("set block 20:00-07:00 1", "ends before it begins"),
        ("set block 25:00-26:00 1", "is no time of day"),
        ("set block now 1", "is no time of day"),
        ("remove block 01:00-02:00", "there is no block"),
        ("remove default", "names neither"),
    ],
)
def test_what_cannot_be_made_out_is_said_in_words(words: str, problem: str) -> None:
    with pytest.raises(NotUnderstood, match=problem):
        read_change(words.split(), PRICING)


def place(house: House) -> str:
    return str(next(iter(house.fleet.world.locations)).id)


def told(house: House, location_id: str) -> dict[str, Any]:
    return dict(house.fleet.world.pricing.rows[location_id].fields)


async def test_prices_are_shown_to_everybody(house: House) -> None:
    location_id = place(house)
    house.fleet.world.set_price(location_id, 0, default=4.5, blockingFee=0.5, blockingFeeIntervalMinutes=15)
    shown = (await house.ask(f"price {location_id}", "vera")).plain()
    assert "Default: *4.50 " in shown
    assert "for each 15 min after the first" in shown
    assert "There is no location with the id" in (await house.ask("price nowhere", "vera")).plain()


async def test_a_change_shows_before_and_after_is_sent_once_and_read_back(house: House) -> None:
    location_id = place(house)
    house.fleet.world.set_price(location_id, 0, default=4.5)
    assert "needs the role admin" in (await house.ask(f"price {location_id} set default 5.25", "ole")).plain()
    preview = await house.ask(f"price {location_id} set default 5.25", "ada")
    assert "Default price: 4.50 EUR per kWh → *5.25 EUR per kWh*" in preview.plain()
    assert posts(house) == []
    await house.click("ada", preview, "confirm_command")
    card = await card_in(house)
    await house.wait_for(lambda: "*Done" in card.plain())
    assert "Default price: 4.50 EUR per kWh → *5.25 EUR per kWh*" in card.plain()
    assert "read back as asked for" in card.plain()
    assert posts(house) == [f"/v1/locations/{location_id}/pricing"]
    assert told(house, location_id)["default"] == 5.25
    assert "The prices are so already" in (await house.ask(f"price {location_id} set default 5.25", "ada")).plain()


async def test_prices_that_changed_since_the_preview_are_left_alone(house: House) -> None:
    location_id = place(house)
    preview = await house.ask(f"price {location_id} set default 5.25", "ada")
    house.fleet.set_pricing(location_id, {"default": 3.75}, house.clock())
    await house.click("ada", preview, "confirm_command")
    card = await card_in(house)
    await house.wait_for(lambda: "no longer those that were shown" in card.plain())
    assert (posts(house), told(house, location_id)["default"]) == ([], 3.75)


async def test_a_change_without_an_answer_is_read_back_and_not_sent_again(house: House) -> None:
    location_id = place(house)
    house.api.faults.commands_unknown = 1
    preview = await house.ask(f"price {location_id} set block 17:00-20:00 6", "ada")
    await house.click("ada", preview, "confirm_command")
    card = await card_in(house)
    await house.wait_for(lambda: "did not answer in time" in card.plain() or "*Done" in card.plain())
    house.clock.ahead += timedelta(seconds=30)
    house.running.ticker.wake("commands")
    await house.wait_for(lambda: "*Done" in card.plain())
    assert len(posts(house)) == 1


async def test_a_second_admin_approves_where_that_is_asked_for(closed_house: House) -> None:
    house = closed_house
    house.changes = {"chargehand_price_approval_channel": "#ev-alerts", "chargehand_admins": ("U0OLE00002",)}
    await house.start()
    assert house.running.jobs.price_approval == "#ev-alerts"  # rules ask there too
    location_id = place(house)
    preview = await house.ask(f"price {location_id} set blocking 2 after 60m", "ada")
    assert "another admin has approved it" in preview.plain()
    await house.click("ada", preview, "confirm_command")
    card = await card_in(house, "#ev-alerts")
    assert "Blocking fee (EUR): none → *2.00 for each 60 min after the first*" in card.plain()
    await house.click("ada", card, "approve_command")
    assert "You asked for this yourself" in (await house.next_whisper("ada", 1)).plain()
    await house.click("ole", card, "approve_command")
    await house.wait_for(lambda: "*Done" in card.plain())
    assert told(house, location_id)["blockingFeeIntervalMinutes"] == 60


async def test_what_the_account_lacks_is_switched_off_and_said_so(house: House) -> None:
    location_id = place(house)
    house.api.faults.forbidden = frozenset({"pricing", "reports"})
    for words in (f"price {location_id}", "report", "report week"):
        assert "is not in this account's EOSVOLT plan" in (await house.ask(words, "ada")).plain()
    house.api.faults.forbidden = frozenset()
    assert "is not in this account's EOSVOLT plan" in (await house.ask(f"price {location_id}", "ada")).plain()
    assert "not in the key's rights: pricing" in (await house.ask("health", "ada")).plain()
    house.clock.ahead += timedelta(seconds=61)
    assert "Default: *" in (await house.ask(f"price {location_id}", "ada")).plain()


async def test_an_amount_without_what_it_is_of_is_offered_as_the_default(house: House) -> None:
    place = next(iter(house.fleet.world.locations)).id
    answer = (await house.ask(f"price {place} set 0.45")).plain()
    assert "Did you mean the first of these?" in answer
    assert answer.split("/charge ")[1].startswith(f"price {place} set default 0.45")
