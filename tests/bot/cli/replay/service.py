"""A process that polls, records and evaluates a recording minute by minute, and kills itself where it is told.

The times are simulated, the process and its SIGKILL are real. It starts from the database alone, as the service does
after a restart.
"""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from bot.service import evaluating, jobs
from bot.service.polling import polls
from bot.service.recording import answers
from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.tokens import TokenSource
from rules.documents.document import rule_from_document
from sandbox.eosvolt.api import create_api
from sandbox.eosvolt.in_process import InProcessTransport
from sandbox.recordings import open_recording
from sandbox.recordings.replay import ReplaySource
from storage.engine import Database
from storage.migrate import upgrade
from tests.forks import kill_myself
from tests.rules.engine import FAULTED

MINUTE = timedelta(minutes=1)


def live(folder: Path, url: str, begin: datetime, end: datetime, point: str) -> None:
    """Run from `begin` to `end`; with a point other than "never", die there in the last minute."""
    asyncio.run(_live(folder, url, begin, end, point))


async def _live(folder: Path, url: str, begin: datetime, end: datetime, point: str) -> None:
    source = ReplaySource(open_recording(folder))
    moment = [begin]
    transport = InProcessTransport(create_api(source, clock=lambda: moment[0]))
    database = Database(url)
    upgrade(database)
    token = TokenSource.from_text("sandbox-token")
    async with EosvoltClient("http://replay", token, load_contract(), transport=transport, attempts=1) as client:
        work = jobs.Jobs(database, client, run=jobs.run_inline)
        jobs.use_rules(work, [rule_from_document(FAULTED, "test.yaml")], begin)
        now = begin
        while now <= end:
            moment[0] = now
            source.advance_to(now)
            if now == end:
                _arm(point)
            fresh = await polls.poll(work, now)
            if now == end and point == "between record and evaluate":
                kill_myself()
            evaluating.evaluate(work, now, fresh)
            now += MINUTE
        if point == "after evaluate":
            kill_myself()
    database.close()


def _arm(point: str) -> None:
    if point == "before the poll is finished":
        setattr(answers, "store_poll_states", kill_myself)  # noqa: B010 - the point lies inside a transaction
    if point == "before the evaluation is committed":
        setattr(evaluating, "enqueue_alert_messages", kill_myself)  # noqa: B010
