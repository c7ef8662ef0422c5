"""The houses of this folder: EOSVOLT's API speaks as one account after the other, and a contract file alone tells."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.house import House, open_house


@pytest.fixture
async def closed_house(tmp_path: Path, tongue: str) -> AsyncIterator[House]:
    """The stand-ins alone; the test starts the service, in Socket Mode."""
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}", tongue=tongue) as house:
        yield house


@pytest.fixture(params=["Socket Mode", "HTTP mode"])
async def either_house(request: pytest.FixtureRequest, tmp_path: Path, tongue: str) -> AsyncIterator[House]:
    """The service at work, once in each mode."""
    http = request.param == "HTTP mode"
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}", http=http, tongue=tongue) as house:
        await house.start()
        yield house
