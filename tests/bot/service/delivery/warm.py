"""Run by the process that others are forked from, before the first fork: one whole life of a command.

What Python and SQLAlchemy make ready at its first use is then ready in every fork, which would else take a third of a
second for it.
"""

import asyncio
import contextlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bot.service.delivery.lives import Fate, go_on
from tests.bot.service.delivery.stage import staged
from tests.conftest import with_tables


async def warm_up(folder: Path) -> None:
    """Live one life, with nobody to kill it."""
    template = folder / "template.db"
    with_tables(f"sqlite:///{template}")
    async with staged(template, folder) as stage:
        life = await stage.begin("start_session", "as it is")
        await go_on(life, Fate())
        await stage.end(life)


with TemporaryDirectory() as told, open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
    asyncio.run(warm_up(Path(told)))
