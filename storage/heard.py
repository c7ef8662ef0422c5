"""Which of Slack's requests were heard already, so that one that comes again, after a restart too, does nothing twice.

A request is named by what Slack gives it (`trigger_id`, `event_id`). It keeps names and moments, no content.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.dialects import insert
from storage.schema import HEARD

KEPT = timedelta(days=2)
"""A signature is good for 5 minutes, and Slack repeats an event for an hour or so: far less than this."""


def claim_request(connection: Connection, name: str, now: datetime) -> bool:
    """Note that a request is heard at `now`; False where it was heard before, and is not to be acted on."""
    connection.execute(sa.delete(HEARD).where(HEARD.c.heard_at < now - KEPT))
    claim = insert(connection, HEARD).values(name=name[:200], heard_at=now)
    new = claim.on_conflict_do_nothing(index_elements=[HEARD.c.name]).returning(HEARD.c.name)
    return connection.execute(new).first() is not None
