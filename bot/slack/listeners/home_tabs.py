"""Who has the Home tab open, since when, and what it showed them last; kept in the database, so over a restart too.

What was shown is kept as a digest of it. Nothing here publishes.
"""

import hashlib
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.dialects import insert
from storage.schema import HOME_TAB

FOLLOWED = timedelta(hours=1)
PAUSE = timedelta(minutes=1)
"""A tab is published again no sooner."""
MOST_FOLLOWED = 200


def note_opened(connection: Connection, user: str, now: datetime, shown: str) -> None:
    """Somebody opened their tab, which shows this."""
    values = {"opened_at": now, "shown_at": now, "shown": digest_of(shown)}
    statement = insert(connection, HOME_TAB).values(user=user, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["user"], set_=values))


def due_tabs(connection: Connection, now: datetime) -> dict[str, str]:
    """The tabs to look at again, by whose they are: the digest of what each shows, the one opened last first.

    They were opened within the hour, and not published within the minute; a moment that a wrong clock noted is neither.
    """
    opened = HOME_TAB.c.opened_at.between(now - FOLLOWED, now + FOLLOWED)
    rested = sa.or_(HOME_TAB.c.shown_at <= now - PAUSE, HOME_TAB.c.shown_at > now + PAUSE)
    columns = (HOME_TAB.c.user, HOME_TAB.c.shown)
    tabs = sa.select(*columns).where(opened, rested).order_by(HOME_TAB.c.opened_at.desc(), HOME_TAB.c.user)
    return {row.user: row.shown for row in connection.execute(tabs.limit(MOST_FOLLOWED))}


def note_shown(connection: Connection, user: str, now: datetime, shown: str) -> None:
    """A tab shows this now."""
    values = {"shown_at": now, "shown": digest_of(shown)}
    connection.execute(sa.update(HOME_TAB).where(HOME_TAB.c.user == user).values(**values))


def digest_of(shown: str) -> str:
    """What tells one content of a tab from another."""
    return hashlib.sha256(shown.encode()).hexdigest()
