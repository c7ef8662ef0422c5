"""From which poll on what was so of each subject of a rule: whether its condition was true, and whether it was held.

What is true of some values the compiled condition says, asked once for each combination; since when it was, the
compiled rule itself, asked at once for every moment at which an alert may begin.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlmodel import SQLModel

from rules.alerts.query import every_subject
from rules.documents.document import Rule
from rules.language.expressions import Expression, fields_of
from rules.lifecycle import Match
from rules.trials.foreseen.pasts import Past, Pasts
from rules.trials.history import AS_NOW, Kept
from rules.trials.idle_changes import Truths
from storage.dialects import AnyRow
from storage.engine import Database
from storage.prepared import Prepared
from storage.schema import CHARGER, CONNECTOR, INTERVAL, LOCATION

STATUS, ONLINE = "connector.status", "charger.online"


@dataclass(slots=True)
class Stretch:
    """From the poll `seen` on a subject matched so; `row` is what the rule's query answers where an alert may begin."""

    seen: datetime
    match: Match
    row: AnyRow | None = None

    @property
    def opens(self) -> bool:
        """Whether an alert is open in it, whatever was before."""
        return self.match.truth is True and not self.match.held


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Where an alert may begin: a subject's stretch, with its thing and the charger above it as they were then."""

    stretch: Stretch
    things: tuple[tuple[Past, int], ...]


def find_stretches(connection: Connection, rule: Rule, kept: Kept, pasts: Pasts) -> dict[str, list[Stretch]]:
    """By subject, its stretches in time order, those alone in which something may move an alert."""
    asked = _Asked(connection, rule, kept)
    found: dict[str, list[Stretch]] = {}
    beginnings: list[_Beginning] = []
    for thing, subject in sorted(pasts):
        if thing != rule.for_each:
            continue
        above = pasts.get(("charger", pasts[thing, subject].row["charger_id"])) if thing == "connector" else None
        things = [pasts[thing, subject], *([above] if above is not None else [])]
        stretches = found[subject] = []
        for seen, places in _steps(things):
            stretch = Stretch(seen, asked.match(subject, [(one, one.versions[at]) for one, at in places]))
            if stretch.opens and stretches and not stretches[-1].opens:
                beginnings.append(_Beginning(stretch, places))
            stretches.append(stretch)
    _ask_since(connection, rule, beginnings)
    return found


def _steps(things: Sequence[Past]) -> Iterator[tuple[datetime, tuple[tuple[Past, int], ...]]]:
    """The polls at which one of these changed, with the version of each from then on."""
    for seen in sorted({version.seen for one in things for version in one.versions}):
        yield seen, tuple((one, one.place_at(seen)) for one in things)


class _Asked:
    """What a rule's compiled conditions say of a subject with some values."""

    def __init__(self, connection: Connection, rule: Rule, kept: Kept) -> None:
        assert rule.when is not None  # noqa: S101 - checked before
        self._for_each, self._kept = str(rule.for_each), kept
        self._parts = [self._part(connection, part) for part in (rule.when, rule.while_) if part is not None]
        self._described: dict[str, dict[str, Any]] = {}

    @staticmethod
    def _part(connection: Connection, condition: Expression) -> Truths:
        return Truths(connection, condition, sorted(fields_of(condition)))

    def match(self, subject: str, versions: Sequence[tuple[Past, Any]]) -> Match:
        """Its match; since when it is true is asked elsewhere."""
        if subject not in self._described:
            keys = {key for part in self._parts for key in part.keys if key in AS_NOW}
            self._described[subject] = {key: self._kept.description(key, self._for_each, subject) for key in keys}
        now = {STATUS if one.thing == "connector" else ONLINE: version.value for one, version in versions}
        when, *rest = (part.of(self._described[subject] | now) for part in self._parts)
        return Match(subject, when, held=any(truth is not True for truth in rest))


def _ask_since(connection: Connection, rule: Rule, beginnings: Sequence[_Beginning]) -> None:
    """Ask the compiled rule about every beginning at once: each is a thing of its own, in a world of these alone."""
    if not beginnings:
        return
    rows: dict[str, list[dict[str, Any]]] = {"connector": [], "charger": [], "interval": []}
    for number, beginning in enumerate(beginnings):
        for past, place in beginning.things:
            rows[past.thing].append(past.row_of(place, str(number)))
            rows["interval"] += past.intervals_of(place, str(number))
    for row in rows["connector"]:
        row["charger_id"] = row["id"]
    places = [dict(row) for row in connection.execute(sa.select(LOCATION)).mappings()]
    tables = (LOCATION, CHARGER, CONNECTOR, INTERVAL)
    world = Database("sqlite://", durable=False)
    try:
        SQLModel.metadata.create_all(world.engine, tables=tables)
        with world.write() as writing:
            for table, written in zip(
                tables, (places, rows["charger"], rows["connector"], rows["interval"]), strict=True
            ):
                if written:
                    writing.execute(sa.insert(table), written)
        with world.read() as reading:
            # what the answer dates later than its poll, the lifecycle dates at the poll
            answers = Prepared(every_subject(rule)).all(reading, {"now": max(one.stretch.seen for one in beginnings)})
    finally:
        world.close()
    for answer in answers:
        beginning = beginnings[int(answer.subject)]
        ids = {f"{past.thing}_id": past.row["id"] for past, _ in beginning.things}
        stretch = beginning.stretch
        stretch.row = answer._replace(subject=stretch.match.subject, **ids)
        stretch.match = stretch.match._replace(since=answer.since)
