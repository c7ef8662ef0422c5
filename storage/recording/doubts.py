"""Full sweeps that show so much less than was known that they are not believed at once.

Over half missing may be a fault of the API that answers 200. What is missing is then stale, not gone, until sweeps have
shown the same for a day or somebody has confirmed it. Nothing here asks for a sweep or tells anybody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from storage.dialects import insert
from storage.recording.things import ids_there
from storage.schema import DOUBT

BELIEVED_AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Judged:
    """What to make of a sweep: the ids by table that it did not show and that are doubted, or are gone at once."""

    doubted: Mapping[str, set[str]]
    believed: Mapping[str, set[str]]
    is_first: bool = False  # the doubt began with this sweep


NOTHING_ODD = Judged({}, {})


@dataclass(frozen=True, slots=True)
class Doubt:
    """A sweep that is doubted: since when sweeps show the same, how much of how much is missing, who confirmed it."""

    resource: str
    since: datetime
    swept_at: datetime
    missing: int
    known: int
    confirmed_by: str | None = None


def judge_sweep(
    connection: Connection, resource: str, tables: Iterable[Table], seen: Mapping[str, set[str]], now: datetime
) -> Judged:
    """Whether a full sweep of `now` is believed; `seen` are the ids by table that it showed. Writes down its doubt."""
    known = {table.name: _known(connection, table) for table in tables}
    missing = {name: ids - seen.get(name, set()) for name, ids in known.items()}
    if not any(2 * len(missing[name]) > len(known[name]) for name in known):
        connection.execute(sa.delete(DOUBT).where(DOUBT.c.resource == resource))
        return NOTHING_ODD
    before = connection.execute(sa.select(DOUBT).where(DOUBT.c.resource == resource)).first()
    fingerprint = _fingerprint(missing)
    same = before is not None and before.fingerprint == fingerprint
    since = before.since if before is not None and same else now
    confirmed = before is not None and before.confirmed_at is not None
    if same and (confirmed or now - since >= BELIEVED_AFTER):
        connection.execute(sa.delete(DOUBT).where(DOUBT.c.resource == resource))
        return Judged({}, missing)
    lacks = sum(map(len, missing.values()))
    values = {"since": since, "swept_at": now, "missing": lacks, "known": sum(map(len, known.values()))}
    values |= {"fingerprint": fingerprint} | ({} if same else {"confirmed_at": None, "confirmed_by": None})
    statement = insert(connection, DOUBT).values(resource=resource, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[DOUBT.c.resource], set_=values))
    return Judged(missing, {}, is_first=not same)


def open_doubts(connection: Connection) -> tuple[Doubt, ...]:
    """Every sweep that is doubted, by resource."""
    columns = [DOUBT.c[name] for name in Doubt.__dataclass_fields__]
    return tuple(Doubt(*row) for row in connection.execute(sa.select(*columns).order_by(DOUBT.c.resource)))


def confirm_doubt(connection: Connection, resource: str, by: str, now: datetime) -> Doubt | None:
    """Note that somebody says that it is as the last sweep showed: the next one that shows the same is believed.

    None where nothing is doubted any more.
    """
    of_it = DOUBT.c.resource == resource
    connection.execute(
        sa.update(DOUBT).where(of_it, DOUBT.c.confirmed_at.is_(None)).values(confirmed_at=now, confirmed_by=by)
    )
    return next((doubt for doubt in open_doubts(connection) if doubt.resource == resource), None)


def _known(connection: Connection, table: Table) -> set[str]:
    return set(ids_there(connection, table))


def _fingerprint(missing: Mapping[str, set[str]]) -> str:
    digest = sha256()
    for name in sorted(missing):
        for one in sorted(missing[name]):
            digest.update(f"{name}\0{one}\0".encode())
    return digest.hexdigest()
