"""PostgreSQL's connections: each wait has an end, and a pooler in between is asked for nothing that it cannot keep.

A server that is frozen acknowledges what it is sent and never answers: only this side can end such a wait. Behind
PgBouncer in transaction mode the next transaction may run on another server connection: there nothing is prepared, and
settings are made anew in each transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 40
IDLE_SECONDS = 5
"""How long a transaction may stand idle: whoever was stopped within one holds no row for longer."""

_SETTINGS = {
    # compiling a rule's query to machine code takes seconds, each time that it is run
    "jit": "off",
    # what is asked again and again stays in memory: by the price of a turning disk, a rule's 2,000 alerts of 100,000
    # connectors would be found by reading and hashing every connector
    "random_page_cost": "1.1",
    # a worker's start takes longer than such a question; a digest's may still have some
    "parallel_setup_cost": "20000",
    "statement_timeout": f"'{STATEMENT_SECONDS}s'",
    "idle_in_transaction_session_timeout": f"'{IDLE_SECONDS}s'",
}
_FOR_THE_SESSION = "; ".join(f"SET {name} = {value}" for name, value in _SETTINGS.items())
_FOR_THE_TRANSACTION = "; ".join(f"SET LOCAL {name} = {value}" for name, value in _SETTINGS.items())
_WITHOUT_END = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"

_NETWORK = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # ms
}


def prepare(engine: Engine) -> None:
    """Let the engine's connections be bounded, and careful where a pooler is."""
    from storage.drivers.bounded import BoundedConnection  # noqa: PLC0415 - a start on SQLite needs no driver

    @event.listens_for(engine, "do_connect")
    def on_do_connect(_dialect: Any, _record: Any, arguments: list[Any], parameters: dict[str, Any]) -> Any:
        connection = BoundedConnection.connect(*arguments, **{**_NETWORK, **parameters})
        # the process that answers is another than the one that greeted us
        told = connection.execute("SELECT pg_backend_pid()", prepare=False).fetchone()
        connection.pooled = told is None or told[0] != connection.info.backend_pid
        if connection.pooled:
            connection.prepare_threshold = None
        else:
            connection.execute(_FOR_THE_SESSION, prepare=False)
        connection.commit()
        return connection

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if driver.pooled:
            driver.execute(_FOR_THE_TRANSACTION)


def end_reading(connection: Connection) -> None:
    """End a transaction that only read: as ever nothing that it did stays, but what it prepared does."""
    if connection.dialect.name == "postgresql" and connection.in_transaction():
        driver: Any = connection.connection.driver_connection
        driver.end_reading()


@contextmanager
def planned_once(connection: Connection) -> Iterator[None]:
    """Let the server keep one plan for what is prepared and asked here, whatever its values: to plan takes it longer.

    For questions that find about as much for any values. Where one fails, its savepoint's end undoes the setting.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    driver: Any = connection.connection.driver_connection
    if driver.pooled:  # nothing is prepared, so that everything is planned
        yield
        return
    driver.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    yield
    driver.execute("SET LOCAL plan_cache_mode = auto")


@contextmanager
def without_end(connection: Connection) -> Iterator[None]:
    """Let what is done in this transaction take as long as it takes: migrations of large tables."""
    if connection.dialect.name != "postgresql":
        yield
        return
    driver: Any = connection.connection.driver_connection
    connection.exec_driver_sql(_WITHOUT_END)
    driver.answer_seconds = None
    try:
        yield
    finally:
        del driver.answer_seconds
