"""A site whose rules speak: polls recorded, rules evaluated, quiet and reminders reviewed, messages shown when due."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import Row

from bot.service import evaluating, jobs
from bot.service.speaking import speak
from eosvolt.client import EosvoltClient
from notify.render import render_message
from rules.documents.document import rule_from_document
from rules.documents.speech_plan import PLAIN, SpeechPlan
from rules.lifecycle import Transition
from storage.engine import Database
from storage.schema import OUTBOX
from tests.readings import poll

FRESH = ("locations", "chargers", "sessions")


class Site:
    """Rules in force on a database, speaking in #alerts; nothing asks the API here."""

    def __init__(self, database: Database, *documents: dict[str, Any], now: datetime, plan: SpeechPlan = PLAIN) -> None:
        self.database = database
        self.work = jobs.Jobs(database, cast("EosvoltClient", None), alert_channel="#alerts", run=jobs.run_inline)
        rules = [rule_from_document(document, "test.yaml") for document in documents]
        jobs.use_rules(self.work, rules, now, plan)

    def tick(self, now: datetime, *readings: Any, resource: str = "chargers", speaks: bool = True) -> list[Transition]:
        """One minute of the service: what was due is shown, then a poll is recorded and what follows is written.

        Without `speaks` it ends when the rules are evaluated, as a kill ends it.
        """
        self.show(now)
        poll(self.database, now, *readings, resource=resource)
        moved = evaluating.evaluate(self.work, now, FRESH)
        if speaks:
            speak(self.work, now)
        return [item for item in moved if isinstance(item, Transition)]

    def show(self, now: datetime) -> None:
        """Show what is due by `now`, as if Slack had answered at once."""
        due = (OUTBOX.c.shown_version < OUTBOX.c.version, OUTBOX.c.due_at <= now)
        place: dict[str, Any] = {
            "message_channel": "C1",
            "message_ts": "1.0",
            "sent_at": sa.func.coalesce(OUTBOX.c.sent_at, now),
        }
        place |= {"claimed_by": None, "claimed_until": None, "uncertain": False}
        with self.database.write() as connection:
            connection.execute(sa.update(OUTBOX).where(*due).values(shown_version=OUTBOX.c.version, **place))

    def messages(self) -> Sequence[Row[Any]]:
        """What stands in the channel or its threads, in the order in which it came."""
        with self.database.read() as connection:
            return connection.execute(
                sa.select(OUTBOX).where(OUTBOX.c.sent_at.is_not(None)).order_by(OUTBOX.c.sent_at, OUTBOX.c.due_at)
            ).all()

    def told(self) -> list[str]:
        """What stands, as `kind rule`."""
        return [f"{row.kind} {row.rule_id}" for row in self.messages()]

    def words(self, row: Row[Any], now: datetime) -> str:
        """The newest words of a message."""
        with self.database.read() as connection:
            message = render_message(connection, row, now)
        return f"{message.text}\n{message.all_blocks}"

    def rows(self, statement: sa.Select[Any]) -> Sequence[Row[Any]]:
        """The rows that a query answers."""
        with self.database.read() as connection:
            return connection.execute(statement).all()
