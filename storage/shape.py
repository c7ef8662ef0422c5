"""What a database really looks like, compared with what its revision makes: tables, columns and indexes.

It only looks. Types are left out, which each kind of database words in its own way; a column that is missing, is too
many or may be empty where it may not, and an index of other columns, are told.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import Connection

VERSIONS = "alembic_version"


class OtherShapeError(Exception):
    """A database whose tables are not those of the revision that it says it is at; the message names the mend."""

    def __init__(self, revision: str, differences: list[str]) -> None:
        more = f", and {len(differences) - 5} more" if len(differences) > 5 else ""
        super().__init__(
            f"The database says that it is at revision {revision}, but it has other tables than that revision makes: "
            f"{'; '.join(differences[:5])}{more}. A version that was never released made it, or somebody changed it "
            "by hand: nothing was touched. Restore a backup that a release made (chargehand db restore FILE), or "
            "point DATABASE_URL at an empty database: what is true now is polled anew."
        )
        self.differences = differences


@dataclass(frozen=True, slots=True)
class TableShape:
    """One table: columns, each with whether it may be empty; indexes: columns, whether unique, whether partial."""

    columns: dict[str, bool] = field(default_factory=dict)
    indexes: dict[str, tuple[tuple[str | None, ...], bool, bool]] = field(default_factory=dict)


Shape = dict[str, TableShape]


def shape_of(connection: Connection) -> Shape:
    """The tables of the database behind this connection."""
    inspector = sa.inspect(connection)
    shape = {}
    for table in sorted(set(inspector.get_table_names()) - {VERSIONS}):
        columns = {column["name"]: bool(column["nullable"]) for column in inspector.get_columns(table)}
        indexes = {
            str(index["name"]): (
                tuple(index["column_names"]),
                bool(index["unique"]),
                any(name.endswith("_where") for name in index.get("dialect_options", {})),
            )
            for index in inspector.get_indexes(table)
            if "duplicates_constraint" not in index  # PostgreSQL lists what holds a constraint here too
        }
        shape[table] = TableShape(columns, indexes)
    return shape


def differences(found: Shape, wanted: Shape) -> list[str]:
    """What is other than it should be, in words; tables that are nothing of ours are left out."""
    told = [f'there is no table "{table}"' for table in wanted if table not in found]
    for table, shape in wanted.items():
        if table in found:
            told += (f'table "{table}" {what}' for what in _of_table(found[table], shape))
    return told


def _of_table(found: TableShape, wanted: TableShape) -> Iterator[str]:
    for name, may_be_empty in wanted.columns.items():
        if name not in found.columns:
            yield f'lacks the column "{name}"'
        elif found.columns[name] != may_be_empty:
            yield f'has a column "{name}" that {"may not" if may_be_empty else "may"} be empty'
    yield from (f'has a column "{name}" too many' for name in found.columns if name not in wanted.columns)
    for name, index in wanted.indexes.items():
        if name not in found.indexes:
            yield f'lacks the index "{name}"'
        elif found.indexes[name] != index:
            yield f'has an index "{name}" over other columns or rows'
