"""How a database stands: its size, its rows, whether it is whole and of this version. It only reads."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.engine import Database
from storage.migrate import current_revision, latest_revision, shape_at
from storage.schema import INTERVAL
from storage.shape import differences, shape_of


@dataclass(frozen=True, slots=True)
class Sizes:
    """The whole database in bytes, and the rows of each table."""

    total: int
    rows: Mapping[str, int]


def sizes(connection: Connection) -> Sizes:
    """The size of the database and of each table."""
    if connection.dialect.name == "sqlite":
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        total = pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    else:
        total = connection.execute(sa.select(sa.func.pg_database_size(sa.func.current_database()))).scalar_one()
    tables = INTERVAL.metadata.sorted_tables
    counted = [sa.select(sa.literal(one.name), sa.func.count()).select_from(one) for one in tables]
    return Sizes(int(total), {row[0]: row[1] for row in connection.execute(sa.union_all(*counted))})


def faults(database: Database) -> list[str]:
    """What is wrong with a database, each with its mend; empty where it is whole and of this version."""
    revision = current_revision(database)
    if revision is None:
        return ["it is empty: `chargehand db upgrade` makes its tables"]
    told = []
    with database.read() as connection:
        if connection.dialect.name == "sqlite":
            said = connection.exec_driver_sql("PRAGMA integrity_check(5)").scalars().all()
            told += [
                f"it is damaged: {line}; restore a copy (chargehand db restore FILE)" for line in said if line != "ok"
            ]
        if revision != latest_revision():
            mend = "`chargehand db upgrade` brings it there"
            told.append(f"it is at revision {revision}, and this version needs {latest_revision()}: {mend}")
        else:
            told += differences(shape_of(connection), shape_at(revision))
    return told
