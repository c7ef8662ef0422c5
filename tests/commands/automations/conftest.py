"""A place for each test, with automations on and one rule that resets a faulted connector's charger."""

from collections.abc import AsyncIterator

import pytest

from storage.engine import Database
from tests.commands.automations.place import Place, place_on


@pytest.fixture
async def place(sqlite: Database) -> AsyncIterator[Place]:
    async with place_on(sqlite) as made:
        yield made
