"""Cards, modals, shortcuts and the Home tab as a person meets them: in the page, with the whole service behind it."""

import sqlalchemy as sa
from playwright.async_api import expect

from storage.schema import SILENCE
from tests.bot.house import FAULTED, House
from tests.sandbox.slack.browser import launched, open_page


async def test_a_person_silences_assigns_and_looks_at_home_in_the_page(closed_house: House) -> None:
    house = closed_house
    connector = house.free()
    house.break_connector(connector)
    await house.start(FAULTED)
    await house.card_of_an_alert()
    async with launched() as browser, open_page(browser, f"{house.server.url}/#C0ALERTS01") as page:
        card = page.locator("#messages .message", has_text=connector).first
        modal = page.locator("#modal")

        await card.get_by_role("button", name="Silence…").click()
        await expect(modal.get_by_role("heading")).to_have_text("Silence")
        await modal.get_by_label("Or another time").fill("for ever")
        await modal.get_by_label("Why, for whoever").fill("Known")
        await modal.get_by_role("button", name="Silence").click()
        await expect(modal.locator(".error", has_text="30m, 2h or 3d")).to_be_visible()
        await expect(modal.get_by_label("Why, for whoever")).to_have_value("Known")
        await modal.get_by_label("Or another time").fill("")
        await modal.get_by_role("button", name="Silence").click()
        await expect(modal).to_contain_text("is in force")
        await modal.locator("footer").get_by_role("button", name="Close").click()
        await expect(modal).to_be_hidden()
        await expect(card).to_contain_text("Silenced by @ada")

        await card.get_by_label("More").select_option(label="Assign…")
        await expect(modal.get_by_label("Who looks after it")).to_have_value("U0ADA00001")
        await modal.get_by_role("button", name="Assign").click()
        await expect(modal).to_contain_text("looks after it now")
        await modal.locator("footer").get_by_role("button", name="Close").click()
        await expect(card).to_contain_text("Assigned to @ada")

        await card.hover()
        await card.get_by_label("Shortcuts of this message").select_option(label="Why?")
        await expect(page.locator("#messages .ephemeral")).to_contain_text('connector.status == "Faulted"')

        await page.get_by_role("button", name="Chargehand · Home").click()
        home = page.locator("#messages .home")
        await expect(home).to_contain_text("Yours to see to")
        await home.get_by_role("button", name="Act…").click()
        await expect(modal).to_contain_text("A safety code stands here")
    with house.running.database.read() as connection:
        assert connection.execute(sa.select(SILENCE.c.reason)).scalars().all() == ["Known"]
