"""Chromium windows of two widths, light and dark, each on the demo's page as one person; they only look."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, expect

from tests.sandbox.slack.browser import launched

WIDTHS = {1280: 1500, 390: 2800}
"""Each width with a height at which nothing that is taken has to scroll."""
TRIES = 5
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a scene shows: its name, where it stands on the page, and what it must say before it is taken."""

    name: str
    place: str
    selector: str
    says: str


@dataclass(frozen=True, slots=True)
class Camera:
    """One window; its name says how wide and in which colours."""

    name: str
    page: Page

    async def take(self, shown: Shown, folder: Path) -> None:
        """Take a picture of what is shown, once it says what it must."""
        await self.page.evaluate("(place) => { if (location.hash !== place) location.hash = place; }", shown.place)
        await self.page.bring_to_front()
        seen = self.page.locator(shown.selector)
        await expect(seen).to_contain_text(shown.says, timeout=30_000)
        await self.page.mouse.move(0, 0)
        path = folder / f"{shown.name}-{self.name}.png"
        for left in reversed(range(TRIES)):
            try:
                await seen.screenshot(path=path, animations="disabled", timeout=8_000)
            except PlaywrightError:  # it was drawn anew at this moment
                if not left:
                    raise
                continue
            return


@asynccontextmanager
async def cameras(url: str) -> AsyncIterator[list[Camera]]:
    """Every window, opened on the page."""
    async with launched() as browser:
        made = []
        for width, height in WIDTHS.items():
            for theme in THEMES:
                size = {"width": width, "height": height}
                context = await browser.new_context(viewport=size, color_scheme=theme, locale="en-GB")  # type: ignore[arg-type]  # a TypedDict of the same keys
                page = await context.new_page()
                await page.goto(f"{url}/#C0ALERTS01")
                made.append(Camera(f"{width}-{theme}", page))
        yield made
