"""What an earlier version gave up is said after the upgrade, if it is still true; all else stays given up."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic import command

from notify.channel_refusals import due_probes
from notify.outbox import ALERT_CARD, DIGEST, ROLL_UP
from storage.engine import Database
from storage.migrate import migrations_on, upgrade
from storage.schema import INCIDENT, OUTBOX
from tests.readings import T0

HOUR = timedelta(hours=1)


@pytest.fixture
def old(database_url: str) -> Iterator[Database]:
    """A database of the first revision."""
    database = Database(database_url, durable=False)
    with database.write() as connection:
        command.upgrade(migrations_on(connection), "0001")
    yield database
    database.close()


def given_up(connection: sa.Connection, key: str, kind: str, **more: object) -> None:
    columns = [column for column in OUTBOX.c if column.name not in {"rank", "clicked_at"}]
    row = {
        "id": key,
        "natural_key": key,
        "kind": kind,
        "channel": "#gone",
        "facts": {},
        "version": 2,
        "broadcast": False,
    }
    row |= {"shown_version": 1, "due_at": T0, "created_at": T0, "uncertain": False, "attempts": 4}
    row |= {"error": "not_in_channel", "abandoned_at": T0, **more}
    known = {column.name: row[column.name] for column in columns if column.name in row}
    connection.execute(sa.insert(OUTBOX).values(known))


def test_cards_of_open_incidents_come_back_with_their_channel_to_be_tried(old: Database) -> None:
    with old.write() as connection:
        for number, ended in ((1, None), (2, T0 + HOUR)):
            incident = {"rule_id": "r", "group_key": f"{number}", "severity": "critical", "opened_at": T0}
            connection.execute(sa.insert(INCIDENT).values(id=number, resolved_at=ended, **incident))
        given_up(connection, "open", ALERT_CARD, incident_id=1)
        given_up(connection, "ended", ALERT_CARD, incident_id=2, channel="#other")
        given_up(connection, "digest", DIGEST)
        given_up(connection, "storm", ROLL_UP)
        given_up(connection, "rolled", ALERT_CARD, incident_id=1, rolled_into="storm", abandoned_at=None, error=None)
        given_up(connection, "old storm", ROLL_UP, channel="#other")
    upgrade(old)
    with old.read() as connection:
        back = connection.execute(sa.select(OUTBOX.c.id).where(OUTBOX.c.abandoned_at.is_(None))).scalars().all()
        assert sorted(back) == ["open", "rolled", "storm"]
        assert due_probes(connection, T0 + HOUR) == ["#gone"]
        row = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == "open")).one()
        assert (row.attempts, row.error, row.rank, row.clicked_at) == (0, "not_in_channel", None, None)
