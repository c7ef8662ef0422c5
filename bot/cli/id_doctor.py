"""Tells what a contract that makes other ids will make of what is stored: what keeps its history, and what ends.

It reads the database that is there and writes nothing; where there is none, or it is of another version, it is silent.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from storage.engine import Database
from storage.migrate import current_revision, latest_revision
from storage.recording.new_ids import KINDS_OF, NewIds, changed_forms, plan_new_ids
from storage.schema import ALERT, SILENCE, SUBSCRIPTION

_SHOWN = 5


def told_of_ids(url: str, forms: Mapping[str, str], readings: Mapping[str, Sequence[Any]]) -> list[str]:
    """Say for each kind whose ids change what becomes of what is stored; `readings` are the account's, by resource."""
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return []
    try:
        database = Database(url)
    except (SQLAlchemyError, ImportError):
        return []  # doctor tells of the database by itself
    try:
        if current_revision(database) != latest_revision():
            return []
        with database.read() as connection:
            told = [line for resource in KINDS_OF for line in _of_resource(connection, resource, forms, readings)]
    except SQLAlchemyError:
        return []
    finally:
        database.close()
    return ["", "Ids change with this contract:", *(f"  {line}" for line in told)] if told else []


def _of_resource(
    connection: Connection, resource: str, forms: Mapping[str, str], readings: Mapping[str, Sequence[Any]]
) -> list[str]:
    changed = changed_forms(connection, resource, forms)
    new = plan_new_ids(connection, readings.get(resource, ()), changed, forms)
    return [line for kind in KINDS_OF[resource] for line in _of_kind(connection, kind, new)]


def _of_kind(connection: Connection, kind: str, new: NewIds) -> list[str]:
    renamed, ended = new.renamed.get(kind, {}), new.ended.get(kind, ())
    told = []
    if renamed:
        old, first = min(renamed.items())
        told.append(
            f"{len(renamed)} stored {_named(kind, len(renamed))} keep history, alerts and silences"
            f" under new ids, such as {first} for {old}."
        )
    if ended:
        which = ", ".join(ended[:_SHOWN]) + (", ..." if len(ended) > _SHOWN else "")
        counted = (_number(connection, table, kind, ended) for table in (ALERT, SILENCE, SUBSCRIPTION))
        alerts, silences, subscriptions = counted
        told.append(
            f"{len(ended)} stored {_named(kind, len(ended))} may have been several things, or none that is there now:"
            f' {which}. They end as "identity changed", with {alerts} open alerts, {silences} silences and'
            f" {subscriptions} subscriptions."
        )
    return told


def _named(kind: str, number: int) -> str:
    return kind if number == 1 else f"{kind}s"


def _number(connection: Connection, table: sa.Table, kind: str, ids: Sequence[str]) -> int:
    is_open = table.c.ended_at.is_(None) if table is not ALERT else table.c.state.in_(("pending", "firing"))
    rows = connection.execute(sa.select(table.c[f"{kind}_id"]).where(is_open)).scalars()
    return sum(one in set(ids) for one in rows)
