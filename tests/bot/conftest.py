"""A house for each test: closed (the service not started), or open in one or both modes."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from tests.bot.house import House, open_house


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Tracebacks as lines: the default shows every local variable, which takes seconds."""
    render = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, render])
    yield
    structlog.reset_defaults()


@pytest.fixture
async def closed_house(tmp_path: Path) -> AsyncIterator[House]:
    """The stand-ins alone; the test starts the service, in Socket Mode."""
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}") as house:
        yield house


@pytest.fixture
async def house(closed_house: House) -> House:
    """The service at work in Socket Mode, EOSVOLT read once, no rules."""
    await closed_house.start()
    return closed_house


@pytest.fixture(params=["Socket Mode", "HTTP mode"])
async def either_house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """The service at work, once in each mode."""
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}", http=request.param == "HTTP mode") as house:
        await house.start()
        yield house
