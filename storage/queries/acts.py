"""Who did what: the audit log by who, what, when and of which thing, newest first, in pages or as a whole.

It only reads, in a fixed number of set-based queries.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from storage.dialects import AnyRow
from storage.queries.rows import Page
from storage.schema import AUDIT, CHARGER, CONNECTOR

COLUMNS = tuple(AUDIT.c[name] for name in ("at", "user", "action", "subject", "outcome", "facts"))


@dataclass(frozen=True, slots=True)
class ActFilter:
    """Which acts: by whom, of what kinds, in [since, until), and of which things; what is left out passes all.

    `places` are ids by location, charger, connector and session, `subjects` what the log calls other things.
    """

    users: Sequence[str] = ()
    actions: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    subjects: Sequence[str] = ()

    def conditions(self) -> list[ColumnElement[bool]]:
        """What the log is asked for."""
        wanted: list[ColumnElement[bool]] = []
        if self.users:
            wanted.append(AUDIT.c.user.in_(self.users))
        if self.actions:
            wanted.append(AUDIT.c.action.in_(self.actions))
        if self.since is not None:
            wanted.append(AUDIT.c.at >= self.since)
        if self.until is not None:
            wanted.append(AUDIT.c.at < self.until)
        if self.subjects:
            wanted.append(AUDIT.c.subject.in_(self.subjects))
        return [*wanted, *self._of_things()]

    def _of_things(self) -> Iterator[ColumnElement[bool]]:
        subject = AUDIT.c.subject
        for kind, thing in self.places.items():
            if kind == "location":
                there = sa.select(CHARGER.c.id).where(CHARGER.c.location_id == thing)
                plugs = sa.select(CONNECTOR.c.id).where(CONNECTOR.c.location_id == thing)
                below: list[ColumnElement[bool]] = [subject.in_(there), subject.in_(plugs), _said("charger").in_(there)]
                yield sa.or_(subject == thing, *below, _said("connector").in_(plugs))
            elif kind == "charger":
                plugs = sa.select(CONNECTOR.c.id).where(CONNECTOR.c.charger_id == thing)
                below = [subject.in_(plugs), _said("charger") == thing]
                yield sa.or_(subject == thing, *below, _said("connector").in_(plugs))
            else:
                yield sa.or_(subject == thing, _said(kind) == thing)


def list_acts(connection: Connection, which: ActFilter, offset: int, limit: int) -> Page[AnyRow]:
    """A page of the acts that pass a filter, the newest first."""
    conditions = which.conditions()
    rows = connection.execute(
        sa.select(*COLUMNS)
        .where(*conditions)
        .order_by(AUDIT.c.at.desc(), AUDIT.c.id.desc())
        .offset(offset)
        .limit(limit)
    ).all()
    total = connection.execute(sa.select(sa.func.count()).select_from(AUDIT).where(*conditions)).scalar_one()
    return Page(tuple(rows), offset, total)


def acts_of(connection: Connection, which: ActFilter) -> Iterator[tuple[Any, ...]]:
    """Every act that passes a filter, in the order in which they were done."""
    statement = sa.select(*COLUMNS).where(*which.conditions()).order_by(AUDIT.c.at, AUDIT.c.id)
    yield from map(tuple, connection.execute(statement))


def known_actions(connection: Connection) -> tuple[str, ...]:
    """The kinds of acts that the log has."""
    return tuple(connection.execute(sa.select(AUDIT.c.action).distinct().order_by(AUDIT.c.action)).scalars())


def _said(kind: str) -> ColumnElement[Any]:
    """What an act's facts name as its charger, connector or session."""
    named: ColumnElement[Any] = AUDIT.c.facts[kind].as_string()
    return named
