"""The first word of a new installation: hello to whoever set it up, with the three next steps, once for a database.

Slack's token does not say who installed the app, so it is the first person whom the settings name as admin. A database
that has said anything before is never greeted. Nothing here posts.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from bot.slack.permissions import USER_ID
from notify.outbox import HELLO, enqueue_message
from storage.dialects import insert
from storage.engine import Database
from storage.schema import COUNTER, OUTBOX

GREETED = "greeted"
"""The row that says so; the database's own revision wrote it where polls had been kept before."""


def greet(database: Database, admins: Sequence[str], alert_channel: str | None, rules: int, now: datetime) -> bool:
    """Enqueue the hello if it is due and somebody is named; `rules` is how many are in force."""
    person = next((name for name in admins if USER_ID.fullmatch(name)), None)
    if person is None:
        return False
    with database.read() as connection:
        if _is_greeted(connection):
            return False
    with database.write() as connection:
        mark = insert(connection, COUNTER).values(name=GREETED, value=1).on_conflict_do_nothing()
        first = connection.execute(mark.returning(COUNTER.c.name)).first() is not None
        if not first or connection.execute(sa.select(OUTBOX.c.id).limit(1)).first() is not None:
            return False
        facts = {"alert_channel": alert_channel, "rules": rules}
        return enqueue_message(connection, natural_key="hello", kind=HELLO, channel=person, facts=facts, now=now)


def _is_greeted(connection: Connection) -> bool:
    return connection.execute(sa.select(COUNTER.c.name).where(COUNTER.c.name == GREETED)).first() is not None
