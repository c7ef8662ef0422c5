"""Words that are shown first: asked, and the button of their preview pressed."""

from sandbox.slack import Message
from tests.bot.house import House


async def confirmed(house: House, text: str, user: str = "ada") -> Message:
    """Type words, press the button of their preview, and wait for what takes its place."""
    preview = await house.ask(text, user)
    before = preview.plain()
    assert "before you confirm" in before, before
    await house.click(user, preview, "confirm_words")
    await house.wait_for(lambda: preview.plain() != before)
    return preview
