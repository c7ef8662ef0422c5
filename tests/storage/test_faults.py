"""Each way in which a database fails an operator has its mend in words; nothing of a statement is in them."""

import socket
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from storage.engine import Database
from storage.faults import AWAY, CLOSED, DAMAGED, FULL, Mend, mend_of


def fault(database: Database, *statements: str) -> Mend | None:
    try:
        with database.write() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    except DBAPIError as error:
        return mend_of(error)
    finally:
        database.close()
    raise AssertionError("it did not fail")


def test_a_full_disk(sqlite: Database) -> None:
    growing = "CREATE TABLE big AS SELECT zeroblob(9000000) AS x"
    assert fault(sqlite, "PRAGMA max_page_count = 1", growing) == FULL


def test_a_file_that_may_only_be_read(sqlite: Database) -> None:
    assert fault(sqlite, "PRAGMA query_only = 1", "CREATE TABLE x (y)") == CLOSED


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert fault(Database(f"sqlite:///{tmp_path}/none/chargehand.db"), "SELECT 1") == CLOSED


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "chargehand.db"
    file.write_bytes(b"no database" * 1_000)
    assert fault(Database(f"sqlite:///{file}"), "SELECT 1") == DAMAGED


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: it refuses
        port = closed.getsockname()[1]
        assert fault(Database(f"postgresql://nobody@127.0.0.1:{port}/none"), "SELECT 1") == AWAY


def test_a_server_that_ends_the_connection(postgresql_shared: str) -> None:
    database = Database(postgresql_shared, durable=False)
    assert fault(database, "SELECT pg_terminate_backend(pg_backend_pid())") == AWAY


@pytest.mark.parametrize("statement", ["SELECT 1 FROM nothing", "INSERT INTO rule (id) VALUES ('x')"])
def test_what_is_a_fault_of_ours_has_no_mend(database: Database, statement: str) -> None:
    with pytest.raises(DBAPIError) as caught, database.write() as connection:
        connection.execute(sa.text(statement))
    assert mend_of(caught.value) is None
    assert mend_of(ValueError("x")) is None
