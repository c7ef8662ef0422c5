"""What the recording of every poll would have written of connectors and chargers: their values, dated, poll by poll.

It starts from what was recorded of the first poll, and dates a change as the recording does. It judges nothing.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.trials.grid import PollGrid
from rules.trials.history import Change
from storage.schema import CHARGER, CONNECTOR, INTERVAL

Row = dict[str, Any]
FIELD_OF = {"connector": "status", "charger": "online"}
"""The one field of each thing that changes here."""


@dataclass(frozen=True, slots=True)
class Version:
    """From the poll `seen` on a thing's field had a value, which is dated `since`."""

    seen: datetime
    value: Any
    since: datetime


@dataclass(slots=True)
class Past:
    """A thing: its row and the intervals of its field as of the first poll, then each version of it."""

    thing: str
    row: Row
    intervals: list[Row]
    versions: list[Version] = field(default_factory=list)

    def row_of(self, place: int, new_id: str) -> Row:
        """Its row as of a version, under another id."""
        version, name = self.versions[place], FIELD_OF[self.thing]
        changed = {"changed_at": version.seen} if place else {}
        return {**self.row, "id": new_id, name: version.value, f"{name}_changed_at": version.since, **changed}

    def intervals_of(self, place: int, new_id: str) -> list[Row]:
        """What is kept of its field as of a version, under another id."""
        told = [{**row, "thing_id": new_id} for row in self.intervals]
        if place:
            told[-1]["valid_to"] = self.versions[1].since
        same = {"thing": self.thing, "thing_id": new_id, "field": FIELD_OF[self.thing]}
        ends = [after.since for _, after in pairwise(self.versions[1 : place + 1])]
        told += [
            {**same, "value": _as_text(version.value), "valid_from": version.since, "valid_to": end}
            for version, end in zip(self.versions[1 : place + 1], [*ends, None], strict=False)
        ]
        return told

    def place_at(self, moment: datetime) -> int:
        """Which version there was after the poll of a moment."""
        return bisect_right(self.versions, moment, key=lambda version: version.seen) - 1


Pasts = Mapping[tuple[str, str], Past]
"""Every connector and charger, by its kind and its id."""


def read_pasts(connection: Connection, changes: Mapping[datetime, Sequence[Change]], grid: PollGrid) -> Pasts:
    """What there was at the first poll, read from what it recorded, and what the later ones would have made of it."""
    pasts: dict[tuple[str, str], Past] = {}
    known = _intervals(connection)
    for table in (CONNECTOR, CHARGER):
        name = FIELD_OF[table.name]
        for row in connection.execute(sa.select(table)).mappings():
            past = Past(table.name, dict(row), known[table.name, row["id"]])
            past.versions.append(Version(grid.first, row[name], row[f"{name}_changed_at"]))
            pasts[table.name, row["id"]] = past
    for seen in sorted(moment for moment in changes if grid.first < moment <= grid.until):
        for change in _last_of_each(changes[seen]):
            past_of_it = pasts.get((change.thing, change.thing_id))
            if past_of_it is not None and change.field == FIELD_OF[change.thing]:
                _note(past_of_it, change, seen, grid)
    return pasts


def _note(past: Past, change: Change, seen: datetime, grid: PollGrid) -> None:
    before = past.versions[-1]
    value = {"true": True, "false": False}.get(change.value or "") if past.thing == "charger" else change.value
    if value == before.value:
        return
    told = min(change.at, seen) if past.thing == "connector" else seen  # of a connection no moment is told
    past.versions.append(Version(seen, value, max(told, grid.before(seen), before.since)))


def _last_of_each(changes: Iterable[Change]) -> Iterable[Change]:
    """Of several changes of one thing between two polls the last one is seen."""
    return {(change.thing, change.thing_id, change.field): change for change in changes}.values()


def _intervals(connection: Connection) -> dict[tuple[str, str], list[Row]]:
    names = ("thing", "thing_id", "field", "value", "valid_from", "valid_to")
    ours = sa.or_(*(sa.and_(INTERVAL.c.thing == thing, INTERVAL.c.field == name) for thing, name in FIELD_OF.items()))
    statement = sa.select(*(INTERVAL.c[name] for name in names)).where(ours).order_by(INTERVAL.c.valid_from)
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in connection.execute(statement.order_by(INTERVAL.c.id)).mappings():
        found[row["thing"], row["thing_id"]].append(dict(row))
    return found


def _as_text(value: Any) -> str | None:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value
