"""What the compiled SQL says of each subject that is stored, asked in a transaction that leaves nothing behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.language.conditions import parse_condition
from rules.matching.clauses import compile_condition, current
from rules.matching.scope import PATHS, TABLES
from rules.matching.windows import local_clocks
from storage.engine import Database
from tests.rules.matching.drawn_polls import ZONES


@contextmanager
def forgotten(database: Database) -> Iterator[Connection]:
    """A transaction that leaves nothing behind."""
    with database.engine.connect() as connection:
        connection.execution_options(begin="IMMEDIATE")
        transaction = connection.begin()
        try:
            yield connection
        finally:
            transaction.rollback()


def answers(connection: Connection, for_each: str, text: str, now: datetime) -> dict[str, bool | None]:
    """What SQL says of each subject: true, false or unknown."""
    table = TABLES[for_each]
    source: sa.FromClause = table
    for thing, column in PATHS[for_each].items():
        source = source.outerjoin(TABLES[thing], TABLES[thing].c.id == column)
    truth = sa.type_coerce(compile_condition(parse_condition(text, for_each=for_each), current), sa.Boolean())
    looked_at = table.c.ended_at if for_each == "session" else table.c.gone_at
    statement = sa.select(table.c.id, truth).select_from(source).where(looked_at.is_(None))
    given = {"now": now, "clocks": local_clocks(ZONES.values(), now)}
    return {row.id: row[1] for row in connection.execute(statement, given)}
