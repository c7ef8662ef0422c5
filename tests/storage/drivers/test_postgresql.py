"""PostgreSQL behind PgBouncer, and PostgreSQL that does not answer: nothing fails there and nothing hangs here."""

import os
import select
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import make_url

from storage.drivers.bounded import BoundedConnection
from storage.drivers.postgresql import planned_once
from storage.engine import Database, normalise_url
from storage.migrate import current_revision, latest_revision, upgrade
from storage.prepared import Prepared, savepoint
from storage.schema import COUNTER, RULE
from storage.upkeep.copies import backup
from tests.databases import temporary_database, temporary_pooler
from tests.readings import T0, charger, connector
from tests.rules.engine import FAULTED, Engine


@pytest.fixture(params=["transaction", "session"])
def pooled(request: pytest.FixtureRequest, postgresql_server: str) -> Iterator[Database]:
    """An empty database that is reached through PgBouncer in one of its modes."""
    if shutil.which("pgbouncer") is None and not Path("/usr/sbin/pgbouncer").exists():
        pytest.skip("PgBouncer is absent: the program was not found")
    with temporary_database(postgresql_server) as url, temporary_pooler(postgresql_server, request.param) as through:
        database = Database(url.partition("?")[0] + "?" + through)
        yield database
        database.close()


def test_behind_a_pooler_tables_are_made_and_polls_recorded_and_evaluated_side_by_side(pooled: Database) -> None:
    upgrade(pooled)
    assert current_revision(pooled) == latest_revision()
    engine = Engine(pooled, FAULTED, now=T0)
    failed: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(30):
                with pooled.read() as connection:
                    connection.execute(sa.text("SELECT count(*) FROM connector")).scalar_one()
        except BaseException as error:
            failed.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for minute in range(12):
        status = "Faulted" if minute % 4 else "Available"
        engine.tick(T0 + timedelta(minutes=minute), charger(connector(status=status)))
    for reader in readers:
        reader.join()
    assert failed == []
    assert engine.transitions


def test_settings_hold_in_each_transaction_behind_a_pooler(pooled: Database) -> None:
    names = ("jit", "random_page_cost", "statement_timeout", "idle_in_transaction_session_timeout")
    for _ in range(3):
        with pooled.read() as connection:
            told = [connection.execute(sa.text(f"SHOW {name}")).scalar_one() for name in names]
            assert told == ["off", "1.1", "40s", "5s"]
    with pooled.engine.connect() as connection:
        assert isinstance(connection.connection.driver_connection, BoundedConnection)
        assert connection.connection.driver_connection.pooled
        assert connection.connection.driver_connection.prepare_threshold is None


def test_without_a_pooler_statements_are_prepared_as_before(postgresql_shared: str) -> None:
    database = Database(postgresql_shared)
    with database.read() as connection:
        assert connection.execute(sa.text("SHOW idle_in_transaction_session_timeout")).scalar_one() == "5s"
        driver = connection.connection.driver_connection
        assert isinstance(driver, BoundedConnection)
        assert (driver.pooled, driver.prepare_threshold) == (False, 5)
    database.close()


@contextmanager
def frozen(process: int) -> Iterator[None]:
    """A server process that takes what it is sent, and does nothing."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)


def _ask_a_frozen_one(database: Database) -> None:
    with database.write() as connection:
        backend = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        with frozen(backend):
            connection.execute(sa.text("SELECT 1"))


def test_a_server_that_does_not_answer_is_waited_for_so_long_and_no_longer(
    postgresql_shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedConnection, "answer_seconds", 0.3)
    database = Database(postgresql_shared)
    began = time.monotonic()
    with pytest.raises(sa.exc.OperationalError, match="does not answer"):
        _ask_a_frozen_one(database)
    assert time.monotonic() - began < 15
    with database.read() as connection:  # by another connection
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    database.close()


def test_a_transaction_that_stands_idle_is_ended_by_the_server(postgresql_shared: str) -> None:
    with closing(BoundedConnection.connect(postgresql_shared.replace("+psycopg", ""))) as connection:
        connection.execute("SET idle_in_transaction_session_timeout = '50ms'")
        connection.commit()
        connection.execute("SELECT 1")
        assert select.select([connection.fileno()], [], [], 3)[0], "the server says nothing"
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            connection.execute("SELECT 1")


def test_of_several_hosts_one_that_answers_is_used_also_by_postgresqls_own_programs(
    postgresql_shared: str, tmp_path: Path
) -> None:
    name, _, host = postgresql_shared.partition("@/")[2].partition("?host=")
    several = f"postgresql://chargehand@%2Fnowhere,{quote(host, safe='')}/{name}?target_session_attrs=read-write"
    database = Database(several)
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT current_database()")).scalar() == name
    database.close()
    if shutil.which("pg_dump") is not None:
        backup(several, tmp_path / "copy")
        assert (tmp_path / "copy").stat().st_size > 10_000


def test_several_hosts_are_read_as_libpq_reads_them() -> None:
    url = make_url(normalise_url("postgres://ada:x%40y@one:5433,two:5434/name?target_session_attrs=read-write"))
    told = url.get_dialect()().create_connect_args(url)[1]
    assert (told["host"], told["port"]) == ("one,two", "5433,5434")
    assert (told["user"], told["password"], told["dbname"]) == ("ada", "x@y", "name")
    assert told["target_session_attrs"] == "read-write"
    assert normalise_url("postgresql://ada@one/name") == "postgresql+psycopg://ada@one/name"


def test_a_part_that_fails_leaves_no_plan_forced(postgresql: Database) -> None:
    with postgresql.write() as connection:
        for fails in (False, True):
            with suppress(ValueError), savepoint(connection), planned_once(connection):
                assert connection.exec_driver_sql("SHOW plan_cache_mode").scalar() == "force_generic_plan"
                if fails:
                    raise ValueError
            assert connection.exec_driver_sql("SHOW plan_cache_mode").scalar() == "auto"


def test_what_is_prepared_outlives_a_transaction_that_only_reads(postgresql: Database) -> None:
    question = Prepared(sa.select(sa.func.count()).select_from(RULE).where(RULE.c.id == sa.bindparam("rule")))
    for _ in range(12):
        with postgresql.read() as connection:
            assert question.scalar(connection, {"rule": "x"}) == 0
    with postgresql.read() as connection:
        asked = "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE statement LIKE '%%FROM rule%%'"
        assert connection.exec_driver_sql(asked).scalars().all() == [7]


def test_what_a_reader_wrote_by_mistake_is_undone(postgresql: Database) -> None:
    with postgresql.read() as connection:
        connection.execute(sa.insert(COUNTER).values(name="odd", value=1))
    with suppress(sa.exc.DBAPIError), postgresql.read() as connection:
        connection.execute(sa.insert(COUNTER).values(name="odder", value=1))
        connection.exec_driver_sql("SELECT nothing FROM nowhere")
    with postgresql.read() as connection:
        assert connection.execute(sa.select(COUNTER.c.name).where(COUNTER.c.name.startswith("odd"))).all() == []
