"""A place for each test, with automations on and one rule that resets a faulted connector's charger."""

from collections.abc import AsyncIterator

import pytest

from storage.engine import Database
from tests.commands.automations.place import SPOKEN, Place, place_on


@pytest.fixture(autouse=True)
def account(tongue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule acts on one account after the other, by its contract file alone."""
    monkeypatch.setitem(SPOKEN, "account", tongue)


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Place]:
    async with place_on(sqlite) as made:
        yield made
