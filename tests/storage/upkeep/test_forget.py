"""A driver is forgotten wherever the tag or its hash stands; others, and the sessions themselves, are not touched."""

import sqlalchemy as sa
from sqlmodel import SQLModel

from storage import schema
from storage.engine import Database
from storage.recording.reading_rows import hashed_tag
from storage.upkeep.forget import FORGOTTEN, forget
from tests.readings import T0, poll, session

TAG, OTHER = 'A"B-77', "C-12"


def everything(database: Database) -> str:
    with database.read() as connection:
        return "\n".join(
            str(tuple(row))
            for table in SQLModel.metadata.sorted_tables
            for row in connection.execute(sa.select(table)).all()
        )


def test_no_table_names_a_forgotten_driver(database: Database) -> None:
    stored = hashed_tag(TAG, b"key")
    poll(database, T0, session("s1", started=T0), session("s2", started=T0), resource="sessions")
    with database.write() as connection:
        for name, tag in (("s1", stored), ("s2", OTHER)):
            connection.execute(sa.update(schema.SESSION).where(schema.SESSION.c.id == name).values(id_tag=tag))
        audit = {"at": T0, "user": "U1", "action": "x", "subject": "s1", "outcome": ""}
        connection.execute(sa.insert(schema.AUDIT).values(**audit, facts={"who": [stored, OTHER], "n": 1}))
        aside = {"resource": "sessions", "key": "s1", "reason": "r", "first_at": T0, "last_at": T0}
        connection.execute(sa.insert(schema.SET_ASIDE).values(**aside, row_json='{"tag": "A\\"B-77", "kWh": 2}'))
        changed = forget(connection, {TAG, stored})
    assert changed == {"charging_session": 1, "audit_entry": 1, "set_aside_row": 1}
    left = everything(database)
    assert stored not in left
    assert TAG not in left
    assert 'A\\"B' not in left
    assert left.count(OTHER) == 2
    assert FORGOTTEN in left
    with database.read() as connection:
        tags = connection.execute(sa.select(schema.SESSION.c.id_tag).order_by(schema.SESSION.c.id)).scalars().all()
    assert tags == [None, OTHER]


def test_nothing_changes_where_nothing_is_kept(database: Database) -> None:
    with database.write() as connection:
        assert forget(connection, {TAG}) == {}
