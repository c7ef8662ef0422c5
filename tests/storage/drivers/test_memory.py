"""A database in memory that began as a copy is a whole one of its own, whichever thread made it first."""

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
from sqlmodel import SQLModel

from storage.drivers.memory import Copied
from storage.engine import Database
from storage.schema import EVERY_TABLE
from storage.shape import differences, shape_of
from tests.notify.records import insert_incident


def _incidents(database: Database) -> int:
    with database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM incident").scalar_one())


def _emptied_and_filled(_: int) -> int:
    database = Database("sqlite://", durable=False)
    EVERY_TABLE.into(database.engine)
    before = _incidents(database)
    with database.write() as connection:
        insert_incident(connection)
    after = _incidents(database)
    database.close()
    return 10 * before + after


def test_it_has_every_table_as_if_each_had_been_made_in_it() -> None:
    copied, made = (Database("sqlite://", durable=False) for _ in range(2))
    EVERY_TABLE.into(copied.engine)
    SQLModel.metadata.create_all(made.engine)
    with copied.read() as one, made.read() as other:
        assert differences(shape_of(one), shape_of(other)) == []
        said = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
        assert one.exec_driver_sql(said).all() == other.exec_driver_sql(said).all()
    copied.close()
    made.close()


def test_what_is_written_in_one_is_in_no_other_whichever_thread_asks() -> None:
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(_emptied_and_filled, range(12))) == {1}


def test_the_tables_are_made_once() -> None:
    made: list[sa.Engine] = []

    def make(engine: sa.Engine) -> None:
        made.append(engine)
        sa.Table("t", sa.MetaData(), sa.Column("a", sa.Integer)).create(engine)

    copied = Copied(make)
    for _ in range(3):
        database = Database("sqlite://", durable=False)
        copied.into(database.engine)
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
            assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == 1
        database.close()
    assert len(made) == 1
